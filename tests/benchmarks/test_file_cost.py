"""What a file costs and what a star takes on disk: measured through the steps, on a few stars."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import make_url

from apogee_labels.catalog import Catalog
from apogee_labels.catalog.records import WorkKind
from benchmarks import disk
from benchmarks.clock import Cost
from benchmarks.file_cost import cost_table, measure
from benchmarks.installation import Installation, make_installation

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    return make_installation(tmp_path_factory.mktemp("installation"), None, 6)


def test_every_row_is_measured_and_stands_beside_astropy(installation: Installation) -> None:
    rows = measure(installation, batch=4, repeats=1)
    assert next(iter(rows)) == "astropy, all units"
    assert all(cost.cpu > 0 and cost.wall > 0 for cost in rows.values())
    assert rows["normalize and infer"].cpu == pytest.approx(rows["normalize"].cpu + rows["infer"].cpu)
    assert not [path for path in installation.settings.data_dir.glob("normalized/*/*") if path.is_file()], "copies work"


def test_a_cost_is_told_in_units_of_astropys() -> None:
    text = cost_table({"astropy": Cost(0.004, 0.005), "steps": Cost(0.006, 0.01)})
    cells = [cell.strip() for cell in text.splitlines()[-1].strip("|").split("|")]
    assert cells == ["steps", "6.00 ms", "1.50", "10.00 ms", "2.00"]


def test_a_catalogue_grows_by_every_copy(installation: Installation, tmp_path: Path) -> None:
    model, stars = disk.analysed(installation, None)
    assert all(star.product > 100_000 * star.result.rows[-1].row for star in stars)
    url = make_url(f"sqlite:///{tmp_path / 'grown.db'}")
    assert 1000 < disk.growth(url, model, stars, 100) < 50_000
    with Catalog.open(url) as catalog:
        assert len(catalog.archive.indexed()) == 100
        assert catalog.duplicates.counts()[WorkKind.RESULT] == 0


def test_sizes_are_told_a_star_and_a_million() -> None:
    assert "| product | 121.0 kB | 121 GB          |" in disk.size_table([disk.Size("product", 121_000.0)])
