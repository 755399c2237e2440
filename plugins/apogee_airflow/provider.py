"""What `airflow providers list` says of this package."""

from __future__ import annotations

from typing import Any


def get_provider_info() -> dict[str, Any]:
    """Return the description that Airflow's providers manager asks every provider for, by its entry point."""
    from apogee_labels import __version__

    return {
        "package-name": "apogee-labels",
        "name": "APOGEE labels",
        "description": "Stellar labels from APOGEE spectra with The Cannon: operators, sensors, a timetable, pages.",
        "versions": [__version__],
        "extra-links": ["apogee_airflow.links.NightLink", "apogee_airflow.links.ModelReportLink"],
    }
