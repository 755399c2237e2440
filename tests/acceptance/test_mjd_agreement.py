"""However a run of a night comes about, through Airflow's own code, it is for the same SDSS MJD."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from apogee_airflow.observing_night import observing_mjd
from apogee_labels.apogee.archive.nights import observatory
from apogee_labels.catalog import Catalog
from apogee_labels.pipeline.nights.night_names import NightNames
from tests.acceptance.conftest import installed
from tests.support.command import output_of
from tests.support.dag_runs import ROOT, airflow, run_dag

if TYPE_CHECKING:
    from airflow.models import DagRun
    from airflow.serialization.definitions.dag import SerializedDAG
    from sqlalchemy.orm import Session

pytestmark = [pytest.mark.airflow, pytest.mark.slow, pytest.mark.filterwarnings("default")]
TELESCOPES = ("apo25m", "lco25m")
NIGHTS = {
    59228: "January: winter at APO, summer time at LCO",
    59287: "14 March 2021: APO's clocks go forward in this night",
    59308: "4 April 2021: LCO's clocks go back",
    59409: "July: summer time at APO, winter at LCO",
    59463: "5 September 2021: LCO's clocks go forward",
    59525: "7 November 2021: APO's clocks go back",
}
ONE_SECOND = timedelta(seconds=1)


def moments(telescope: str, mjd: int) -> dict[str, datetime]:
    """Moments of a night, UTC, by SDSS's own formula and not by the code under test: it is ``int(MJD + 0.3 or 0.4)``."""
    turn = timedelta(hours=16, minutes=48) if telescope == "apo25m" else timedelta(hours=14, minutes=24)
    start = datetime(1858, 11, 17, tzinfo=UTC) + timedelta(days=mjd - 1) + turn
    return {
        "at the turn": start,
        "right after the turn": start + ONE_SECOND,
        "in the night": start + timedelta(hours=12),
        "at its end": start + timedelta(days=1) - ONE_SECOND,
    }


