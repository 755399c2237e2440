"""The table of the whole catalogue: which results it has, what its header says, and when it is written."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from astropy import units as u
from astropy.io import fits
from astropy.table import Table

from apogee_labels.catalog import CatalogError
from apogee_labels.pipeline.analysis.infer import infer_labels
from apogee_labels.pipeline.analysis.normalize import normalize_file
from apogee_labels.pipeline.identities import InferenceParameters, NormalizationParameters
from apogee_labels.pipeline.products.summary import publish_summary
from apogee_labels.pipeline.workspace import Workspace
from apogee_labels.simulation.survey import SyntheticSurvey


@pytest.fixture
def model_id(workspace: Workspace, put_model: Callable[[Workspace], str]) -> str:
    identity = put_model(workspace)
    workspace.catalog.models.put_in_force("giants", identity, "test")
    return identity


Analyse = Callable[..., None]


@pytest.fixture
def analyse(
    workspace: Workspace, survey: SyntheticSurvey, model_id: str, normalization: NormalizationParameters
) -> Analyse:
    """Analyse some stars of the survey: ``analyse(slice(3), sum_axis=None)``."""

    def run(stars: slice, **changes: object) -> None:
        parameters = NormalizationParameters(**{"regions": normalization.regions} | changes)
        items = [normalize_file(workspace, survey.path(star), parameters) for star in survey.stars[stars]]
        infer_labels(workspace, [item.normalization_id for item in items], model_id, InferenceParameters())

    return run


def test_a_row_a_star_with_the_nightly_parameters_only(
    workspace: Workspace, survey: SyntheticSurvey, analyse: Analyse, model_id: str
) -> None:
    analyse(slice(5))
    analyse(slice(2, 7), length=900.0)  # somebody's experiment
    (product,) = publish_summary(workspace)
    assert product.path == workspace.settings.data_dir / "summary" / f"apogeeAllStarTheCannon-{model_id[:12]}.fits"
    table = Table.read(product.path)
    assert sorted(table["obj"]) == sorted(star.obj for star in survey.stars[:5])
    assert (product.n_rows, product.n_stars) == (5, 5)
    assert set(table["model"]) == {model_id}
    assert table["teff"].unit == table["e_teff"].unit == u.K


def test_a_second_table_has_a_row_a_visit(workspace: Workspace, survey: SyntheticSurvey, analyse: Analyse) -> None:
    analyse(slice(4))
    analyse(slice(4), sum_axis=None)
    stars, visits = publish_summary(workspace)
    assert stars.n_rows == 4
    assert visits.path.name == stars.path.name.replace("AllStar", "AllVisit")
    table = Table.read(visits.path)
    expected = {(star.obj, mjd) for star in survey.stars[:4] for mjd in survey.visits(star, survey.nights[-1])}
    assert set(zip(table["obj"], table["mjd"], strict=True)) == expected
    assert len(table) == visits.n_rows == len(expected)
    assert visits.n_stars == 4
    assert set(table["n_visits"]) == {1}
    assert [product.path for product in publish_summary(workspace, visits=False)] == [stars.path]


def test_the_header_says_from_what_it_was_made(workspace: Workspace, analyse: Analyse, model_id: str) -> None:
    analyse(slice(4))
    (product,) = publish_summary(workspace)
    with fits.open(product.path, checksum=True) as hdus:
        hdus.verify("exception")
        header = hdus[1].header
    table, model = Table.read(product.path), workspace.catalog.models.get(model_id)
    assert model is not None
    assert (header["MODEL"], header["MODNAME"], header["TRAINSET"]) == (model_id, "giants", model.training_set_digest)
    assert (
        header["INPUTS"] == hashlib.sha256("".join(f"{digest}\n" for digest in table["spectrum"]).encode()).hexdigest()
    )
    assert (header["NSTARS"], header["NFLAGGED"]) == (4, (table["result_flags"] != 0).sum())
    assert {"CONTENT", "PARAMS", "V_READ", "V_NORM", "V_TRAIN", "V_INFER", "CHECKSUM", "DATASUM"} < set(header)
    assert header["CREATED"].endswith("Z")


def test_it_is_written_when_its_content_changed(workspace: Workspace, analyse: Analyse) -> None:
    def written() -> tuple[bytes, int]:
        (product,) = publish_summary(workspace)
        return product.path.read_bytes(), product.path.stat().st_mtime_ns

    analyse(slice(3))
    first = written()
    assert written() == first
    analyse(slice(3, 4))
    second = written()
    assert second[0] != first[0]
    analyse(slice(4), order=5)
    assert written() == second


def test_a_new_model_has_a_table_of_its_own_before_it_has_results(workspace: Workspace, model_id: str) -> None:
    (product,) = publish_summary(workspace, model_id)
    assert (product.n_rows, len(Table.read(product.path))) == (0, 0)


def test_without_a_model_there_is_nothing_to_summarise(workspace: Workspace) -> None:
    assert publish_summary(workspace) == []
    assert not (workspace.settings.data_dir / "summary").exists()
    with pytest.raises(CatalogError, match="got 'dwarfs'"):
        publish_summary(workspace, "dwarfs")


def test_the_table_of_visits_stays_when_there_are_none_any_more(workspace: Workspace, model_id: str) -> None:
    """Level-triggered: a table that is there follows the catalogue, down to nothing."""
    path: Path = workspace.summary_path(model_id, visits=True)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"of earlier")
    _, visits = publish_summary(workspace)
    assert (visits.path, visits.n_rows, visits.written) == (path, 0, True)
