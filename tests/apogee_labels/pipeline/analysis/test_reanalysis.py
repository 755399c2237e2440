"""By a new model everything is inferred again, once, from what is stored; whatever happens meanwhile."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from apogee_labels.catalog import Catalog
from apogee_labels.catalog.queries.results import Results
from apogee_labels.catalog.queries.states import States
from apogee_labels.catalog.records import (
    FileStatus,
    NightFileOutcome,
    NightOutcome,
    NormalizationRecord,
    ResultRecord,
    WorkKind,
)
from apogee_labels.core import progress
from apogee_labels.core.identity import digest_of
from apogee_labels.pipeline.analysis import infer, reanalysis
from apogee_labels.pipeline.analysis.infer import infer_labels
from apogee_labels.pipeline.analysis.normalize import normalize_file
from apogee_labels.pipeline.analysis.reanalysis import (
    Batch,
    Reanalysed,
    count_outdated,
    overtaken_by,
    plan_reanalysis,
    reanalyse,
)
from apogee_labels.pipeline.identities import InferenceParameters, NormalizationParameters
from apogee_labels.pipeline.ingest.scan import scan_archive
from apogee_labels.pipeline.workspace import Workspace
from apogee_labels.simulation.survey import SyntheticSurvey
from tests.apogee_labels.catalog.catalog_samples import together
from tests.support.former_model import FORMER, record_former

ALL = Batch(1, 1, "", "g")


@pytest.fixture
def model_id(workspace: Workspace, put_model: Callable[[Workspace], str]) -> str:
    """The model in force; a former one, FORMER, is on record as well."""
    identity = put_model(workspace)
    record_former(workspace, identity)
    workspace.catalog.models.put_in_force(workspace.settings.model_name, FORMER, "test")
    workspace.catalog.models.put_in_force(workspace.settings.model_name, identity, "test")
    return identity


@pytest.fixture
def products(
    workspace: Workspace, survey: SyntheticSurvey, normalization: NormalizationParameters, model_id: str
) -> list[str]:
    """The stacks of the survey's stars, which the former model has analysed."""
    paths = [survey.path(star) for star in survey.stars]
    made = [normalize_file(workspace, path, normalization).normalization_id for path in paths]
    infer_labels(workspace, made, FORMER, InferenceParameters())
    return made


@pytest.fixture(autouse=True)
def few_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """A transaction of a batch is of three spectra."""
    monkeypatch.setattr(reanalysis, "INFERRED_TOGETHER", 3)


def done(workspace: Workspace, model_id: str, batch: Batch = ALL) -> Reanalysed:
    return reanalyse(workspace, model_id, batch, workspace.settings.continuum_regions)


def left(workspace: Workspace, model_id: str) -> int:
    return count_outdated(workspace, model_id, workspace.settings.continuum_regions)


def rows(workspace: Workspace, query: str, *values: str) -> list[Any]:
    """Plain SQL, so that the check is not by the code under test."""
    with sqlite3.connect(workspace.settings.data_dir / "catalog.db") as connection:
        return connection.execute(query, values).fetchall()


def results(workspace: Workspace, model_id: str) -> dict[str, int]:
    """How many results by a model each normalisation has."""
    query = "SELECT normalization_id, count(*) FROM result WHERE model_id = ? GROUP BY normalization_id"
    return dict(rows(workspace, query, model_id))


def stamps(workspace: Workspace) -> dict[Path, tuple[int, int]]:
    """Which file each product is, and when it was written."""
    found = (workspace.settings.data_dir / "normalized").rglob("*.fits")
    return {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in found}


def test_every_star_gets_one_result_by_the_model_and_keeps_the_older_ones(
    workspace: Workspace, products: list[str], model_id: str
) -> None:
    before, made = stamps(workspace), rows(workspace, "SELECT id, created FROM normalization ORDER BY id")
    batches = plan_reanalysis(workspace, model_id, workspace.settings.continuum_regions, batch_size=5, max_batches=100)
    assert len(batches) == 3
    assert sum(done(workspace, model_id, batch).n_inferred for batch in batches) == len(products)
    assert results(workspace, model_id) == dict.fromkeys(products, 1)
    assert results(workspace, FORMER) == dict.fromkeys(products, 1)
    assert set(workspace.catalog.labels()["model"]) == {model_id}
    assert left(workspace, model_id) == 0
    assert done(workspace, model_id) == Reanalysed()
    assert stamps(workspace) == before
    assert rows(workspace, "SELECT id, created FROM normalization ORDER BY id") == made
    assert rows(workspace, "SELECT count(*) FROM duplicate_work") == [(0,)]


