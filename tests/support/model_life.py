"""The story of a model at an observatory: what becomes of its training set, who is asked, and what crashes meanwhile."""

from __future__ import annotations

import pickle
import shutil
import sqlite3
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import numpy as np

from apogee_local.rest import FINISHED, AirflowRest
from tests.support.airflow_month import DAGS, Nightly
from tests.support.observatory import Observatory

TRAINING, REANALYSIS = "cannon_training", "cannon_reanalysis"
APO, MJD = "apo25m", 58043
STARS, FEWER = 300, 290
"""Of the first training set, and of the one that changed."""
QUIET = 4.0
"""Seconds in which a training set that changed would have been seen: it settles for 1, and is looked at twice a second."""

LACKING = """
SELECT spectrum.obj FROM archive_file JOIN spectrum ON spectrum.digest = archive_file.digest
WHERE (SELECT count(*) FROM result JOIN normalization ON normalization.id = result.normalization_id
       WHERE normalization.digest = archive_file.digest AND result.model_id = ?) != 1
"""
"""Stars that have not one result by a model."""


@dataclass
class Life:
    """The installation, and what was seen on the way; :meth:`live` is the story."""

    nightly: Nightly
    observatory: Observatory
    make_nights: ModuleType
    training_set: Path
    viewer: AirflowRest
    facts: dict[str, Any] = field(default_factory=dict)

    def live(self) -> None:
        """Let it all happen."""
        for chapter in (
            self._first_model,
            self._touched_in_five_ways,
            self._changed,
            self._broken,
            self._four_labels_by_form,
            self._refused,
            self._approved,
        ):
            started = time.monotonic()
            chapter()
            sys.stdout.write(f"{chapter.__name__}: {time.monotonic() - started:.0f} s\n")  # pytest -rP

    def _first_model(self) -> None:
        """The training is killed; then the first model comes into force, and a night is analysed by it."""
        self.observatory.reduce(APO, [MJD])
        self.write_set(STARS, seed=1)
        rest = self.nightly.rest
        rest.unpause(TRAINING)
        rest.unpause(REANALYSIS)
        self.nightly.until("the training runs", lambda: self.states(TRAINING, "train").count("running"))
        time.sleep(1.5)  # in the middle: it takes some seconds
        self.facts["models when killed"] = self.models()
        self._crash()
        self.nightly.until("a model is in force", self.in_force)
        self._until_looked()
        self.facts["first"] = self.in_force()
        self.facts["files after the first"] = sorted(path.name for path in (self.data_dir / "models").iterdir())
        rest.unpause(DAGS[APO])
        self.run_night()
        self._until_current()
        self.facts["products"] = self.products()

    def _touched_in_five_ways(self) -> None:
        path, elsewhere = self.training_set, self.training_set.with_name("elsewhere.pkl")
        trainings, events = self.trainings(), self.events()

        def rename_and_back() -> None:
            path.rename(elsewhere)
            time.sleep(2.0)
            elsewhere.rename(path)

        def copy_back() -> None:
            shutil.copy2(path, elsewhere)
            path.unlink()
            shutil.copyfile(elsewhere, path)

        def link() -> None:
            path.unlink()
            path.symlink_to(elsewhere)

        ways: tuple[Callable[[], object], ...] = (
            path.touch, rename_and_back, copy_back, lambda: path.write_bytes(path.read_bytes()), link,
        )  # fmt: skip
        for way in ways:
            way()
            time.sleep(QUIET)
        self._until_looked()
        self.facts["after touching"] = (self.models(), self.trainings() - trainings, self.events() - events)

    def _changed(self) -> None:
        """A changed set is trained on once, and comes into force by itself: it is no worse.

        It changes while the DAG is paused and there is no triggerer.
        """
        before, models = self.in_force(), self.models()
        self.nightly.rest.pause(TRAINING)
        self.nightly.processes.kill("triggerer")
        self.write_set(FEWER, seed=1)
        self.nightly.processes.start("triggerer")
        time.sleep(QUIET)
        self.facts["changed while paused"] = self.models() - models
        self.nightly.rest.unpause(TRAINING)
        self._until_in_force_or_asked(before)
        self._until_looked()
        self._until_current()
        self.facts["changed"] = self.models() - models

    def _broken(self) -> None:
        """A set that cannot be read is a verdict, once."""
        before, trainings = self.in_force(), self.trainings()
        self.training_set.write_bytes(b"no training set")
        self.nightly.until(
            "it has a verdict", lambda: self.nightly.rows("SELECT 1 FROM verdict WHERE outcome = 'broken'")
        )
        time.sleep(QUIET)
        self._until_looked()
        count = self.nightly.rows("SELECT count(*) FROM verdict WHERE outcome = 'broken'")[0][0]
        self.facts["broken"] = (count, self.trainings() - trainings, self.in_force() == before)

    def _four_labels_by_form(self) -> None:
        """Other labels are another model; between acceptance and reanalysis the scheduler dies."""
        self.write_set(FEWER, seed=1)  # the broken one was in its place: nothing to train on, for it has a verdict
        before = self.in_force()
        self.nightly.rest.trigger(TRAINING, {"label_names": list(self.make_nights.LABELS)})
        self._until_in_force_or_asked(before)
        self._crash()
        self._until_current()
        self.facts["four labels"] = self.in_force()

    def _refused(self) -> None:
        """A spoilt set is asked about; a night goes on meanwhile; a viewer may not answer, and the answer is no.

        Another set comes while the question is open.
        """
        before = self.in_force()
        self.write_set(STARS, seed=2, noise=250.0)
        question = self._until_asked(TRAINING)
        self.facts["question"] = question["body"]
        self.run_night()
        self.facts["night while asked"] = (self.in_force() == before, self.pinned())
        self.write_set(STARS, seed=3, noise=250.0)
        self.facts["viewer"] = self.answer(self.viewer, question, "Approve")
        self.facts["refusal"] = self.answer(self.nightly.rest, question, "Reject", "too noisy")
        self.nightly.until(
            "the refusal is on record", lambda: self.nightly.rows("SELECT 1 FROM verdict WHERE outcome = 'refused'")
        )
        self.facts["after refusal"] = (self.in_force() == before, self.verdict(question))

    def _approved(self) -> None:
        """The set that came meanwhile is approved, and the scheduler dies while it is brought to all stars."""
        before = self.in_force()
        question = self._until_asked(TRAINING)
        reanalyses = len(self.nightly.rest.runs(REANALYSIS))
        self.facts["approval"] = self.answer(self.nightly.rest, question, "Approve", "for a test")
        self.nightly.until("it is in force", lambda: self.in_force() != before)
        self.nightly.until(
            "the reanalysis runs",
            lambda: (
                len(self.nightly.rest.runs(REANALYSIS)) > reanalyses
                and self.state_of(REANALYSIS, "reanalyse") in ("running", "success")
            ),
        )
        self._crash()
        self._until_current()
        self.nightly.until("the tables are by it", lambda: self.state_of(REANALYSIS, "publish_tables") == "success")
        self.facts["after approval"] = self.verdict(question)
        self.facts["approved"] = self.in_force()

    @property
    def data_dir(self) -> Path:
        """Of the installation."""
        return self.nightly.catalog.parent

    def write_set(self, count: int, *, seed: int, noise: float = 0.0) -> None:
        """Put a training set in place at once; `noise` (K) spoils its temperatures."""
        made = self.training_set.with_name("making.pkl")
        data = self.make_nights.make_training_set(made, count, seed, self.make_nights.LABELS)
        if noise:
            data["labels"][0] += np.random.default_rng(seed).normal(0.0, noise, count)
            made.write_bytes(pickle.dumps(data, protocol=4))
        made.replace(self.training_set)  # a link as well

    def models(self) -> int:
        """How many models are on record."""
        return int(self.nightly.rows("SELECT count(*) FROM model")[0][0])

    def in_force(self) -> str | None:
        """The identity of the model in force."""
        try:
            rows = self.nightly.rows("SELECT model_id FROM in_force ORDER BY id DESC LIMIT 1")
        except sqlite3.OperationalError:  # there is no catalogue yet
            return None
        return rows[0][0] if rows else None

    def pinned(self) -> str:
        """The model that the last night's run was pinned to."""
        return str(self.nightly.rows("SELECT model_id FROM night_run ORDER BY listed_at DESC LIMIT 1")[0][0])

    def verdict(self, question: dict[str, Any]) -> tuple[Any, ...]:
        """Outcome, who, and why, of the newest verdict."""
        return self.nightly.rows("SELECT outcome, decided_by, reason FROM verdict ORDER BY created DESC LIMIT 1")[0]

    def products(self) -> dict[str, int]:
        """The normalised spectra, and when each was written (ns)."""
        return {path.name: path.stat().st_mtime_ns for path in (self.data_dir / "normalized").rglob("*.fits")}

    def lacking(self) -> list[Any]:
        """Stars that have not one result by the model in force."""
        return self.nightly.rows(LACKING, self.in_force())

    def state_of(self, dag_id: str, task_id: str) -> str | None:
        """The state of a task in the newest run of a DAG."""
        runs = self.nightly.rest.runs(dag_id, order_by="-run_after")
        if not runs:
            return None
        states = [
            item["state"]
            for item in self.nightly.rest.task_instances(dag_id, runs[0]["dag_run_id"])
            if item["task_id"] == task_id
        ]
        return states[0] if states else None

    def states(self, dag_id: str, task_id: str) -> list[str | None]:
        """The states of a task in all runs of a DAG."""
        items = self.nightly.rest.task_instances(dag_id, "~")
        return [item["state"] for item in items if item["task_id"] == task_id]

    def trainings(self) -> int:
        """How many runs found something to train on."""
        return self.states(TRAINING, "training_set_changed").count("success")

    def events(self) -> int:
        """How many runs the watcher of the file has woken."""
        return sum(run["run_type"] == "asset_triggered" for run in self.nightly.rest.runs(TRAINING))

    def run_night(self) -> None:
        """Run the night once more, and wait for its end."""
        run = self.nightly.rest.trigger(DAGS[APO], {"mjd": MJD})
        self.nightly.rest.wait_for_runs(DAGS[APO], lambda each: each["dag_run_id"] == run, 1, timeout=240.0)

    def answer(self, rest: AirflowRest, question: dict[str, Any], option: str, comment: str = "") -> int:
        """Answer a question by REST: the status."""
        task = question["task_instance"]
        path = (
            f"dags/{task['dag_id']}/dagRuns/{task['dag_run_id']}/taskInstances/{task['task_id']}"
            f"/{task['map_index']}/hitlDetails"
        )
        body = {"chosen_options": [option], "params_input": {"comment": comment}}
        try:
            rest.request("PATCH", path, json=body)
        except httpx.HTTPStatusError as error:
            return error.response.status_code
        return 200

    def questions(self) -> list[dict[str, Any]]:
        """What waits for an answer."""
        found = self.nightly.rest.get("dags/~/dagRuns/~/hitlDetails", response_received=False, limit=100)
        return [each for each in found["hitl_details"] if each["task_instance"]["state"] == "awaiting_input"]

    def _until_asked(self, dag_id: str) -> dict[str, Any]:
        def asked() -> list[dict[str, Any]]:
            return [each for each in self.questions() if each["task_instance"]["dag_id"] == dag_id]

        self.nightly.until("a person is asked", asked)
        # As a person would: an answer in the very second in which the task begins to wait meets its end in Airflow 3.3.2's
        # scheduler, which takes it for a crash; the task is tried again, and asks again.
        time.sleep(3.0)
        return asked()[0]

    def _until_in_force_or_asked(self, before: str | None) -> None:
        """Until another model is in force; a question is answered with yes."""

        def done() -> bool:
            for question in self.questions():
                self.facts.setdefault("asked unexpectedly", []).append(question["body"])
                self.answer(self.nightly.rest, question, "Approve")
            return self.in_force() != before

        self.nightly.until("another model is in force", done)

    def _until_looked(self) -> None:
        """Until whatever woke the training so far has had its run."""
        self.nightly.until("no training is under way", lambda: self._all_ended(TRAINING))

    def _until_current(self) -> None:
        """Until each star has one result by the model in force, and no reanalysis is under way."""
        self.nightly.until("every star has a result by the model in force", lambda: not self.lacking())
        self.nightly.until("no reanalysis is under way", lambda: self._all_ended(REANALYSIS))

    def _all_ended(self, dag_id: str) -> bool:
        return all(run["state"] in FINISHED for run in self.nightly.rest.runs(dag_id))

    def _crash(self) -> None:
        self.nightly.processes.kill("scheduler")
        self.nightly.processes.start("scheduler")
