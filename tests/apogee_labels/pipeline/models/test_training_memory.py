"""How much memory a training takes, and how much it may."""

from __future__ import annotations

import io
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from apogee_labels.core.errors import BadInputError
from apogee_labels.pipeline.identities import TrainingParameters
from apogee_labels.pipeline.models import training_memory as subject
from apogee_labels.pipeline.models.train import train_model
from apogee_labels.pipeline.models.training_memory import (
    NotEnoughMemoryError,
    SetSize,
    check_memory,
    needed_bytes,
    present_bytes,
    set_size,
)
from apogee_labels.pipeline.workspace import Workspace
from tests.apogee_labels.cannon.universe import make_universe

THREE = TrainingParameters(label_names=("TEFF", "LOGG", "FE_H"))
MEASURE = """
import re, resource, sys
from pathlib import Path
from apogee_labels.cannon.model import CannonModel
from apogee_labels.cannon.training_set import TrainingSet
from apogee_labels.cannon.validation.regularization_path import choose_regularization
training_set = TrainingSet.read(sys.argv[1])
if sys.argv[2] == "path":
    choose_regularization(training_set, [1.0, 10.0, 100.0], infer=False)
CannonModel.train(training_set)
status = Path("/proc/self/status")  # Linux hands ru_maxrss on from a parent, be it larger
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(1024 * int(re.search(r"VmHWM:\\s*(\\d+)", status.read_text())[1]) if status.exists() else peak)
"""


@pytest.mark.slow
@pytest.mark.parametrize("with_path", [False, True])
def test_the_estimate_is_above_what_a_training_takes_and_not_far(tmp_path: Path, with_path: bool) -> None:
    """Of 400 stars of 3000 pixels: what grows with the set is as much as what does not."""
    stars = make_universe(n_pixels=3000).training_set(np.random.default_rng(1), 400)
    path = tmp_path / "set.npz"
    stars.write(path)
    parameters = TrainingParameters(
        label_names=stars.label_names, regularization_path=(1.0, 10.0, 100.0) if with_path else ()
    )
    needed = needed_bytes(set_size(path), path.stat().st_size, parameters)
    root = str(Path(subject.__file__).resolve().parents[3])
    command = [sys.executable, "-c", MEASURE, str(path), "path" if with_path else "plain"]
    done = subprocess.run(command, env={"PYTHONPATH": root}, capture_output=True, text=True, check=True)
    peak = int(done.stdout)
    assert peak < needed < 4 * peak, f"measured {peak / 1e6:.0f} MB, estimated {needed / 1e6:.0f} MB"


def test_it_grows_with_stars_labels_order_and_a_path() -> None:
    def needed(n_stars: int = 1000, labels: str = "abc", order: int = 2, path: tuple[float, ...] = ()) -> int:
        parameters = TrainingParameters(label_names=tuple(labels), order=order, regularization_path=path)
        return needed_bytes(SetSize(n_stars, 8575), 16 * n_stars * 8575, parameters)

    plain = needed()
    assert 4e8 < plain < 8e8
    assert all(
        more > plain for more in (needed(2000), needed(labels="abcdef"), needed(order=3), needed(path=(1.0, 2.0)))
    )
    assert needed(100_000) > 40e9


def test_a_set_s_size_is_read_from_headers_or_told_from_a_pickle_s_size(tmp_path: Path) -> None:
    stars = make_universe(n_pixels=140).training_set(np.random.default_rng(1), 60)
    for name in ("set.npz", "set.pkl"):
        stars.write(tmp_path / name)
    assert set_size(tmp_path / "set.npz") == (60, 140)
    assert set_size(tmp_path / "set.pkl") == (1, 8575)
    large = tmp_path / "large.pkl"
    large.write_bytes(pickle.dumps({"flux": np.zeros((50, 8575)), "ivar": np.zeros((50, 8575))}))
    assert set_size(large) == (50, 8575)


def test_a_large_archive_is_not_unpacked_for_it(tmp_path: Path) -> None:
    """Ten thousand stars of nothing are 1.4 GB in memory and little on the disk."""
    path = tmp_path / "set.npz"
    write_npz(path, (10_000, 8575), n_bytes=8 * 10_000 * 8575)
    assert set_size(path) == (10_000, 8575)
    with pytest.raises(NotEnoughMemoryError) as refusal:
        check_memory(path, THREE, 2.0)
    message = str(refusal.value)
    assert "10000 stars, 8575 pixels, 3 labels" in message
    assert "may take 2.0 GB, as APOGEE_LABELS_TRAINING_MEMORY_GB says" in message
    assert "or on a larger machine" in message
    check_memory(path, THREE, 100.0)


def test_an_array_that_promises_more_than_is_there_is_broken(
    workspace: Workspace, training: TrainingParameters
) -> None:
    path = workspace.settings.training_set
    write_npz(path, (10**6, 8575), n_bytes=1000)
    with pytest.raises(BadInputError, match="the file holds"):
        train_model(workspace, path, training)


@pytest.mark.parametrize("content", [b"", b"not a pickle", b"PK\x03\x04 and nothing more", b"\x93NUMPY"])
def test_what_is_no_training_set_is_left_to_its_reader(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "set"
    path.write_bytes(content)
    assert set_size(path) == (1, 8575)
    check_memory(path, THREE)


def test_the_bound_is_a_share_of_the_machine_or_of_its_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "set.npz"
    make_universe(n_pixels=140).training_set(np.random.default_rng(1), 60).write(path)
    whole = present_bytes()
    assert 1e8 < whole < 1e15
    monkeypatch.setattr(subject, "_CGROUP", tmp_path / "cgroup")
    monkeypatch.setattr(subject, "_OWN_CGROUP", tmp_path / "own")
    (tmp_path / "own").write_text("0::/user/task\n")
    (tmp_path / "cgroup" / "user" / "task").mkdir(parents=True)
    (tmp_path / "cgroup" / "user" / "task" / "memory.max").write_text("max\n")
    unlimited = present_bytes()
    assert unlimited >= whole
    (tmp_path / "cgroup" / "user" / "memory.max").write_text("123000000\n")
    assert present_bytes() == 123_000_000
    with pytest.raises(NotEnoughMemoryError, match=r"may take 0\.1 GB, 80% of what there is"):
        check_memory(path, THREE)
    (tmp_path / "own").write_text("4:cpu:/\n3:memory:/elsewhere\n")
    (tmp_path / "cgroup" / "memory").mkdir()
    (tmp_path / "cgroup" / "memory" / "memory.limit_in_bytes").write_text("456000000\n")
    assert present_bytes() == 456_000_000, "of the first version, in a container that does not see its own path"
    (tmp_path / "own").unlink()
    assert present_bytes() == unlimited


def write_npz(path: Path, shape: tuple[int, int], n_bytes: int) -> None:
    """An archive whose fluxes have this shape by their header, and so many bytes of zeros."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": shape})
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("flux.npy", "w", force_zip64=True) as member,
    ):
        member.write(header.getvalue())
        for start in range(0, n_bytes, 1 << 24):
            member.write(bytes(min(1 << 24, n_bytes - start)))
