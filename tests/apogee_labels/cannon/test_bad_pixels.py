"""Gathering pixels, and the signal-to-noise ratio against the obvious median."""

from __future__ import annotations

import numpy as np
import pytest

from apogee_labels.cannon.bad_pixels import GREATEST_IVAR, PixelSelection, mask_impossible, signal_to_noise


@pytest.mark.parametrize("masked", [0.0, 0.3, 0.95, 1.0])
def test_signal_to_noise_is_the_median_of_the_good_pixels(masked: float) -> None:
    rng = np.random.default_rng(1)
    flux, ivar = rng.normal(1, 0.2, (7, 60)), rng.uniform(1, 1e4, (7, 60)) * (rng.random((7, 60)) >= masked)
    got = signal_to_noise(flux, ivar)
    for row in range(7):
        good = ivar[row] > 0
        expected = np.median(flux[row, good] * np.sqrt(ivar[row, good])) if good.any() else np.nan
        assert got[row] == pytest.approx(expected, rel=1e-6, nan_ok=True)


def test_the_models_pixels_are_gathered() -> None:
    informative = np.array([False, True, True, False, True, False])
    flux, ivar = np.arange(12.0).reshape(2, 6), np.arange(12.0, 24.0).reshape(2, 6)
    pixels = PixelSelection(informative, 5).gather(flux, ivar)
    np.testing.assert_array_equal(pixels.flux, flux[:, informative])
    np.testing.assert_array_equal(pixels.ivar, ivar[:, informative])
    assert not pixels.invalid.any()


def test_unusable_pixels_are_made_harmless_and_told() -> None:
    flux, ivar = np.ones((6, 4)), np.ones((6, 4))
    flux[0, 1], ivar[1, 2], ivar[2, 3], flux[3, 0], ivar[4, 0] = np.nan, -1.0, np.inf, -np.inf, np.nan
    flux[5, 0], ivar[5, 0] = np.nan, 0.0  # unknown, and said to be
    given = flux.copy()
    pixels = PixelSelection(np.ones(4, dtype=bool), 6).gather(flux, ivar)
    assert pixels.invalid.tolist() == [True] * 5 + [False]
    assert np.isfinite(pixels.flux).all()
    assert np.count_nonzero(pixels.ivar == 0.0) == 6
    np.testing.assert_array_equal(flux, given)  # the caller's arrays stay as they were


def test_a_flux_that_no_star_has_is_no_number() -> None:
    flux, ivar = np.ones((4, 3)), np.ones((4, 3))
    flux[:3, 1], ivar[2, 1] = [1e7, -1e200, 1e30], 0.0
    pixels = PixelSelection(np.ones(3, dtype=bool), 4).gather(flux, ivar)
    assert pixels.invalid.tolist() == [True, True, False, False]
    assert (pixels.flux == 1.0).all()
    assert pixels.ivar[:, 1].tolist() == [0.0, 0.0, 0.0, 1.0]


def test_an_inverse_variance_that_no_spectrum_has_is_impossible() -> None:
    flux, ivar = np.full((3, 4), 0.5), np.ones((3, 4))
    ivar[0, 1], ivar[1, 2] = GREATEST_IVAR, 2.0 * GREATEST_IVAR
    assert mask_impossible(flux, ivar).tolist() == [False, True, False]
    assert ivar[0].tolist() == [1.0, GREATEST_IVAR, 1.0, 1.0]
    assert ivar[1].tolist() == [1.0, 1.0, 0.0, 1.0]
    assert flux[1].tolist() == [0.5, 0.5, 1.0, 0.5]


def test_the_greatest_inverse_variance_leaves_the_others_in_sums() -> None:
    """One pixel of S/N 100 beside it."""
    left = (GREATEST_IVAR + 1e4) - GREATEST_IVAR
    assert left == pytest.approx(1e4, rel=1e-3)


def test_mending_nothing() -> None:
    assert mask_impossible(np.empty((2, 0)), np.empty((2, 0))).tolist() == [False, False]


def test_infinities_of_both_signs() -> None:
    flux = np.array([[np.inf, -np.inf, 1.0]])
    assert PixelSelection(np.ones(3, dtype=bool), 1).gather(flux, np.ones((1, 3))).invalid.all()


@pytest.mark.parametrize("count", [1, 2, 5, 6, 700, 7659])
@pytest.mark.parametrize("kind", ["noise", "sorted", "equal", "two values", "huge"])
def test_ratio_is_the_median_of_the_pixels_with_weight(count: int, kind: str) -> None:
    rng = np.random.default_rng(count)
    flux = {
        "noise": rng.normal(1.0, 0.3, (3, count)),
        "sorted": np.sort(rng.normal(1.0, 0.3, (3, count)), axis=1),  # the sample of a row is no fair one
        "equal": np.ones((3, count)),
        "two values": rng.choice([0.5, 1.5], (3, count)),
        "huge": rng.choice([0.5, 1e6], (3, count)),
    }[kind]
    ivar = rng.uniform(100.0, 1e4, flux.shape) * (rng.random(flux.shape) > 0.1)
    ivar[:, 0] = 400.0
    expected = [np.median((f * np.sqrt(w))[w > 0]) for f, w in zip(flux, ivar, strict=True)]
    np.testing.assert_allclose(signal_to_noise(flux, ivar), expected, rtol=1e-6)


@pytest.mark.parametrize("spoilt", [False, True])
def test_spectra_that_need_no_gathering_are_taken_as_they_are(spoilt: bool) -> None:
    flux, ivar = np.ones((3, 5)), np.full((3, 5), 4.0)
    if spoilt:
        flux[1, 2] = np.nan
    pixels = PixelSelection(np.ones(5, dtype=bool), 3).gather(flux, ivar)
    assert (pixels.flux is flux) is not spoilt
    assert pixels.invalid.tolist() == [False, spoilt, False]
    assert np.isnan(flux).any() == spoilt  # the caller's array stays as it was
    assert np.isfinite(pixels.flux).all()
