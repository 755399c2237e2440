"""From a training set that changed to a catalogue that is up to date, through a real Airflow, with crashes on the way."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from types import ModuleType

import pytest

from apogee_labels.core.settings import PROJECT_ROOT
from apogee_local.environment import USER, Installation
from apogee_local.processes import airflow_processes, make_database, wait_until_healthy
from apogee_local.rest import AirflowRest
from tests.end_to_end.conftest import free_port
from tests.support.airflow_month import QUICK, Nightly
from tests.support.model_life import LACKING, MJD, REANALYSIS, TRAINING, Life
from tests.support.observatory import APRED, RELEASE, Observatory, choose_plates

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.shared,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("default"),  # sdss_access warns of a release that it knows by another name
]
STARS_A_PLATE = 16


@pytest.fixture(scope="module")
def lived(make_nights: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    """The life of some models, lived to its end; Airflow still runs."""
    folder = tmp_path_factory.mktemp("life")
    installation = Installation(folder / "home", folder / "data", free_port())
    environment = installation.environment(release=RELEASE, apred=APRED)
    environment |= {
        **QUICK,
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT_ROOT / "tests" / "support" / "life_dags"),
        # A file is watched from the next parse on after its DAG was unpaused.
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "5",
    }
    installation.data_dir.mkdir(parents=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SAS_BASE_DIR", str(installation.data_dir / "sas"))  # make_nights.py sets it as well
        plates = choose_plates(make_nights.plates(), [MJD], {"apo25m": 2})
        observatory = Observatory(make_nights, installation.data_dir / "sas", plates, STARS_A_PLATE)
        make_database(environment)
        started = time.monotonic()
        with airflow_processes(environment) as processes:
            wait_until_healthy(processes, installation.url)
            watcher = installation._secrets()["watcher"]
            with (
                AirflowRest(installation.url, USER, installation.password) as rest,
                AirflowRest(installation.url, "watcher", watcher) as viewer,
            ):
                nightly = Nightly(rest, processes, installation.data_dir / "catalog.db")
                nightly.until(
                    "the DAGs are there",
                    lambda: {dag["dag_id"] for dag in rest.get("dags")["dags"]} >= {TRAINING, REANALYSIS},
                )
                life = Life(nightly, observatory, make_nights, installation.data_dir / "training_set.pkl", viewer)
                life.live()
                sys.stdout.write(f"the life of {life.models()} models in {time.monotonic() - started:.0f} s\n")
                yield life


def test_a_training_that_is_killed_leaves_no_half_model_and_is_done_once(lived: Life) -> None:
    assert lived.facts["models when killed"] == 0
    first, files = lived.facts["first"], lived.facts["files after the first"]
    assert [name for name in files if name.endswith(".fits")] == [f"{first}.fits"]
    assert [name for name in files if name.startswith(".")] == [], "nothing half written is left"


def test_the_same_content_by_five_ways_of_touching_it_trains_nothing(lived: Life) -> None:
    models, trainings, events = lived.facts["after touching"]
    assert (models, trainings) == (1, 0)
    assert events >= 3, "the watcher saw it, and a run looked at the content"


def test_a_changed_set_trains_once(lived: Life) -> None:
    """Also where it changed while the DAG was paused and the triggerer was gone, and while a question was open."""
    assert lived.facts["changed while paused"] == 0
    assert lived.facts["changed"] == 1
    assert lived.facts.get("asked unexpectedly", []) == [], "it is no worse, and comes into force by itself"
    rows = lived.nightly.rows("SELECT training_set_digest, label_names, count(*) FROM model GROUP BY 1, 2")
    assert sorted(count for *_, count in rows) == [1] * 5
    assert lived.nightly.rows("SELECT count(*) FROM duplicate_work WHERE kind = 'model'") == [(0,)]


def test_a_broken_set_gets_one_verdict_and_the_model_in_force_stays(lived: Life) -> None:
    verdicts, trainings, unchanged = lived.facts["broken"]
    assert (verdicts, trainings, unchanged) == (1, 1, True)


def test_a_worse_model_waits_for_a_person_and_a_night_goes_on_meanwhile(lived: Life) -> None:
    assert "TEFF" in lived.facts["question"]
    unchanged, pinned = lived.facts["night while asked"]
    assert unchanged
    assert pinned == lived.nightly.rows("SELECT model_id FROM in_force ORDER BY id DESC LIMIT 1 OFFSET 1")[0][0]


def test_a_viewer_may_not_answer(lived: Life) -> None:
    assert lived.facts["viewer"] == 403


def test_a_no_is_kept_with_who_said_it_and_changes_nothing(lived: Life) -> None:
    assert lived.facts["refusal"] == 200
    unchanged, (outcome, who, why) = lived.facts["after refusal"]
    assert unchanged
    assert (outcome, who) == ("refused", USER)
    assert "too noisy" in why


def test_a_yes_is_kept_with_who_said_it_and_puts_the_model_in_force(lived: Life) -> None:
    assert lived.facts["approval"] == 200
    outcome, who, why = lived.facts["after approval"]
    assert (outcome, who) == ("accepted", USER)
    assert "for a test" in why


def test_every_star_has_one_current_result_by_each_model_that_was_in_force(lived: Life) -> None:
    """And none twice, although the scheduler died during and before a reanalysis."""
    for (model,) in lived.nightly.rows("SELECT DISTINCT model_id FROM in_force"):
        assert lived.nightly.rows(LACKING, model) == []
    refused = lived.nightly.rows("SELECT model_id FROM verdict WHERE outcome = 'refused'")
    assert lived.nightly.rows("SELECT count(*) FROM in_force WHERE model_id = ?", refused[0][0]) == [(0,)]


def test_no_normalisation_was_done_again(lived: Life) -> None:
    assert len(lived.facts["products"]) == 2 * STARS_A_PLATE
    assert lived.products() == lived.facts["products"]
    assert lived.nightly.rows("SELECT count(*) FROM duplicate_work WHERE kind = 'normalization'") == [(0,)]


def test_three_labels_became_four_by_the_form(lived: Life) -> None:
    query = "SELECT label_names FROM model WHERE id = ?"
    names = [lived.nightly.rows(query, lived.facts[which])[0][0] for which in ("first", "four labels")]
    assert [name.count(",") + 1 for name in names] == [3, 4]
