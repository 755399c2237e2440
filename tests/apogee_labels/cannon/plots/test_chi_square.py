"""The histogram of reduced chi-square counts every star, over what noise alone would give."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chi2

from apogee_labels.cannon.model import CannonModel
from apogee_labels.cannon.plots import chi_square_distribution
from apogee_labels.cannon.plots.chi_square import BINS
from tests.apogee_labels.cannon.plots.stand_in import HeldOut, with_validation


def test_expected_distribution_is_that_of_chi_square(validated: CannonModel) -> None:
    figure = chi_square_distribution(validated)
    expected = next(trace for trace in figure.data if trace.name.startswith("noise"))
    assert expected.name == "noise alone, 200 degrees of freedom"
    width = expected.x[1] - expected.x[0]
    shown = np.isfinite(expected.y)
    density = 400 * width * 200 * chi2.pdf(200 * expected.x[shown], 200)
    np.testing.assert_allclose(expected.y[shown], density, rtol=0.05, atol=0.3)
    assert np.nansum(expected.y) == pytest.approx(400, abs=1.0)


def test_noise_alone_agrees_with_its_expectation(validated: CannonModel) -> None:
    bars, *_, expected = chi_square_distribution(validated).data
    enough = np.nan_to_num(expected.y) > 5.0
    excess = (bars.y[enough] - expected.y[enough]) ** 2 / expected.y[enough]
    assert excess.sum() < enough.sum() + 4.0 * np.sqrt(2.0 * enough.sum())


def test_stars_far_beyond_share_one_bar_and_none_is_lost(bare: CannonModel, held_out: HeldOut) -> None:
    held_out.reduced_chi_sq[:3] = [50.0, 700.0, 1e5]
    bars, beyond, _ = chi_square_distribution(with_validation(bare, held_out)).data
    assert len(bars.y) == BINS
    assert bars.x.max() < 2.0
    assert beyond.name.startswith("3 above ")
    assert bars.y.sum() + beyond.y[0] == 400
    assert beyond.x[0] > bars.x[-1]


def test_median_and_stars_without_a_fit_are_told(bare: CannonModel, held_out: HeldOut) -> None:
    held_out.reduced_chi_sq[:] = 2.0 * held_out.reduced_chi_sq
    held_out.reduced_chi_sq[7:9] = np.nan
    figure = chi_square_distribution(with_validation(bare, held_out))
    middle = np.nanmedian(held_out.reduced_chi_sq)
    assert figure.layout.title.text == "Reduced chi-square of 398 held-out stars, 2 without a fit"
    assert figure.layout.shapes[0].x0 == middle
    assert figure.layout.annotations[0].text == f"median {middle:.2f}"


def test_axis_is_logarithmic_only_where_the_stars_would_be_pressed_flat(bare: CannonModel, held_out: HeldOut) -> None:
    assert chi_square_distribution(with_validation(bare, held_out)).layout.yaxis.type is None
    wide = np.random.default_rng(5).uniform(1.0, 6.0, 400)
    far = replace(held_out, reduced_chi_sq=wide, n_freedom=np.full(400, 8000))
    axis = chi_square_distribution(with_validation(bare, far)).layout.yaxis
    assert axis.type == "log"
    assert 10.0 ** axis.range[0] < 1.0, "a bar of one star is seen"
