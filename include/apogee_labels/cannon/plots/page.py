"""HTML pages with plots that need no network: plotly's own script lies beside them once, and each page stays small."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from apogee_labels.cannon.plots.held_out import NothingToPlotError
from apogee_labels.core.files import atomic_write, write_if_changed
from apogee_labels.core.settings import PACKAGE

if TYPE_CHECKING:
    from jinja2 import Environment
    from plotly.graph_objects import Figure

SCRIPT = "plotly.min.js"


class DrawnPlot(NamedTuple):
    """A plot as a part of a page; `missing` says why there is none."""

    name: str
    caption: str
    html: str = ""
    title: str = ""
    missing: str = ""


def draw(name: str, caption: str, make: Callable[[], Figure]) -> DrawnPlot:
    """Draw a plot, by a name that is unique in its page, with its caption."""
    from plotly.io import to_html

    try:
        figure = make()
    except NothingToPlotError as reason:
        return DrawnPlot(name, caption, missing=str(reason))
    html = to_html(figure, full_html=False, include_plotlyjs=False, div_id=name, config={"displaylogo": False})
    return DrawnPlot(name, caption, html, figure.layout.title.text or "")


def write_page(path: Path, template: str, **values: object) -> None:
    """Write a page, atomically, from a template of the package's ``data/templates``; everything is escaped but the plots.

    Its script is to lie beside it (:func:`write_script`).
    """
    with atomic_write(path) as temporary:
        temporary.write_text(_templates().get_template(template).render(script=SCRIPT, **values), encoding="utf-8")


@cache
def _templates() -> Environment:
    from jinja2 import Environment, FileSystemLoader

    loader = FileSystemLoader(PACKAGE / "data" / "templates")
    return Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)


def write_script(folder: Path) -> None:
    """Put plotly's script into a folder, unless it is there already."""
    from plotly.offline import get_plotlyjs

    write_if_changed(folder / SCRIPT, lambda path: path.write_text(get_plotlyjs(), encoding="utf-8"))