@pytest.mark.parametrize(("size", "most", "number"), [(1, 100, 12), (5, 100, 3), (12, 100, 1), (1, 4, 4), (13, 1, 1)])
def test_batches_cover_all_identities_and_are_no_more_than_asked_for(
    workspace: Workspace, products: list[str], model_id: str, size: int, most: int, number: int
) -> None:
    regions = workspace.settings.continuum_regions
    batches = plan_reanalysis(workspace, model_id, regions, batch_size=size, max_batches=most)
    assert [(batch.number, batch.of) for batch in batches] == [(place + 1, number) for place in range(number)]
    assert [batch.end for batch in batches[:-1]] == [batch.first for batch in batches[1:]]
    assert (batches[0].first, batches[-1].end) == ("", "g")
    assert Batch(**batches[0].as_json()) == batches[0]  # type: ignore[arg-type]  # what an XCom hands on
    assert str(batches[0]) == f"batch 1 of {number}"


def test_equal_parts_of_the_identities_hold_about_equally_many(workspace: Workspace, monkeypatch: Any) -> None:
    monkeypatch.setattr(States, "count_outdated", lambda *_, **__: 10_000)
    regions = workspace.settings.continuum_regions
    batches = plan_reanalysis(workspace, FORMER, regions, batch_size=200, max_batches=100)
    identities = [digest_of(number=number) for number in range(10_000)]
    held = [sum(batch.first <= identity < batch.end for identity in identities) for batch in batches]
    assert (len(held), sum(held)) == (50, 10_000)
    assert 150 < min(held) <= max(held) < 250


def test_nothing_is_planned_where_nothing_is_due(workspace: Workspace, model_id: str) -> None:
    regions = workspace.settings.continuum_regions
    assert plan_reanalysis(workspace, model_id, regions, batch_size=5, max_batches=10) == []


def test_labels_of_visits_one_by_one_are_made_where_they_are_normalised(
    workspace: Workspace, survey: SyntheticSurvey, products: list[str], model_id: str
) -> None:
    parameters = NormalizationParameters(regions=workspace.settings.continuum_regions, sum_axis=None)
    trial = parameters.replace(sum_axis=0, order=2)
    star = survey.path(survey.stars[0])
    visits = normalize_file(workspace, star, parameters).normalization_id
    normalize_file(workspace, star, trial)
    assert done(workspace, model_id).n_inferred == len(products) + 1
    assert results(workspace, model_id) == dict.fromkeys([*products, visits], 1), "and the trial is nobody's business"


def test_many_rows_are_not_in_memory_at_once() -> None:
    together = reanalysis._together(
        [reanalysis.Outdated(name, rows) for name, rows in zip("abcdef", (1, 1, 2, 5, 1, 1), strict=True)]
    )
    assert list(together) == [["a", "b"], ["c"], ["d"], ["e", "f"]]


def kill_at(monkeypatch: pytest.MonkeyPatch, call: int) -> None:
    """Kill the process that records results for the so many-th time, before it does."""
    calls, record = iter(range(1, 100)), Results.record_all

    def record_or_die(self: Catalog, found: Sequence[ResultRecord]) -> set[str]:
        if next(calls) == call:
            os.kill(os.getpid(), signal.SIGKILL)
        return record(self, found)

    monkeypatch.setattr(Results, "record_all", record_or_die)


