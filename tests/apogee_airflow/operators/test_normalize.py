"""Normalising as a task: one file or many, good and bad."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from apogee_airflow import ContinuumNormalizeOperator
from apogee_labels.apogee.spectra.apstar import READER_VERSION
from apogee_labels.catalog.records import WorkKind
from apogee_labels.core.errors import BadInputError, Reason
from apogee_labels.core.identity import digest_file
from apogee_labels.core.settings import SHIPPED_REGIONS
from apogee_labels.pipeline.analysis import normalize as step
from apogee_labels.pipeline.identities import NormalizationParameters, normalization_id
from apogee_labels.pipeline.workspace import Workspace
from apogee_labels.simulation.damage import Damage, damage
from apogee_labels.simulation.survey import SyntheticSurvey
from tests.apogee_airflow.conftest import MakeContext


@pytest.fixture
def paths(survey: SyntheticSurvey) -> list[str]:
    return [str(survey.path(star)) for star in survey.stars[:3]]


def normalize(paths: str | list[str], context: dict[str, Any], **arguments: Any) -> list[str]:
    arguments = {"continuum_regions_path": str(SHIPPED_REGIONS), "sum_axis": 0} | arguments
    operator = ContinuumNormalizeOperator(task_id="normalize", apstar_paths=paths, **arguments)
    return operator.execute(context)  # type: ignore[arg-type]


def expected(paths: list[str], **parameters: Any) -> list[str]:
    parts = NormalizationParameters(regions=SHIPPED_REGIONS, **parameters).as_json()
    return [normalization_id(digest_file(path), parts) for path in paths]


def test_a_list_gives_its_products_in_order(
    paths: list[str], survey: SyntheticSurvey, workspace: Workspace, make_context: MakeContext
) -> None:
    context = make_context()
    products = normalize(paths[::-1], context)
    assert products == expected(paths[::-1])
    assert all(workspace.normalized_path(product).exists() for product in products)
    assert context["label"] == f"3 files from {survey.stars[2].obj}"


def test_a_single_path_is_a_list_of_one(paths: list[str], survey: SyntheticSurvey, make_context: MakeContext) -> None:
    context = make_context()
    assert normalize(paths[0], context) == expected(paths[:1])
    assert context["label"] == survey.stars[0].obj


def test_visits_are_kept_apart_by_default(paths: list[str], workspace: Workspace, make_context: MakeContext) -> None:
    operator = ContinuumNormalizeOperator(
        task_id="normalize", apstar_paths=paths[:1], continuum_regions_path=str(SHIPPED_REGIONS)
    )
    (product,) = operator.execute(make_context())  # type: ignore[arg-type]
    record = workspace.catalog.normalizations.get(product)
    assert record is not None
    assert record.parameters["sum_axis"] is None


def test_rendered_text_is_the_same_parameter_as_the_number(paths: list[str], make_context: MakeContext) -> None:
    """A DAG without native rendering gives the text of every template."""
    asked = {"length": "1400.0", "order": "3", "sum_axis": "0"}
    assert normalize(paths[:1], make_context(), **asked) == expected(paths[:1], sum_axis=0)
    assert normalize(paths[:1], make_context(), sum_axis="None") == expected(paths[:1], sum_axis=None)


def test_one_bad_file_does_not_keep_the_others(paths: list[str], make_context: MakeContext) -> None:
    damage(paths[1], Damage.TRUNCATED)
    context = make_context()
    assert normalize(paths, context) == expected([paths[0], paths[2]])
    assert context["label"].endswith(": 1 rejected")


def test_nothing_but_bad_files_is_a_skip(paths: list[str], workspace: Workspace, make_context: MakeContext) -> None:
    for path, kind in zip(paths, (Damage.EMPTY, Damage.TRUNCATED, Damage.ALL_MASKED), strict=True):
        damage(path, kind)
    context = make_context()
    with pytest.raises(AirflowSkipException, match="all of 3 file"):
        normalize(paths, context)
    assert context["label"].endswith(": 3 rejected")
    rejections = workspace.catalog.rejections.find([digest_file(path) for path in paths], READER_VERSION)
    assert {each.reason for each in rejections.values()} == {
        Reason.EMPTY, Reason.UNREADABLE, Reason.NO_INFORMATION,
    }  # fmt: skip


def test_a_single_bad_file_shows_its_reason(
    paths: list[str], survey: SyntheticSurvey, make_context: MakeContext
) -> None:
    damage(paths[0], Damage.WRONG_GRID)
    context = make_context()
    with pytest.raises(AirflowSkipException):
        normalize(paths[0], context)
    assert context["label"] == f"{survey.stars[0].obj}: wrong_grid"


def test_trouble_with_one_file_waits_until_the_others_are_done(
    paths: list[str], workspace: Workspace, make_context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = step.read_content

    def fail_once(path: str | Path) -> Any:
        if str(path) == paths[0]:
            raise OSError("the disk is busy")
        return read(path)

    monkeypatch.setattr(step, "read_content", fail_once)
    with pytest.raises(OSError, match="busy") as caught:
        normalize(paths, make_context())
    assert any(paths[0] in note for note in caught.value.__notes__)
    assert set(workspace.catalog.normalizations.find(expected(paths))) == set(expected(paths[1:]))
    monkeypatch.undo()
    assert workspace.catalog.rejections.find([digest_file(paths[0])], READER_VERSION) == {}


@pytest.mark.parametrize(("fault", "try_number"), [(OSError("the disk is busy"), 4), (PermissionError("not yours"), 1)])
def test_what_cannot_be_mended_by_a_retry_does_not_hold_the_others_back(
    paths: list[str],
    workspace: Workspace,
    make_context: MakeContext,
    monkeypatch: pytest.MonkeyPatch,
    fault: OSError,
    try_number: int,
) -> None:
    read = step.read_content

    def fail(path: str | Path) -> Any:
        if str(path) == paths[0]:
            raise fault
        return read(path)

    monkeypatch.setattr(step, "read_content", fail)
    context = make_context()
    context["ti"].try_number = try_number
    assert normalize(paths, context) == expected(paths[1:])


def test_a_retry_does_what_is_left(paths: list[str], workspace: Workspace, make_context: MakeContext) -> None:
    normalize(paths[1:], make_context())
    written = [workspace.normalized_path(product).stat().st_mtime_ns for product in expected(paths[1:])]
    assert normalize(paths, make_context()) == expected(paths)
    assert [workspace.normalized_path(product).stat().st_mtime_ns for product in expected(paths[1:])] == written


def test_regions_that_are_not_there_are_nobody_s_bad_input(paths: list[str], make_context: MakeContext) -> None:
    with pytest.raises((OSError, ValueError), match=r"none\.txt"):
        normalize(paths, make_context(), continuum_regions_path="/none.txt")


def test_reprocess_does_what_is_done_and_tries_what_was_rejected(
    paths: list[str], workspace: Workspace, make_context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_strict(content: bytes, *, path: str | Path, digest: str) -> Any:
        if str(path) == paths[1]:
            raise BadInputError(Reason.WRONG_GRID, "a fault of the reader's")
        return parse(content, path=path, digest=digest)

    parse = step.parse_apstar
    with monkeypatch.context() as patch:
        patch.setattr(step, "parse_apstar", too_strict)
        assert normalize(paths, make_context()) == expected([paths[0], paths[2]])
    assert normalize(paths, make_context(), reprocess="false") == expected([paths[0], paths[2]])
    assert workspace.catalog.duplicates.counts()[WorkKind.NORMALIZATION] == 0
    assert normalize(paths, make_context(), reprocess="true") == expected(paths)
    assert workspace.catalog.duplicates.counts()[WorkKind.NORMALIZATION] == 2
    assert normalize(paths, make_context()) == expected(paths), "what succeeded is not rejected any more"
