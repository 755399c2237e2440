"""Visits: the noise is what the error says, the masks tell where it is not, and a seed makes the visit."""

from __future__ import annotations

import numpy as np
import pytest

from apogee_labels.apogee.spectra.grid import N_PIXELS
from apogee_labels.apogee.spectra.masks import BAD_PIXEL, PixelMask
from apogee_labels.simulation.exposures import SyntheticStar, expose
from apogee_labels.simulation.spectra import on_chips
from apogee_labels.simulation.survey import SyntheticSurvey


@pytest.fixture(scope="module")
def star() -> SyntheticStar:
    return SyntheticSurvey("unused").stars[0]


def test_noise_is_what_the_error_says(star: SyntheticStar) -> None:
    flat = np.ones(N_PIXELS)
    good, pulls = on_chips(), []
    for mjd in range(59300, 59310):
        loud = expose(star, mjd, 1, snr=20.0, flux=flat)
        quiet = expose(star, mjd, 1, snr=1e9, flux=flat)  # the same draws, so the same continuum and masks
        known = good & ((loud.mask & int(BAD_PIXEL)) == 0)
        pulls.append(((loud.flux - quiet.flux) / loud.error)[known])
        assert (loud.mask == quiet.mask).all()
    assert np.std(np.concatenate(pulls)) == pytest.approx(1.0, abs=0.01)
    assert np.mean(np.concatenate(pulls)) == pytest.approx(0.0, abs=0.02)


def test_signal_to_noise_is_what_was_asked_for(star: SyntheticStar) -> None:
    visit = expose(star, 59280, 1, snr=80.0)
    assert np.median((visit.flux / visit.error)[on_chips()]) == pytest.approx(76.0, rel=0.05)


def test_masks_have_sky_lines_defects_and_cosmic_rays(star: SyntheticStar) -> None:
    visit = expose(star, 59280, 1)
    for bit, low, high in ((PixelMask.SIG_SKYLINE, 150, 270), (PixelMask.BADFLAT, 20, 40), (PixelMask.CRPIX, 10, 50)):
        assert low < ((visit.mask & int(bit)) != 0).sum() < high
    assert ((visit.mask[~on_chips()] & int(PixelMask.BADPIX)) != 0).all()
    sky = (visit.mask & int(PixelMask.SIG_SKYLINE)) != 0
    assert np.median(visit.error[sky & on_chips()]) > 5 * np.median(visit.error[~sky & on_chips()])


def test_a_visit_is_its_seed_and_night(star: SyntheticStar) -> None:
    first = expose(star, 59280, 1)
    np.testing.assert_array_equal(first.flux, expose(star, 59280, 1).flux)
    assert not np.array_equal(first.flux, expose(star, 59281, 1).flux)
    assert not np.array_equal(first.flux, expose(star, 59280, 2).flux)
