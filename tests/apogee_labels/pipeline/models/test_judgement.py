"""The rule by which a model comes into force or a person is asked: one number at a time."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from apogee_labels.pipeline.models.judgement import Judgement, Tolerances, judge
from apogee_labels.pipeline.models.model_numbers import Comparison, LabelNumbers, LabelShift, ModelNumbers

DEFAULT = Tolerances()
TEFF = LabelNumbers(bias=1.0, rms=40.0, pull=1.0, spread=400.0)
FE_H = LabelNumbers(bias=0.001, rms=0.04, pull=1.0, spread=0.3)
SHIFT = LabelShift(mean=2.0, scatter=10.0, largest=30.0, error=30.0, n_stars=100)


def numbers(**changes: Any) -> ModelNumbers:
    plain = ModelNumbers(
        model_id="m", training_set="t", label_names=("TEFF", "FE_H"), order=2, regularization=0.0, n_stars=800, n_folds=4,
        n_held_out=800, n_failed=0, n_components=0, corrected=True, labels={"TEFF": TEFF, "FE_H": FE_H},
        empirical={"TEFF": 10.0, "FE_H": 0.01}, chi_square={"median": 1.0},
    )  # fmt: skip
    return replace(plain, **changes)


def with_label(name: str, **changes: float) -> ModelNumbers:
    model = numbers()
    return replace(model, labels={**model.labels, name: replace(model.labels[name], **changes)})


def compared(**changes: Any) -> Comparison:
    plain = Comparison(
        n_stars=100, n_compared=100, n_left_out=0, n_failed=0, n_failed_before=0, n_outside=0,
        shifts={"TEFF": SHIFT, "FE_H": replace(SHIFT, mean=0.002, error=0.02)},
    )  # fmt: skip
    return replace(plain, **changes)


def moved(name: str, mean: float, error: float = 30.0) -> Comparison:
    plain = compared()
    return replace(plain, shifts={**plain.shifts, name: replace(SHIFT, mean=mean, error=error)})


def test_an_equal_model_is_accepted_and_says_what_was_looked_at() -> None:
    found = judge(numbers(), numbers(), compared(), DEFAULT)
    assert found == Judgement(
        accepted=True,
        reasons=(
            "No worse than the model in force: rms TEFF 40 K, FE_H 0.04 dex; in force TEFF 40 K, FE_H 0.04 dex; 100 "
            "reference stars stay.",
        ),
    )
    assert judge(numbers(), numbers(), None, DEFAULT).accepted


@pytest.mark.parametrize(
    ("rms", "accepted"), [(20.0, True), (53.5, True), (54.1, False), (150.0, False), (math.nan, False)]
)
def test_the_rms_may_grow_by_a_tenth_and_by_what_nobody_sees(rms: float, accepted: bool) -> None:
    """40 K, and 10 % of it, and 10 K: chance is less, 2.8 K for two sets of 800 stars."""
    found = judge(with_label("TEFF", rms=rms), numbers(), compared(), DEFAULT)
    assert found.accepted is accepted
    assert accepted or found.reasons[0].startswith("TEFF: ")


def test_few_stars_are_given_what_chance_does() -> None:
    """With 50 stars each the rms of each is known to 10 %: 40 K may become 55 K."""
    few = numbers(n_held_out=50)
    assert judge(replace(with_label("TEFF", rms=55.0), n_held_out=50), few, None, DEFAULT).accepted
    assert not judge(replace(with_label("TEFF", rms=56.0), n_held_out=50), few, None, DEFAULT).accepted


@pytest.mark.parametrize(("bias", "accepted"), [(10.9, True), (-10.9, True), (11.1, False), (-11.1, False)])
def test_the_bias_counts_either_way(bias: float, accepted: bool) -> None:
    assert judge(with_label("TEFF", bias=bias), numbers(), compared(), DEFAULT).accepted is accepted


@pytest.mark.parametrize(
    ("label", "mean", "accepted"),
    [
        ("TEFF", 24.0, True), ("TEFF", 26.0, False), ("TEFF", -26.0, False), ("LOGG", 0.049, True), ("LOGG", 0.051, False),
        ("FE_H", -0.029, True), ("FE_H", -0.031, False), ("AGE", 0.49, True), ("AGE", 0.51, False),
    ],
)  # fmt: skip
def test_reference_stars_may_move_by_so_much(label: str, mean: float, accepted: bool) -> None:
    found = judge(numbers(), numbers(), moved(label, mean, error=1.0), DEFAULT)
    assert found.accepted is accepted
    assert accepted or (found.reasons[0].startswith(f"{label}: 100 reference stars move by"))


@pytest.mark.parametrize(
    ("new", "stars", "says"),
    [
        (with_label("FE_H", pull=2.1), compared(), "FE_H: pulls of 2.10, expected 0.5 to 2"),
        (with_label("FE_H", pull=0.4), compared(), "FE_H: pulls of 0.40"),
        (numbers(chi_square={"median": 2.4}), compared(), "median reduced chi-square of stars held back is 2.4"),
        (numbers(chi_square={}), compared(), "median reduced chi-square of stars held back is nan"),
        (numbers(n_failed=50), compared(), "50 of 850 stars held back have no labels, tolerated are 5 %"),
        (
            numbers(),
            compared(n_failed=6, n_compared=94),
            "6 of 100 reference stars have labels by the model in force and",
        ),
        (numbers(), compared(n_outside=31), "31 of 100 reference stars lie outside the training set"),
        (numbers(), compared(fault="the model is cut short"), "could not be compared: the model is cut short"),
        (numbers(), compared(n_compared=0, shifts={}), "None of 100 reference stars could be compared"),
        (
            numbers(n_folds=0, n_stars=30),
            compared(),
            "The model was not validated: 30 stars are too few for its 2 labels",
        ),
        (
            numbers(label_names=("AGE",), labels={"AGE": FE_H}),
            compared(),
            "No label of the model is one of the model in",
        ),
    ],
)
def test_each_number_that_is_out_of_its_range_is_a_sentence(new: ModelNumbers, stars: Comparison, says: str) -> None:
    found = judge(new, numbers(), stars, DEFAULT)
    assert not found.accepted
    assert len(found.reasons) == 1
    assert says in found.sentence


def test_stars_that_the_model_in_force_loses_make_up_for_others() -> None:
    assert judge(numbers(), numbers(), compared(n_failed=6, n_compared=94, n_failed_before=3), DEFAULT).accepted


def test_the_first_model_of_a_name_has_limits_of_its_own() -> None:
    assert judge(numbers(), None, None, DEFAULT).accepted
    poor = judge(with_label("TEFF", rms=160.0), None, None, DEFAULT)
    assert poor.reasons == (
        "TEFF: rms 160 K, the first model may have 150 K (the training labels spread by 400 K).",
    )  # fmt: skip
    assert not judge(with_label("FE_H", rms=0.1, spread=0.12), None, None, DEFAULT).accepted, "it knows next to nothing"
    assert not judge(numbers(n_folds=0), None, None, DEFAULT).accepted


def test_of_two_sets_of_labels_what_both_have_is_compared() -> None:
    """A label that is new has to be within the first model's limits; one that goes is a person's choice."""
    three = numbers(
        label_names=("TEFF", "FE_H", "LOGG"), labels={"TEFF": TEFF, "FE_H": FE_H, "LOGG": replace(FE_H, rms=0.1)}
    )
    assert judge(three, numbers(), None, DEFAULT).accepted
    lacking = judge(numbers(), three, None, DEFAULT)
    assert not lacking.accepted
    assert lacking.reasons == (
        "The model in force has LOGG, and this one has not: no star would have a current value of it.",
    )
    poor = replace(three, labels={**three.labels, "LOGG": replace(FE_H, rms=0.4, spread=1.0)})
    assert judge(poor, numbers(), None, DEFAULT).reasons == (
        "LOGG, which is new: rms 0.4 dex, tolerated up to 0.3 dex.",
    )


def test_after_a_model_that_was_not_validated_the_limits_are_the_first_model_s() -> None:
    unknown = ModelNumbers.unknown("old", ("TEFF", "FE_H"), 30)
    assert judge(numbers(), unknown, None, DEFAULT).accepted
    assert not judge(with_label("TEFF", rms=160.0), unknown, None, DEFAULT).accepted


def test_tolerances_come_from_a_form_and_are_checked() -> None:
    assert Tolerances() == DEFAULT
    assert Tolerances(rms_percent="20", shift_teff=40) == Tolerances(rms_percent=20.0, shift_teff=40.0)
    assert judge(with_label("TEFF", rms=57.0), numbers(), None, Tolerances(rms_percent=20.0)).accepted
    wrong: dict[str, Any]
    for wrong in ({"rms_percent": -1}, {"rms_percent": "nan"}, {"rms": 1}, {"rms_percent": "ten"}):
        with pytest.raises(ValueError, match=r"rms|ten"):
            Tolerances(**wrong)