def test_a_batch_that_was_killed_goes_on_where_it_was(
    workspace: Workspace, products: list[str], model_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = stamps(workspace)
    with monkeypatch.context() as patch:
        kill_at(patch, 3)
        process = multiprocessing.get_context("fork").Process(target=done, args=(workspace, model_id))
        process.start()
        process.join(60)
    assert process.exitcode == -signal.SIGKILL
    assert len(results(workspace, model_id)) == 6, "two transactions of three"
    assert done(workspace, model_id) == Reanalysed(n_due=6, n_inferred=6)
    assert results(workspace, model_id) == dict.fromkeys(products, 1)
    assert rows(workspace, "SELECT count(*), count(DISTINCT result_id) FROM result_row JOIN result ON id = result_id "
                "WHERE model_id = ?", model_id) == [(12, 12)]  # fmt: skip
    assert rows(workspace, "SELECT count(*) FROM label JOIN result ON id = result_id WHERE model_id = ?", model_id) == [
        (36,)
    ]
    assert stamps(workspace) == before
    assert rows(workspace, "SELECT count(*) FROM duplicate_work") == [(0,)]


def test_two_processes_on_one_batch_record_every_star_once(
    workspace: Workspace, products: list[str], model_id: str
) -> None:
    both = together(2, lambda _: done(workspace, model_id))
    assert results(workspace, model_id) == dict.fromkeys(products, 1)
    assert all(not each.faults and not each.n_rejected for each in both)
    twice = workspace.catalog.duplicates.counts()
    assert twice[WorkKind.NORMALIZATION] == 0
    assert sum(each.n_inferred for each in both) >= len(products)


def delete(product: Path) -> None:
    product.unlink()


def cut(product: Path) -> None:
    product.write_bytes(product.read_bytes()[:30_000])


@pytest.mark.parametrize("harm", [delete, cut])
def test_a_product_that_is_lost_is_made_anew_and_no_other(
    workspace: Workspace, products: list[str], model_id: str, harm: Callable[[Path], None]
) -> None:
    before, lost = stamps(workspace), workspace.normalized_path(products[4])
    content = lost.read_bytes()
    harm(lost)
    assert done(workspace, model_id).n_inferred == len(products)
    after = stamps(workspace)
    assert lost.read_bytes() == content
    assert {path for path in after if after[path] != before[path]} == {lost}


def test_a_spectrum_that_is_nowhere_is_rejected_and_waits_for_a_scan(
    workspace: Workspace, survey: SyntheticSurvey, products: list[str], model_id: str
) -> None:
    path = survey.path(survey.stars[2])
    kept = path.read_bytes()
    workspace.normalized_path(products[2]).unlink()
    path.write_bytes(kept[:-1])
    assert done(workspace, model_id) == Reanalysed(n_due=12, n_inferred=11, n_rejected=1)
    assert left(workspace, model_id) == 0
    path.write_bytes(kept)
    scan_archive(workspace, survey.stars[2].telescope)
    assert left(workspace, model_id) == 1
    assert done(workspace, model_id).n_inferred == 1


def test_one_that_fails_does_not_stop_the_others_and_is_due_afterwards(
    workspace: Workspace, products: list[str], model_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = infer.read_or_rebuild

    def fail(workspace: Workspace, record: NormalizationRecord) -> Any:
        if record.id == products[7]:
            raise OSError("the disk")
        return read(workspace, record)

    with monkeypatch.context() as patch:
        patch.setattr(infer, "read_or_rebuild", fail)
        found = done(workspace, model_id)
    assert (found.n_inferred, [str(fault) for fault in found.faults]) == (11, ["the disk"])
    assert found.faults[0].__notes__ == [f"normalisation {products[7][:12]}"]
    assert left(workspace, model_id) == 1
    assert done(workspace, model_id) == Reanalysed(n_due=1, n_inferred=1)


def test_a_file_that_is_rewritten_meanwhile_has_its_new_content_analysed(
    workspace: Workspace, survey: SyntheticSurvey, products: list[str], model_id: str,
    normalization: NormalizationParameters,
) -> None:  # fmt: skip
    (batch,) = plan_reanalysis(workspace, model_id, workspace.settings.continuum_regions, batch_size=100, max_batches=1)
    path = survey.path(survey.stars[0])
    path.write_bytes(path.read_bytes() + bytes(2880))
    newer = normalize_file(workspace, path, normalization).normalization_id
    assert newer != products[0]
    assert done(workspace, model_id, batch).n_inferred == len(products)
    assert set(results(workspace, model_id)) == {newer, *products[1:]}


@pytest.mark.parametrize(
    ("pinned", "is_overtaken"), [("force", False), (FORMER, True), (None, True), ("no files", False)]
)
def test_a_night_is_overtaken_by_a_model_that_came_into_force_meanwhile(
    workspace: Workspace, model_id: str, pinned: str | None, is_overtaken: bool
) -> None:
    file = NightFileOutcome(path="/sas/a.fits", digest=None, outcome=FileStatus.DONE)
    outcome = NightOutcome(
        telescope="apo25m", mjd=59281, run_id="r", model_id=model_id if pinned == "force" else pinned,
        files=() if pinned == "no files" else (file,),
    )  # fmt: skip
    found = overtaken_by(workspace, replace(outcome, model_id=FORMER) if pinned == "no files" else outcome)
    assert (found.id if found else None) == (model_id if is_overtaken else None)


def test_it_says_how_far_it_is(
    workspace: Workspace, products: list[str], model_id: str, caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(progress, "REPORT_EVERY", 0.0)
    with caplog.at_level("INFO", "apogee_labels.pipeline.analysis.reanalysis"):
        done(workspace, model_id)
    lines = [
        record.getMessage() for record in caplog.records if record.name == "apogee_labels.pipeline.analysis.reanalysis"
    ]
    assert lines[0] == "batch 1 of 1: 12 spectra"
    assert lines[1].startswith("batch 1 of 1, spectra: 3 of 12, ")
    assert lines[1].endswith(" s left")
    assert lines[-1].endswith("12 inferred, 0 rejected, 0 failed")
