"""What `make bench-night` compares: a DAG of the nightly's shape, times from task instances, and the work of batches."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag

from apogee_labels.core.settings import Settings
from apogee_labels.pipeline.ingest.scan import scan_archive
from apogee_labels.pipeline.workspace import Workspace
from apogee_local.environment import Installation
from benchmarks.night import __main__ as command
from benchmarks.night import batches, report
from benchmarks.night.archive import MJD, TELESCOPE, make_night
from benchmarks.night.batches import BatchTimes, Seconds
from benchmarks.night.runs import EMPTY, HEARTBEAT, NIGHTLY, PROJECT, VARIANTS
from benchmarks.night.timing import RunFailedError, RunTimes, quickest, run_times

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def shapes() -> dict[str, dict[str, Any]]:
    """Both DAGs: of each task what decides how Airflow treats it."""
    found = {}
    for folder, dag_id in (("dags", NIGHTLY), ("benchmarks/dags", EMPTY)):
        bag = DagBag(dag_folder=str(ROOT / folder))
        assert bag.import_errors == {}
        found[dag_id] = {task.task_id: shape_of(task) for task in bag.dags[dag_id].tasks}
    return found


def shape_of(task: Any) -> dict[str, Any]:
    group = task.task_group
    return {
        "upstream": task.upstream_task_ids,
        "mapped in": type(group).__name__ if group and group.group_id else None,
        "rule": task.trigger_rule,
        "pool": task.pool,
        "retries": (task.retries, task.retry_delay),
        "label": task.map_index_template,
    }


def test_the_empty_night_has_the_nightly_s_shape(shapes: dict[str, dict[str, Any]]) -> None:
    assert shapes[EMPTY] == shapes[NIGHTLY], "change benchmarks/dags/empty_night.py with dags/apogee_nightly.py"
    assert shapes[EMPTY]["infer"]["mapped in"] == "MappedTaskGroup"


def instance(task: str, index: int, start: float, end: float, state: str = "success") -> dict[str, Any]:
    times = [f"2026-01-01T00:00:{seconds:09.6f}Z" for seconds in (start, end)]
    return {"task_id": task, "map_index": index, "state": state, "start_date": times[0], "end_date": times[1]}


RUN: Mapping[str, Any] = instance("", -1, 1.0, 31.0) | {"dag_run_id": "manual__1"}


def test_mapped_part_goes_from_the_first_start_to_the_last_end() -> None:
    instances = [
        instance("list_apstars", -1, 2.0, 3.0),
        instance("normalize", 0, 5.0, 6.0), instance("infer", 0, 10.0, 12.0),
        instance("normalize", 1, 4.5, 9.5), instance("infer", 1, 15.5, 24.5),
        instance("publish_night", -1, 28.0, 30.0),
    ]  # fmt: skip
    times = run_times(RUN, instances, cpu=7.0)
    assert (times.mapped, times.whole, times.n_mapped, times.cpu) == (20.0, 30.0, 4, 7.0)
    assert times.rate == 0.2
    assert times.instance == {"normalize": 3.0, "infer": 5.5}


@pytest.mark.parametrize("state", ["failed", "skipped", "upstream_failed"])
def test_a_night_with_an_instance_that_did_no_work_is_not_compared(state: str) -> None:
    instances = [instance("normalize", 0, 1.0, 2.0), instance("infer", 0, 2.0, 3.0, state)]
    with pytest.raises(RunFailedError, match=rf"infer\[0\] {state}"):
        run_times(RUN, instances, cpu=0.0)


def run_of(mapped: float) -> RunTimes:
    return RunTimes(mapped, 2 * mapped, {"normalize": 1.0, "infer": 0.5}, 400, mapped)


def test_the_quickest_run_counts() -> None:
    assert quickest([run_of(3.0), run_of(2.0), run_of(4.0)]) == run_of(2.0)


@pytest.mark.parametrize(("nightly", "verdict"), [(125.0, "1.25: reached"), (126.0, "1.25: missed")])
def test_table_holds_both_comparisons_against_their_targets(nightly: float, verdict: str) -> None:
    work = BatchTimes(Seconds(1.0, 0.9), Seconds(0.5, 0.4), Seconds(1.0, 1.0), Seconds(0.5, 0.5))
    found = report.Found(run_of(100.0), run_of(nightly), run_of(9.0), work)
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in report.main_table(found).splitlines()]
    assert rows[2][1:] == [f"{nightly:.2f} s", "100.00 s (empty tasks)", f"{nightly / 100:.2f}", verdict]
    assert rows[5][1:] == ["1.50 s", "1.00 s (astropy, all HDUs)", "1.50", "2.00: reached"]
    assert len({len(line) for line in report.runs_table(found).splitlines()}) == 1


def test_variants_leave_out_one_setting_each(tmp_path: Path) -> None:
    installation = Installation(tmp_path / "home", tmp_path / "data")
    environments = {variant.name: variant.environment(installation) for variant in VARIANTS}
    own, no_preload, no_heartbeat, neither = environments.values()
    config = str(ROOT / "config")
    assert [each.get("PYTHONPATH") == config for each in environments.values()] == [1, 0, 1, 0]
    assert [set(HEARTBEAT) <= each.keys() for each in environments.values()] == [1, 1, 0, 0]
    assert no_preload | {"PYTHONPATH": own["PYTHONPATH"]} == own
    assert no_heartbeat | {name: own[name] for name in HEARTBEAT} == own
    assert neither.keys() == no_heartbeat.keys() - {"PYTHONPATH"}
    assert VARIANTS[0] is PROJECT


def test_settings_are_compared_in_one_table() -> None:
    text = report.settings_table({"ours": (run_of(100.0), run_of(200.0)), "none": (run_of(400.0), run_of(1000.0))})
    cells = [cell.strip() for cell in text.splitlines()[3].strip("|").split("|")]
    assert cells == ["none", "1.00", "0.40", "2.50"]


def test_a_night_is_worked_in_batches_and_can_be_made_new(tmp_path: Path) -> None:
    night = make_night(tmp_path, 3)
    settings = Settings(data_dir=tmp_path)
    times = batches.measure(night, 2, 1)
    assert min(times.work) > 0.0
    assert times.read_all.cpu > 0.0
    with Workspace.open(settings) as workspace:
        scan_archive(workspace, TELESCOPE)
        files = workspace.catalog.archive.files_of_night(TELESCOPE, MJD)
        assert [entry.path for entry in files] == sorted(map(str, night.files)), "the archive holds the night alone"
        assert len(workspace.catalog.labels()) == 3, "the batches did their work"
    night.forget()
    with Workspace.open(settings) as workspace:
        assert workspace.catalog.archive.indexed() == {}
        assert workspace.catalog.models.in_force(settings.model_name) is not None
    assert not list(tmp_path.glob("normalized/**/*.fits"))


def test_command_measures_by_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    class Airflow:
        def empty_night(self) -> RunTimes:
            asked.append("empty")
            return run_of(4.0 - len(asked))

        def nightly(self) -> RunTimes:
            asked.append("nightly")
            return run_of(5.0)

    empty, nightly = command._both(Airflow(), 2)  # type: ignore[arg-type]
    assert asked == ["empty", "nightly"] * 2
    assert (empty.mapped, nightly.mapped) == (1.0, 5.0)
