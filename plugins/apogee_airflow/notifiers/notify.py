"""Write to people when a night fails or takes too long, or a model waits for an answer, by Airflow's SMTP.

It is off unless APOGEE_LABELS_NOTIFY names somebody.

A failure is told by the DAG processor, in which Airflow runs the callbacks of DAGs; lateness by the triggerer, so that it
does not need one of the slots for which a late night may be waiting.  Whatever goes wrong here is in their logs, and changes
nothing about the run.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar

from airflow.sdk.definitions.callback import AsyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert
from airflow.sdk.exceptions import AirflowFailException

from apogee_airflow.night_deadline import NightQueuedAt
from apogee_airflow.observing_night import observing_mjd
from apogee_labels.core.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from apogee_airflow.notifiers.messages import Findings, NightRun, Notice

log = logging.getLogger(__name__)
SMTP_CONNECTION = "smtp_default"
Found = TypeVar("Found")


def night_callbacks(telescope: str, settings: Settings) -> dict[str, Any]:
    """Return what the DAG of a telescope takes to tell of its nights; nothing, when nobody is to be told."""
    if not settings.notify:
        return {}
    hours = settings.night_deadline_hours
    late = AsyncCallback(notify_late, kwargs={"telescope": telescope, "hours": hours})
    return {
        "on_failure_callback": partial(notify_failed, telescope),
        "deadline": DeadlineAlert(reference=NightQueuedAt(), interval=timedelta(hours=hours), callback=late),
    }


def notify_failed(telescope: str, context: Mapping[str, Any]) -> None:
    """Write that a run has failed.

    Raises
    ------
    Exception
        The message could not be sent; Airflow logs it, and the run stays as it is.
    """
    from apogee_airflow.notifiers.messages import failed_night

    run = _failed_run(telescope, context)
    _send(failed_night(run, _find_out(run)))


def notify_question(subject: str, reasons: str, context: Mapping[str, Any], days: float) -> str:
    """Write that a model waits for an answer, if somebody is to be told; returns what was done.  A fault is logged."""
    from apogee_airflow.notifiers.messages import open_question

    if not Settings().notify:
        return "APOGEE_LABELS_NOTIFY names nobody who would be written to"
    run, task = context["dag_run"], context["ti"].task_id
    url = f"{_run_url(run.dag_id, run.run_id)}/tasks/{task}/required_actions"
    try:
        return _send(open_question(subject, reasons, url, days))
    except Exception as error:  # noqa: BLE001 - the question is asked all the same
        log.error("nobody was written to about the question (%s: %s)", type(error).__name__, error)
        return "failed"


async def notify_late(telescope: str, hours: float, context: dict[str, Any]) -> str:
    """Write that a run is not done in time, if it still is none of a backfill and still under way; returns what was done.

    Raises
    ------
    Exception
        The message could not be sent; the triggerer logs it, and the run stays as it is.
    """
    run = context["dag_run"]
    if run["state"] not in ("queued", "running"):
        return f"silent: the run is over ({run['state']}), and a failure was told when it came"
    if run["run_type"] == "backfill":  # it was none when its deadline was set: a backfill runs it again
        return "silent: the run belongs to a backfill"
    # The catalogue and the mail server may be slow: nothing else in the triggerer waits for them.
    return await asyncio.to_thread(_write_late, _late_run(telescope, run), hours)


def _write_late(run: NightRun, hours: float) -> str:
    from apogee_airflow.notifiers.messages import late_night

    return _send(late_night(run, _find_out(run), hours))


def _failed_run(telescope: str, context: Mapping[str, Any]) -> NightRun:
    """Read the run out of a failure callback's context, which is small when no task of it failed (a deadlock)."""
    if (run := context.get("dag_run")) is None:
        return _night_run(telescope, None, context["dag"].dag_id, context["run_id"], "run")
    return _night_run(telescope, _mjd(telescope, context), run.dag_id, run.run_id, run.run_type)


def _late_run(telescope: str, run: Mapping[str, Any]) -> NightRun:
    """Read the run out of a deadline callback's context: the JSON of Airflow's REST API."""
    moments = ("logical_date", "data_interval_start", "data_interval_end")
    dates = {name: datetime.fromisoformat(run[name]) if run[name] else None for name in moments}
    context = {"params": run["conf"] or {}, "dag_run": SimpleNamespace(run_id=run["dag_run_id"], **dates)}
    return _night_run(telescope, _mjd(telescope, context), run["dag_id"], run["dag_run_id"], run["run_type"])


def _mjd(telescope: str, context: Mapping[str, Any]) -> int | None:
    try:
        return observing_mjd(context, telescope)
    except AirflowFailException:  # it names no night, which is why it failed
        return None


def _night_run(telescope: str, mjd: int | None, dag_id: str, run_id: str, run_type: str) -> NightRun:
    from apogee_airflow.notifiers.messages import NightRun

    url = _run_url(dag_id, run_id)
    return NightRun(telescope=telescope, mjd=mjd, dag_id=dag_id, run_id=run_id, run_type=str(run_type), url=url)


def _run_url(dag_id: str, run_id: str) -> str:
    from urllib.parse import quote

    from airflow.configuration import conf

    base = conf.get("api", "base_url", fallback="") or "http://localhost:8080"
    return f"{base.rstrip('/')}/dags/{dag_id}/runs/{quote(run_id, safe='')}"


def _find_out(run: NightRun) -> Findings:
    """Read what the catalogue and Airflow know of a run."""
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    from apogee_airflow.notifiers.messages import Findings
    from apogee_labels.pipeline.workspace import Workspace

    def listing() -> Any:
        with Workspace.open() as workspace:
            return workspace.catalog.nights.listing(run.telescope, run.mjd, run.run_id) if run.mjd else None

    def states() -> Any:
        return RuntimeTaskInstance.get_task_states(run.dag_id, run_ids=[run.run_id]).get(run.run_id, {})

    problems: list[str] = []
    found, read = _unless_it_fails("the night's files", listing, problems), not problems
    known = _unless_it_fails("the run's tasks", states, problems) or {}
    return Findings(listing=found, catalogue_read=read, states=known, problems=problems)


def _unless_it_fails(what: str, look: Callable[[], Found], problems: list[str]) -> Found | None:
    """Look, or note why that was not possible: a database that is down may be the very reason for the message."""
    try:
        return look()
    except Exception as error:  # noqa: BLE001 - whatever it is, the message goes out with it
        problems.append(f"{what} ({type(error).__name__}: {error})".replace("\n", " "))
        return None


def _send(notice: Notice) -> str:
    """Send a message to everybody whom the settings name now, and return what was done.

    Airflow's SMTP hook is used in its synchronous form: the other begins TLS twice, so that servers with STARTTLS refuse it
    (apache-airflow-providers-smtp 3.2.0).
    """
    to = list(Settings().notify)
    if not to:
        return "silent: APOGEE_LABELS_NOTIFY names nobody any more"
    from airflow.providers.smtp.hooks.smtp import SmtpHook

    with SmtpHook(SMTP_CONNECTION) as hook:
        sender = hook.from_email or to[0]
        hook.send_email_smtp(to=to, from_email=sender, subject=notice.subject, html_content=notice.as_html())
    log.info("%s: written to %s", notice.subject, ", ".join(to))
    return f"written to {len(to)}: {notice.subject}"
