"""The other implementations' environments and what they are handed."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.peers import environment
from benchmarks.peers.__main__ import _is_shared, text_of
from benchmarks.peers.handover import Handover, Timing, scaled_note, write_timings
from benchmarks.works import WORKS


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Environments in a folder of the test's own, with an installer that only makes the file `bin/python`."""
    called: list[list[str]] = []

    def run(command: list[str], **options: Any) -> None:
        called.append(command)
        if "venv" in command:
            (Path(command[-1]) / "bin").mkdir(parents=True)
            (Path(command[-1]) / "bin" / "python").touch()

    monkeypatch.setattr(environment, "FOLDER", tmp_path / ".peers")
    monkeypatch.setattr(environment.shutil, "which", lambda name, path: "/bin/uv")
    monkeypatch.setattr(subprocess, "run", run)
    return called


def test_environment_is_made_once(commands: list[list[str]]) -> None:
    assert environment.python_of("annieslasso") is None
    python = environment.make("annieslasso")
    assert environment.python_of("annieslasso") == python
    made = len(commands)
    assert environment.make("annieslasso") == python
    assert len(commands) == made == 2


def test_environment_of_other_requirements_is_made_anew(commands: list[list[str]]) -> None:
    stamp = environment.make("annieslasso").parents[1] / ".installed"
    stamp.write_text(stamp.read_text() + "more\n")
    assert environment.python_of("annieslasso") is None
    environment.make("annieslasso")
    assert len(commands) == 4


def test_installation_that_fails_is_not_taken_for_done(
    commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    make = subprocess.run

    def fails(command: list[str], **options: Any) -> None:
        make(command, **options)
        if "install" in command:
            raise subprocess.CalledProcessError(1, command)

    monkeypatch.setattr(subprocess, "run", fails)
    with pytest.raises(subprocess.CalledProcessError):
        environment.make("thecannon")
    assert environment.python_of("thecannon") is None


def test_unknown_implementation_is_refused(commands: list[list[str]]) -> None:
    with pytest.raises(ValueError, match="annieslasso, thecannon"):
        environment.make("astra")
    assert not commands


@pytest.mark.parametrize("name", environment.PEERS)
def test_requirements_are_exact_names_and_versions(name: str) -> None:
    lines = [line for line in environment._requirements(name).read_text().splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*", line) for line in lines), lines
    assert any(line.startswith(f"{name}==") for line in lines)


def handover() -> Handover:
    numbers = np.arange(24.0)
    return Handover(
        labels=numbers[:6].reshape(3, 2),
        train_flux=np.ones((3, 50)),
        train_ivar=np.ones((3, 50)),
        train_pixels=np.arange(50),
        flux=np.ones((2, 50)),
        ivar=np.ones((2, 50)),
        theta=np.broadcast_to(np.arange(6.0), (50, 6)),
        s2=np.zeros(50),
        powers=np.array([[0, 0], [1, 0], [0, 1], [2, 0], [1, 1], [0, 2]]),
        offsets=np.zeros(2),
        scales=np.ones(2),
        starts=np.zeros((10, 2)),
    )


def test_handover_comes_back_as_it_was(tmp_path: Path) -> None:
    handover().write(tmp_path / "3.npz")
    again = Handover.read(tmp_path / "3.npz")
    assert all(np.array_equal(one, other) for one, other in zip(handover(), again, strict=True))


def test_coefficients_follow_their_terms() -> None:
    order = [(0, 0), (0, 1), (1, 0), (0, 2), (1, 1), (2, 0)]
    assert handover().coefficients(order)[0].tolist() == [0.0, 2.0, 1.0, 5.0, 4.0, 3.0]


def test_some_pixels_are_spread_over_all() -> None:
    assert handover().some_pixels(3).tolist() == [0, 24, 49]
    assert handover().some_pixels(1000).tolist() == list(range(50))


def test_timings_say_what_was_scaled_and_hide_what_is_printed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def noisy() -> Timing:
        print("progress bar")  # noqa: T201 - what another implementation does
        return Timing(2.0, scaled_note(5, 50, "pixels"))

    write_timings(tmp_path / "found.json", {"train-3": noisy}, {"numpy": "2"})
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["rows"]["train-3"] == {"value": 2.0, "note": "5 of 50 pixels, scaled"}
    assert scaled_note(50, 50, "pixels") == "all 50 pixels"
    captured = capfd.readouterr()
    assert "progress bar" not in captured.out
    assert "train-3" in captured.err


def test_table_takes_the_better_of_the_others() -> None:
    peers = {
        "annieslasso": {"infer-3-1": {"value": 120.0, "note": "200 spectra"}},
        "thecannon": {"infer-3-1": {"value": 400.0, "note": "9 of 90 spectra, scaled"}},
    }
    text = text_of({"peers": peers, "ours": {"infer-3-1": 8000.0}, "machine": {"cores": "2"}, "data": ["3 labels: x"]})
    row = next(line for line in text.splitlines() if line.startswith("| infer"))
    assert [cell.strip() for cell in row.strip("|").split("|")][1:] == ["8,000/s", "120/s", "400/s", "20 x"]
    assert "9 of 90 spectra, scaled" in text


def test_rows_that_the_others_have_too() -> None:
    shared = {work.key for work in WORKS if _is_shared(work, (3, 17))}
    assert {"train-3", "train-17-l1", "infer-17", "infer-one"} <= shared
    assert not shared & {"infer-3-corrected", "train-3-validated", "continuum-first", "read", "memory"}
    assert not any("17" in work.key for work in WORKS if _is_shared(work, (3,)))
