"""`make bench-reanalysis` measures the steps on products that they take for their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from apogee_labels.catalog.records import WorkKind
from apogee_labels.pipeline.workspace import Workspace
from benchmarks.clock import Cost
from benchmarks.installation import Installation, make_installation
from benchmarks.reanalysis import ENGINE, READING, TARGET, cost_table, measure
from benchmarks.stored_stars import store_stars

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    return make_installation(tmp_path_factory.mktemp("installation"), None, 3)


def test_every_row_is_measured_and_the_products_are_taken_as_they_are(installation: Installation) -> None:
    products = store_stars(installation, 12)
    assert len(set(products)) == 12
    folder = installation.settings.data_dir
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("normalized/*/*.fits")}
    rows = measure(installation, products, batch=4, repeats=1)
    assert all(cost.cpu > 0 and cost.wall > 0 for cost in rows.values())
    assert rows[TARGET].cpu == pytest.approx(rows[ENGINE].cpu + rows[READING].cpu)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("normalized/*/*.fits")} == before, (
        "none was made anew"
    )
    with Workspace.open(installation.settings) as workspace:
        assert workspace.catalog.duplicates.counts()[WorkKind.RESULT] == 0
    assert not list(Path(folder).glob("measured*"))


def test_speeds_stand_beside_the_target() -> None:
    text = cost_table({TARGET: Cost(0.0005, 0.001), "reanalysis, 1 process": Cost(0.001, 0.002)})
    cells = [cell.strip() for cell in text.splitlines()[-1].strip("|").split("|")]
    assert cells == ["reanalysis, 1 process", "1.000 ms", "1,000/s", "500/s", "50 %"]
