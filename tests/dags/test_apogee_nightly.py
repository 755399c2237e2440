"""A night through its DAG."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from apogee_labels.catalog import Catalog
from apogee_labels.core.settings import Settings
from apogee_labels.fits.table_files import kept_header
from apogee_labels.simulation.damage import Damage, damage
from apogee_labels.simulation.survey import SyntheticSurvey
from tests.dags.conftest import events_of, states

if TYPE_CHECKING:
    from airflow.models import DagRun

    RunDag = Callable[..., DagRun]

# Airflow's in-process API server warns of its own dependencies: what warns here is not ours to mend.
pytestmark = [pytest.mark.airflow, pytest.mark.slow, pytest.mark.filterwarnings("default")]
EVENING = datetime(2021, 3, 7, 2, 0, tzinfo=UTC)  # a moment in MJD 59280 at both sites


def stars(survey: SyntheticSurvey, telescope: str, mjd: int) -> set[str]:
    return {star.obj for star in survey.stars if star.telescope == telescope and mjd in survey.visits(star, mjd)}


def test_a_night_becomes_labels_and_a_second_run_does_nothing(
    run_dag: RunDag, survey: SyntheticSurvey, catalog: Catalog
) -> None:
    training = run_dag("cannon_training")
    assert training.state == "success"
    first = run_dag("apogee_nightly_apo25m", EVENING)
    expected = stars(survey, "apo25m", 59280)
    assert first.state == "success"
    assert states(first)["infer"] == ["success"] * len(expected)
    assert set(catalog.labels(night=59280, telescope="apo25m")["obj"]) == expected
    labels = {item.rendered_map_index for item in first.get_task_instances() if item.task_id == "normalize"}
    assert labels == expected, "each instance is named by its star"

    (summary,) = catalog.nights.publications()
    night = {"telescope": "apo25m", "mjd": 59280, "model_id": summary["model_id"]}
    header = kept_header(Path(str(summary["table"])))
    assert header is not None
    assert events_of(first) == {
        "apogee_normalized_spectra": night | {"spectra": len(expected)},
        "apogee_label_catalog": night | {"results": len(expected)},
        "apogee_night_tables": night | {"path": summary["table"], "content": header["CONTENT"], "stars": len(expected)},
    }

    second = run_dag("apogee_nightly_apo25m", EVENING.replace(hour=3))
    assert second.state == "success"
    assert events_of(second) == {}, "nothing was made"
    assert states(second)["normalize"] == ["skipped"]
    (summary,) = (item for item in catalog.nights.publications() if item["mjd"] == 59280)
    assert (summary["done"], summary["already_complete"]) == (0, len(expected))


def test_bad_files_are_skipped_alone_with_their_reason(
    run_dag: RunDag, survey: SyntheticSurvey, catalog: Catalog, caplog: pytest.LogCaptureFixture
) -> None:
    run_dag("cannon_training")
    paths = [survey.path(star) for star in survey.stars if star.obj in stars(survey, "apo25m", 59280)]
    damage(paths[0], Damage.TRUNCATED)
    run = run_dag("apogee_nightly_apo25m", EVENING)
    instances = [item for item in run.get_task_instances() if item.task_id == "normalize"]
    skipped = [item for item in instances if item.state == "skipped"]
    assert run.state == "success"
    assert len(skipped) == 1 < len(instances)
    assert skipped[0].rendered_map_index.endswith(": unreadable")
    assert skipped[0].try_number == 1, "bad input is not tried again"
    (summary,) = catalog.nights.publications()
    assert (summary["rejected"], summary["unfinished"]) == (1, 0)


def test_without_a_model_spectra_are_normalised_and_the_night_is_green(
    run_dag: RunDag, catalog: Catalog, survey: SyntheticSurvey
) -> None:
    run = run_dag("apogee_nightly_lco25m", EVENING)
    assert run.state == "success"
    assert set(states(run)["normalize"]) == {"success"}
    assert set(states(run)["infer"]) == {"skipped"}
    (summary,) = catalog.nights.publications()
    assert summary["no_model"] == len(stars(survey, "lco25m", 59280))


def test_too_many_rejections_make_the_night_red(run_dag: RunDag, survey: SyntheticSurvey) -> None:
    for star in survey.stars:
        damage(survey.path(star), Damage.TRUNCATED)
    run = run_dag("apogee_nightly_apo25m", EVENING)
    assert run.state == "failed"
    assert states(run)["publish_night"] == ["failed"]


def test_an_empty_night_is_a_clean_no_op(run_dag: RunDag, catalog: Catalog) -> None:
    run = run_dag("apogee_nightly_apo25m", mjd=58000)
    assert run.state == "success"
    (summary,) = catalog.nights.publications()
    assert summary["listed"] == 0


def test_many_files_share_few_instances(run_dag: RunDag, survey: SyntheticSurvey) -> None:
    run_dag("cannon_training")
    run = run_dag("apogee_nightly_apo25m", EVENING, max_instances=2)
    assert states(run)["infer"] == ["success", "success"]
    assert run.state == "success"


def test_the_mjd_param_names_the_night(run_dag: RunDag, catalog: Catalog) -> None:
    run_dag("apogee_nightly_apo25m", datetime(2022, 1, 1, tzinfo=UTC), mjd=59281)
    assert [summary["mjd"] for summary in catalog.nights.publications()] == [59281]


def test_settings_name_where_everything_is(installation: Settings, run_dag: RunDag) -> None:
    run_dag("apogee_nightly_apo25m", EVENING)
    assert (installation.data_dir / "nights" / "apo25m" / "apogeeNight-apo25m-59280.fits").exists()
