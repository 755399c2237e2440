"""Airflow pools by name: what keeps one kind of work from starving another.

They are made at installation (``make run``, or the init service of docker-compose) from :data:`POOLS`, in the form that
``airflow pools import`` reads: ``python -m apogee_cannon.pools > pools.json``.
"""

from __future__ import annotations

import json
import sys

FILES_POOL = "apogee_files"
TRAINING_POOL = "cannon_training"

POOLS = {
    FILES_POOL: {
        "slots": 16,
        "description": "Files that are normalised or inferred at once",
        "include_deferred": False,
    },
    TRAINING_POOL: {
        "slots": 1,
        "description": "Trainings at once: one takes all the memory",
        "include_deferred": False,
    },
}

if __name__ == "__main__":
    json.dump(POOLS, sys.stdout, indent=2)
