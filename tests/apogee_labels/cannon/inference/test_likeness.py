"""The unexplained share of the lines: its formula, chi-square of no lines by brute force, and stars that are unlike."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from apogee_labels.cannon.continuum.normalization import DETECTORS, basis
from apogee_labels.cannon.flags import ResultFlag
from apogee_labels.cannon.inference.inference import Inference
from apogee_labels.cannon.inference.likeness import UNEXPLAINED, likeness
from apogee_labels.cannon.inference.quadratic_forms import FormBuilder
from apogee_labels.cannon.model import CannonModel
from apogee_labels.core.arrays import Bools
from tests.apogee_labels.cannon.universe import Universe, make_universe


def flagged(result: Inference, flag: ResultFlag) -> Bools:
    return (result.flags & int(flag)) != 0


def test_share_of_the_lines() -> None:
    freedom = np.array([200, 200, 200, 200])
    chi_sq, flat = np.array([200.0, 1000.0, 290.0, 150.0]), np.array([1200.0, 4200.0, 400.0, 5200.0])
    result = likeness(chi_sq, flat, freedom)
    np.testing.assert_allclose(result.unexplained, [0.0, 0.2, 0.45, -0.01])
    assert result.unlike.tolist() == [False, False, False, False]  # the third is no more than chance: 5 sqrt(400) = 100
    assert not result.no_lines.any()
    above = likeness(chi_sq + 11.0, flat, freedom)
    assert above.unlike.tolist() == [False, True, True, False]


def test_no_lines_where_a_featureless_spectrum_is_as_good() -> None:
    result = likeness(np.array([190.0, 400.0, 220.0]), np.array([299.0, 299.0, 300.0]), np.array([200, 200, 200]))
    assert result.no_lines.tolist() == [True, True, False]
    assert np.isnan(result.unexplained[:2]).all()
    assert result.unexplained[2] == pytest.approx(0.2)
    assert not result.unlike.any()


def test_what_is_not_a_number_shows_no_lines() -> None:
    result = likeness(np.array([np.nan]), np.array([np.nan]), np.array([5]))
    assert (result.no_lines.tolist(), result.unlike.tolist()) == ([True], [False])


@pytest.mark.parametrize("marginalize", [False, True])
def test_chi_square_of_no_lines_by_brute_force(universe: Universe, marginalize: bool) -> None:
    """Weighted least squares of flux - 1 on every detector's sines and cosines; latent variables have no part in it."""
    model, rng = universe.model, np.random.default_rng(61)
    flux, ivar = universe.spectra(rng, universe.labels(rng, 6))
    s2 = model.s2.copy()
    s2[40:50] = np.inf
    loadings = rng.normal(0.0, 0.02, (len(s2), 2))
    builder = FormBuilder(model.wavelength, model.theta, s2, loadings=loadings, marginalize=marginalize)
    pixels = builder.informative
    forms = builder.build(flux[:, pixels], ivar[:, pixels], np.empty((3, 6, builder.n_informative)))
    parts = [
        basis(model.wavelength) * ((model.wavelength >= low) & (model.wavelength < high)) for low, high in DETECTORS
    ]
    columns = np.concatenate(parts).T[pixels] if marginalize else np.zeros((builder.n_informative, 1))
    for row in range(6):
        root = np.sqrt(ivar[row, pixels] / (1.0 + ivar[row, pixels] * s2[pixels]))
        right = root * (flux[row, pixels] - 1.0)
        left = right - root * (columns @ np.linalg.lstsq(root[:, None] * columns, right)[0])
        assert forms.flat[row] == pytest.approx(left @ left, rel=1e-8)


@pytest.mark.parametrize("snr", [20.0, 150.0])
def test_stars_like_those_of_the_training_set(universe: Universe, model: CannonModel, snr: float) -> None:
    rng = np.random.default_rng(62)
    result = model.infer(*universe.spectra(rng, universe.labels(rng, 100), snr=snr))
    assert not flagged(result, ResultFlag.NO_LINES).any()
    assert not flagged(result, ResultFlag.UNLIKE_TRAINING_SET).any()
    # A bright star's faults are those of a model from finitely many stars; a faint one's u is noise about 0.
    assert np.abs(np.median(result.unexplained)) < 0.02


def test_stars_of_another_universe_are_unlike(universe: Universe, model: CannonModel) -> None:
    rng = np.random.default_rng(63)
    other = make_universe(seed=99)
    result = model.infer(*other.spectra(rng, other.labels(rng, 50)))
    assert flagged(result, ResultFlag.UNLIKE_TRAINING_SET).all()
    assert (result.unexplained > UNEXPLAINED).all()
    assert not flagged(result, ResultFlag.NO_LINES).any()


def test_a_slightly_different_star_is_not_unlike_at_any_signal(universe: Universe, model: CannonModel) -> None:
    """Five per cent of every line: chi-square grows without end with the signal, the share does not."""
    labels = universe.labels(np.random.default_rng(64), 20)
    exact = replace(model, s2=np.full_like(model.s2, 1e-6))
    true = universe.model.predict(labels)
    result = exact.infer(1.0 + 1.05 * (true - 1.0), np.full(true.shape, 1e6))
    assert (result.reduced_chi_sq > 2.0).any()
    assert not flagged(result, ResultFlag.UNLIKE_TRAINING_SET).any()


def test_a_featureless_spectrum_has_no_lines(model: CannonModel) -> None:
    rng = np.random.default_rng(65)
    x = np.linspace(-1.0, 1.0, 240)
    flux = 1.0 + 0.02 * x + rng.normal(0.0, 0.01, (40, 240))
    result = model.infer(flux, np.full(flux.shape, 1e4))
    assert flagged(result, ResultFlag.NO_LINES).all()
    assert np.isnan(result.unexplained).all()
    assert not flagged(result, ResultFlag.UNLIKE_TRAINING_SET).any()
