"""Run in a process of its own, in the environment of a local installation: what Airflow's scheduler does with our runs.

The DAGs are parsed and stored as the DAG processor stores them; runs are made, started, expanded and chosen from by the
scheduler's own methods, over Airflow's own database.  Standard output, last line: JSON, an answer a question.
"""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from typing import Any

from airflow._shared.timezones import timezone
from airflow.api_fastapi.execution_api.datamodels.asset import AssetProfile
from airflow.configuration import conf
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
from airflow.executors.executor_loader import ExecutorLoader
from airflow.jobs.job import Job
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
from airflow.models import DagModel, DagRun, TaskInstance
from airflow.models.backfill import ReprocessBehavior, _create_backfill
from airflow.models.deadline import Deadline
from airflow.models.serialized_dag import SerializedDagModel
from airflow.models.taskmap import TaskMap
from airflow.sdk import Asset, AssetAlias
from airflow.utils.session import create_session
from airflow.utils.sqlalchemy import prohibit_commit
from airflow.utils.state import DagRunState, TaskInstanceState
from airflow.utils.types import DagRunTriggeredByType, DagRunType
from sqlalchemy import select, update

from apogee_airflow.assets import MODEL_IN_FORCE, OUTDATED_RESULTS, OUTDATED_RESULTS_ALIAS
from apogee_labels.apogee.archive.nights import OBSERVATORIES

APO, LCO = "apogee_nightly_apo25m", "apogee_nightly_lco25m"
REANALYSIS = "cannon_reanalysis"
FIRST = 59280
Key = tuple[str, str]


def store_dags() -> None:
    manager = DagBundlesManager()
    manager.sync_bundles_to_db()
    bag = DagBag(conf.get("core", "dags_folder"), bundle_path=manager.get_bundle("dags-folder").path)
    assert bag.import_errors == {}, bag.import_errors
    with create_session() as session:
        sync_bag_to_db(bag, "dags-folder", None, session=session)
        session.execute(update(DagModel).values(is_paused=False))


def interval(dag_id: str, mjd: int) -> tuple[Any, Any]:
    start, end = OBSERVATORIES[dag_id.rpartition("_")[2]].interval(mjd)
    return timezone.convert_to_utc(start), timezone.convert_to_utc(end)


def make_run(dag_id: str, mjd: int, run_type: DagRunType) -> str:
    start, end = interval(dag_id, mjd)
    with create_session() as session:
        dag = SerializedDagModel.get_dag(dag_id, session=session)
        run = dag.create_dagrun(
            run_id=f"{run_type.value}__{mjd}",
            logical_date=start,
            data_interval=(start, end),
            run_after=end,
            run_type=run_type,
            triggered_by=DagRunTriggeredByType.TEST,
            state=DagRunState.QUEUED,
            session=session,
        )
        return str(run.run_id)


def backfill(dag_id: str, first: int, n: int, reprocess: ReprocessBehavior = ReprocessBehavior.NONE) -> None:
    _create_backfill(
        dag_id=dag_id,
        from_date=interval(dag_id, first)[0],
        to_date=interval(dag_id, first + n - 1)[0],
        max_active_runs=10,
        reverse=False,
        dag_run_conf=None,
        triggering_user_name=None,
        reprocess_behavior=reprocess,
    )


def scheduler() -> SchedulerJobRunner:
    job = Job()
    runner = SchedulerJobRunner(job=job, executors=ExecutorLoader.init_executors())
    with create_session() as session:
        session.add(job)
    return runner


def start_runs(runner: SchedulerJobRunner) -> None:
    with create_session() as session:
        runner._start_queued_dagruns(session)


def list_files(run_type: str, n_instances: int) -> None:
    """Expand `normalize` of the APO runs of a kind, as the scheduler does when their files are listed, and schedule it."""
    with create_session() as session:
        for run in session.scalars(select(DagRun).where(DagRun.dag_id == APO, DagRun.run_type == run_type)).all():
            session.add(TaskMap(APO, "list_apstars", run.run_id, -1, n_instances, None))
            session.flush()
            task = SerializedDagModel.get_dag(APO, session=session).get_task("normalize")
            TaskMap.expand_mapped_task(task, run.run_id, session=session)
            mine = (TaskInstance.dag_id == APO, TaskInstance.run_id == run.run_id, TaskInstance.task_id == "normalize")
            session.execute(update(TaskInstance).where(*mine).values(state=TaskInstanceState.SCHEDULED))


def choose(runner: SchedulerJobRunner, most: int) -> Counter[str]:
    """Let the scheduler choose what is executed next; counts by kind of run."""
    with create_session() as session:
        chosen = runner._executable_task_instances_to_queued(most, session=session)
        return Counter(item.dag_run.run_type for item in chosen)


def instances(dag_id: str, run_type: str) -> list[tuple[str, int]]:
    """Pools and weights of the instances of a kind of run, each once."""
    with create_session() as session:
        query = select(TaskInstance).join(TaskInstance.dag_run)
        found = session.scalars(query.where(TaskInstance.dag_id == dag_id, DagRun.run_type == run_type))
        return sorted({(item.pool, item.priority_weight) for item in found})


