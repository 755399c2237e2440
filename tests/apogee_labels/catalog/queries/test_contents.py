"""What is known of a content: the rule in Python, and the same one in SQL, on random small catalogues."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Table

from apogee_labels.catalog import Catalog
from apogee_labels.catalog.db import schema
from apogee_labels.catalog.db.rows import row_of
from apogee_labels.catalog.queries.states import MadeWith, NightRange
from apogee_labels.catalog.records import (
    ArchiveFile,
    FileState,
    FileStatus,
    Night,
    NightFile,
    RejectionRecord,
    Stage,
    subject_of_path,
)
from tests.apogee_labels.catalog.catalog_samples import (
    EPOCH,
    NIGHT,
    archive_file,
    content,
    expected,
    model,
    moment,
    normalization,
    rejection,
    result,
    spectrum,
)

KEY = ("telescope", "mjd", "run_id")
RUN = ("apo25m", NIGHT, "run")
OPEN = {FileStatus.UNDER_WAY, FileStatus.WAITING, FileStatus.FAILED, FileStatus.OUTDATED}
READER = "1"

MOSTLY = st.sampled_from([True, True, True, False])
FATES = st.fixed_dictionaries(
    {
        "has_content": MOSTLY,
        "state": st.sampled_from([*FileState, *[FileState.PRESENT] * 4]),
        "was_read": MOSTLY,
        "as wanted": st.booleans(),
        "each visit": st.booleans(),
        "inferred": st.sampled_from([(), (), ("first", 0), ("new", 0), ("first", 1)]),
        "rejected": st.fixed_dictionaries(
            dict.fromkeys(("content", "older", "normalization"), st.sampled_from([None, None, "0", READER]))
        ),
        "listed": st.sampled_from([None, "content", "content", "older"]),
        "listed_as": st.sampled_from([FileStatus.DUE, FileStatus.COMPLETE, FileStatus.REJECTED]),
    }
)
WORLDS = st.fixed_dictionaries(
    {
        "fates": st.lists(FATES, min_size=3, max_size=8),
        "in_force": st.sampled_from([None, "first"]),
        "run_by": st.sampled_from([None, "first", "new"]),
        "published": st.booleans(),
    }
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(world=WORLDS)
def test_python_and_sql_say_the_same_of_every_content(catalog: Catalog, world: dict[str, Any]) -> None:
    files = make(catalog, world)
    model_id = model(world["in_force"]).id if world["in_force"] else None
    known = catalog.contents.known([subject(file) for file in files], expected, model_id, READER)
    made = MadeWith(
        normalizations=[normalization("any").parameters],
        inference=result("any", "any").parameters,
        model_id=model_id,
        reader_version=READER,
    )
    nights = NightRange(["apo25m"], NIGHT, NIGHT)
    now = {file.path: file.status for file in catalog.states.files(nights, made, expected)}
    for file in files:
        if file.path in now:
            assert_same(now[file.path], file, known[subject(file)].status, model_id)
    counts = catalog.states.count(nights, made, expected)
    assert counts.get(Night("apo25m", NIGHT), Counter()) == Counter(now.values())

    if model_id:
        ids = {known[subject(file)].expected.normalization_id for file in files if is_outdated(file, known)}
        found = catalog.states.outdated(made, EPOCH + timedelta(days=9))
        assert {each.normalization_id for each in found} == ids

    run_model = model(world["run_by"]).id if world["run_by"] else None
    by_run = catalog.contents.known([subject(file) for file in files], expected, run_model, READER)
    outcomes = {
        file.path: file for file in catalog.nights.outcome(*RUN, expected=expected, reader_version=READER).files
    }
    for file in files:
        if file.path in outcomes and outcomes[file.path].digest == file.digest is not None:
            assert_outcome(outcomes[file.path].outcome, by_run[subject(file)].status, run_model)


def assert_same(status: FileStatus, file: ArchiveFile, known: FileStatus, model_id: str | None) -> None:
    """A file's status follows from what is known of its content; what is open, from the runs."""
    if file.state in (FileState.GONE, FileState.WRITING):
        assert status == file.state.value
    elif known in (FileStatus.DONE, FileStatus.REJECTED) or (known is FileStatus.NORMALIZED and model_id is None):
        assert status is known
    else:
        assert status in OPEN
        assert status is not FileStatus.OUTDATED or known is FileStatus.NORMALIZED


