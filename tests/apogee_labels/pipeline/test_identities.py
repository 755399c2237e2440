"""A product's identity follows everything that makes it, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from apogee_labels.apogee.spectra import apstar
from apogee_labels.cannon.continuum import normalization as continuum
from apogee_labels.cannon.inference import inference
from apogee_labels.cannon.training import coefficients as training
from apogee_labels.core.identity import digest_of
from apogee_labels.core.settings import SHIPPED_REGIONS
from apogee_labels.pipeline.identities import (
    InferenceParameters,
    NormalizationParameters,
    ResultIdentities,
    TrainingParameters,
    model_id,
    normalization_id,
    result_id,
)
from apogee_labels.pipeline.parameters import TrainingSetParameters

STACK = NormalizationParameters(regions=SHIPPED_REGIONS)
TRAINING = TrainingParameters(label_names=("TEFF", "LOGG"))
INFERENCE = InferenceParameters()


def test_regions_count_by_the_numbers_in_them(tmp_path: Path) -> None:
    copy, other = tmp_path / "copy.txt", tmp_path / "other.txt"
    copy.write_text("# a remark\n" + SHIPPED_REGIONS.read_text() + "\n")
    lines = SHIPPED_REGIONS.read_text().splitlines()
    other.write_text("\n".join(lines[:-1]) + "\n")
    assert STACK.replace(regions=copy).as_json() == STACK.as_json()
    assert STACK.replace(regions=other).as_json() != STACK.as_json()


def test_each_parameter_makes_another_normalisation() -> None:
    others = [STACK.replace(length=1300.0), STACK.replace(order=2), STACK.replace(sum_axis=None)]
    known = {normalization_id("c" * 64, each.as_json()) for each in (STACK, *others)}
    known.add(normalization_id("d" * 64, STACK.as_json()))
    assert len(known) == 5
    assert normalization_id("c" * 64, STACK.replace(length=1400).as_json()) in known, "1400 is 1400.0"


def test_each_parameter_makes_another_model() -> None:
    others = [
        TRAINING.replace(label_names=("LOGG", "TEFF")),
        TRAINING.replace(order=1),
        TRAINING.replace(regularization=1.0),
    ]
    known = {model_id("t" * 64, each.as_json()) for each in (TRAINING, *others)}
    known.add(model_id("u" * 64, TRAINING.as_json()))
    assert len(known) == 5


def test_hyper_parameters_make_other_models_and_their_order_does_not() -> None:
    ranges = {"TEFF": ((15200.0, 15300.0), (16000.0, 16100.0)), "LOGG": ((15200.0, 15300.0),)}
    others = [
        TRAINING.replace(regularization_path=(1.0, 10.0)),
        TRAINING.replace(regularization_path=(1.0, 100.0)),
        TRAINING.replace(censors=ranges),
        TRAINING.replace(censors={"TEFF": ranges["TEFF"]}),
        TRAINING.replace(scatter_rule="median"),
    ]
    known = {model_id("t" * 64, each.as_json()) for each in (TRAINING, *others)}
    assert len(known) == 6
    same = [
        TRAINING.replace(regularization_path=(10, 1, 1)),
        TRAINING.replace(censors={"LOGG": [[15200, 15300]], "TEFF": [[16000, 16100], [15200, 15300]]}),
        TRAINING.replace(regularization_path=(), censors={}, scatter_rule="restricted"),
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
        ("n", "m", INFERENCE.replace(n_initialisations=9)),
        ("n", "m", INFERENCE.replace(use_derivatives=False)),
    ]
    known = {result_id(normalization, model, each.as_json()) for normalization, model, each in arguments}
    assert len(known) == len(arguments)


@pytest.mark.parametrize(
    ("module", "name", "parameters"),
    [
        (continuum, "METHOD_VERSION", STACK),
        (apstar, "READER_VERSION", STACK),
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


def test_identities_of_before_are_those_of_today() -> None:
    """Products, models and results of an installation are found by them: only another method's version changes them."""
    visits = NormalizationParameters(regions=SHIPPED_REGIONS, length=900, order=5, sum_axis=None)
    plain = TrainingParameters(label_names=("TEFF", "LOGG", "FE_H"))
    chosen = plain.replace(
        regularization_path=(100, 10.0, 0), censors={"FE_H": ((16000, 16100), (15200, 15300.5))}, scatter_rule="median"
    )
    few = InferenceParameters(n_initialisations=3, use_derivatives=False)
    training_set = TrainingSetParameters(label_names=("TEFF",), normalization=STACK)
    assert [
        normalization_id("c" * 64, STACK.as_json()),
        normalization_id("c" * 64, visits.as_json()),
        model_id("t" * 64, plain.as_json()),
        model_id("t" * 64, plain.replace(order=1, regularization=10).as_json()),
        model_id("t" * 64, chosen.as_json()),
        result_id("n" * 64, "m" * 64, INFERENCE.as_json()),
        result_id("n" * 64, "m" * 64, few.as_json()),
        digest_of(**training_set.as_json()),
    ] == [
        "6f5f501de32d8bad03f89bece3711abcc9832feed39221963c0b9fa9f8f90b93",
        "5eacfe3a2d01981cf1d434cbf852ee62a1953da45cb0f90e546ec0567baf34e7",
        "baf2780ef3787102bd99a06efc8f42455855cdb3e515dd65de2b833560872e07",
        "930def046f552d917927cf9bf2150143e7555b604a1bc05b489b333d15689ff7",
        "73f3a9e3a838be9453a83d68f411c9ac0d49bc08c372ede71b8f458966be57e2",
        "aeb020cca465b67d105b8e2ddc14d0fdf1a8cd5617c8fee5587379d0b99213f9",
        "0d273769ffab333e2b3720f610129258004be605305fb753c68467710af6bc5b",
        "1d50c71dc424f627b2f93746d4009f628343fa763952bcbdc264497d33011b9b",
    ]
