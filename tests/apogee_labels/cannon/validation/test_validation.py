"""What a validation says about itself: its numbers by loops, and what a header gets."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt

import numpy as np
import pytest

from apogee_labels.cannon.model import CannonModel
from apogee_labels.cannon.validation.validation import Trial, Validation


@pytest.fixture(scope="module")
def validation() -> Validation:
    """Six stars, one of them without labels, and two labels."""
    rng = np.random.default_rng(1)
    truth = rng.normal([4500.0, 2.0], [300.0, 0.5], (6, 2))
    labels = truth + rng.normal(0.0, [20.0, 0.05], (6, 2))
    covariance = np.stack([np.diag(rng.uniform(0.5, 2.0, 2) * [300.0, 2e-3]) for _ in range(6)])
    labels[4], covariance[4] = np.nan, np.nan
    return Validation(
        fold=np.array([0, 1, 2, 2, 1, 0]),
        truth=truth,
        labels=labels,
        covariance=covariance,
        chi_sq=np.array([10.0, 20.0, 30.0, 40.0, np.nan, 60.0]),
        n_freedom=np.array([10, 10, 10, 20, -3, 20]),
        unexplained=np.array([0.01, 0.02, np.nan, 0.0, np.nan, -0.01]),
        snr=np.array([50.0, 60.0, 70.0, 80.0, np.nan, 90.0]),
        flags=np.array([0, 1 << 9, 0, 0, 1, 0]),
        beyond=np.array([[[100.0, 0.1], [0.1, 4e-3]], [[900.0, 0.0], [0.0, 9e-3]]]),
        corrected=False,
        n_components=4,
        trials=(Trial(0, False, (1.0, 1.0)), Trial(4, False, (0.5, 0.8))),
    )


def test_bias_rms_and_pulls_by_loops(validation: Validation) -> None:
    for label in range(2):
        stars = [star for star in range(6) if star != 4]
        wrong = [float(validation.labels[star, label] - validation.truth[star, label]) for star in stars]
        errors = [
            sqrt(validation.covariance[star, label, label] + validation.beyond[0, label, label]) for star in stars
        ]
        assert validation.bias[label] == pytest.approx(sum(wrong) / 5)
        assert validation.rms[label] == pytest.approx(sqrt(sum(value**2 for value in wrong) / 5))
        pulls = [value / error for value, error in zip(wrong, errors, strict=True)]
        assert validation.pulls[label] == pytest.approx(sqrt(sum(value**2 for value in pulls) / 5))
        np.testing.assert_allclose(validation.errors[stars, label], errors)
        np.testing.assert_allclose(validation.raw_errors[0, label], sqrt(validation.covariance[0, label, label]))
    assert np.isnan(validation.errors[4]).all()
    assert len(validation) == 6
    assert validation.n_folds == 3


def test_errors_are_of_the_way_that_was_chosen(validation: Validation) -> None:
    corrected = replace(validation, corrected=True)
    np.testing.assert_allclose(corrected.errors[0, 0], sqrt(validation.covariance[0, 0, 0] + 900.0))


def test_reduced_chi_square(validation: Validation) -> None:
    np.testing.assert_allclose(validation.reduced_chi_sq, [1.0, 2.0, 3.0, 2.0, np.nan, 3.0])


def test_a_trials_gain_is_in_the_geometric_mean() -> None:
    assert Trial(4, False, (0.5, 0.8)).gain == pytest.approx(1.0 - sqrt(0.4))
    assert Trial(0, False, (1.0, 1.0)).gain == 0.0
    assert Trial(8, True, (1.2, 1.2)).gain == pytest.approx(-0.2)
    assert Trial(8, True, (0.0, 1.0)).gain == pytest.approx(1.0)


def test_a_header_gets_numbers_by_name(validation: Validation) -> None:
    summary = validation.summary(["TEFF", "LOGG"])
    assert (summary["validation_folds"], summary["validation_stars"]) == (3, 5)
    assert summary["correct_coefficient_noise"] is False
    assert summary["bias_TEFF"] == pytest.approx(validation.bias[0])
    assert summary["rms_LOGG"] == pytest.approx(validation.rms[1])
    assert summary["pull_LOGG"] == pytest.approx(validation.pulls[1])
    assert all(type(value) in (bool, int, float) for value in summary.values())


def test_a_model_says_what_its_validation_found(model: CannonModel) -> None:
    assert model.validation is not None
    summary = model.validation.summary(model.label_names)
    assert summary.items() <= dict(model.metadata).items()
    assert summary["validation_stars"] == 400
    np.testing.assert_array_equal(model.validation.truth, model.training_labels)


def test_no_star_with_labels(validation: Validation) -> None:
    empty = replace(validation, labels=np.full((6, 2), np.nan))
    for values in (empty.bias, empty.rms, empty.pulls):
        assert np.isnan(values).all()
    assert empty.summary(["TEFF", "LOGG"])["validation_stars"] == 0
