"""What Airflow loads from this folder: everything else is in the package beside it, which .airflowignore keeps out."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from airflow.plugins_manager import AirflowPlugin

from apogee_cannon import precedence
from apogee_cannon.macros import MACROS
from apogee_cannon.night_deadline import NightQueuedAt
from apogee_cannon.timetable import ObservingNightTimetable
from apogee_cannon.web import URL_PREFIX


class ApogeeCannonPlugin(AirflowPlugin):
    """Registers what Airflow takes from us: the timetable, the deadline of a night, who goes first, macros, pages.

    The scheduler reads timetable and deadline back from a serialised DAG; templates find the macros as
    ``macros.apogee_cannon``.
    """

    name = "apogee_cannon"
    timetables = [ObservingNightTimetable]  # noqa: RUF012 - Airflow reads plain lists
    deadline_references = [NightQueuedAt]  # noqa: RUF012
    listeners = [precedence]  # noqa: RUF012
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
        from apogee_cannon.web.app import create_app

        return [{"app": create_app(), "url_prefix": URL_PREFIX, "name": "APOGEE nights"}]
