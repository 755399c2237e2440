"""Spectra on other grids: values, masks, gaps, and whether the errors of labels stay right."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from apogee_labels.cannon.regridding import regrid, same_grid
from apogee_labels.core.arrays import Floats
from tests.apogee_labels.cannon.universe import Universe, make_universe

GRID = np.exp(np.linspace(np.log(15110.0), np.log(16960.0), 500))


def shifted(grid: Floats, pixels: float) -> Floats:
    """The grid moved by a share of a pixel."""
    return grid * np.exp(pixels * np.log(grid[1] / grid[0]))


def test_the_same_grid_gives_the_same_spectrum() -> None:
    rng = np.random.default_rng(1)
    flux, ivar = rng.normal(size=(2, 500)), rng.uniform(1, 2, (2, 500)) * (rng.random((2, 500)) < 0.8)
    new_flux, new_ivar = regrid(GRID, flux, ivar, GRID * (1 + 1e-12))
    np.testing.assert_allclose(new_ivar, ivar)
    np.testing.assert_allclose(new_flux[ivar > 0], flux[ivar > 0])


def test_a_line_in_log_wavelength_is_kept() -> None:
    target = shifted(GRID, 0.37)[:-1]
    flux, ivar = regrid(GRID, np.log(GRID)[None], np.ones((1, 500)), target)
    np.testing.assert_allclose(flux[0], np.log(target), rtol=1e-12)
    np.testing.assert_allclose(ivar, 1.0)


def test_variances_are_interpolated_not_inverse_variances() -> None:
    ivar = np.where(np.arange(500) % 2, 1.0, 100.0)[None]
    got = regrid(GRID, np.ones((1, 500)), ivar, shifted(GRID, 0.5)[:-1])[1]
    np.testing.assert_allclose(got, 1 / (0.5 * 1.0 + 0.5 * 0.01), rtol=1e-6)


def test_what_touches_a_masked_pixel_is_masked() -> None:
    flux, ivar = np.ones((1, 500)), np.ones((1, 500))
    flux[0, 100], ivar[0, 100] = np.nan, 0.0
    new_flux, new_ivar = regrid(GRID, flux, ivar, shifted(GRID, 0.01)[:-1])
    assert np.flatnonzero(new_ivar == 0).tolist() == [99, 100]
    np.testing.assert_array_equal(new_flux, 1.0)


@pytest.mark.parametrize("wrong", [np.inf, np.nan, -1.0, 1e17])
def test_what_touches_an_impossible_inverse_variance_is_masked(wrong: float) -> None:
    ivar = np.ones((1, 500))
    ivar[0, 100] = wrong
    for target, masked in ((GRID, [100]), (shifted(GRID, 0.4)[:-1], [99, 100])):
        flux, new = regrid(GRID, np.ones((1, 500)), ivar, target)
        assert np.flatnonzero(new == 0).tolist() == masked
        np.testing.assert_allclose(new[new > 0], 1.0)
        np.testing.assert_array_equal(flux, 1.0)


@pytest.mark.parametrize("wrong", [np.inf, -np.inf, np.nan, -1e7, 1e7])
def test_what_touches_an_impossible_flux_is_masked(wrong: float) -> None:
    flux = np.ones((1, 500))
    flux[0, 100] = wrong
    new_flux, new = regrid(GRID, flux, np.ones((1, 500)), shifted(GRID, 0.4)[:-1])
    assert np.flatnonzero(new == 0).tolist() == [99, 100]
    np.testing.assert_array_equal(new_flux, 1.0)


def test_outside_and_gaps_tell_nothing() -> None:
    source = np.delete(GRID, slice(200, 210))
    new_ivar = regrid(source, np.ones((1, 490)), np.ones((1, 490)), shifted(GRID, 0.3))[1][0]
    assert np.flatnonzero(new_ivar == 0).tolist() == [*range(199, 210), 499]
    assert regrid(GRID[10:], np.ones((1, 490)), np.ones((1, 490)), GRID)[1][0, :10].max() == 0.0


def test_a_finer_grid_does_not_gain_information() -> None:
    fine = np.exp(np.linspace(np.log(GRID[0]), np.log(GRID[-1]), 1999))
    assert regrid(GRID, np.ones((1, 500)), np.ones((1, 500)), fine)[1].sum() == pytest.approx(500, rel=0.01)


def test_extreme_inverse_variances_stay_finite() -> None:
    ivar = np.full((1, 500), 5e-324)
    with np.errstate(all="raise"):
        flux, new = regrid(GRID, np.ones((1, 500)), ivar, shifted(GRID, 0.5))
    assert np.isfinite(flux).all()
    assert np.isfinite(new).all()


@pytest.mark.parametrize("grid", [GRID[::-1], GRID[:1], np.tile(GRID, (2, 1)), GRID - GRID[0]])
def test_grids_that_are_none(grid: Floats) -> None:
    with pytest.raises(ValueError, match="wavelength: expected at least two ascending values"):
        regrid(grid, np.ones((1, 500)), np.ones((1, 500)), GRID)


def test_spectra_of_another_length() -> None:
    with pytest.raises(ValueError, match="expected spectra of 500 pixels"):
        regrid(GRID, np.ones((1, 499)), np.ones((1, 499)), GRID)


def test_grids_are_the_same_to_a_thousandth_of_a_pixel() -> None:
    assert same_grid(GRID, shifted(GRID, 1e-4))
    assert not same_grid(GRID, shifted(GRID, 0.01))
    assert not same_grid(GRID[:-1], GRID)


def smooth(universe: Universe) -> Universe:
    """Lines of thirty pixels: linear interpolation hardly changes those."""
    kernel = np.exp(-0.5 * (np.arange(-45, 46) / 13.0) ** 2)
    theta = universe.model.theta.copy()
    for column in theta.T:
        column[:] = np.convolve(column - column.mean(), kernel / np.sqrt((kernel**2).sum()), "same") + column.mean()
    model = universe.model
    return Universe(
        type(model)(model.wavelength, model.vectorizer, theta, np.zeros_like(model.s2), model.training_labels)
    )


def test_errors_of_labels_are_right_after_regridding() -> None:
    """Pulls are 1; by plain error propagation, half-way between pixels, they would be about 1.4."""
    universe = smooth(make_universe(n_pixels=1200, scatter=1e-6, seed=6))
    model, rng = universe.model, np.random.default_rng(7)
    labels = universe.labels(rng, 500)
    source = shifted(model.wavelength, 0.5)
    true = CubicSpline(np.log(model.wavelength), model.predict(labels), axis=1)(np.log(source))
    ivar = np.full(true.shape, 50.0**2)
    result = model.infer(true + rng.normal(0, 1 / 50.0, true.shape), ivar, 1, wavelength=source)
    errors = np.sqrt(np.einsum("nll->nl", result.covariance))
    pulls = ((result.labels - labels) / errors).std(axis=0)
    assert pulls == pytest.approx(np.ones(3), abs=0.15)
