"""Our tables as others read them: TOPCAT's own engine (STILTS), and HEASARC's verifier of FITS files."""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from apogee_labels.core.settings import SHIPPED_REGIONS, Settings
from apogee_labels.pipeline.analysis.infer import infer_labels
from apogee_labels.pipeline.analysis.normalize import normalize_file
from apogee_labels.pipeline.identities import InferenceParameters, NormalizationParameters, ResultIdentities
from apogee_labels.pipeline.nights.publish import write_night_table
from apogee_labels.pipeline.products.summary import publish_summary
from apogee_labels.pipeline.workspace import Workspace
from apogee_labels.simulation.survey import SyntheticSurvey
from tests.support.required import require

PRODUCTS = ["night", "visits of a night", "all stars", "all visits", "a night without stars"]
CLASSES = {"f": "Double", "b": "Boolean", "U": "String", "S": "String"}


@pytest.fixture(scope="module")
def products(
    survey_data: Path, put_model: Callable[[Workspace], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Path]]:
    """Every kind of table, made as the DAGs make it."""
    survey = SyntheticSurvey(survey_data / "sas", n_stars=12, nights=2)
    stars = [star for star in survey.stars if star.telescope == "apo25m"][:4]
    with Workspace.open(Settings(data_dir=tmp_path_factory.mktemp("products"))) as workspace:
        model = put_model(workspace)
        workspace.catalog.models.put_in_force("giants", model, "test")
        made = {}
        for name, axis in (("night", 0), ("visits of a night", None)):
            parameters = NormalizationParameters(regions=SHIPPED_REGIONS, sum_axis=axis)
            items = [normalize_file(workspace, survey.path(star), parameters) for star in stars]
            infer_labels(workspace, [item.normalization_id for item in items], model, InferenceParameters())
            identities = ResultIdentities.nightly(SHIPPED_REGIONS, visits=axis is None)
            made[name] = write_night_table(workspace, "apo25m", survey.nights[-1], model, identities).path
        made["a night without stars"] = write_night_table(workspace, "lco25m", 50000, model, identities).path
        made["all stars"], made["all visits"] = (product.path for product in publish_summary(workspace))
        yield made


def stilts(*arguments: str) -> list[dict[str, str]]:
    """What STILTS writes as CSV; it has nothing else to say."""
    require(shutil.which("stilts"), "no STILTS to read the tables with: apt-get install stilts")
    done = subprocess.run(["stilts", "tpipe", *arguments, "ofmt=csv"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return list(csv.DictReader(io.StringIO(done.stdout)))


@pytest.mark.parametrize("name", PRODUCTS)
def test_topcat_sees_the_same_columns_units_and_descriptions(products: dict[str, Path], name: str) -> None:
    table, header = Table.read(products[name]), fits.getheader(products[name], 1)
    seen = stilts(f"in={products[name]}", "cmd=meta Name Class Units Description")
    assert [column["Name"] for column in seen] == table.colnames
    for place, column in enumerate(seen, start=1):
        own = table[column["Name"]]
        assert column["Description"] == header[f"TCOMM{place}"]
        assert column["Units"] == ("" if own.unit is None else own.unit.to_string("fits"))
        assert column["Class"] == CLASSES.get(own.dtype.kind, {4: "Integer", 8: "Long"}.get(own.dtype.itemsize))


@pytest.mark.parametrize("name", PRODUCTS)
def test_topcat_sees_the_same_values(products: dict[str, Path], name: str) -> None:
    table = Table.read(products[name])
    seen = stilts(f"in={products[name]}")
    assert len(seen) == len(table)
    assert (len(table) == 0) == (name == "a night without stars")
    for column in table.colnames:
        values = [row[column] for row in seen]
        match table[column].dtype.kind:
            case "f":
                np.testing.assert_array_equal([float(value or "nan") for value in values], table[column])
            case "b":
                assert values == [str(value).lower() for value in table[column]]
            case _:
                assert values == [str(value) for value in table[column]]


@pytest.mark.parametrize("name", PRODUCTS)
def test_the_files_follow_the_standard(products: dict[str, Path], name: str) -> None:
    require(shutil.which("fitsverify"), "no verifier of FITS files: apt-get install fitsverify")
    done = subprocess.run(["fitsverify", str(products[name])], capture_output=True, text=True, check=False)
    assert "Verification found 0 warning(s) and 0 error(s)" in done.stdout, done.stdout
