"""The page of a star's labels, visit by visit: ``apogee-labels stars page STAR FOLDER``.

Takes the name of a star that is in the catalogue; makes an HTML page with labels against time and against S/N.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from apogee_labels.pipeline.workspace import Workspace

CAPTION = (
    "Each point is one visit with its error; the line is the label of their stack.  Points that scatter about the line as "
    "their errors say belong to a star that does not change; a cross is a visit with a flag: the pointer says which."
)


def write_star_page(workspace: Workspace, obj: str, folder: str | Path) -> Path:
    """Write the page of a star into a folder and return it.

    Raises
    ------
    NothingToPlotError
        There are no current labels of single visits of that star.
    OSError
        The page cannot be written.
    """
    from apogee_labels.cannon.plots.page import draw, write_page, write_script
    from apogee_labels.pipeline.stars.visit_plots import labels_of_visits

    figure = labels_of_visits(workspace.catalog.label_tables.history(obj))
    folder = Path(folder)
    path = folder / f"{re.sub(r'[^A-Za-z0-9+-]', '_', obj)}.html"
    write_script(folder)
    write_page(path, "page.html", title=f"Labels of {obj}", plots=[draw("star", CAPTION, lambda: figure)])
    return path
