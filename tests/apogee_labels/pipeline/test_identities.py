"""A product's identity follows everything that makes it, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from apogee_labels.cannon.continuum import normalization as continuum
from apogee_labels.cannon.inference import inference
from apogee_labels.cannon.training import coefficients as training
from apogee_labels.core.settings import SHIPPED_REGIONS
from apogee_labels.pipeline import identities as subject
from apogee_labels.pipeline.identities import (
    InferenceParameters,
    NormalizationParameters,
    ResultIdentities,
    TrainingParameters,
    model_id,
    normalization_id,
    result_id,
)

STACK = NormalizationParameters(regions=SHIPPED_REGIONS)
TRAINING = TrainingParameters(label_names=("TEFF", "LOGG"))
INFERENCE = InferenceParameters()


def test_regions_count_by_the_numbers_in_them(tmp_path: Path) -> None:
    copy, other = tmp_path / "copy.txt", tmp_path / "other.txt"
    copy.write_text("# a remark\n" + SHIPPED_REGIONS.read_text() + "\n")
    lines = SHIPPED_REGIONS.read_text().splitlines()
    other.write_text("\n".join(lines[:-1]) + "\n")
    assert replace(STACK, regions=copy).as_json() == STACK.as_json()
    assert replace(STACK, regions=other).as_json() != STACK.as_json()


def test_each_parameter_makes_another_normalisation() -> None:
    others = [replace(STACK, length=1300.0), replace(STACK, order=2), replace(STACK, sum_axis=None)]
    known = {normalization_id("c" * 64, each.as_json()) for each in (STACK, *others)}
    known.add(normalization_id("d" * 64, STACK.as_json()))
    assert len(known) == 5
    assert normalization_id("c" * 64, replace(STACK, length=1400).as_json()) in known, "1400 is 1400.0"


def test_each_parameter_makes_another_model() -> None:
    others = [
        replace(TRAINING, label_names=("LOGG", "TEFF")),
        replace(TRAINING, order=1),
        replace(TRAINING, regularization=1.0),
    ]
    known = {model_id("t" * 64, each.as_json()) for each in (TRAINING, *others)}
    known.add(model_id("u" * 64, TRAINING.as_json()))
    assert len(known) == 5


def test_hyper_parameters_make_other_models_and_their_order_does_not() -> None:
    ranges = {"TEFF": ((15200.0, 15300.0), (16000.0, 16100.0)), "LOGG": ((15200.0, 15300.0),)}
    others = [
        replace(TRAINING, regularization_path=(1.0, 10.0)),
        replace(TRAINING, regularization_path=(1.0, 100.0)),
        replace(TRAINING, censors=ranges),
        replace(TRAINING, censors={"TEFF": ranges["TEFF"]}),
        replace(TRAINING, scatter_rule="median"),
    ]
    known = {model_id("t" * 64, each.as_json()) for each in (TRAINING, *others)}
    assert len(known) == 6
    same = [
        replace(TRAINING, regularization_path=(10, 1, 1)),
        replace(TRAINING, censors={"LOGG": [[15200, 15300]], "TEFF": [[16000, 16100], [15200, 15300]]}),
        replace(TRAINING, regularization_path=(), censors={}, scatter_rule="restricted"),
    ]
    assert {model_id("t" * 64, each.as_json()) for each in same} < known


def test_what_came_later_does_not_change_the_identity_of_models_without_it() -> None:
    """A catalogue of before would be retrained and inferred anew for nothing."""
    assert TRAINING.as_json() == {
        "label_names": ["TEFF", "LOGG"], "order": 2, "regularization": 0.0, "method": training.METHOD_VERSION,
    }  # fmt: skip


def test_each_part_makes_another_result() -> None:
    arguments = [("n", "m", INFERENCE), ("o", "m", INFERENCE), ("n", "o", INFERENCE), ("m", "n", INFERENCE)]
    arguments += [
        ("n", "m", replace(INFERENCE, n_initialisations=9)),
        ("n", "m", replace(INFERENCE, use_derivatives=False)),
    ]
    known = {result_id(normalization, model, each.as_json()) for normalization, model, each in arguments}
    assert len(known) == len(arguments)


@pytest.mark.parametrize(
    ("module", "name", "parameters"),
    [
        (continuum, "METHOD_VERSION", STACK),
        (subject, "READER_VERSION", STACK),
        (training, "METHOD_VERSION", TRAINING),
        (inference, "METHOD_VERSION", INFERENCE),
    ],
)
def test_a_new_version_of_a_method_makes_new_products(
    module: object, name: str, parameters: NormalizationParameters, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = parameters.as_json()
    monkeypatch.setattr(module, name, "another")
    assert parameters.as_json() != before


def test_what_a_file_would_make_is_what_the_steps_make_of_it() -> None:
    expected = ResultIdentities.of(STACK, INFERENCE)("c" * 64, "m" * 64)
    assert expected.normalization_id == normalization_id("c" * 64, STACK.as_json())
    assert expected.result_id == result_id(expected.normalization_id, "m" * 64, INFERENCE.as_json())
    assert ResultIdentities.of(STACK, INFERENCE)("c" * 64, None) == (expected.normalization_id, None)


def test_the_kinds_do_not_meet() -> None:
    parameters: dict[str, object] = {}
    assert len({normalization_id("x", parameters), model_id("x", parameters), result_id("x", "x", parameters)}) == 3
