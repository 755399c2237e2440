"""A third telescope is one entry in the table of observatories: paths, nights, DAG, forms and pages follow."""

from __future__ import annotations

import runpy
from datetime import UTC, datetime, timedelta

import pytest
from fastapi import HTTPException

from apogee_airflow.timetables.observing_night import ObservingNightTimetable
from apogee_airflow.web.routes import known_telescope, known_telescopes
from apogee_labels.apogee.archive.archive import ApStarKeys, Archive
from apogee_labels.apogee.archive.names import parse_visit_name
from apogee_labels.apogee.archive.nights import OBSERVATORIES, Observatory, site_of
from tests.support.compose import PROJECT_ROOT

THIRD = Observatory(
    telescope="sut10m",
    name="Sutherland",
    timezone="Africa/Johannesburg",
    day_turn=timedelta(hours=10),
    sdss_prefix="as",
)


@pytest.fixture
def third(monkeypatch: pytest.MonkeyPatch) -> str:
    """The entry, for one test."""
    monkeypatch.setitem(OBSERVATORIES, THIRD.telescope, THIRD)
    return THIRD.telescope


def test_its_files_have_paths_and_nights(third: str) -> None:
    keys = ApStarKeys(release="dr17", apred="dr17", telescope=third, obj="2M0", field="000+14")
    assert str(Archive("/sas", "dr17", "dr17").path(keys)).endswith("stars/sut10m/000+14/asStar-dr17-2M0.fits")
    visit = parse_visit_name(f"apVisit-1.3-{third}-15001-59280-123.fits")
    assert visit is not None
    assert visit.telescope == third
    assert site_of(third).mjd(datetime(2021, 3, 7, 9, 59, tzinfo=UTC)) == 59280
    assert ObservingNightTimetable(third).observatory is THIRD


def test_it_has_a_nightly_dag(third: str) -> None:
    found = runpy.run_path(str(PROJECT_ROOT / "dags" / "apogee_nightly.py"))
    dag = found[f"apogee_nightly_{third}"]
    assert dag.get_task("wait_for_apstars").telescope == third
    assert dag.doc_md.count("Sutherland")


@pytest.mark.parametrize("dag_id", ["apogee_stars", "cannon_training_set"])
def test_the_forms_offer_it(third: str, dag_id: str) -> None:
    found = runpy.run_path(str(PROJECT_ROOT / "dags" / f"{dag_id}.py"))
    dag = next(each for each in found.values() if getattr(each, "dag_id", None) == dag_id)
    assert dag.params.get_param("telescope").schema["enum"] == ["apo25m", "lco25m", third, "apo1m"]


def test_the_pages_have_its_nights_only_with_the_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(HTTPException):
        known_telescope(THIRD.telescope)
    monkeypatch.setitem(OBSERVATORIES, THIRD.telescope, THIRD)
    assert known_telescope(THIRD.telescope) == THIRD.telescope
    assert known_telescopes() == ["apo25m", "lco25m", THIRD.telescope]
