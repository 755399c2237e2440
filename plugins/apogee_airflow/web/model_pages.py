"""What the pages of models look like: what is on record now, and the report that is kept with each model."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from fastapi import Request
from fastapi.responses import HTMLResponse

from apogee_airflow.web.pages import page
from apogee_labels.cannon.plots.page import SCRIPT
from apogee_labels.pipeline.models.model_overview import ModelRow

INSIDE = "<script"
"""How each script of a kept report begins; its texts are escaped, so that nothing else does."""


def models_page(request: Request, rows: Sequence[ModelRow]) -> HTMLResponse:
    """Return the page of all models."""
    return page(request, "models.html", rows=rows)


def model_page(request: Request, row: ModelRow) -> HTMLResponse:
    """Return the page of one model, which frames its report."""
    return page(request, "model.html", row=row, frames="'self'")


def report_page(report: str) -> HTMLResponse:
    """Return a kept report as it is, its own scripts allowed and no others.

    Styles are free: plotly writes them as it draws.
    """
    nonce = secrets.token_urlsafe(16)
    policy = (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'; "
        "form-action 'none'"
    )
    # On disk plotly's script lies beside the report; here all models share one, a level up.
    html = report.replace(f'src="{SCRIPT}"', f'src="../{SCRIPT}"').replace(INSIDE, f'{INSIDE} nonce="{nonce}"')
    return HTMLResponse(html, headers={"Content-Security-Policy": policy, "Cache-Control": "no-store"})
