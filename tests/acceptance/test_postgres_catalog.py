"""A night with the catalogue in PostgreSQL, as the containers have it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from astropy.table import Table

from apogee_labels.apogee.archive.nights import observatory
from apogee_labels.catalog import Catalog
from apogee_labels.core.settings import Settings
from apogee_labels.simulation.damage import Damage, damage
from apogee_labels.simulation.survey import FIRST_MJD, SyntheticSurvey
from tests.acceptance.conftest import installed
from tests.support.dag_runs import run_dag, states
from tests.support.postgres import postgres_database

TELESCOPE = "apo25m"
pytestmark = [pytest.mark.airflow, pytest.mark.postgres, pytest.mark.slow, pytest.mark.filterwarnings("default")]


@pytest.fixture
def settings(tmp_path: Path, survey_data: Path, airflow_database: None) -> Iterator[Settings]:
    """An installation whose catalogue is a PostgreSQL database of its own."""
    data_dir = tmp_path / "data"
    shutil.copytree(survey_data, data_dir)
    with (
        postgres_database() as url,
        installed(data_dir, catalog_url=url.render_as_string(hide_password=False)) as settings,
    ):
        yield settings


def test_a_night_through_the_dag_with_its_catalogue_in_postgresql(settings: Settings) -> None:
    survey = SyntheticSurvey(settings.sas_base_dir, n_stars=12, nights=2)
    seen = [
        star for star in survey.stars if star.telescope == TELESCOPE and FIRST_MJD in survey.visits(star, FIRST_MJD)
    ]
    damage(survey.path(seen[0]), Damage.TRUNCATED)
    moment = observatory(TELESCOPE).interval(FIRST_MJD)[0] + timedelta(hours=9)

    assert run_dag("cannon_training").state == "success"
    first = run_dag(f"apogee_nightly_{TELESCOPE}", moment)
    second = run_dag(f"apogee_nightly_{TELESCOPE}", moment + timedelta(hours=1))

    assert (first.state, second.state) == ("success", "success")
    assert sorted(states(first)["normalize"]) == ["skipped"] + ["success"] * (len(seen) - 1)
    assert states(second)["normalize"] == ["skipped"], "a second run does no work"
    with Catalog.open(settings.catalog_url) as catalog:
        labels = catalog.labels(night=FIRST_MJD, telescope=TELESCOPE)
        (summary,) = catalog.nights.publications()
        assert set(catalog.duplicates.counts().values()) == {0}
    assert set(labels["obj"]) == {star.obj for star in seen[1:]}
    assert (summary["already_complete"], summary["rejected"], summary["unfinished"]) == (len(seen) - 1, 1, 0)
    assert list(Table.read(summary["table"])["obj"]) == list(labels["obj"])
    assert not list(settings.data_dir.rglob("*.db")), "nothing went to SQLite"