def ask_about_precedence(runner: SchedulerJobRunner) -> dict[str, Any]:
    backfill(APO, FIRST, 12)
    start_runs(runner)
    list_files("backfill", 40)
    answers: dict[str, Any] = {"backfill alone": [choose(runner, 16), choose(runner, 16)]}
    make_run(APO, FIRST + 100, DagRunType.SCHEDULED)
    start_runs(runner)
    with create_session() as session:
        states = session.execute(select(DagRun.run_type, DagRun.state).where(DagRun.dag_id == APO)).all()
    answers["runs"] = Counter(f"{kind} {state}" for kind, state in states)
    list_files("scheduled", 40)
    answers["night comes"] = choose(runner, 16)
    with create_session() as session:
        queued = update(TaskInstance).where(TaskInstance.state == TaskInstanceState.QUEUED)
        session.execute(queued.values(state=TaskInstanceState.SCHEDULED))
    answers["both wait"] = [choose(runner, 1), choose(runner, 2)]
    answers["instances"] = {kind: instances(APO, kind) for kind in ("backfill", "scheduled")}
    return answers


def ask_about_reprocessing(runner: SchedulerJobRunner) -> dict[str, Any]:
    run_id = make_run(LCO, FIRST, DagRunType.SCHEDULED)
    start_runs(runner)
    with create_session() as session:
        mine = TaskInstance.dag_id == LCO
        session.execute(update(TaskInstance).where(mine).values(state=TaskInstanceState.SUCCESS))
        session.execute(update(DagRun).where(DagRun.dag_id == LCO).values(state=DagRunState.SUCCESS))
    backfill(LCO, FIRST, 1, ReprocessBehavior.COMPLETED)
    before = instances(LCO, "backfill")
    start_runs(runner)
    return {"run": run_id, "before": before, "after": instances(LCO, "backfill")}


def ask_about_deadlines() -> dict[str, Any]:
    make_run(APO, FIRST + 101, DagRunType.MANUAL)
    with create_session() as session:
        rows = session.execute(
            select(DagRun, Deadline).join(Deadline, Deadline.dagrun_id == DagRun.id, isouter=True)
        ).all()
        kinds = {f"{run.run_type} {run.run_id.partition('_')[0]}": deadline is not None for run, deadline in rows}
        hours = {(d.deadline_time - run.queued_at) / timedelta(hours=1) for run, d in rows if d and run.dag_id == APO}
    with create_session() as session:
        run = session.scalars(select(DagRun).where(DagRun.run_id == f"scheduled__{FIRST + 100}")).one()
        SerializedDagModel.get_dag(APO, session=session).clear(run_id=run.run_id, session=session)
    return {"has one": kinds, "hours": sorted(hours)}


def tell_of(asset: Asset, alias: AssetAlias | None, **extra: Any) -> None:
    """Register an event of an asset as the end of a night's `publish_night` does, by an alias or by the asset itself."""
    event: dict[str, Any] = {"dest_asset_key": {"name": asset.name, "uri": asset.uri}, "extra": extra}
    outlet = AssetProfile(name=asset.name, uri=asset.uri, type="Asset")
    if alias is not None:
        outlet, event["source_alias_name"] = AssetProfile(name=alias.name, type="AssetAlias"), alias.name
    with create_session() as session:
        mine = (TaskInstance.dag_id == APO, TaskInstance.task_id == "publish_night")
        item = session.scalars(select(TaskInstance).where(*mine).limit(1)).one()
        TaskInstance.register_asset_changes_in_db(item, [outlet], [event], session=session)


def woken(runner: SchedulerJobRunner) -> list[str]:
    """Let the scheduler make the runs that are due; the kinds of all runs of the reanalysis so far."""
    with create_session() as session, prohibit_commit(session) as guard:
        runner._create_dagruns_for_dags(guard, session)
    with create_session() as session:
        runs = session.scalars(select(DagRun).where(DagRun.dag_id == REANALYSIS).order_by(DagRun.id)).all()
        return [str(run.run_type) for run in runs]


def end_runs() -> None:
    with create_session() as session:
        session.execute(update(DagRun).where(DagRun.dag_id == REANALYSIS).values(state=DagRunState.SUCCESS))
        session.execute(update(DagModel).values(exceeds_max_non_backfill=False))


def ask_about_reanalysis(runner: SchedulerJobRunner) -> dict[str, Any]:
    with create_session() as session:
        session.execute(update(DagModel).values(is_paused=DagModel.dag_id != REANALYSIS))
    answers: dict[str, Any] = {"by time": woken(runner)}
    end_runs()
    tell_of(OUTDATED_RESULTS, OUTDATED_RESULTS_ALIAS, mjd=FIRST)
    answers["by a night"] = woken(runner)
    tell_of(MODEL_IN_FORCE, None, model_id="a")
    tell_of(OUTDATED_RESULTS, OUTDATED_RESULTS_ALIAS, mjd=FIRST + 1)
    answers["while a run goes on"] = woken(runner)
    end_runs()
    answers["afterwards"] = woken(runner)
    end_runs()
    answers["in the end"] = woken(runner)
    with create_session() as session:
        runs = session.scalars(select(DagRun).where(DagRun.dag_id == REANALYSIS).order_by(DagRun.id)).all()
        answers["events"] = [len(run.consumed_asset_events) for run in runs]
        items = session.scalars(select(TaskInstance).where(TaskInstance.dag_id == REANALYSIS)).all()
        answers["instances"] = sorted({(item.task_id, item.pool, item.priority_weight) for item in items})
    return answers


def main() -> None:
    store_dags()
    runner = scheduler()
    answers = {
        "precedence": ask_about_precedence(runner),
        "reprocessing": ask_about_reprocessing(runner),
        "deadlines": ask_about_deadlines(),
        "reanalysis": ask_about_reanalysis(runner),
    }
    print(json.dumps(answers))  # noqa: T201 - it is what the test reads


if __name__ == "__main__":
    main()
