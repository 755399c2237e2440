"""The table of a night: what it holds, who may write it, and when it stays."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from astropy.io import fits
from astropy.table import Table

from apogee_labels.catalog import Catalog
from apogee_labels.pipeline.analysis.infer import infer_labels
from apogee_labels.pipeline.analysis.normalize import normalize_file
from apogee_labels.pipeline.identities import InferenceParameters, NormalizationParameters, ResultIdentities
from apogee_labels.pipeline.nights import publish
from apogee_labels.pipeline.nights.night import NightKey, list_night
from apogee_labels.pipeline.nights.publish import publish_night, write_night_table
from apogee_labels.pipeline.workspace import Workspace
from apogee_labels.simulation.survey import SyntheticSurvey

FIRST, SECOND = 59280, 59281


@pytest.fixture
def model_id(workspace: Workspace, put_model: Callable[[Workspace], str]) -> str:
    identity = put_model(workspace)
    workspace.catalog.models.put_in_force("giants", identity, "test")
    return identity


@pytest.fixture
def analyse(workspace: Workspace, normalization: NormalizationParameters, identities: ResultIdentities) -> Any:
    """Analyse a night's files, or their visits; ``analyse(mjd, model_id)`` returns how many there were."""

    def run(mjd: int, model: str, *, visits: bool = False) -> int:
        of_night = ResultIdentities.nightly(normalization.regions, visits=visits)
        due = list_night(workspace, NightKey("apo25m", mjd, f"of {model[:4]} {visits}"), of_night, model)
        parameters = normalization.replace(sum_axis=None if visits else 0)
        items = [normalize_file(workspace, path, parameters).normalization_id for path in due]
        infer_labels(workspace, items, model, InferenceParameters())
        return len(due)

    return run


def another_model(workspace: Workspace, model_id: str) -> str:
    """The same model under another identity."""
    record = workspace.catalog.models.get(model_id)
    assert record is not None
    other = "f" * 64
    workspace.model_path(other).write_bytes(Path(record.path).read_bytes())
    workspace.catalog.models.record(replace(record, id=other, path=str(workspace.model_path(other))))
    return other


def test_a_night_of_visits_has_a_row_a_visit_and_leaves_the_stacks_alone(
    workspace: Workspace,
    survey: SyntheticSurvey,
    analyse: Any,
    model_id: str,
    normalization: NormalizationParameters,
    identities: ResultIdentities,
) -> None:
    analyse(SECOND, model_id)
    stacks = publish_night(workspace, NightKey("apo25m", SECOND, f"of {model_id[:4]} False"), identities)
    before = stacks.table.read_bytes()
    analyse(SECOND, model_id, visits=True)
    of_visits = ResultIdentities.nightly(normalization.regions, visits=True)
    summary = publish_night(workspace, NightKey("apo25m", SECOND, f"of {model_id[:4]} True"), of_visits)
    assert summary.table.name == f"apogeeNightVisits-apo25m-{SECOND}.fits"
    assert summary.fault(max_rejected_share=0.0) is None
    stars = [star for star in survey.stars if star.telescope == "apo25m" and SECOND in survey.visits(star, SECOND)]
    table = Table.read(summary.table)
    expected = {(star.obj, mjd) for star in stars for mjd in survey.visits(star, survey.nights[-1])}
    assert set(zip(table["obj"], table["mjd"], strict=True)) == expected, "all visits of the stars seen that night"
    assert summary.n_stars == len(stars) < len(table)
    flags = {
        (spectrum.obj, visit.mjd): visit.starflag
        for spectrum in workspace.catalog.spectra.find(set(table["spectrum"])).values()
        for visit in spectrum.visits
    }
    assert {(row["obj"], row["mjd"]): row["spectrum_flags"] for row in table} == flags
    assert (stacks.table.read_bytes(), len(Table.read(stacks.table))) == (before, len(stars))


def test_the_header_says_which_night_and_from_what(
    workspace: Workspace, analyse: Any, model_id: str, identities: ResultIdentities
) -> None:
    analyse(FIRST, model_id)
    product = write_night_table(workspace, "apo25m", FIRST, model_id, identities)
    with fits.open(product.path, checksum=True) as hdus:
        hdus.verify("exception")
        header = hdus[1].header
    assert (header["TELESCOP"], header["MJD"], header["NIGHT"], header["MODEL"]) == ("apo25m", FIRST, FIRST, model_id)
    assert header["NSTARS"] == product.n_stars == product.n_rows > 0
    assert {"INPUTS", "TRAINSET", "PARAMS", "CONTENT", "CREATED", "V_NORM", "V_INFER", "CHECKSUM"} < set(header)


def test_a_run_of_an_older_model_does_not_bring_its_labels_back(
    workspace: Workspace, analyse: Any, model_id: str, identities: ResultIdentities
) -> None:
    n_files = analyse(FIRST, model_id)
    newer = another_model(workspace, model_id)

    def table_of(pinned: str | None) -> list[str]:
        path = write_night_table(workspace, "apo25m", FIRST, pinned, identities).path
        return list(Table.read(path)["model"])

    assert table_of(model_id) == [model_id] * n_files
    workspace.catalog.models.put_in_force("giants", newer, "test")
    assert table_of(model_id) == [model_id] * n_files, "none by the newer one yet: better than an empty table"
    analyse(FIRST, newer)
    assert table_of(newer) == [newer] * n_files
    assert table_of(model_id) == [newer] * n_files
    assert table_of(None) == [newer] * n_files
    workspace.catalog.models.put_in_force("giants", model_id, "a person, who takes the newer one back")
    assert table_of(model_id) == [model_id] * n_files


def test_without_a_model_the_table_is_empty(workspace: Workspace, analyse: Any, model_id: str, identities: Any) -> None:
    analyse(FIRST, model_id)
    product = write_night_table(workspace, "apo25m", FIRST, None, identities)
    assert (product.n_rows, fits.getheader(product.path, 1)["MODEL"]) == (0, "")


def test_of_two_publishers_the_one_that_knows_less_does_not_win(
    workspace: Workspace,
    analyse: Any,
    model_id: str,
    identities: ResultIdentities,
    normalization: NormalizationParameters,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first reads the night, is held up, and would write what it read over the table of the second."""
    read, go_on = threading.Event(), threading.Event()
    labels = Catalog.labels

    def slowly(catalog: Catalog, *arguments: Any, **options: Any) -> Table:
        table = labels(catalog, *arguments, **options)
        if threading.current_thread() is first and not read.is_set():
            read.set()
            assert go_on.wait(60)
        return table

    monkeypatch.setattr(Catalog, "labels", slowly)
    write = (workspace, "apo25m", FIRST, model_id, identities)
    first = threading.Thread(target=write_night_table, args=write)
    second = threading.Thread(target=write_night_table, args=write)
    first.start()
    assert read.wait(60)
    n_files = analyse(FIRST, model_id)
    second.start()
    second.join(0.5)
    assert second.is_alive(), "it waits for the first, and reads after it"
    go_on.set()
    first.join(60)
    second.join(60)
    assert len(Table.read(workspace.night_path("apo25m", FIRST))) == n_files > 0


def test_the_lock_is_of_one_night_and_kind(workspace: Workspace, model_id: str, identities: ResultIdentities) -> None:
    with workspace.lock(workspace.night_path("apo25m", SECOND).stem):
        publish.write_night_table(workspace, "apo25m", FIRST, model_id, identities)
        publish.write_night_table(workspace, "lco25m", SECOND, model_id, identities)
