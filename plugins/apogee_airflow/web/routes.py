"""What the pages of nights, stars and results answer.  Nothing here changes anything."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Path, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from apogee_airflow.web.pages import night_page, overview_page, result_page, root_of, star_page
from apogee_labels.apogee.archive.names import SAFE_NAME
from apogee_labels.apogee.archive.nights import OBSERVATORIES
from apogee_labels.catalog import CatalogError
from apogee_labels.catalog.queries.lineage import BEGINNING, Lineage
from apogee_labels.pipeline.nights.night_status import NightRow, night_status, nights_overview
from apogee_labels.pipeline.products.lineage import as_json
from apogee_labels.pipeline.workspace import Workspace

FIRST_MJD, LAST_MJD = 55000, 99999
"""What the nightly DAGs take for an SDSS MJD."""


def known_telescope(telescope: str) -> str:
    """Return a telescope of the survey; any other is not found."""
    if telescope not in OBSERVATORIES:
        raise HTTPException(404, f"telescope {telescope!r} is not known: expected {' or '.join(OBSERVATORIES)}.")
    return telescope


def known_telescopes(telescope: str | None = None) -> list[str]:
    """Return the telescope that is asked for, or all."""
    return list(OBSERVATORIES) if telescope is None else [known_telescope(telescope)]


Telescope = Annotated[str, Depends(known_telescope)]
Telescopes = Annotated[list[str], Depends(known_telescopes)]
Mjd = Annotated[int, Path(ge=FIRST_MJD, le=LAST_MJD)]
LastMjd = Annotated[int, Query(ge=FIRST_MJD, le=LAST_MJD)]
Number = Annotated[int, Query(ge=1, le=1000)]
ResultName = Annotated[str, Path(pattern=rf"^{BEGINNING.pattern}$")]
StarName = Annotated[str, Path(pattern=rf"^{SAFE_NAME.pattern}$")]
router = APIRouter()


@router.get("/nights", response_class=HTMLResponse)
def overview(request: Request, telescopes: Telescopes, last: LastMjd = LAST_MJD, number: Number = 60) -> HTMLResponse:
    """Show the newest nights up to an MJD, a row each."""
    return overview_page(request, _rows(telescopes, last, number), telescopes)


@router.get("/nights/{telescope}/{mjd}", response_class=HTMLResponse)
def night(request: Request, telescope: Telescope, mjd: Mjd) -> HTMLResponse:
    """Show a night: its verdict, its files and its runs."""
    with Workspace.open() as workspace:
        return night_page(request, night_status(workspace, telescope, mjd))


@router.get("/nights/{telescope}/runs/{run_id}", response_class=RedirectResponse)
def night_of_run(request: Request, telescope: Telescope, run_id: str) -> RedirectResponse:
    """Lead to the night that a run listed."""
    with Workspace.open() as workspace:
        found = workspace.catalog.nights.of_run(telescope, run_id)
    if found is None:
        raise HTTPException(404, f"run {run_id!r} has listed no night of {telescope} yet: see its task list_apstars.")
    return RedirectResponse(f"{root_of(request)}/nights/{telescope}/{found.mjd}")


@router.get("/api/nights")
def overview_as_json(telescopes: Telescopes, last: LastMjd = LAST_MJD, number: Number = 60) -> list[dict[str, Any]]:
    """Return the newest nights up to an MJD."""
    return [row.as_json() for row in _rows(telescopes, last, number)]


@router.get("/api/nights/{telescope}/{mjd}")
def night_as_json(telescope: Telescope, mjd: Mjd) -> dict[str, Any]:
    """Return a night with its files and runs."""
    with Workspace.open() as workspace:
        return night_status(workspace, telescope, mjd).as_json()


@router.get("/results/{result}", response_class=HTMLResponse)
def result(request: Request, result: ResultName) -> HTMLResponse:
    """Show where a result comes from: file, normalisation, model, training set, verdict, code."""
    return result_page(request, _lineage(result))


@router.get("/stars/{obj}", response_class=HTMLResponse)
def star(request: Request, obj: StarName) -> HTMLResponse:
    """Show the current results of a star, by each model."""
    return star_page(request, obj, _lineages(obj))


@router.get("/api/results/{result}")
def result_as_json(result: ResultName) -> dict[str, Any]:
    """Return where a result comes from."""
    return as_json(_lineage(result))


@router.get("/api/stars/{obj}")
def star_as_json(obj: StarName) -> list[dict[str, Any]]:
    """Return where the current results of a star come from."""
    return [as_json(lineage) for lineage in _lineages(obj)]


def _lineage(result: str) -> Lineage:
    with Workspace.open() as workspace:
        try:
            found = workspace.catalog.lineage.of_result(result)
        except CatalogError as refusal:
            raise HTTPException(409, str(refusal)) from refusal
    if found is None:
        raise HTTPException(404, f"no result {result} is in the catalogue.")
    return found


def _lineages(obj: str) -> list[Lineage]:
    with Workspace.open() as workspace:
        found = workspace.catalog.lineage.of_star(obj)
    if not found:
        raise HTTPException(404, f"no star {obj!r} has a current result: it was not analysed, or has no model yet.")
    return found


def _rows(telescopes: list[str], last: int, number: int) -> list[NightRow]:
    with Workspace.open() as workspace:
        mjds = workspace.catalog.nights.recent(telescopes, number, last)
        return nights_overview(workspace, mjds[-1], mjds[0], telescopes) if mjds else []
