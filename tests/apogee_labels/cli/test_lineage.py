"""The command that tells where a value comes from."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from apogee_labels.catalog.queries.lineage import Lineage
from apogee_labels.catalog.records import VerdictOutcome, VerdictRecord
from apogee_labels.pipeline.analysis.infer import infer_labels
from apogee_labels.pipeline.analysis.normalize import normalize_file
from apogee_labels.pipeline.identities import InferenceParameters, NormalizationParameters
from apogee_labels.pipeline.ingest.scan import scan_archive
from apogee_labels.pipeline.products.lineage import as_json, where_now
from apogee_labels.pipeline.workspace import Workspace
from apogee_labels.simulation.survey import SyntheticSurvey
from tests.support.command import call, output_of


@pytest.fixture
def lineage(workspace: Workspace, survey: SyntheticSurvey, put_model: Callable[[Workspace], str]) -> Lineage:
    """That of one star."""
    scan_archive(workspace, "apo25m")
    model_id = put_model(workspace)
    parameters = NormalizationParameters(regions=workspace.settings.continuum_regions)
    made = normalize_file(workspace, survey.path(survey.stars[0]), parameters)
    found = infer_labels(workspace, [made.normalization_id], model_id, InferenceParameters())
    verdict = VerdictRecord(
        identity=model_id, outcome=VerdictOutcome.ACCEPTED, reason="no worse", model_id=model_id, decided_by="ann"
    )
    workspace.catalog.models.record_verdict(verdict)
    result = workspace.catalog.lineage.of_result(found.result_ids[0])
    assert result is not None
    return result


def test_a_result_and_a_star_are_told(lineage: Lineage) -> None:
    text = output_of("lineage", lineage.result.id[:12])
    assert output_of("lineage", lineage.result.id) == output_of("lineage", lineage.spectrum.obj) == text
    headings = [line for line in text.splitlines() if not line.startswith(" ")]
    assert headings == ["Result", "Model", "Training set", "Normalisation", "File"]
    assert f"  digest           {lineage.model.training_set_digest}" in text
    assert "  verdict          accepted by ann, " in text
    assert "  in force         never" in text
    assert "  now              still there" in text
    assert json.loads(output_of("lineage", "--json", lineage.result.id)) == [as_json(lineage)]


@pytest.mark.parametrize("name", ["0" * 12, "2M00000000+0000000", ""])
def test_what_is_not_there_is_said(workspace: Workspace, name: str) -> None:
    result = call("lineage", name)
    assert result.exit_code == 1
    assert f"no analysed star {name!r}: expected " in result.stderr


def test_where_a_content_is_now(lineage: Lineage) -> None:
    assert where_now(lineage) == "still there"
    assert where_now(replace(lineage, held_by="/copy.fits")) == "at /copy.fits"
    assert where_now(replace(lineage, held_by=None, there_now="f" * 64)) == "rewritten: the path holds ffffffffffff"
    assert where_now(replace(lineage, held_by=None, there_now=None)) == "gone"
    assert where_now(replace(lineage, held_by=None)) == "gone"
