"""What the form of the nightly DAG can ask for: fetching, doing it again, labels of each visit."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from astropy.table import Table

from apogee_labels.catalog import Catalog
from apogee_labels.catalog.records import WorkKind
from apogee_labels.core.settings import Settings
from apogee_labels.simulation.survey import SyntheticStar, SyntheticSurvey
from tests.dags.conftest import states
from tests.support.archive_server import serve

if TYPE_CHECKING:
    from airflow.models import DagRun

    RunDag = Callable[..., DagRun]

pytestmark = [pytest.mark.airflow, pytest.mark.slow, pytest.mark.filterwarnings("default")]
DAG, MJD = "apogee_nightly_apo25m", 59281
EVENING = datetime(2021, 3, 8, 2, 0, tzinfo=UTC)


@pytest.fixture
def stars(survey: SyntheticSurvey) -> list[SyntheticStar]:
    """The stars of the night."""
    return [star for star in survey.stars if star.telescope == "apo25m" and MJD in survey.visits(star, MJD)]


def test_again_and_visit_by_visit(
    run_dag: RunDag, survey: SyntheticSurvey, catalog: Catalog, installation: Settings, stars: list[SyntheticStar]
) -> None:
    run_dag("cannon_training")
    assert run_dag(DAG, EVENING, max_instances=1).state == "success"
    before = Table.read(installation.data_dir / "nights" / "apo25m" / f"apogeeNight-apo25m-{MJD}.fits")
    assert set(catalog.duplicates.counts().values()) == {0}

    again = run_dag(DAG, EVENING.replace(hour=3), max_instances=1, reprocess=True)
    (summary,) = (item for item in catalog.nights.publications() if item["mjd"] == MJD)
    assert again.state == "success"
    assert (summary["done"], summary["already_complete"], summary["made_twice"]) == (len(stars), 0, len(stars))
    counted = catalog.duplicates.counts()
    assert counted[WorkKind.NORMALIZATION] == counted[WorkKind.RESULT] == len(stars), "it is done, and recorded once"
    assert list(catalog.labels(night=MJD)["result"]) == list(before["result"])

    assert run_dag(DAG, EVENING.replace(hour=4), max_instances=1, visits=True).state == "success"
    visits = Table.read(installation.data_dir / "nights" / "apo25m" / f"apogeeNightVisits-apo25m-{MJD}.fits")
    expected = {(star.obj, mjd) for star in stars for mjd in survey.visits(star, survey.nights[-1])}
    assert {(row["obj"], row["mjd"]) for row in visits} == expected
    assert len(visits) == len(expected) > len(stars)


def test_what_is_missing_is_fetched_and_trouble_costs_no_other_file(
    run_dag: RunDag,
    survey: SyntheticSurvey,
    catalog: Catalog,
    installation: Settings,
    stars: list[SyntheticStar],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    summary = installation.data_dir / "allVisit.csv"
    rows = [f"{MJD},apo25m,{star.obj},{star.field}" for star in stars]
    summary.write_text("\n".join(["MJD,TELESCOPE,APOGEE_ID,FIELD", *rows]))
    monkeypatch.setenv("APOGEE_LABELS_VISIT_SUMMARY", str(summary))
    missing = survey.path(stars[0])
    with serve() as remote:
        remote.files[f"/sas/{missing.relative_to(survey.root)}"] = missing.read_bytes()
        monkeypatch.setenv("APOGEE_LABELS_REMOTE_BASE", remote.base)
        missing.unlink()
        remote.status = 401
        red = run_dag(DAG, EVENING, max_instances=1, use_remote=True)
        assert red.state == "failed"
        found = states(red)
        assert (found["fetch_apstars"], found["fetched"]) == (["failed"], ["upstream_failed"])
        assert (found["publish_night"], found["listed"]) == (["success"], ["success"])
        (listed,) = catalog.nights.publications()
        assert listed["listed"] == len(stars) - 1

        remote.status = None
        green = run_dag(DAG, EVENING.replace(hour=3), max_instances=1, use_remote=True)
        assert green.state == "success"
    assert missing.exists()
    (listed,) = catalog.nights.publications()
    assert listed["listed"] == len(stars)
