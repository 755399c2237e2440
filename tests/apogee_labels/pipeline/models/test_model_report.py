"""Reference stars, the comparison of two models on them, and the report that is kept with a model."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from apogee_labels.cannon.model import CannonModel
from apogee_labels.catalog.records import WorkKind
from apogee_labels.core.settings import Settings
from apogee_labels.pipeline.analysis.infer import infer_labels
from apogee_labels.pipeline.analysis.normalize import normalize_file
from apogee_labels.pipeline.identities import InferenceParameters, NormalizationParameters
from apogee_labels.pipeline.ingest.scan import scan_archive
from apogee_labels.pipeline.models import reference_stars as stars_module
from apogee_labels.pipeline.models.judgement import Tolerances
from apogee_labels.pipeline.models.model_page import question
from apogee_labels.pipeline.models.model_report import read_report, validate_model
from apogee_labels.pipeline.models.reference_stars import compare_models, reference_stars, spread_evenly
from apogee_labels.pipeline.workspace import Workspace
from apogee_labels.simulation.survey import SyntheticSurvey

PutModel = Callable[[Workspace], str]
TELESCOPES = ("apo25m", "lco25m")


@pytest.fixture(scope="module")
def analysed_data(survey_data: Path, put_model: PutModel, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A data folder with a model in force by which all stars of the small survey have labels, and its identity."""
    data_dir = tmp_path_factory.mktemp("analysed")
    settings = Settings(data_dir=data_dir, sas_base_dir=survey_data / "sas")
    survey = SyntheticSurvey(settings.sas_base_dir, n_stars=12, nights=2)
    with Workspace.open(settings) as workspace:
        identity = put_model(workspace)
        for telescope in TELESCOPES:
            scan_archive(workspace, telescope)
        parameters = NormalizationParameters(regions=settings.continuum_regions)
        made = [normalize_file(workspace, survey.path(star), parameters).normalization_id for star in survey.stars]
        infer_labels(workspace, made, identity, InferenceParameters())
        workspace.catalog.models.put_in_force("giants", identity, "test")
    return data_dir, identity


