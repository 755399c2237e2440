"""HTML pages with plots that need no network: plotly's own script lies beside them once, and each page stays small."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from apogee_labels.core.files import atomic_write

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

SCRIPT = "plotly.min.js"

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>
body {{ font: 16px/1.5 Arial, Helvetica, "Liberation Sans", sans-serif; color: #222; }}
body {{ max-width: 1500px; margin: 0 auto; padding: 16px; }}
h1 {{ font-size: 26px; margin: 0; }}
figure {{ margin: 12px 0 40px; }}
figcaption {{ margin-left: 12px; }}
th, td {{ padding: 2px 20px 2px 0; text-align: left; vertical-align: top; }}
</style>
<script src="{script}"></script>
</head>
<body>
{body}
</body>
</html>
"""


def figure_element(figure: Figure, name: str, caption: str) -> str:
    """Return a figure, by a name that is unique in its page, and its caption (HTML) as HTML."""
    from plotly.io import to_html

    drawn = to_html(figure, full_html=False, include_plotlyjs=False, div_id=name, config={"displaylogo": False})
    return f"<figure>\n{drawn}\n<figcaption>{caption}</figcaption>\n</figure>"


def write_page(path: Path, title: str, body: str) -> None:
    """Write a page, atomically; its script is to lie beside it (:func:`write_script`)."""
    with atomic_write(path) as temporary:
        temporary.write_text(_PAGE.format(title=escape(title), script=SCRIPT, body=body), encoding="utf-8")


def write_script(folder: Path) -> None:
    """Put plotly's script into a folder, unless it is there already."""
    from plotly.offline import get_plotlyjs

    path, content = folder / SCRIPT, get_plotlyjs().encode()
    if path.is_file() and path.read_bytes() == content:
        return
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)
