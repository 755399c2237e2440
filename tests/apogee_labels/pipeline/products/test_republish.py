"""The tables follow the results by a new model: those that are there, and no others."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from astropy.table import Table

from apogee_labels.pipeline.analysis.infer import infer_labels
from apogee_labels.pipeline.analysis.normalize import normalize_file
from apogee_labels.pipeline.identities import InferenceParameters, NormalizationParameters, ResultIdentities
from apogee_labels.pipeline.nights.publish import write_night_table
from apogee_labels.pipeline.products.republish import Republished, night_tables, republish
from apogee_labels.pipeline.workspace import Workspace
from apogee_labels.simulation.survey import SyntheticSurvey
from tests.support.former_model import FORMER, record_former

NIGHT = 59280


@pytest.fixture
def model_id(workspace: Workspace, put_model: Callable[[Workspace], str]) -> str:
    """The model in force; a former one, FORMER, is on record as well."""
    identity = put_model(workspace)
    record_former(workspace, identity)
    workspace.catalog.models.put_in_force(workspace.settings.model_name, identity, "test")
    return identity


@pytest.fixture
def products(
    workspace: Workspace, survey: SyntheticSurvey, normalization: NormalizationParameters, model_id: str
) -> list[str]:
    """Stacks that the former model has analysed; the tables of one night of each telescope are by it."""
    made = [normalize_file(workspace, survey.path(star), normalization).normalization_id for star in survey.stars]
    infer_labels(workspace, made, FORMER, InferenceParameters())
    identities = ResultIdentities.of(normalization, InferenceParameters())
    workspace.catalog.models.put_in_force(workspace.settings.model_name, FORMER, "test")
    for telescope in ("apo25m", "lco25m"):
        write_night_table(workspace, telescope, NIGHT, FORMER, identities)
    workspace.catalog.models.put_in_force(workspace.settings.model_name, model_id, "test")
    return made


def republished(workspace: Workspace, model_id: str, since: datetime | None = None) -> Republished:
    return republish(workspace, model_id, workspace.settings.continuum_regions, since=since or datetime.now(UTC))


def models(workspace: Workspace) -> dict[str, set[str]]:
    """By which models the rows of each table of a night are."""
    return {table.path.name: set(Table.read(table.path)["model"]) for table in night_tables(workspace)}


def test_tables_that_are_there_are_written_by_the_new_model(
    workspace: Workspace, products: list[str], model_id: str
) -> None:
    stars = {table.path.name: set(Table.read(table.path)["obj"]) for table in night_tables(workspace)}
    assert all(stars.values())
    infer_labels(workspace, products, model_id, InferenceParameters())
    assert republished(workspace, model_id) == Republished(n_summaries=1, n_nights=2, n_written=3)
    assert models(workspace) == {name: {model_id} for name in stars}
    assert {table.path.name: set(Table.read(table.path)["obj"]) for table in night_tables(workspace)} == stars
    assert len(Table.read(workspace.summary_path(model_id))) == len(products)
    before = {path: path.stat().st_mtime_ns for path in workspace.settings.data_dir.rglob("*/apogee*.fits")}
    assert republished(workspace, model_id) == Republished(0, 0, 0), "nothing came since"
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_table_that_is_older_than_a_result_is_written_anew_whoever_forgot_it(
    workspace: Workspace, products: list[str], model_id: str
) -> None:
    """A run was killed after its batches; the tables are by the model, as far as it had got before."""
    infer_labels(workspace, products[:6], model_id, InferenceParameters())
    republished(workspace, model_id)
    infer_labels(workspace, products[6:], model_id, InferenceParameters())
    assert republished(workspace, model_id).n_written == 3
    assert len(Table.read(workspace.summary_path(model_id))) == len(products)


def test_a_table_that_only_looks_newer_is_looked_at_by_the_run_that_made_the_results(
    workspace: Workspace, products: list[str], model_id: str
) -> None:
    began = datetime.now(UTC)
    infer_labels(workspace, products[:6], model_id, InferenceParameters())
    republished(workspace, model_id)
    infer_labels(workspace, products[6:], model_id, InferenceParameters())
    later = (datetime.now(UTC) + timedelta(hours=1)).timestamp()
    for path in workspace.settings.data_dir.rglob("*/apogee*.fits"):
        os.utime(path, (later, later))
    assert republished(workspace, model_id).n_written == 0
    assert republished(workspace, model_id, began).n_written == 3


def test_a_night_that_is_by_a_newer_model_stays_so(workspace: Workspace, products: list[str], model_id: str) -> None:
    infer_labels(workspace, products, model_id, InferenceParameters())
    republished(workspace, model_id)
    republished(workspace, FORMER)
    assert set.union(*models(workspace).values()) == {model_id}


def test_nights_follow_when_an_earlier_model_is_put_in_force_again(
    workspace: Workspace, products: list[str], model_id: str
) -> None:
    """Its results are older than the tables: nothing is inferred, and yet the tables are not by it."""
    infer_labels(workspace, products, model_id, InferenceParameters())
    republished(workspace, model_id)
    workspace.catalog.models.put_in_force(workspace.settings.model_name, FORMER, "test")
    republished(workspace, FORMER)
    assert set.union(*models(workspace).values()) == {FORMER}
    assert workspace.summary_path(FORMER).exists()


def test_nights_without_a_result_by_the_model_keep_their_tables(
    workspace: Workspace, products: list[str], model_id: str
) -> None:
    """All batches failed: labels by the former model are better than none."""
    assert republished(workspace, model_id) == Republished(0, 0, 0)
    assert set.union(*models(workspace).values()) == {FORMER}


def test_other_files_beside_the_tables_are_left_alone(workspace: Workspace, products: list[str]) -> None:
    folder = workspace.settings.data_dir / "nights" / "apo25m"
    for name in ("apogeeNight-apo25m-59280.fits.part", "apogeeNight-mine.fits", "notes.txt"):
        (folder / name).touch()
    assert [Path(table.path).name for table in night_tables(workspace)] == [
        "apogeeNight-apo25m-59280.fits",
        "apogeeNight-lco25m-59280.fits",
    ]


def test_tables_of_visits_follow_by_themselves(
    workspace: Workspace, survey: SyntheticSurvey, products: list[str], model_id: str
) -> None:
    regions = workspace.settings.continuum_regions
    infer_labels(workspace, products, model_id, InferenceParameters())
    star = survey.path(survey.stars[0])
    visits = normalize_file(workspace, star, NormalizationParameters(regions=regions, sum_axis=None)).normalization_id
    infer_labels(workspace, [visits], FORMER, InferenceParameters())
    write_night_table(workspace, "apo25m", NIGHT, FORMER, ResultIdentities.nightly(regions, visits=True))
    republished(workspace, model_id)
    infer_labels(workspace, [visits], model_id, InferenceParameters())
    assert republished(workspace, model_id) == Republished(n_summaries=2, n_nights=1, n_written=2)
    assert models(workspace)["apogeeNightVisits-apo25m-59280.fits"] == {model_id}
    assert republished(workspace, model_id) == Republished(0, 0, 0)
