"""What the pages look like: templates, filled in with everything escaped, and nothing fetched from elsewhere."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from apogee_airflow.subjects import star_of
from apogee_airflow.web import URL_PREFIX
from apogee_labels.apogee.archive.nights import OBSERVATORIES, observatory
from apogee_labels.catalog.queries.lineage import Lineage
from apogee_labels.catalog.records import KEEPS_OPEN, NIGHT_STATUSES, FileStatus
from apogee_labels.core.identity import short
from apogee_labels.pipeline.nights.backfill import backfill_lines, finished
from apogee_labels.pipeline.nights.night_status import NightRow, NightStatus
from apogee_labels.pipeline.nights.night_verdict import NAMES
from apogee_labels.pipeline.products import lineage

_URGENCY = (*KEEPS_OPEN, FileStatus.REJECTED, FileStatus.GONE, FileStatus.DONE)
"""The order of files on the page of a night: what somebody has to look at first."""
TEMPLATES = Path(__file__).parent / "templates"


def root_of(request: Request) -> str:
    """Return the path below which these pages are, with whatever a proxy puts before it."""
    return str(request.scope["root_path"])


def overview_page(request: Request, rows: Sequence[NightRow], telescopes: Sequence[str]) -> HTMLResponse:
    """Return the page of many nights."""
    older = min(row.night.mjd for row in rows) - 1 if rows else None
    always = {FileStatus.DONE, FileStatus.REJECTED, FileStatus.FAILED, FileStatus.WAITING}
    shown = [status for status in NIGHT_STATUSES if status in always or any(row.counts[status] for row in rows)]
    return page(request, "nights.html", rows=rows, telescopes=telescopes, older=older, shown=shown)


def night_page(request: Request, status: NightStatus) -> HTMLResponse:
    """Return the page of one night, with the line that runs it again where that may help."""
    site = observatory(status.night.telescope)
    over, _ = finished(site, [status.night.mjd], datetime.now(UTC))
    again = [] if status.verdict.is_done else backfill_lines(site, over, options=["--reprocess-behavior", "completed"])
    files = sorted(status.files, key=lambda file: (_URGENCY.index(file.status), file.path))
    return page(request, "night.html", status=status, files=files, site=site, again=again)


def result_page(request: Request, found: Lineage) -> HTMLResponse:
    """Return the page of one result: what made it."""
    return page(request, "result.html", lineage=found, parts=lineage.facts(found), telescopes=OBSERVATORIES)


def star_page(request: Request, obj: str, found: Sequence[Lineage]) -> HTMLResponse:
    """Return the page of a star: its current result by each model."""
    return page(request, "star.html", obj=obj, found=found)


def page(request: Request, template: str, *, frames: str = "'none'", **values: Any) -> HTMLResponse:
    """Return a template filled in; `frames`: from where it may frame others, as a content security policy says it."""
    root = root_of(request)
    nonce = secrets.token_urlsafe(16)
    airflow = root.removesuffix(URL_PREFIX)
    html = _environment().get_template(template).render(root=root, airflow=airflow, nonce=nonce, **values)
    own = f"'nonce-{nonce}'"
    sources = f"style-src {own}; script-src {own}; frame-src {frames}"
    policy = f"default-src 'none'; {sources}; base-uri 'none'; form-action 'none'"
    return HTMLResponse(html, headers={"Content-Security-Policy": policy, "Cache-Control": "no-store"})


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "star": star_of,
        "name": lambda path: Path(path).name,
        "short": short,
        "moment": _moment,
        "segment": lambda text: quote(text, safe=""),
        "in_force": lineage.in_force_sentence,
    }
    environment.globals |= {"statuses": list(NIGHT_STATUSES), "names": NAMES}
    return environment


def _moment(time: datetime | None) -> str:
    return f"{time:%Y-%m-%d %H:%M}" if time else ""
