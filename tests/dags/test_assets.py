"""The asset graph; the events that runs leave are looked at where these DAGs are run."""

from __future__ import annotations

from pathlib import Path


def test_the_assets_tell_one_story() -> None:
    """From the training set to the tables of nights, each is made by a task that takes the one before it."""
    from airflow.dag_processing.dagbag import DagBag

    made: dict[str, set[str]] = {}
    for dag in DagBag(dag_folder=str(Path(__file__).resolve().parents[2] / "dags")).dags.values():
        for task in dag.tasks:
            for outlet in task.outlets:
                made.setdefault(outlet.name, set()).update(inlet.name for inlet in task.inlets)
                assert not task.get_closest_mapped_task_group(), "an event a file costs a call a file"
    assert made["cannon_model"] >= {"cannon_training_set"}
    assert made["cannon_model_in_force"] >= {"cannon_model"}
    for name in ("apogee_normalized_spectra", "apogee_label_catalog", "apogee_night_tables"):
        assert made[name] >= {"cannon_model_in_force"}
