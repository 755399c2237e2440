"""What Airflow takes from us, by its entry point or, in a checkout, by the one file of plugins/ that its loader executes."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from airflow.plugins_manager import AirflowPlugin

from apogee_airflow import priorities
from apogee_airflow.macros import MACROS
from apogee_airflow.night_deadline import NightQueuedAt
from apogee_airflow.timetables.observing_night import ObservingNightTimetable
from apogee_airflow.web import URL_PREFIX


class ApogeeLabelsPlugin(AirflowPlugin):
    """Registers what Airflow takes from us: the timetable, the deadline of a night, who goes first, macros, pages.

    The scheduler reads timetable and deadline back from a serialised DAG; templates find the macros as
    ``macros.apogee_labels``.
    """

    name = "apogee_labels"
    timetables = [ObservingNightTimetable]  # noqa: RUF012 - Airflow reads plain lists
    deadline_references = [NightQueuedAt]  # noqa: RUF012
    listeners = [priorities]  # noqa: RUF012
    macros = list(MACROS)  # noqa: RUF012
    external_views = [  # noqa: RUF012
        {
            "name": "Nights",
            "href": f"{URL_PREFIX}/nights",
            "destination": "nav",
            "category": "browse",
            "url_route": "apogee-nights",
        },
        {
            "name": "Models",
            "href": f"{URL_PREFIX}/models",
            "destination": "nav",
            "category": "browse",
            "url_route": "apogee-models",
        },
    ]

    @cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """The pages.  Only the API server asks for them: what they import would cost every task two seconds."""
        from apogee_airflow.web.app import create_app

        return [{"app": create_app(), "url_prefix": URL_PREFIX, "name": "APOGEE nights"}]