@pytest.fixture(scope="module")
def session(airflow_database: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """Airflow's database, with the project's DAGs in it as the DAG processor writes them, caught up from a first night."""
    from airflow import settings
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import BundleDagBag, sync_bag_to_db

    with installed(tmp_path_factory.mktemp("data"), start_date="2021-01-01"):
        manager = DagBundlesManager()
        manager.sync_bundles_to_db()
        (bundle,) = manager.get_all_dag_bundles()
        bundle.initialize()
        bag = BundleDagBag(dag_folder=str(ROOT / "dags"), bundle_path=bundle.path, bundle_name=bundle.name)
        sync_bag_to_db(bag, bundle.name, bundle.version)
        assert settings.Session is not None
        with settings.Session() as session:
            yield session


def serialized(session: Session, telescope: str) -> SerializedDAG:
    """The DAG as the scheduler and the API server have it: from the database."""
    from airflow.models.serialized_dag import SerializedDagModel

    model = session.scalar(SerializedDagModel.latest_item_select_object(f"apogee_nightly_{telescope}"))
    assert model is not None
    return model.dag


def remove_runs(session: Session) -> None:
    """Leave no run behind: another way to the same night would find it taken."""
    from airflow.models import DagRun
    from airflow.models.backfill import Backfill, BackfillDagRun
    from sqlalchemy import delete

    for table in (BackfillDagRun, DagRun, Backfill):
        session.execute(delete(table))
    session.commit()


def mjd_of(run: DagRun, telescope: str) -> int:
    """The night that the tasks of a run take."""
    return observing_mjd({"params": {"mjd": None, **(run.conf or {})}, "dag_run": run}, telescope)


def scheduled(session: Session, telescope: str, mjd: int) -> DagRun:
    """The run that the scheduler makes next when the night before is done; made by the scheduler."""
    from airflow.jobs.job import Job
    from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
    from airflow.models import DagModel, DagRun
    from sqlalchemy import select

    dag = serialized(session, telescope)
    model = session.get(DagModel, dag.dag_id)
    assert model is not None
    before = by_hand(session, telescope, moments(telescope, mjd - 1)["at the turn"])
    model.calculate_dagrun_date_fields(dag=dag, reference_run=before)
    SchedulerJobRunner(job=Job())._create_dag_runs([model], session)
    session.commit()
    return session.scalars(select(DagRun).where(DagRun.dag_id == dag.dag_id, DagRun.run_type == "scheduled")).one()


def by_hand(session: Session, telescope: str, moment: datetime, **body: Any) -> DagRun:
    """The run that the API server makes for a moment, as the form in the UI asks for it."""
    from airflow.api_fastapi.core_api.datamodels.dag_run import TriggerDAGRunPostBody
    from airflow.utils.state import DagRunState
    from airflow.utils.types import DagRunTriggeredByType, DagRunType

    dag = serialized(session, telescope)
    asked = TriggerDAGRunPostBody(logical_date=moment, **body).validate_context(dag)
    asked.pop("note")
    run = dag.create_dagrun(
        **asked,
        run_type=DagRunType.MANUAL,
        triggered_by=DagRunTriggeredByType.REST_API,
        state=DagRunState.QUEUED,
        session=session,
    )
    session.commit()
    return run


def backfilled(session: Session, telescope: str, first: datetime, last: datetime) -> list[DagRun]:
    """The runs that ``airflow backfill create`` makes for a range of logical dates."""
    from airflow.models import DagRun
    from airflow.models.backfill import ReprocessBehavior, _create_backfill
    from sqlalchemy import select

    session.commit()
    backfill = _create_backfill(
        dag_id=f"apogee_nightly_{telescope}",
        from_date=pendulum_of(first),
        to_date=pendulum_of(last),
        max_active_runs=2,
        reverse=False,
        dag_run_conf={},
        triggering_user_name="test",
        reprocess_behavior=ReprocessBehavior.NONE,
    )
    return list(session.scalars(select(DagRun).where(DagRun.backfill_id == backfill.id).order_by(DagRun.logical_date)))


def pendulum_of(moment: datetime) -> Any:
    import pendulum

    return pendulum.instance(moment)


@pytest.mark.parametrize("telescope", TELESCOPES)
@pytest.mark.parametrize("mjd", NIGHTS)
def test_every_kind_of_run_is_for_the_same_night(session: Session, telescope: str, mjd: int) -> None:
    night = moments(telescope, mjd)
    start = night["at the turn"]
    made: dict[str, DagRun] = {}
    try:
        for name, moment in night.items():
            made[f"by hand {name}"] = by_hand(session, telescope, moment)
        found = {name: mjd_of(run, telescope) for name, run in made.items()}
        assert {run.data_interval_start for run in made.values()} == {start}
        remove_runs(session)
        found["scheduled"] = mjd_of(scheduled(session, telescope, mjd), telescope)
        remove_runs(session)
        (run,) = backfilled(session, telescope, start, start)
        found["backfilled"] = mjd_of(run, telescope)
        assert run.data_interval_start == start
        assert found == dict.fromkeys(found, mjd)
    finally:
        session.rollback()
        remove_runs(session)


@pytest.mark.parametrize("telescope", TELESCOPES)
def test_a_backfill_over_a_change_of_clocks_misses_no_night(session: Session, telescope: str) -> None:
    try:
        for mjd in (59287, 59308, 59463, 59525):
            first, last = (moments(telescope, night)["at the turn"] for night in (mjd - 2, mjd + 2))
            runs = backfilled(session, telescope, first, last)
            assert [mjd_of(run, telescope) for run in runs] == list(range(mjd - 2, mjd + 3))
            remove_runs(session)
    finally:
        session.rollback()
        remove_runs(session)


@pytest.mark.parametrize(
    ("telescope", "words", "mjds"),
    [
        ("apo25m", ["2021-03-13"], [59287]),  # the clocks go forward
        ("lco25m", ["59308"], [59308]),  # and back
        ("apo25m", ["2021-11-05..2021-11-08"], [59524, 59525, 59526, 59527]),
        ("lco25m", ["59460-59463", "59470", "2021-09-14"], [59460, 59461, 59462, 59463, 59470, 59472]),
    ],
)
def test_the_lines_of_the_nights_command_make_exactly_those_nights(
    session: Session, telescope: str, words: list[str], mjds: list[int]
) -> None:
    """Read by Airflow's own command line, stretch after stretch."""
    from airflow.cli.cli_parser import get_parser

    said = output_of("nights", "backfill", *words, "--telescope", telescope)
    lines = [line for line in said.splitlines() if not line.startswith("#")]
    found: list[int] = []
    try:
        for line in lines:
            asked = get_parser().parse_args(shlex.split(line)[1:])
            assert asked.dag_id == f"apogee_nightly_{telescope}"
            made = backfilled(session, telescope, asked.from_date, asked.to_date)
            found += [mjd_of(run, telescope) for run in made]
            names = [NightNames(observatory(telescope), mjd_of(run, telescope)).backfill_run for run in made]
            assert [run.run_id for run in made] == names
            remove_runs(session)  # as if it had ended: Airflow has one backfill of a DAG at a time
        assert found == mjds
    finally:
        session.rollback()
        remove_runs(session)


def test_what_the_nights_command_is_for(session: Session) -> None:
    """With dates alone, an evening needs the next day as well, and the same day twice is no night at all."""
    from airflow.models.backfill import NoBackfillRunsToCreate

    day, next_day = datetime(2021, 3, 13, tzinfo=UTC), datetime(2021, 3, 14, tzinfo=UTC)
    try:
        (run,) = backfilled(session, "apo25m", day, next_day)
        assert mjd_of(run, "apo25m") == 59287
        remove_runs(session)
        with pytest.raises(NoBackfillRunsToCreate):
            backfilled(session, "apo25m", day, day)
    finally:
        session.rollback()
        remove_runs(session)


def test_a_run_by_hand_in_a_night_leaves_the_backfills_of_other_nights_alone(session: Session) -> None:
    try:
        by_hand(session, "apo25m", moments("apo25m", 59287)["in the night"])
        first, last = (moments("apo25m", mjd)["at the turn"] for mjd in (59286, 59288))
        runs = backfilled(session, "apo25m", first, last)
        assert [mjd_of(run, "apo25m") for run in runs] == [59286, 59287, 59288]
    finally:
        session.rollback()
        remove_runs(session)


def test_the_param_names_the_night_of_a_run_without_a_date(session: Session) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    try:
        run = by_hand(session, "lco25m", None, conf={"mjd": 59287})  # type: ignore[arg-type]
        assert mjd_of(run, "lco25m") == 59287
        with pytest.raises(AirflowFailException, match="mjd"):
            mjd_of(by_hand(session, "lco25m", None), "lco25m")  # type: ignore[arg-type]
    finally:
        session.rollback()
        remove_runs(session)


@pytest.mark.parametrize(("telescope", "spring"), [("apo25m", 59287), ("lco25m", 59463)])
def test_what_dags_test_runs_is_for_the_same_night(
    airflow_database: None, tmp_path: Path, telescope: str, spring: int
) -> None:
    """By the command in the night, and in this process right after the turn of the night in which the clocks change."""
    with installed(tmp_path) as settings, Catalog.open(settings.catalog_url) as catalog:
        airflow("dags", "test", f"apogee_nightly_{telescope}", moments(telescope, 59228)["in the night"].isoformat())
        run_dag(f"apogee_nightly_{telescope}", moments(telescope, spring)["right after the turn"])
        assert [summary["mjd"] for summary in catalog.nights.publications()] == [59228, spring]
