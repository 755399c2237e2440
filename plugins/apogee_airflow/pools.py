"""Airflow pools by name: what keeps one kind of work from starving another.

They are made at installation (``make run``, or the init service of docker-compose) by :func:`pools`, in the form that
``airflow pools import`` reads: ``apogee-labels pools > pools.json``.
"""

from __future__ import annotations

import json
from typing import Any

import click

FILES_POOL = "apogee_files"
BACKFILL_POOL = "apogee_backfill"
TRAINING_POOL = "cannon_training"
REANALYSIS_POOL = "cannon_reanalysis"


def pools(slots: int) -> dict[str, dict[str, Any]]:
    """Return the pools of an installation.

    Parameters
    ----------
    slots
        Tasks that it can run at once: Airflow's ``[core] parallelism``.  With Celery that is to be what the workers have
        together: what is sent to them beyond it waits in the broker, where nothing has precedence.

    Returns
    -------
    dict
        By name: slots, description, and whether deferred tasks count; none does, they take no slot.
    """
    # A quarter of the slots, at least one, is always free for a night that becomes due: what can wait shares the others.
    free = waiting = max(1, slots // 4)
    sizes = {
        # As many as Airflow lets one run have at once by default, so that a night alone is never held up by its pool.
        FILES_POOL: (16, "Files that are normalised or inferred at once, but for backfills"),
        BACKFILL_POOL: (max(1, slots - free - waiting), "Tasks of nights that a backfill runs, at once"),
        REANALYSIS_POOL: (waiting, "Batches of a reanalysis at once"),
        TRAINING_POOL: (1, "Trainings at once: one takes all the memory"),
    }
    return {
        name: {"slots": size, "description": description, "include_deferred": False}
        for name, (size, description) in sizes.items()
    }


@click.command("pools")
def print_pools() -> None:
    """Print the pools of this Airflow as `airflow pools import` reads them."""
    from airflow.configuration import conf

    click.echo(json.dumps(pools(conf.getint("core", "parallelism")), indent=2))
