"""Drift as the engine and the catalogue see it: spoilt spectra of a night, and nights that are published one by one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from apogee_labels.apogee.spectra.grid import WAVELENGTH
from apogee_labels.cannon.model import CannonModel
from apogee_labels.catalog.queries.results import FittedSpectrum
from apogee_labels.core.settings import Settings
from apogee_labels.pipeline.analysis.infer import infer_labels
from apogee_labels.pipeline.analysis.normalize import normalize_files
from apogee_labels.pipeline.identities import InferenceParameters, NormalizationParameters, ResultIdentities
from apogee_labels.pipeline.nights.drift import Measure, NightDrift, judge, measure_visits
from apogee_labels.pipeline.nights.night import NightKey, list_night
from apogee_labels.pipeline.nights.night_status import night_status, nights_overview
from apogee_labels.pipeline.nights.publish import NightSummary, publish_night
from apogee_labels.pipeline.workspace import Workspace
from apogee_labels.simulation.spectra import draw_labels, on_chips, synthetic_flux
from apogee_labels.simulation.survey import SyntheticSurvey

Spoil = Callable[[NDArray[Any]], NDArray[Any]]
N_STARS, N_NIGHTS = 14, 12
FIRST, SECOND = 59280, 59281


def shifted(flux: NDArray[Any]) -> NDArray[Any]:
    """The wavelengths are off by a pixel, 4 km/s."""
    return np.roll(flux, 1, axis=1)


def scattered_light(flux: NDArray[Any]) -> NDArray[Any]:
    """The continuum was put too low by light that fills the lines."""
    return flux + 0.12 * (1 - flux) + 0.02


def tilted(flux: NDArray[Any]) -> NDArray[Any]:
    """The continuum waves by 4 %, faster than the engine's own correction follows."""
    return flux * (1 + 0.04 * np.sin(2 * np.pi * WAVELENGTH / 25.0))


@pytest.fixture(scope="module")
def nights(
    put_model: Callable[[Workspace], str], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., NightDrift]:
    """``nights(seed, spoil)``: a night of stars that were seen once before, inferred by the engine."""
    with Workspace.open(Settings(data_dir=tmp_path_factory.mktemp("drift"))) as workspace:
        model = CannonModel.read(workspace.model_path(put_model(workspace)))

    def night(seed: int, spoil: Spoil | None = None) -> NightDrift:
        rng = np.random.default_rng(seed)
        clean = synthetic_flux(draw_labels(rng, N_STARS))
        error = 1 / rng.uniform(70, 200, N_STARS)[:, None]
        now = (spoil or np.asarray)(clean) + rng.normal(size=clean.shape) * error
        before = clean + rng.normal(size=clean.shape) * error
        ivar = np.where(on_chips(), error**-2, 0.0)
        found = model.infer(np.concatenate([now, before]), np.concatenate([ivar, ivar]))
        names, rows = found.label_names, []
        for index in range(2 * N_STARS):
            pairs = zip(found.labels[index].tolist(), found.raw_errors[index].tolist(), strict=True)
            rows.append(
                FittedSpectrum(
                    result_id=str(index % N_STARS), digest="", obj=str(index % N_STARS), telescope="apo25m", apred="dr17",
                    newest=FIRST, of_night=True, row=index, mjd=FIRST if index < N_STARS else FIRST - 9,
                    reduced_chi_sq=float(found.reduced_chi_sq[index]), snr=float(found.snr[index]),
                    labels=dict(zip(names, pairs, strict=True)),
                )
            )  # fmt: skip
        return measure_visits(rows, {row.result_id for row in rows}, FIRST)

    return night


def test_nights_with_spoilt_spectra_stand_out_and_others_do_not(nights: Callable[..., NightDrift]) -> None:
    before: list[Mapping[str, Measure]] = [{m.name: m for m in nights(seed).measures} for seed in range(N_NIGHTS)]
    for seed in range(100, 106):
        assert judge(nights(seed), before).stands_out == ()
    for spoil in (shifted, scattered_light, tilted):
        told = judge(nights(200, spoil), before).stands_out
        assert told, spoil.__doc__


def publish(workspace: Workspace, identities: ResultIdentities, mjd: int, model_id: str) -> NightSummary:
    """Do a night as its DAG does."""
    night = NightKey("apo25m", mjd, f"run of {mjd}")
    due = list_night(workspace, night, identities, model_id)
    regions = workspace.settings.continuum_regions
    made = normalize_files(workspace, due, NormalizationParameters(regions=regions))
    infer_labels(workspace, [each.unwrap().normalization_id for each in made], model_id, InferenceParameters())
    return publish_night(workspace, night, identities)


def test_a_night_is_measured_against_what_was_known_before_it(
    workspace: Workspace, identities: ResultIdentities, survey: SyntheticSurvey, put_model: Callable[[Workspace], str]
) -> None:
    model_id = put_model(workspace)
    for path in survey.root.rglob("*.fits"):
        path.unlink()
    survey.observe("apo25m", FIRST)
    first = publish(workspace, identities, FIRST, model_id)
    assert first.drift is not None
    assert first.drift.n_stars == first.n_stars > 0
    assert first.drift.n_repeats == 0
    survey.observe("apo25m", SECOND)
    second = publish(workspace, identities, SECOND, model_id)
    seen = [star for star in survey.stars if star.telescope == "apo25m" and SECOND in survey.visits(star, SECOND)]
    again = [star for star in seen if FIRST in survey.visits(star, SECOND)]
    assert second.drift is not None
    assert (second.drift.n_stars, second.drift.n_repeats) == (len(seen), len(again))
    assert len(again) > 0
    residuals = [measure for measure in second.drift.measures if measure.absolute is not None]
    assert {measure.name for measure in residuals} == {"residual_TEFF", "residual_LOGG", "residual_FE_H"}
    assert all(abs(measure.median) < 5 for measure in residuals)
    assert publish(workspace, identities, SECOND, model_id).drift == second.drift, "running it again changes nothing"
    assert any(line.startswith(f"Medians of {len(seen)} star(s), {len(again)} seen before") for line in second.lines())


def test_a_night_that_stands_out_is_told_of_where_people_look(
    workspace: Workspace,
    identities: ResultIdentities,
    put_model: Callable[[Workspace], str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "apogee_labels.pipeline.nights.drift.FEWEST_STARS", 2
    )  # the small survey has no more in a night
    model_id = put_model(workspace)
    usual = Measure("rchi2", 0.01, 0.1, 60)
    for mjd in range(FIRST - 9, FIRST):
        workspace.catalog.nights.record_listing("apo25m", mjd, "r", model_id, [])
        summary = {"mjd": mjd, "drift": NightDrift(False, 60, 0, (usual,)).as_json()}
        workspace.catalog.nights.record_publication("apo25m", mjd, "r", summary)
    summary = publish(workspace, identities, FIRST, model_id)
    assert summary.drift is not None
    (sentence,) = summary.drift.stands_out
    assert sentence.startswith("the reduced chi-square is ")
    assert f"apo25m, SDSS MJD {FIRST} stands out: {sentence}" in caplog.text
    assert f"! {sentence}" in summary.lines()
    status = night_status(workspace, "apo25m", FIRST)
    (row,) = nights_overview(workspace, FIRST, FIRST, ["apo25m"])
    assert status.stands_out == row.stands_out == (sentence,)
    assert status.as_json()["stands_out"] == row.as_json()["stands_out"] == [sentence]
