"""Files in each layout, as the reader and as astropy see them."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits

from apogee_labels.apogee.spectra.apstar import read_apstar
from apogee_labels.simulation.apstar_file import Layout, apstar_bytes, layout_of
from apogee_labels.simulation.exposures import expose
from apogee_labels.simulation.survey import SyntheticSurvey


def test_the_reader_finds_the_visits(survey: SyntheticSurvey) -> None:
    numbers = set()
    for star in survey.stars:
        read = read_apstar(survey.path(star))
        nights = survey.visits(star, survey.nights[-1])
        assert [visit.mjd for visit in read.visits] == list(nights)
        assert read.obj == star.obj
        assert read.ra == pytest.approx(star.ra)
        numbers.add(len(nights))
        for row, mjd in zip(read.visit_rows, nights, strict=True):
            visit = expose(star, mjd, survey.seed)
            known = read.ivar[row] > 0
            assert known.sum() > 7000
            np.testing.assert_allclose(read.flux[row, known], visit.flux[known], rtol=1e-6)
            np.testing.assert_allclose(read.ivar[row, known], visit.error[known] ** -2.0, rtol=1e-5)
    assert numbers >= {1, 2}


def test_the_combined_row_is_the_weighted_mean(survey: SyntheticSurvey) -> None:
    star = next(star for star in survey.stars if len(survey.visits(star, survey.nights[-1])) > 1)
    read = read_apstar(survey.path(star))
    combined, visits = read.ivar[read.combined_row], read.ivar[read.visit_rows]
    everywhere = (visits > 0).all(axis=0)
    ratio = combined[everywhere] / visits[:, everywhere].sum(axis=0)
    assert 0.8 < np.median(ratio) < 1.3
    assert combined[(visits == 0).all(axis=0)].max() == 0


def test_combined_masks_are_those_of_the_release(survey: SyntheticSurvey) -> None:
    star = next(star for star in survey.stars if len(survey.visits(star, survey.nights[-1])) > 1)
    with fits.open(survey.path(star)) as hdus:
        combined, visits = hdus[3].data[:2], hdus[3].data[2:]
    both, either = np.bitwise_and.reduce(visits), np.bitwise_or.reduce(visits)
    expected = [either, both] if survey.release == "dr16" else [both, np.zeros_like(both)]
    np.testing.assert_array_equal(combined, expected)


def test_files_have_the_hdus_of_their_release(survey: SyntheticSurvey) -> None:
    for star in survey.stars:
        with fits.open(survey.path(star)) as hdus:
            old = layout_of(survey.release) is Layout.DR16
            single = hdus[0].header["NVISITS"] == 1
            assert hdus[1].data.dtype.itemsize == (4 if old else 8)
            assert hdus[1].data.shape == ((8575,) if old and single else (hdus[0].header["NVISITS"] + 2 - single, 8575))
            assert ("TELESCOP" in hdus[0].header) == old
            assert ("HEALPIX" in hdus[0].header) == (survey.release == "sdss5")
            assert len(hdus) == (11 if survey.release == "dr17" else 10)
            assert not old or np.isfinite(hdus[1].data).all()


def test_the_same_visits_are_the_same_bytes(survey: SyntheticSurvey) -> None:
    star = survey.stars[0]
    visits = [expose(star, mjd, survey.seed) for mjd in survey.visits(star, survey.nights[-1])]
    content = apstar_bytes(star, visits, release=survey.release, apred=survey.apred)
    assert content == survey.path(star).read_bytes()
