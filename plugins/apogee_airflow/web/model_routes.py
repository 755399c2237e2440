"""What the pages of models answer.  Nothing here changes anything."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Path, Request
from fastapi.responses import HTMLResponse, Response

from apogee_airflow.web.model_pages import model_page, models_page, report_page
from apogee_labels.catalog import CatalogError
from apogee_labels.pipeline.models.model_overview import ModelRow, model_row, model_rows, report_text
from apogee_labels.pipeline.workspace import Workspace

Beginning = Annotated[str, Path(pattern=r"^[0-9a-f]{12,64}$")]
"""An identity or the beginning of it: nothing else gets as far as a path."""
KEPT = "public, max-age=86400"


def known_model(model_id: Beginning) -> ModelRow:
    """Return what is known of a model; one that is not on record is not found."""
    with Workspace.open() as workspace:
        try:
            return model_row(workspace, model_id)
        except CatalogError as fault:
            raise HTTPException(404, str(fault)) from fault


Known = Annotated[ModelRow, Depends(known_model)]
router = APIRouter()


@router.get("/models", response_class=HTMLResponse)
def overview(request: Request) -> HTMLResponse:
    """Show all models, the newest first."""
    return models_page(request, _rows())


@router.get("/models/plotly.min.js")
def script() -> Response:
    """Return the script that draws the plots of a report; nothing comes from elsewhere."""
    from plotly.offline import get_plotlyjs

    return Response(get_plotlyjs(), media_type="text/javascript", headers={"Cache-Control": KEPT})


@router.get("/models/{model_id}", response_class=HTMLResponse)
def model(request: Request, row: Known) -> HTMLResponse:
    """Show a model: its verdict, since when it is in force, and its report."""
    return model_page(request, row)


@router.get("/models/{model_id}/report", response_class=HTMLResponse)
def report(row: Known) -> HTMLResponse:
    """Show the report that is kept with a model."""
    with Workspace.open() as workspace:
        found = report_text(workspace, row.model.id)
    if found is None:
        raise HTTPException(404, f"no report is kept with model {row.model.id}: run its validate task.")
    return report_page(found)


@router.get("/api/models")
def overview_as_json() -> list[dict[str, Any]]:
    """Return all models, the newest first."""
    return [row.as_json() for row in _rows()]


@router.get("/api/models/{model_id}")
def model_as_json(row: Known) -> dict[str, Any]:
    """Return a model with the numbers of its report."""
    return row.as_json(full=True)


def _rows() -> list[ModelRow]:
    with Workspace.open() as workspace:
        return model_rows(workspace)
