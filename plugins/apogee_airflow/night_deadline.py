"""By when a night should be done: some hours after its run was queued; a backfill's night has no deadline."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from airflow.sdk.definitions.deadline import BaseDeadlineReference

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session


class NightQueuedAt(BaseDeadlineReference):
    """The moment at which the run of a night was queued, or none for a backfill's run.

    Notes
    -----
    It differs from Airflow's ``DAGRUN_QUEUED_AT`` in two ways.  The runs of a backfill are all queued when it is made, and
    most of them wait for their turn: hundreds of deadlines would pass that mean nothing.  And in Airflow 3.3.2 a failed run
    with a deadline of the stock kind cannot be cleared (apache/airflow#70368), because clearing moves such deadlines on and
    reads their interval wrongly; this one stays where it is: a night that was cleared is as late as before.
    """

    required_kwargs: ClassVar[set[str]] = {"dag_id", "run_id"}

    def _evaluate_with(self, *, session: Session, dag_id: str, run_id: str) -> datetime | None:
        from airflow.models import DagRun
        from sqlalchemy import select

        query = select(DagRun.run_type, DagRun.queued_at).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id)
        run = session.execute(query).one()
        return None if run.run_type == "backfill" else run.queued_at
