"""The pages as an application that Airflow's API server mounts: who may see them."""

from __future__ import annotations

from airflow.api_fastapi.auth.managers.models.resource_details import AccessView
from airflow.api_fastapi.core_api.security import requires_access_view
from fastapi import Depends, FastAPI

from apogee_airflow.web import model_routes, routes


def create_app() -> FastAPI:
    """Return the application: for people who may see what plugins add to Airflow, and without pages about itself.

    Airflow itself asks nobody for a login in front of a plugin's application.
    """
    allowed = Depends(requires_access_view(AccessView.PLUGINS))
    app = FastAPI(title="APOGEE nights", dependencies=[allowed], docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(routes.router)
    app.include_router(model_routes.router)
    return app
