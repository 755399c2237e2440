"""The path over the penalty against models trained one by one and sums over stars and pixels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import apogee_labels.cannon.validation.regularization_path as module
from apogee_labels.cannon.model import CannonModel
from apogee_labels.cannon.training.coefficients import train_pixels
from apogee_labels.cannon.training.scatter import ScatterRule
from apogee_labels.cannon.training_set import TrainingSet
from apogee_labels.cannon.validation.cross_validation import FOLDS, deal
from apogee_labels.cannon.validation.regularization_path import RegularizationPath, choose_regularization
from apogee_labels.cannon.vectorizer import PolynomialVectorizer
from apogee_labels.core.arrays import Floats
from apogee_labels.core.errors import BadInputError
from tests.apogee_labels.cannon.universe import make_universe

STRENGTHS = [0.0, 20.0, 400.0]
CENSORS = {"FE_H": [(15900.0, 17000.0)]}


@pytest.fixture(scope="module")
def few() -> TrainingSet:
    """150 stars of 140 pixels, one of which has no weight and one of which lacks all stars but those of a fold."""
    stars = make_universe(n_pixels=140).training_set(np.random.default_rng(1), 150)
    ivar = stars.ivar.copy()
    ivar[:, 70] = 0.0
    ivar[:, 3] *= deal(stars.labels) == 1
    return replace(stars, ivar=ivar, digest="")


@pytest.fixture(scope="module")
def others() -> TrainingSet:
    """60 more stars."""
    return make_universe(n_pixels=140).training_set(np.random.default_rng(2), 60)


@pytest.fixture(scope="module")
def path(few: TrainingSet) -> RegularizationPath:
    return choose_regularization(few, STRENGTHS)


def plain_scatter(stars: TrainingSet) -> Floats:
    return CannonModel.train(stars, validate=False).s2


def of_star(stars: TrainingSet, row: int, model: CannonModel) -> tuple[float, int]:
    """Weighted squared residuals of a star and their number, pixel by pixel."""
    flux, total, count = model.predict(stars.labels[row])[0], 0.0, 0
    for pixel in range(len(flux)):
        if np.isfinite(model.s2[pixel]) and stars.ivar[row, pixel] > 0.0:
            weight = 1.0 / (1.0 / stars.ivar[row, pixel] + model.s2[pixel])
            total += weight * (stars.flux[row, pixel] - flux[pixel]) ** 2
            count += 1
    return total, count


class Fold:
    """A model that was trained without a fold, and the stars of that fold."""

    def __init__(self, stars: TrainingSet, strength: float, number: int, s2: Floats) -> None:
        vectorizer = PolynomialVectorizer.fit(stars.label_names, stars.labels, 2)
        held = deal(stars.labels) == number
        found = train_pixels(
            vectorizer.scaled(stars.labels[~held]),
            stars.flux[~held],
            stars.ivar[~held],
            order=2,
            regularization=strength,
            rule=ScatterRule.RESTRICTED,
            s2=s2,
        )
        self.rows = np.flatnonzero(held)
        self.model = CannonModel(stars.wavelength, vectorizer, found.theta, found.s2, stars.labels[~held])
        self.sums = np.array([of_star(stars, row, self.model) for row in self.rows]).T

    def errors(self, stars: TrainingSet) -> Floats:
        return self.model.infer(stars.flux[self.rows], stars.ivar[self.rows]).labels - stars.labels[self.rows]


@pytest.fixture(scope="module")
def folds(few: TrainingSet) -> list[list[Fold]]:
    """Of every strength."""
    s2 = plain_scatter(few)
    return [[Fold(few, strength, number, s2) for number in range(FOLDS)] for strength in STRENGTHS]


def test_scores_are_sums_over_stars_that_the_models_have_not_seen(
    path: RegularizationPath, folds: list[list[Fold]]
) -> None:
    totals, counts = np.moveaxis(np.array([np.hstack([fold.sums for fold in models]) for models in folds]), 1, 0)
    np.testing.assert_allclose(path.score, totals.sum(axis=1) / counts[0].sum(), rtol=1e-7)
    best = totals[np.argmin(path.score)]
    for errors, values in ((path.standard_error, totals), (path.excess_error, totals - best)):
        without = (values.sum(axis=1)[:, None] - values) / (counts[0].sum() - counts[0])  # the jackknife over stars
        np.testing.assert_allclose(errors, np.sqrt((len(values[0]) - 1) * without.var(axis=1)), rtol=0.03)
    assert path.excess_error[np.argmin(path.score)] == 0.0


def test_labels_are_those_of_stars_that_the_models_have_not_seen(
    few: TrainingSet, path: RegularizationPath, folds: list[list[Fold]]
) -> None:
    assert path.bias is not None
    assert path.rms is not None
    for bias, rms, models in zip(path.bias, path.rms, folds, strict=True):
        errors = np.vstack([fold.errors(few) for fold in models])
        np.testing.assert_allclose(bias, errors.mean(axis=0), atol=1e-4 * rms.min())
        np.testing.assert_allclose(rms, np.sqrt((errors**2).mean(axis=0)), rtol=1e-5)


def test_without_folds_they_are_those_of_trained_models(few: TrainingSet, others: TrainingSet) -> None:
    path = choose_regularization(few, [20.0, 400.0], validation_set=others, censors=CENSORS)
    assert path.rms is not None
    plain = CannonModel.train(few, censors=CENSORS, validate=False)
    scatter = np.sqrt(plain.s2)
    for number, strength in enumerate((20.0, 400.0)):
        model = CannonModel.train(few, regularization=strength, scatter=scatter, censors=CENSORS, validate=False)
        totals, counts = np.array([of_star(others, row, model) for row in range(len(others))]).T
        assert path.score[number] == pytest.approx(totals.sum() / counts.sum(), rel=1e-7)
        penalised = (plain.theta[:, 1:] != 0.0) & model.informative[:, None]
        assert path.zero_share[number] == pytest.approx((model.theta[:, 1:] == 0.0)[penalised].mean(), abs=1e-12)
        errors = model.infer(others.flux, others.ivar).labels - others.labels
        np.testing.assert_allclose(path.rms[number], np.sqrt((errors**2).mean(axis=0)), rtol=1e-5)


def test_a_penalty_gains_where_lines_are_few(path: RegularizationPath) -> None:
    assert path.best == path.chosen == 20.0
    assert path.score[0] - path.score[1] > 2.0 * path.excess_error[0]
    assert path.score[2] > path.score[1]
    assert path.zero_share[0] == 0.0
    assert 0.05 < path.zero_share[1] < path.zero_share[2] < 0.8


def test_the_largest_strength_within_an_error_is_chosen() -> None:
    score, excess = np.array([1.05, 1.00, 1.01, 1.04]), np.array([0.01, 0.0, 0.02, 0.03])
    path = RegularizationPath(
        ("TEFF",), np.array([0.0, 1.0, 10.0, 100.0]), score, np.full(4, 0.1), excess, np.zeros(4), None, None
    )
    assert (path.best, path.one_standard_error, path.chosen) == (1.0, 10.0, 10.0)


def test_pieces_of_pixels_and_the_order_of_strengths_do_not_matter(
    few: TrainingSet, path: RegularizationPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PIECE_BYTES", 1)
    found = choose_regularization(few, [400.0, 0.0, 20.0, 0.0], infer=False)
    np.testing.assert_array_equal(found.strengths, path.strengths)
    for name in ("score", "standard_error", "excess_error", "zero_share"):
        np.testing.assert_allclose(getattr(found, name), getattr(path, name), rtol=1e-9, atol=1e-15)
    assert found.bias is None
    assert found.rms is None


def test_the_scatter_is_by_the_rule_of_the_training(few: TrainingSet) -> None:
    scores = [
        choose_regularization(few, [0.0, 10.0], scatter_rule=rule, infer=False).score
        for rule in ("restricted", "median")
    ]
    assert not np.allclose(*scores, rtol=1e-3), "the weights of the residuals are by the scatter"


def test_bounds_and_labels_are_those_of_training(few: TrainingSet) -> None:
    path = choose_regularization(few, [0.0], ["TEFF", "FE_H"], 1, bounds={"FE_H": (0.0, 0.0)}, infer=False)
    assert path.label_names == ("TEFF", "FE_H")
    assert path.zero_share[0] == pytest.approx(0.5)


def test_stars_without_spectra_are_left_out(few: TrainingSet) -> None:
    ivar = few.ivar.copy()
    ivar[[4, 70]] = 0.0
    blind = replace(few, ivar=ivar, digest="")
    found, expected = (choose_regularization(stars, [20.0], infer=False) for stars in (blind, blind.with_spectra()))
    assert found.score == expected.score
    assert found.standard_error == expected.standard_error


def test_labels_that_are_not_known_are_refused(few: TrainingSet) -> None:
    labels = few.labels.copy()
    labels[9, 2] = -9999.0
    with pytest.raises(BadInputError, match="FE_H of row 9 is -9999"):
        choose_regularization(replace(few, labels=labels, digest=""), [1.0])


def test_progress_rises_to_the_end(few: TrainingSet) -> None:
    calls: list[tuple[int, int]] = []
    choose_regularization(few, [1.0], order=1, progress=lambda done, total: calls.append((done, total)))
    assert calls == sorted(calls)
    assert calls[-1] == ((2 + FOLDS) * 140, (2 + FOLDS) * 140)


@pytest.mark.parametrize("strengths", [[], [-1.0], [np.inf], [1.0, np.nan]])
def test_strengths_must_be_numbers(few: TrainingSet, strengths: list[float]) -> None:
    with pytest.raises(ValueError, match="strengths: expected one or more finite numbers"):
        choose_regularization(few, strengths)


def test_a_validation_set_must_fit(few: TrainingSet, others: TrainingSet) -> None:
    with pytest.raises(ValueError, match="expected the labels LOGG, too, got TEFF, FE_H"):
        choose_regularization(few, [1.0], validation_set=others.select(["TEFF", "FE_H"]))
    with pytest.raises(ValueError, match="expected the training set's 140 pixels"):
        choose_regularization(few, [1.0], validation_set=replace(others, wavelength=others.wavelength + 1.0))


def test_models_that_are_too_large_are_refused(few: TrainingSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 50_000)
    with pytest.raises(ValueError, match="2 strengths and 4 folds need"):
        choose_regularization(few, [1.0, 2.0])
    assert choose_regularization(few, [1.0, 2.0], order=1, infer=False).rms is None


def test_stars_that_train_no_pixel_are_refused(few: TrainingSet) -> None:
    rare = np.where(np.arange(150)[:, None] % 15 == np.arange(140) % 15, few.ivar, 0.0)  # ten stars a pixel
    with pytest.raises(BadInputError, match="no pixel has enough stars"):
        choose_regularization(replace(few, ivar=rare, digest=""), [1.0])
