"""A batch is inferred as its files one by one, and only what is not done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from apogee_labels.cannon.io.normalized import read_normalized
from apogee_labels.cannon.model import CannonModel
from apogee_labels.catalog import CatalogError
from apogee_labels.catalog.queries.results import Results
from apogee_labels.catalog.records import ResultRecord, WorkKind
from apogee_labels.core.errors import BadInputError
from apogee_labels.pipeline.analysis.infer import (
    Inferred,
    NotNormalizedError,
    infer_files,
    infer_labels,
    read_model,
    stars_of,
)
from apogee_labels.pipeline.analysis.normalize import normalize_file
from apogee_labels.pipeline.identities import InferenceParameters, NormalizationParameters, result_id
from apogee_labels.pipeline.workspace import Workspace
from apogee_labels.simulation.survey import SyntheticSurvey

PARAMETERS = InferenceParameters()


@pytest.fixture
def model_id(workspace: Workspace, put_model: Callable[[Workspace], str]) -> str:
    return put_model(workspace)


@pytest.fixture
def products(workspace: Workspace, survey: SyntheticSurvey) -> list[str]:
    """Five files, a row a visit: the rows of a file are not at its place in the list."""
    parameters = NormalizationParameters(regions=workspace.settings.continuum_regions, sum_axis=None)
    paths = [survey.path(star) for star in survey.stars[:5]]
    return [normalize_file(workspace, path, parameters).normalization_id for path in paths]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of rows in each call of the engine."""
    calls, infer = list[int](), CannonModel.infer

    def count(self: CannonModel, flux: Any, *arguments: Any, **keywords: Any) -> Any:
        calls.append(len(flux))
        return infer(self, flux, *arguments, **keywords)

    monkeypatch.setattr(CannonModel, "infer", count)
    return calls


def test_a_batch_gives_what_each_file_gives_by_itself(
    workspace: Workspace, products: list[str], model_id: str, calls: list[int]
) -> None:
    inferred = infer_labels(workspace, products[::-1], model_id, PARAMETERS)
    records = [workspace.catalog.results.get(result) for result in inferred.result_ids]
    spectra = [read_normalized(workspace.normalized_path(product)) for product in products[::-1]]
    assert calls == [sum(len(spectrum.flux) for spectrum in spectra)], "one call, all rows"
    assert max(len(spectrum.flux) for spectrum in spectra) > 1
    model = read_model(workspace, model_id)
    for product, record, spectrum in zip(products[::-1], records, spectra, strict=True):
        assert record is not None
        assert (record.normalization_id, record.model_id) == (product, model_id)
        alone = model.infer(spectrum.flux, spectrum.ivar, starflag=np.full(len(spectrum.flux), spectrum.starflag))
        assert [row.row for row in record.rows] == list(range(len(spectrum.flux)))
        assert [row.mjd for row in record.rows] == list(spectrum.mjds)
        for index, row in enumerate(record.rows):
            assert [label.name for label in row.labels] == list(model.label_names)
            values, errors, raw_errors = np.array([label[1:] for label in row.labels]).T
            np.testing.assert_allclose(values, alone.labels[index], rtol=1e-5, atol=1e-5)
            np.testing.assert_allclose(row.covariance, alone.covariance[index], rtol=1e-4, atol=1e-12)
            np.testing.assert_allclose(errors, alone.errors[index], rtol=1e-4)
            np.testing.assert_allclose(raw_errors, np.sqrt(np.diag(alone.covariance[index])), rtol=1e-4)
            assert (errors > raw_errors).all(), "the model is validated"
            assert row.unexplained == pytest.approx(alone.unexplained[index], abs=1e-6)
            assert row.chi_sq == pytest.approx(alone.chi_sq[index])
            assert (row.flags, row.n_pixels) == (alone.flags[index], alone.n_pixels[index])
            assert abs(row.n_iterations - alone.n_iterations[index]) <= 1 < row.n_iterations  # rounding, as in a batch


def test_what_is_complete_is_not_inferred_again(
    workspace: Workspace, products: list[str], model_id: str, calls: list[int]
) -> None:
    first = infer_labels(workspace, products[:2], model_id, PARAMETERS)
    both = infer_labels(workspace, products[:3], model_id, PARAMETERS)
    again = infer_labels(workspace, products[:3], model_id, PARAMETERS)
    assert (first.n_complete, both.n_complete, again.n_complete) == (0, 2, 3)
    assert both.result_ids[:2] == first.result_ids
    assert again == Inferred(both.result_ids, 3)
    assert len(calls) == 2
    assert workspace.catalog.duplicates.counts() == dict.fromkeys(workspace.catalog.duplicates.counts(), 0)


def test_other_parameters_are_another_result(workspace: Workspace, products: list[str], model_id: str) -> None:
    results = {
        infer_labels(workspace, products[:1], model_id, parameters).result_ids
        for parameters in (
            PARAMETERS,
            InferenceParameters(n_initialisations=3),
            InferenceParameters(use_derivatives=False),
        )
    }
    assert len(results) == 3


