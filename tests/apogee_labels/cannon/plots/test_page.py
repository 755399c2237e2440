"""Pages that need no network."""

from __future__ import annotations

import re
from pathlib import Path

from apogee_labels.cannon.plots.page import draw, write_page, write_script


def test_a_page_has_its_figure_and_asks_for_the_script_beside_it(tmp_path: Path) -> None:
    import plotly.graph_objects as go

    write_script(tmp_path)
    write_page(tmp_path / "a.html", "page.html", title="a < b", plots=[draw("drawing", "What to <see>.", go.Figure)])
    page = (tmp_path / "a.html").read_text()
    assert "<title>a &lt; b</title>" in page
    assert re.findall(r'src="([^"]*)"', page) == ["plotly.min.js"]
    assert '<div id="drawing" class="plotly-graph-div"' in page
    assert "<figcaption>What to &lt;see&gt;.</figcaption>" in page
    assert {path.name for path in tmp_path.iterdir()} == {"a.html", "plotly.min.js"}
