"""Models, verdicts and what is in force."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import text

from apogee_labels.catalog import Catalog, CatalogError
from apogee_labels.catalog.records import VerdictOutcome, VerdictRecord, WorkKind
from tests.apogee_labels.catalog.catalog_samples import EPOCH, content, model, moment


def test_a_model_is_recorded_once_and_its_second_making_counted(catalog: Catalog) -> None:
    assert [catalog.models.record(model()) for _ in range(3)] == [True, False, False]
    assert catalog.models.get(model().id) == model()
    assert catalog.models.get(content("other")) is None
    assert catalog.duplicates.counts()[WorkKind.MODEL] == 2


def test_the_last_model_put_in_force_is_in_force(catalog: Catalog) -> None:
    first, second = model("first"), model("second")
    assert catalog.models.in_force("giants") is None
    catalog.models.record(first)
    catalog.models.record(second)
    assert catalog.models.in_force("giants") is None
    put = [catalog.models.put_in_force("giants", made.id, "a person") for made in (first, first, second, first)]
    assert put == [True, False, True, True]
    assert catalog.models.in_force("giants") == first
    assert catalog.models.in_force("dwarfs") is None
    with catalog._database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM in_force")).scalar() == 3


def test_names_have_their_models_apart(catalog: Catalog) -> None:
    for name in ("giants", "dwarfs"):
        catalog.models.record(model(name))
        catalog.models.put_in_force(name, model(name).id, "a person")
    assert catalog.models.in_force("giants") == model("giants")
    assert catalog.models.put_in_force("giants", model("giants").id, "a person") is False


def test_a_model_that_was_never_recorded_cannot_be_put_in_force(catalog: Catalog) -> None:
    with pytest.raises(CatalogError, match="expected a recorded model to put in force as 'giants', got 'abc'"):
        catalog.models.put_in_force("giants", "abc", "a person")


def test_a_verdict_is_given_once(catalog: Catalog) -> None:
    catalog.models.record(model())
    verdict = VerdictRecord(
        identity=content("training"),
        outcome=VerdictOutcome.ACCEPTED,
        reason="rms 22 K, was 25 K",
        model_id=model().id,
        decided_by="validation",
        created=EPOCH,
    )
    assert catalog.models.verdict(verdict.identity) is None
    assert catalog.models.record_verdict(verdict) is True
    assert catalog.models.record_verdict(replace(verdict, outcome=VerdictOutcome.REFUSED, created=moment(1))) is False
    assert catalog.models.verdict(verdict.identity) == verdict


def test_a_broken_training_set_has_a_verdict_and_no_model(catalog: Catalog) -> None:
    broken = VerdictRecord(
        identity=content("training"),
        outcome=VerdictOutcome.BROKEN,
        reason="row 7 is NaN",
        model_id=None,
        decided_by="reader",
        created=EPOCH,
    )
    catalog.models.record_verdict(broken)
    assert catalog.models.verdict(broken.identity) == broken


def test_a_model_is_chosen_by_the_beginning_of_its_identity(with_model: Catalog) -> None:
    identity = model().id
    twin = identity[:20] + "0" * 44
    assert with_model.models.choose() == with_model.models.choose("giants") == with_model.models.choose(identity)
    assert with_model.models.choose(identity[:12]) == with_model.models.choose(identity)
    with_model.models.record(replace(model(), id=twin))
    assert with_model.models.choose(twin[:21]).id == twin
    for wrong in (identity[:20], identity[:11], "_" * 12, "%" * 64, "dwarfs"):
        with pytest.raises(CatalogError, match="expected the identity of a model"):
            with_model.models.choose(wrong)


def test_the_history_of_a_name_says_who_and_why_and_leaves_other_names_alone(catalog: Catalog) -> None:
    for name in ("giants", "dwarfs"):
        catalog.models.record(model(name))
    catalog.models.put_in_force("giants", model("giants").id, "the rule", "no worse")
    catalog.models.put_in_force("dwarfs", model("giants").id, "a person")
    catalog.models.put_in_force("giants", model("dwarfs").id, "a person", "better for cool stars")
    found = [(each.model_id, each.decided_by, each.reason) for each in catalog.models.history("giants")]
    assert found == [
        (model("giants").id, "the rule", "no worse"),
        (model("dwarfs").id, "a person", "better for cool stars"),
    ]
    assert [each.name for each in catalog.models.history()] == ["giants", "dwarfs", "giants"]
    assert catalog.models.in_force("dwarfs") == model("giants")
    assert [each.id for each in catalog.models.all()] == sorted([model("giants").id, model("dwarfs").id])
