"""Training parameters that nothing can be trained with are refused before anything starts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from apogee_labels.core.errors import BadInputError
from apogee_labels.pipeline.parameters import TrainingParameters, check_censored_pixels

PLAIN = TrainingParameters(label_names=("TEFF", "FE_H"))


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"order": 4, "regularization": 1e6},
        {"regularization_path": (0.0, 10.0, 100.0)},
        {"censors": {"FE_H": ((15000.0, 15200.0), (16990.0, 18000.0))}, "scatter_rule": "likelihood"},
    ],
)
def test_what_can_be_trained_with_passes(given: dict[str, Any]) -> None:
    PLAIN.replace(**given)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"label_names": ()}, "label_names: expected one or more labels, all different, got none"),
        ({"label_names": ("TEFF", "TEFF")}, "label_names: .*got TEFF, TEFF"),
        ({"order": 0}, "order: expected 1 to 4, got 0"),
        ({"order": 5}, "order: expected 1 to 4, got 5"),
        ({"regularization": -1.0}, "regularization: expected 0 or more, got -1"),
        ({"regularization": float("nan")}, "regularization: .*got nan"),
        ({"regularization_path": (1.0,)}, "regularization_path: expected 2 to 50 different"),
        ({"regularization_path": (1.0, 1.0)}, "regularization_path: expected 2 to 50 different"),
        ({"regularization_path": tuple(range(60))}, "regularization_path: expected 2 to 50"),
        ({"regularization_path": (1.0, float("inf"))}, "regularization_path: .*inf"),
        ({"regularization_path": (1.0, 2.0), "regularization": 3.0}, "expected regularization 0 beside it, got 3"),
        ({"censors": {"LOGG": ((15200.0, 15300.0),)}}, "censors: expected labels of TEFF, FE_H, got LOGG"),
        ({"censors": {"FE_H": ()}}, "censors of FE_H: expected a longer list, such as"),
        ({"censors": {"FE_H": ((15300.0, 15200.0),)}}, r"reach into 15101 to 17000 Angstrom, got \[15300, 15200\]"),
        ({"censors": {"FE_H": ((15200.0, float("nan")),)}}, "nan"),
        ({"censors": {"FE_H": ((1.52, 1.53),)}}, r"Angstrom, got \[1.52, 1.53\]"),
        ({"censors": {"FE_H": ((17000.0, 17100.0),)}}, r"got \[17000, 17100\]"),
        ({"scatter_rule": "mean"}, "scatter_rule: expected 'restricted', 'likelihood' or 'median', got 'mean'"),
    ],
)
def test_nonsense_is_refused_with_what_was_expected(given: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        PLAIN.replace(**given)


def test_a_range_without_a_pixel_of_the_training_set_is_refused() -> None:
    wavelength = np.linspace(15100.0, 15900.0, 9)
    check_censored_pixels(PLAIN.replace(censors={"FE_H": ((15150.0, 15250.0),)}), wavelength)
    for censored in ((16000.0, 16100.0), (15110.0, 15190.0)):
        with pytest.raises(
            BadInputError, match=r"of FE_H with pixels of the training set, which has 15100.0 to 15900.0"
        ):
            check_censored_pixels(PLAIN.replace(censors={"FE_H": (censored,)}), wavelength)
