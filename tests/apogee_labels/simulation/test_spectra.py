"""Synthetic spectra: lines keep away from the continuum, saturate, and depend on the labels."""

from __future__ import annotations

import numpy as np
import pytest

from apogee_labels.apogee.spectra.grid import N_PIXELS, WAVELENGTH
from apogee_labels.cannon.continuum.normalization import continuum_pixels, read_regions
from apogee_labels.core.settings import SHIPPED_REGIONS
from apogee_labels.simulation.spectra import LABEL_NAMES, Lines, draw_labels, line_list, on_chips, synthetic_flux

SUN_LIKE = np.array([4500.0, 2.3, -0.1])


def one_line(strength: float) -> Lines:
    return Lines(np.array([4000.3]), np.array([strength]), np.array([0.0]), np.array([0.0]), np.array([1.0]))


def test_the_continuum_regions_have_no_line_in_them() -> None:
    flux = synthetic_flux(draw_labels(np.random.default_rng(1), 20))
    assert flux.shape == (20, N_PIXELS)
    assert flux[:, continuum_pixels(WAVELENGTH, read_regions(SHIPPED_REGIONS))].min() > 1 - 1e-5
    assert 0.05 < flux.min() < 0.5
    assert flux.max() <= 1 + 1e-12


def test_lines_are_seeded() -> None:
    np.testing.assert_array_equal(line_list(50, seed=2).pixel, line_list(50, seed=2).pixel)
    assert not np.array_equal(line_list(50, seed=2).pixel, line_list(50, seed=3).pixel)


def test_a_line_has_the_place_and_width_of_the_spectrograph() -> None:
    depth = 1 - synthetic_flux(SUN_LIKE, one_line(-2.0))[0]
    pixels = np.arange(N_PIXELS)
    centre = (depth * pixels).sum() / depth.sum()
    width = np.sqrt((depth * (pixels - centre) ** 2).sum() / depth.sum())
    assert centre == pytest.approx(4000.3, abs=0.13)  # lines are placed to a quarter of a pixel
    full_width = 2.3548 * width * 6e-6 * np.log(10)
    assert 1 / full_width == pytest.approx(22_500 * 0.95, rel=0.03)  # the line's own width costs 5%


def test_strong_lines_saturate() -> None:
    weak, strong, stronger = (float((1 - synthetic_flux(SUN_LIKE, one_line(s))).sum()) for s in (-3.0, -2.0, 1.0))
    assert strong / weak == pytest.approx(10.0, rel=0.03)
    assert stronger / strong < 300  # 1000 if it did not saturate


@pytest.mark.parametrize("label", range(3), ids=LABEL_NAMES)
def test_every_label_acts_on_many_lines(label: int) -> None:
    step = np.array([100.0, 0.3, 0.1])[label] * np.eye(3)[label]
    change = np.abs(synthetic_flux(SUN_LIKE + step) - synthetic_flux(SUN_LIKE))[0]
    assert (change > 0.002).sum() > 200


def test_labels_are_those_of_giants() -> None:
    teff, logg, fe_h = draw_labels(np.random.default_rng(2), 2000).T
    assert 3500 < teff.min() < teff.max() < 5300
    assert 0.5 < logg.min() < logg.max() < 3.6
    assert -0.8 < fe_h.min() < fe_h.max() < 0.5
    assert on_chips().mean() == pytest.approx(0.9, abs=0.03)
