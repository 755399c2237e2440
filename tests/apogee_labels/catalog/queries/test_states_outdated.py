"""Which spectra lack a result by a model, held against a twin that asks of one after the other."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from apogee_labels.catalog import Catalog
from apogee_labels.catalog.queries.states import MadeWith, Outdated
from apogee_labels.catalog.records import FileState, FileStatus, Night, NightFile, ResultRecord, Stage, subject_of_path
from apogee_labels.core.errors import Reason
from tests.apogee_labels.catalog.catalog_samples import (
    EPOCH,
    NIGHT,
    analysed,
    archive_file,
    content,
    model,
    moment,
    normalization,
    rejection,
    result,
    spectrum,
)

STACK, VISITS = normalization("any").parameters, normalization("any", sum_axis=None).parameters


DAY_BEFORE = EPOCH - timedelta(days=1)


def wanted(**changes: Any) -> MadeWith:
    values: dict[str, Any] = {
        "model_id": model("new").id,
        "normalizations": [STACK, VISITS],
        "inference": {"n_initialisations": 10},
        "reader_version": "1",
    }
    return MadeWith(**values | changes)


@pytest.fixture
def both_models(with_model: Catalog) -> Catalog:
    """A catalogue with a second model, to which results are to be made."""
    with_model.models.record(model("new"))
    return with_model


def outdated(catalog: Catalog, left_since: datetime = DAY_BEFORE, **changes: Any) -> list[str]:
    found = catalog.states.outdated(wanted(**changes), left_since)
    assert catalog.states.count_outdated(wanted(**changes), left_since) == len(found)
    return [each.normalization_id for each in found]


def test_what_the_former_model_analysed_is_outdated_until_the_new_one_has(both_models: Catalog) -> None:
    analysed(both_models, "a")
    made = normalization(content("a"))
    assert both_models.states.outdated(wanted(), DAY_BEFORE) == [Outdated(made.id, 1)]
    assert outdated(both_models, model_id=model().id) == []
    analysed(both_models, "a", by="new")
    assert outdated(both_models) == []


def test_a_result_with_other_parameters_does_not_count(both_models: Catalog) -> None:
    analysed(both_models, "a")
    made = normalization(content("a"))
    trial = replace(result(made.id, model("new").id, again=1), parameters={"n_initialisations": 1})
    both_models.results.record(trial)
    assert outdated(both_models) == [made.id]


def test_only_spectra_with_the_nightly_parameters_are_asked_for(both_models: Catalog) -> None:
    analysed(both_models, "a")
    both_models.normalizations.record(normalization(content("a"), sum_axis=None))
    trial = replace(normalization(content("a"), sum_axis=7), parameters={"order": 5})
    both_models.normalizations.record(trial)
    stack, visits = normalization(content("a")).id, normalization(content("a"), sum_axis=None).id
    assert outdated(both_models) == sorted([stack, visits])
    assert outdated(both_models, normalizations=[STACK]) == [stack]


@pytest.mark.parametrize("state", [FileState.GONE, FileState.WRITING])
def test_a_content_that_no_path_holds_now_is_left_alone(both_models: Catalog, state: FileState) -> None:
    analysed(both_models, "gone")
    both_models.archive.index([archive_file("gone", state=state)])
    analysed(both_models, "rewritten", digest=content("older"))
    analysed(both_models, "rewritten", digest=content("newer"))
    assert outdated(both_models) == [normalization(content("newer")).id]
    both_models.archive.index([archive_file("elsewhere", digest=content("older"))])
    assert len(outdated(both_models)) == 2, "a copy holds it"


def lose(catalog: Catalog, name: str, *, minutes: float = 0, **changes: Any) -> None:
    """A product was not there, and neither was the content at its path."""
    path = f"/sas/{name}.fits"
    catalog.rejections.record(
        rejection(
            subject_of_path(path), path=path, stage=Stage.INFER, reason=Reason.MISSING, minutes=minutes, **changes
        )
    )


def test_what_was_rejected_at_inference_waits_for_the_next_scan(both_models: Catalog) -> None:
    analysed(both_models, "a")
    lose(both_models, "a", reader_version="0")
    assert len(outdated(both_models)) == 1, "an older reader"
    lose(both_models, "a")
    assert outdated(both_models) == []
    both_models.archive.index([archive_file("copy", digest=content("a"))])
    assert len(outdated(both_models)) == 1, "another path has it"
    lose(both_models, "copy")
    both_models.archive.index([archive_file("a", scanned_at=moment(1))])
    assert len(outdated(both_models)) == 1, "it was scanned since"


def listed(catalog: Catalog, name: str, by: str = "new", *, published: bool = False, minutes: float = 0) -> None:
    key: tuple[str, int, str] = ("apo25m", NIGHT, f"run {name} {by} {published}")
    files = [NightFile(path=f"/sas/{name}.fits", digest=content(name), state=FileStatus.DUE)]
    catalog.nights.record_listing(*key, model(by).id, files, listed_at=moment(minutes))
    if published:
        catalog.nights.record_publication(*key, {}, published_at=moment(minutes + 1))


def test_what_a_night_with_the_same_model_has_in_hand_is_left_to_it_for_a_day(both_models: Catalog) -> None:
    for name in ("running", "published", "former", "dead"):
        analysed(both_models, name)
    listed(both_models, "running")
    listed(both_models, "published", published=True)
    listed(both_models, "former", by="first")
    listed(both_models, "dead", minutes=-1441)
    left = {normalization(content("running")).id}
    assert {normalization(content(name)).id for name in ("published", "former", "dead")} == set(outdated(both_models))
    assert left & set(outdated(both_models, left_since=EPOCH)) == left


def test_ranges_divide_the_spectra_and_a_moment_cuts_off_the_newer(both_models: Catalog) -> None:
    names = [f"star{place}" for place in range(40)]
    for name in names:
        analysed(both_models, name)
    every = outdated(both_models)
    assert every == sorted(normalization(content(name)).id for name in names)
    bounds = ["", "35", "9a0", every[-3], "g"]
    parts = [both_models.states.outdated(wanted(), DAY_BEFORE, *some) for some in pairwise(bounds)]
    assert [each.normalization_id for part in parts for each in part] == every
    assert all(parts)
    late = replace(normalization(content("star0"), sum_axis=None), created=moment(5))
    both_models.normalizations.record(late)
    assert both_models.states.count_outdated(wanted(), DAY_BEFORE) == 41
    assert both_models.states.count_outdated(wanted(), DAY_BEFORE, before=moment(5)) == 40


def test_random_fates_are_decided_as_by_the_twin(both_models: Catalog) -> None:
    random = np.random.default_rng(11)
    for place in range(120):
        name = f"star{place}"
        minutes = float(random.integers(-2000, 1000))
        analysed(both_models, name, digest=content(f"older {name}"))
        analysed(both_models, name, by=str(random.choice(["first", "new"])))
        if random.random() < 0.3:
            both_models.normalizations.record(normalization(content(name), sum_axis=None))
        state = FileState(random.choice(["present", "present", "gone", "writing"]))
        both_models.archive.index([archive_file(name, state=state)])
        if random.random() < 0.2:
            both_models.archive.index([archive_file(f"copy of {name}", digest=content(name))])
        if random.random() < 0.3:
            lose(both_models, name, minutes=float(random.integers(-1, 2)))
        if random.random() < 0.3:
            by = str(random.choice(["first", "new"]))
            listed(both_models, name, by, published=bool(random.integers(2)), minutes=minutes)
    found = outdated(both_models)
    assert found == slow_outdated(both_models)
    assert 20 < len(found) < 120


def slow_outdated(catalog: Catalog) -> list[str]:
    """Every question asked of each file by itself, in Python."""
    new, wanted_ids = model("new").id, set()
    for file in catalog.archive.indexed().values():
        for sum_axis in (0, None):
            made = normalization(str(file.digest), sum_axis=sum_axis)
            if catalog.normalizations.get(made.id) is None or file.state is not FileState.PRESENT:
                continue
            fault = catalog.rejections.find([subject_of_path(file.path)], "1").get(subject_of_path(file.path))
            if fault and fault.created >= file.scanned_at:
                continue
            if catalog.results.existing([result(made.id, new).id]) or in_hand(catalog, file.obj, new):
                continue
            wanted_ids.add(made.id)
    return sorted(wanted_ids)


def in_hand(catalog: Catalog, name: str, new: str) -> bool:
    original = name.removeprefix("copy of ")
    listings = [
        catalog.nights.listing("apo25m", NIGHT, f"run {original} {by} {published}")
        for by in ("first", "new")
        for published in (True, False)
    ]
    return any(
        each is not None
        and each.model_id == new
        and each.published_at is None
        and each.listed_at > EPOCH - timedelta(days=1)
        for each in listings
    )


def recorded(catalog: Catalog, name: str, minutes: float, *, sum_axis: int | None = 0, by: str = "new") -> ResultRecord:
    made = normalization(content(name), sum_axis=sum_axis)
    catalog.normalizations.record(made)
    found = result(made.id, model(by).id, minutes=minutes, again=int(minutes))
    catalog.results.record(found)
    return found


def test_the_newest_result_of_each_night_is_by_the_model_and_of_one_kind(both_models: Catalog) -> None:
    for name, nights in (("a", (NIGHT, NIGHT + 1)), ("b", (NIGHT + 1,)), ("c", (NIGHT + 2,))):
        both_models.spectra.record(spectrum(name, nights=nights))
    recorded(both_models, "a", 1)
    recorded(both_models, "b", 3)
    recorded(both_models, "b", 4, sum_axis=None)
    recorded(both_models, "c", 5, by="first")
    stacks, visits = both_models.states.newest_results(model("new").id, [STACK, VISITS])
    assert stacks == {Night("apo25m", NIGHT): moment(1), Night("apo25m", NIGHT + 1): moment(3)}
    assert visits == {Night("apo25m", NIGHT + 1): moment(4)}
    assert max(stacks.values()) < datetime.now(UTC)
    assert both_models.states.newest_results(content("no model"), [STACK]) == [{}]
