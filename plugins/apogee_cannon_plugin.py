"""What Airflow loads from this folder: everything else is in the package beside it, which .airflowignore keeps out."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from apogee_cannon.timetable import ObservingNightTimetable


class ApogeeCannonPlugin(AirflowPlugin):
    """Registers the timetable, so that the scheduler can read it back from a serialised DAG."""

    name = "apogee_cannon"
    timetables = [ObservingNightTimetable]  # noqa: RUF012 - Airflow reads a plain list
