"""How `make run` ends; after the other files, whose Airflow it ends."""

from __future__ import annotations

import signal
import subprocess

import pytest

from tests.end_to_end.conftest import LocalRun, catalog_of, command, environment, family, free_port

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(900)]


def test_ctrl_c_leaves_no_process_and_a_second_run_finds_its_work_done(local_run: LocalRun) -> None:
    """The last test of this module: it ends the Airflow that the others use."""
    processes = family(local_run.process.pid)
    assert len(processes) > 4
    local_run.process.send_signal(signal.SIGINT)
    assert local_run.process.wait(timeout=60) == 0
    assert [process for process in processes if process.is_running()] == []
    folder = local_run.installation.home.parent
    with catalog_of(local_run.installation) as catalog:
        before = catalog.labels()
    done = subprocess.run(
        command(folder, "--once"), env=environment(free_port()), capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(": success") == 6, done.stdout
    with catalog_of(local_run.installation) as catalog:
        after = catalog.labels()
    assert list(after["created"]) == list(before["created"]), "nothing was inferred again"
