"""Which files a night should have."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from apogee_labels.apogee.spectra.apstar import read_apstar
from apogee_labels.apogee.tables.visit_summary import VisitSummaryError
from apogee_labels.core.settings import Settings
from apogee_labels.pipeline.ingest.expected import ExpectedFiles, expected_files
from apogee_labels.pipeline.ingest.registration import file_stat, register_file
from apogee_labels.pipeline.ingest.scan import scan_archive
from apogee_labels.pipeline.workspace import Workspace
from apogee_labels.simulation.survey import SyntheticStar, SyntheticSurvey

MJD = 59280
APO = "apo25m"


def stars_of(survey: SyntheticSurvey, mjd: int = MJD) -> list[SyntheticStar]:
    return [star for star in survey.stars if star.telescope == APO and mjd in survey.visits(star, survey.nights[-1])]


@pytest.fixture
def summarised(workspace: Workspace, survey: SyntheticSurvey, tmp_path: Path) -> Iterator[Workspace]:
    """The installation with a summary of its visits as a setting."""
    path = tmp_path / "visits.csv"
    lines = [
        f"{mjd},{star.telescope},{star.obj},{star.field}"
        for star in survey.stars
        for mjd in survey.visits(star, survey.nights[-1])
    ]
    path.write_text("\n".join(["MJD,TELESCOPE,APOGEE_ID,FIELD", *lines]))
    settings = Settings(data_dir=workspace.settings.data_dir, visit_summary=path)
    with Workspace.open(settings) as opened:
        yield opened


def objs(files: ExpectedFiles) -> set[str]:
    return {keys.obj for keys in files.files.values()}


def test_without_a_summary_what_was_here_is_expected(workspace: Workspace, survey: SyntheticSurvey) -> None:
    assert expected_files(workspace, APO, MJD) == ExpectedFiles({}, from_summary=False)
    scan_archive(workspace, APO)
    night = stars_of(survey)
    lost = survey.path(night[0])
    lost.unlink()
    scan_archive(workspace, APO)
    files = expected_files(workspace, APO, MJD)
    assert [*files.files] == sorted(survey.path(star) for star in night)
    assert [*files.missing] == [lost]
    assert files.here == sorted(survey.path(star) for star in night[1:])
    assert files.missing[lost].obj == night[0].obj


def test_a_summary_tells_what_never_was_here(summarised: Workspace, survey: SyntheticSurvey) -> None:
    night = stars_of(survey)
    lost = [survey.path(star) for star in night[:2]]
    for path in lost:
        path.unlink()
    files = expected_files(summarised, APO, MJD)
    assert files.from_summary
    assert objs(files) == {star.obj for star in night}
    assert [*files.missing] == sorted(lost)
    assert objs(expected_files(summarised, "lco25m", MJD)).isdisjoint(objs(files))
    assert expected_files(summarised, APO, 50000).files == {}


def test_both_sources_tell_of_a_file_once(summarised: Workspace, survey: SyntheticSurvey) -> None:
    scan_archive(summarised, APO)
    assert len(expected_files(summarised, APO, MJD).files) == len(stars_of(survey))


def test_files_from_elsewhere_and_of_other_releases_are_not_a_night_s(
    workspace: Workspace, survey: SyntheticSurvey, tmp_path: Path
) -> None:
    content = survey.path(stars_of(survey)[0]).read_bytes()
    field = "apogee/spectro/redux/{0}/stars/apo25m/000+14/apStar-{0}-2M16505794-2118004.fits"
    places = [
        tmp_path / "elsewhere.fits",
        survey.root / "dr16" / field.format("r12"),
        survey.root / "dr17" / field.format("other"),
    ]
    for path in places:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        register_file(workspace, path, read_apstar(path), file_stat(path))
    assert len(workspace.catalog.archive.paths_of_night(APO, MJD)) == 3
    assert expected_files(workspace, APO, MJD).files == {}


def test_a_star_that_can_have_no_file_is_passed_over(
    summarised: Workspace, survey: SyntheticSurvey, caplog: pytest.LogCaptureFixture
) -> None:
    summary = summarised.settings.visit_summary
    assert summary is not None
    summary.write_text(summary.read_text() + f"\n{MJD},{APO},../../etc/passwd,000+14\n{MJD},{APO},2M1,\n")
    with caplog.at_level(logging.WARNING):
        files = expected_files(summarised, APO, MJD)
    assert objs(files) == {star.obj for star in stars_of(survey)}
    assert caplog.text.count("a star that can have no file is passed over") == 2


def test_a_summary_without_a_column_says_which(summarised: Workspace) -> None:
    summary = summarised.settings.visit_summary
    assert summary is not None
    summary.write_text("MJD,TELESCOPE,FIELD\n")
    with pytest.raises(VisitSummaryError, match="no column APOGEE_ID"):
        expected_files(summarised, APO, MJD)
    summary.unlink()
    with pytest.raises(FileNotFoundError):
        expected_files(summarised, APO, MJD)