def test_a_stack_has_no_night_of_its_own(
    workspace: Workspace, survey: SyntheticSurvey, normalization: NormalizationParameters, model_id: str
) -> None:
    product = normalize_file(workspace, survey.path(survey.stars[0]), normalization).normalization_id
    (result,) = infer_labels(workspace, [product], model_id, PARAMETERS).result_ids
    record = workspace.catalog.results.get(result)
    assert record is not None
    assert [row.mjd for row in record.rows] == [None]


def test_nothing_is_inferred_of_nothing(workspace: Workspace, model_id: str, calls: list[int]) -> None:
    assert infer_labels(workspace, [], model_id, PARAMETERS) == Inferred((), 0)
    assert calls == []


def test_one_that_is_not_on_record_is_named_and_the_others_are_recorded(
    workspace: Workspace, products: list[str], model_id: str
) -> None:
    with pytest.raises(NotNormalizedError, match="no normalisation 000000000000"):
        infer_labels(workspace, ["0" * 64, products[0]], model_id, PARAMETERS)
    assert infer_labels(workspace, products[:1], model_id, PARAMETERS).n_complete == 1


def test_a_spectrum_on_which_the_engine_stops_does_not_stop_the_others(
    workspace: Workspace, products: list[str], model_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, infer = read_normalized(workspace.normalized_path(products[1])).flux[0, 4000], CannonModel.infer

    def stop(self: CannonModel, flux: Any, *arguments: Any, **keywords: Any) -> Any:
        if bad in flux[:, 4000]:
            raise ArithmeticError("that spectrum")
        return infer(self, flux, *arguments, **keywords)

    monkeypatch.setattr(CannonModel, "infer", stop)
    outcomes = infer_files(workspace, products, model_id, PARAMETERS)
    assert [str(outcome.fault) for outcome in outcomes if outcome.fault] == ["that spectrum"]
    monkeypatch.undo()
    assert infer_labels(workspace, products, model_id, PARAMETERS).n_complete == len(products) - 1


def test_a_result_that_the_catalogue_refuses_does_not_keep_the_others_out(
    workspace: Workspace, products: list[str], model_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = result_id(products[2], model_id, PARAMETERS.as_json())
    record = workspace.catalog.results.record_all

    def refuse(self: Results, results: Sequence[ResultRecord]) -> set[str]:
        if any(result.id == refused for result in results):
            raise CatalogError("not this one")
        return record(results)

    monkeypatch.setattr(Results, "record_all", refuse)
    outcomes = infer_files(workspace, products, model_id, PARAMETERS)
    assert [outcome.fault is None for outcome in outcomes] == [True, True, False, True, True]


def test_again_does_it_again_and_records_it_once(
    workspace: Workspace, products: list[str], model_id: str, calls: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    first = infer_labels(workspace, products, model_id, PARAMETERS)
    again = infer_labels(workspace, products[:2], model_id, PARAMETERS, again=True)
    assert again == Inferred(first.result_ids[:2], 0)
    assert len(calls) == 2
    assert workspace.catalog.duplicates.counts()[WorkKind.RESULT] == 2
    assert "made again" not in caplog.text, "another batch is another rounding, and no more"


def test_a_method_that_changed_under_its_version_is_warned_of(
    workspace: Workspace, products: list[str], model_id: str, caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    (identity,) = infer_labels(workspace, products[:1], model_id, PARAMETERS).result_ids
    before, infer = workspace.catalog.results.get(identity), CannonModel.infer

    def shifted(self: CannonModel, flux: Any, *arguments: Any, **keywords: Any) -> Any:
        inference = infer(self, flux, *arguments, **keywords)
        return replace(inference, labels=inference.labels + 0.1 * inference.errors)

    monkeypatch.setattr(CannonModel, "infer", shifted)
    infer_labels(workspace, products[:1], model_id, PARAMETERS, again=True)
    assert "of the error: the method changed and its version did not" in caplog.text
    assert workspace.catalog.results.get(identity) == before


def test_a_model_whose_file_is_gone_says_so(workspace: Workspace, products: list[str], model_id: str) -> None:
    workspace.model_path(model_id).unlink()
    with pytest.raises((BadInputError, OSError), match=workspace.model_path(model_id).name):
        infer_labels(workspace, products, model_id, PARAMETERS)


def test_stars_are_told_in_the_order_asked_for(
    workspace: Workspace, survey: SyntheticSurvey, products: list[str]
) -> None:
    expected = [star.obj for star in survey.stars[:5]]
    assert stars_of(workspace, products[::-1]) == expected[::-1]
    assert stars_of(workspace, ["0" * 64, products[0]]) == expected[:1]
    assert stars_of(workspace, []) == []
