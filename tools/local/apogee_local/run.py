"""``make run``: the nights of a synthetic observatory through a real Airflow on this machine.

Makes a small synthetic archive, starts Airflow on 127.0.0.1 with an embedded database, lets it train the model and process
the nights by a backfill over their dates, prints what came out, and serves the web UI until Ctrl-C.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from apogee_labels.apogee.archive.nights import OBSERVATORIES
from apogee_labels.core.settings import Settings
from apogee_local.environment import COMMAND, USER, Installation
from apogee_local.processes import (
    AirflowError,
    AirflowProcesses,
    airflow_processes,
    make_database,
    port_is_free,
    wait_until_healthy,
)
from apogee_local.report import comparison, night_summaries
from apogee_local.rest import FINISHED, AirflowRest

NIGHTS = (59280, 59281, 59282)
"""SDSS MJDs of the synthetic nights (evenings of 2021-03-06 to 2021-03-08)."""
MARKER = ".made-by-make-run"
ASK_AGAIN = 20.0
"""Seconds after which a night without a run is asked for again."""


def run(installation: Installation, *, own_data: bool = False, once: bool = False) -> bool:
    """Start Airflow, process the synthetic nights unless it is for `own_data`, serve unless `once`; whether all went well.

    Raises
    ------
    AirflowError
        The port is taken, or Airflow does not do what it should.
    """
    if not port_is_free(installation.port):
        raise AirflowError(
            f"port {installation.port} is taken, maybe by another Airflow: stop that, or choose one, "
            "e.g. AIRFLOW_PORT=8090 make run."
        )
    environment = installation.environment(own_settings=own_data)
    os.environ.clear()
    os.environ.update(environment)  # this process reads the catalogue with the settings of Airflow's
    Settings()  # those that are wrong are named now, and not by each DAG
    if not own_data:
        _make_archive(installation.data_dir)
    _say(2, "Airflow's database and pools")
    make_database(os.environ)
    with airflow_processes(environment) as processes:
        _say(3, f"Airflow's four processes (their logs: {processes.logs})")
        wait_until_healthy(processes, installation.url)
        all_well = True
        if not own_data:
            all_well = _process_nights(installation, processes)
            _tell()
        print(f"\nAirflow's web UI: {installation.url}   user: {USER}   password: {installation.password}", flush=True)
        if not once:
            _serve(processes)
    return all_well


def _make_archive(data_dir: Path) -> None:
    """Write the synthetic archive and training set; a training set that is there stays as it is.

    A data folder that this command did not make may hold somebody's archive: nothing is mixed with it.
    """
    _say(1, "a synthetic archive: 3 nights, 2 telescopes, one damaged file, and a training set")
    if data_dir.is_dir() and any(data_dir.iterdir()) and not (data_dir / MARKER).exists():
        raise AirflowError(
            f"{data_dir} holds data that make run did not make: use make serve for them, or move them elsewhere."
        )
    data_dir.mkdir(parents=True, exist_ok=True)
    (data_dir / MARKER).touch()
    command = [COMMAND, "simulate", str(data_dir / "sas"), "--nights", str(len(NIGHTS))]
    if not (training_set := data_dir / "training_set.pkl").exists():
        command += ["--training-set", str(training_set)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise AirflowError(f"the synthetic archive could not be made (`{' '.join(command)}`).")


def _process_nights(installation: Installation, processes: AirflowProcesses) -> bool:
    """Let Airflow train the model and then process the nights; whether all nights ended well."""
    with AirflowRest(installation.url, USER, installation.password) as rest:
        _wait_for_dags(rest, processes)
        _say(4, "the model, trained by the DAG cannon_training when it sees the training set")
        _wait_for_model(rest, processes)
        _say(5, "the nights, by a backfill over their dates: a few minutes, or nothing where that was done before")
        for telescope in OBSERVATORIES:
            _backfill(rest, telescope)
        ends = [_follow(rest, processes, telescope) for telescope in OBSERVATORIES]
        rest.unpause("cannon_reanalysis")  # for the models to come
    return all(ends)


def _wait_for_dags(rest: AirflowRest, processes: AirflowProcesses, timeout: float = 120.0) -> None:
    """Wait until the DAG files are parsed, or say what is wrong with them."""
    wanted = {
        "cannon_training",
        "cannon_reanalysis",
        "apogee_stars",
        *(f"apogee_nightly_{name}" for name in OBSERVATORIES),
    }
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        processes.keep_running()
        if wanted <= {dag["dag_id"] for dag in rest.get("dags", limit=100)["dags"]}:
            return
        if errors := rest.get("importErrors")["import_errors"]:
            raise AirflowError(f"a DAG file cannot be read: {errors[0]['filename']}:\n{errors[0]['stack_trace']}")
        time.sleep(1.0)
    raise AirflowError(f"the DAGs did not appear in {timeout:.0f} s; see {processes.log_path('dag-processor')}.")


def _wait_for_model(rest: AirflowRest, processes: AirflowProcesses, timeout: float = 300.0) -> None:
    """Unpause the DAG of trainings, and wait until a model is in force."""
    from apogee_labels.catalog import Catalog

    settings = Settings()
    deadline = time.monotonic() + timeout
    with Catalog.open(settings.catalog_url) as catalog:
        # Unpaused for the first time the DAG makes a run by itself; later it would wait for its hour or for another file.
        if rest.runs("cannon_training") and catalog.models.in_force(settings.model_name) is None:
            rest.trigger("cannon_training")
        rest.unpause("cannon_training")
        while (model := catalog.models.in_force(settings.model_name)) is None:
            processes.keep_running()
            if time.monotonic() > deadline:
                raise AirflowError(
                    f"no model is in force after {timeout:.0f} s: look at the task train of cannon_training in the UI, "
                    f"or at the logs below {processes.logs.parent}."
                )
            time.sleep(1.0)
    print(f"      model {model.id[:12]}: {model.n_stars} stars, {', '.join(model.label_names)}, {model.seconds:.1f} s")


def _backfill(rest: AirflowRest, telescope: str) -> None:
    """Ask for the nights; those that were run before are left alone, unless they failed."""
    site, dag_id = OBSERVATORIES[telescope], f"apogee_nightly_{telescope}"
    # Paused while the runs are made: when SQLite is busy Airflow takes them back, and its scheduler must not have seen them.
    rest.pause(dag_id)
    first, last = site.interval(NIGHTS[0])[0], site.interval(NIGHTS[-1])[0]
    # One file an instance, as a nightly run has it, so that the grid shows each star by its name.
    conf = {"backfill_batch": 1}
    rest.backfill(dag_id, first.isoformat(), last.isoformat(), conf=conf, reprocess="failed")
    rest.unpause(dag_id)


def _follow(rest: AirflowRest, processes: AirflowProcesses, telescope: str, timeout: float = 900.0) -> bool:
    """Print each night as it ends; ask again for nights whose runs Airflow took back.  Whether all ended well."""
    site, told = OBSERVATORIES[telescope], dict[int, str]()
    wanted = {site.interval(mjd)[0].strftime("%Y-%m-%dT%H:%M"): mjd for mjd in NIGHTS}
    deadline, ask_again = time.monotonic() + timeout, time.monotonic() + ASK_AGAIN
    while len(told) < len(NIGHTS):
        processes.keep_running()
        runs = [(wanted.get((run["logical_date"] or "")[:16]), run) for run in rest.runs(f"apogee_nightly_{telescope}")]
        for mjd, run in runs:
            if mjd and mjd not in told and run["state"] in FINISHED:
                told[mjd] = run["state"]
                print(f"      {telescope} MJD {mjd}, evening of {site.local_date(mjd)}: {run['state']}", flush=True)
        if not {mjd for mjd, _ in runs}.issuperset(NIGHTS) and time.monotonic() > ask_again:
            _backfill(rest, telescope)
            ask_again = time.monotonic() + ASK_AGAIN
        if time.monotonic() > deadline:
            raise AirflowError(f"the nights of {telescope} are not done after {timeout:.0f} s; see the grid in the UI.")
        time.sleep(1.0)
    return set(told.values()) == {"success"}


def _tell() -> None:
    """Print what came out, from the catalogue and the truth that the simulator kept."""
    _say(6, "what came out")
    for text in (*night_summaries(), comparison()):
        print(text)


def _serve(processes: AirflowProcesses) -> None:
    print("It serves until you press Ctrl-C.", flush=True)
    while True:
        processes.keep_running()
        time.sleep(1.0)


def _say(step: int, what: str, steps: Sequence[int] = range(1, 7)) -> None:
    print(f"[{step}/{steps[-1]}] {what}", flush=True)