def assert_outcome(outcome: FileStatus, known: FileStatus, model_id: str | None) -> None:
    if known is FileStatus.DONE:
        assert outcome in (FileStatus.DONE, FileStatus.COMPLETE)
    elif known is FileStatus.REJECTED:
        assert outcome is FileStatus.REJECTED
    else:
        waits = known is FileStatus.NORMALIZED and model_id is None
        assert outcome is (FileStatus.NORMALIZED if waits else FileStatus.FAILED) or outcome is FileStatus.REJECTED


def is_outdated(file: ArchiveFile, known: Any) -> bool:
    return file.state is FileState.PRESENT and known[subject(file)].status is FileStatus.NORMALIZED


def subject(file: ArchiveFile) -> str:
    return file.digest or subject_of_path(file.path)


def make(catalog: Catalog, world: dict[str, Any]) -> list[ArchiveFile]:
    """Fill an emptied catalogue, in one transaction; returns its files."""
    by = model(world["run_by"]).id if world["run_by"] else None
    run = {"telescope": RUN[0], "mjd": RUN[1], "run_id": RUN[2], "model_id": by, "listed_at": EPOCH}
    rows: dict[Table, list[dict[str, Any]]] = {table: [] for table in schema.metadata.sorted_tables}
    rows[schema.model] = [row_of(model(name), schema.model) for name in ("first", "new")]
    rows[schema.night_run] = [run | {"published_at": moment(1) if world["published"] else None}]
    files = []
    for place, fate in enumerate(world["fates"]):
        file = replace(archive_file(f"{place}"), state=fate["state"])
        file = file if fate["has_content"] else replace(file, digest=None)
        files.append(file)
        if fate["listed"]:
            digest = file.digest if fate["listed"] == "content" else content(f"older {place}")
            listed = NightFile(path=file.path, digest=digest, state=fate["listed_as"])
            rows[schema.night_file].append(row_of(listed, schema.night_file, **dict(zip(KEY, RUN, strict=True))))
        if file.digest and fate["was_read"]:
            analyse(rows, file.digest, place, fate)
        rows[schema.rejection] += [row_of(each, schema.rejection) for each in rejections(file, fate, place)]
    rows[schema.archive_file] = [row_of(file, schema.archive_file) for file in files]
    with catalog._database.write() as connection:
        for table in reversed(rows):
            connection.execute(table.delete())
        for table, of_table in rows.items():
            if of_table:
                connection.execute(table.insert(), of_table)
    return files


def analyse(rows: dict[Table, list[dict[str, Any]]], digest: str, place: int, fate: dict[str, Any]) -> None:
    rows[schema.spectrum].append(row_of(spectrum(f"{place}", digest=digest), schema.spectrum))
    rows[schema.visit].append({"digest": digest, "number": 1, "mjd": NIGHT, "starflag": 0})
    for sum_axis in [0] * fate["as wanted"] + [None] * fate["each visit"]:
        made = normalization(digest, sum_axis=sum_axis)
        rows[schema.normalization].append(row_of(made, schema.normalization))
        if fate["inferred"]:
            by, again = fate["inferred"]
            found = replace(result(made.id, model(by).id, again=again), parameters={"n_initialisations": 10 + again})
            rows[schema.result].append(row_of(found, schema.result))


def rejections(file: ArchiveFile, fate: dict[str, Any], place: int) -> Iterable[RejectionRecord]:
    """Of the content, of an older one at the path, or of one normalisation; of a path, where there is no content."""
    of = {"content": subject(file), "older": content(f"older {place}")}
    if file.digest:
        of["normalization"] = normalization(file.digest).id
    for kind, version in fate["rejected"].items():
        stage = Stage.NORMALIZE if kind == "normalization" else Stage.READ
        if version and kind in of:
            yield rejection(of[kind], path=file.path, stage=stage, reader_version=version)


def test_nothing_is_asked_for_nothing(catalog: Catalog) -> None:
    assert catalog.contents.known([], expected, model().id, READER) == {}


@pytest.mark.parametrize("model_id", [None, model().id])
def test_what_is_known_comes_with_its_record(with_model: Catalog, model_id: str | None) -> None:
    digest, bad = content("star"), content("bad")
    with_model.spectra.record(spectrum("star"))
    with_model.normalizations.record(normalization(digest))
    with_model.rejections.record(rejection(bad))
    known = with_model.contents.known([digest, bad, content("new")], expected, model_id, READER)
    assert known[digest].normalization == normalization(digest)
    assert known[digest].status is FileStatus.NORMALIZED
    assert known[bad].rejection == rejection(bad)
    assert known[content("new")][0] is FileStatus.DUE
    with_model.results.record(result(normalization(digest).id, model().id))
    found = with_model.contents.known([digest], expected, model_id, READER)[digest]
    assert found.status is (FileStatus.DONE if model_id else FileStatus.NORMALIZED)