@pytest.fixture
def analysed(analysed_data: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> str:
    """The model in force; five stars are enough to compare with it here."""
    monkeypatch.setattr(stars_module, "LEAST", 5)
    monkeypatch.setattr(stars_module, "GOOD_SNR", 30.0)
    return analysed_data[1]


@pytest.fixture
def workspace(analysed_data: tuple[Path, str], survey_data: Path, tmp_path: Path) -> Iterator[Workspace]:
    """An installation of this test's own; its archive is everybody's."""
    shutil.copytree(analysed_data[0], tmp_path / "data")
    with Workspace.open(Settings(data_dir=tmp_path / "data", sas_base_dir=survey_data / "sas")) as workspace:
        yield workspace


def put_moved(workspace: Workspace, model_id: str, kelvin: float) -> str:
    """A model that gives every star another temperature; its identity."""
    record = workspace.catalog.models.get(model_id)
    assert record is not None
    identity = "ab" * 32
    model = CannonModel.read(workspace.model_path(model_id))
    offsets = np.array(model.vectorizer.offsets)
    offsets[model.label_names.index("TEFF")] += kelvin
    labels = np.array(model.training_labels)
    labels[:, model.label_names.index("TEFF")] += kelvin
    moved = replace(model, vectorizer=replace(model.vectorizer, offsets=offsets), training_labels=labels)
    moved.write(workspace.model_path(identity))
    workspace.catalog.models.record(replace(record, id=identity))
    return identity


def test_stars_are_spread_evenly_and_the_same_whatever_their_order() -> None:
    """A survey is full of one kind of star; the choice is not."""
    rng = np.random.default_rng(1)
    labels = np.concatenate(
        [rng.normal((4800.0, 2.5), (30.0, 0.05), (900, 2)), rng.uniform((3800, 0), (5200, 4), (100, 2))]
    )
    names = [f"{place:04d}" for place in range(1000)]
    chosen = spread_evenly(labels, names, 50)
    assert len(chosen) == len(set(chosen)) == 50
    assert sum(star >= 900 for star in chosen) > 30
    order = rng.permutation(1000)
    again = spread_evenly(labels[order], [names[place] for place in order], 50)
    assert sorted(int(order[place]) for place in again) == chosen
    assert spread_evenly(labels[:7], names[:7], 50) == list(range(7)), "fewer than wanted: all"
    assert len(spread_evenly(np.ones((30, 3)), names[:30], 20)) == 20, "labels without a range"


def test_the_stars_are_chosen_once_and_stay(workspace: Workspace, analysed: str) -> None:
    chosen = reference_stars(workspace)
    assert 5 <= len(chosen) <= 12
    workspace.catalog.models.put_in_force("giants", put_moved(workspace, analysed, 100.0), "test")
    assert reference_stars(workspace) == chosen
    dwarfs = replace(workspace, settings=workspace.settings.model_copy(update={"model_name": "dwarfs"}))
    assert reference_stars(dwarfs) == [], "a name without a model in force has none yet"


def test_too_few_good_stars_are_none(workspace: Workspace, analysed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stars_module, "LEAST", 13)
    assert reference_stars(workspace) == []
    assert compare_models(workspace, analysed, analysed) is None
    monkeypatch.setattr(stars_module, "LEAST", 5)
    assert reference_stars(workspace), "later there are enough"


def test_a_file_may_name_them(workspace: Workspace, analysed: str, tmp_path: Path) -> None:
    survey = SyntheticSurvey(workspace.settings.sas_base_dir, n_stars=12, nights=2)
    names = tmp_path / "stars.txt"
    names.write_text(
        f"# two and an unknown one\n{survey.stars[3].obj}\n{survey.stars[5].obj}  # a note\n2M00000000+0000000\n"
    )
    by_file = replace(workspace, settings=workspace.settings.model_copy(update={"reference_stars": names}))
    assert {star.obj for star in reference_stars(by_file)} == {survey.stars[3].obj, survey.stars[5].obj}
    names.write_text(survey.stars[3].obj)
    assert [star.obj for star in reference_stars(by_file)] == [survey.stars[3].obj]
    names.unlink()
    with pytest.raises(ValueError, match="APOGEE_LABELS_REFERENCE_STARS"):
        reference_stars(by_file)


def test_two_models_are_compared_on_the_same_spectra_and_nothing_is_made_twice(
    workspace: Workspace, analysed: str
) -> None:
    new = put_moved(workspace, analysed, 60.0)
    found = compare_models(workspace, new, analysed)
    assert found is not None
    assert (found.n_compared, found.n_left_out, found.n_failed, found.n_outside) == (found.n_stars, 0, 0, 0)
    assert found.shifts["TEFF"].mean == pytest.approx(60.0, abs=0.5)
    assert found.shifts["TEFF"].scatter < 1.0
    assert abs(found.shifts["LOGG"].mean) < 1e-3
    assert compare_models(workspace, new, analysed) == found
    assert set(workspace.catalog.duplicates.counts().values()) == {0}
    assert WorkKind.RESULT in workspace.catalog.duplicates.counts()


def test_a_product_that_is_gone_is_made_anew_and_a_star_that_is_nowhere_is_left_out(
    workspace: Workspace, analysed: str
) -> None:
    new = put_moved(workspace, analysed, 60.0)
    first, second, *others = reference_stars(workspace)
    for star in (first, second):
        workspace.normalized_path(star.normalization_id).unlink()
    record = workspace.catalog.normalizations.get(second.normalization_id)
    assert record is not None
    (path,) = workspace.catalog.archive.paths_of(record.digest)
    aside = shutil.move(path, f"{path}.aside")
    try:
        found = compare_models(workspace, new, analysed)
    finally:
        shutil.move(aside, path)
    assert found is not None
    assert (found.n_compared, found.n_left_out) == (len(others) + 1, 1)
    assert workspace.normalized_path(first.normalization_id).exists()


def test_a_report_is_made_once_and_kept_beside_the_model(workspace: Workspace, analysed: str) -> None:
    new = put_moved(workspace, analysed, 60.0)
    report = validate_model(workspace, new, Tolerances())
    assert not report.accepted
    assert report.reasons[0].startswith("TEFF: ")
    assert "reference stars move by 60" in report.reasons[0]
    path = workspace.report_path(new)
    assert json.loads(path.read_text()) == report.content
    page = workspace.report_path(new, "html").read_text()
    assert report.reasons[0] in page
    assert "<h2>Reference stars</h2>" in page
    assert "Plotly.newPlot" in page
    assert "//cdn" not in page
    written = path.stat().st_mtime_ns
    assert validate_model(workspace, new, Tolerances()).content == report.content
    assert path.stat().st_mtime_ns == written
    wide = validate_model(workspace, new, Tolerances(shift_teff=100.0))
    assert wide.accepted, "other tolerances are another judgement"
    assert wide.identity != report.identity
    shutil.copyfile(path, path.with_suffix(".half"))
    path.write_text(path.read_text()[:100])
    assert read_report(workspace, new) is None, "half a report is none"


def test_an_equal_model_is_accepted_by_itself(workspace: Workspace, analysed: str) -> None:
    report = validate_model(workspace, put_moved(workspace, analysed, 0.0), Tolerances())
    assert report.accepted
    assert report.content["reference"]["n_compared"] >= 5


def test_a_model_in_force_that_is_lost_does_not_keep_another_from_being_judged(
    workspace: Workspace, analysed: str
) -> None:
    new = put_moved(workspace, analysed, 0.0)
    reference_stars(workspace)
    workspace.model_path(analysed).write_bytes(b"no model any more")
    report = validate_model(workspace, new, Tolerances())
    assert report.content["in_force"]["n_folds"] == 0


def test_the_question_has_the_numbers_and_the_link_and_no_markup_of_others(workspace: Workspace, analysed: str) -> None:
    report = validate_model(workspace, put_moved(workspace, analysed, 60.0), Tolerances())
    subject, body = question(report.content, "/apogee/models/abab", 7.0)
    assert subject == f"Put model {'ab' * 6} in force as giants?"
    assert f"The model in force is {analysed[:12]}." in body
    assert "reference stars move by 60" in body
    assert "| TEFF | K |" in body
    assert "| FE\\_H | dex |" in body
    assert "[The whole report, with plots](/apogee/models/abab)" in body
    assert "no answer in 7 days" in body


def test_names_of_labels_are_never_markup(workspace: Workspace, analysed: str) -> None:
    content = json.loads(
        json.dumps(validate_model(workspace, put_moved(workspace, analysed, 60.0), Tolerances()).content)
    )
    content["model"]["label_names"] = ["<img src=x>"]
    content["model"]["labels"]["<img src=x>"] = content["model"]["labels"]["TEFF"]
    assert "<img" not in question(content, "/x", 7.0)[1].replace("\\<img", "")
    from apogee_labels.pipeline.models.model_page import write_report_page

    path = workspace.settings.data_dir / "page.html"
    write_report_page(path, content, CannonModel.read(workspace.model_path(analysed)))
    assert "<img" not in path.read_text()
