"""Wait for another content of the training set, unless a run that was started by hand wants to go first."""

from __future__ import annotations

import logging
from typing import Any

from apogee_airflow.triggers.files import FilesSettledTrigger

log = logging.getLogger(__name__)


class TrainingSetTrigger(FilesSettledTrigger):
    """Fires as :class:`FilesSettledTrigger` does, and with ``queued`` true when another run of the DAG is queued.

    A DAG that always has a run has only that one: a run that is started by hand, with other parameters, would wait for a day
    until this one ends.

    Parameters
    ----------
    paths, deadline, settle_time, poll_interval, known
        As :class:`FilesSettledTrigger` takes them.
    dag_id
        The DAG whose queued runs go first; None: none does.
    """

    class_path = "apogee_airflow.triggers.training_set.TrainingSetTrigger"

    def __init__(self, *arguments: Any, dag_id: str | None = None, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.dag_id = dag_id

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments, as the triggerer stores them."""
        return self.class_path, super().serialize()[1] | {"dag_id": self.dag_id}

    async def interruption(self) -> dict[str, Any] | None:
        """Say that a run is queued, if one is."""
        if self.dag_id is None:
            return None
        from asgiref.sync import sync_to_async

        try:
            queued = await sync_to_async(_queued_runs)(self.dag_id)
        except Exception as fault:  # noqa: BLE001 - the wait goes on without an answer
            log.warning("whether a run of %s is queued is not known: %s", self.dag_id, fault)
            return None
        return {"settled": False, "queued": True} if queued else None


def _queued_runs(dag_id: str) -> int:
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    return RuntimeTaskInstance.get_dr_count(dag_id=dag_id, states=["queued"])
