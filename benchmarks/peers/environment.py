"""The environment of each public implementation, below ``.peers/``: ``python -m benchmarks.peers.environment NAME ...``.

The project's own environment stays as its lock says.  An environment is used when it was completed for this folder and
these requirements, and is made anew otherwise.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

from benchmarks.clock import say

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".peers"
PEERS = ("annieslasso", "thecannon")


def python_of(name: str) -> Path | None:
    """Python of an implementation's environment; None where there is none of the present requirements."""
    python, stamp = FOLDER / name / "bin" / "python", FOLDER / name / ".installed"
    complete = python.exists() and stamp.is_file() and stamp.read_text(encoding="utf-8") == _state(name)
    return python if complete else None


def make(name: str) -> Path:
    """Return the Python of an implementation's environment, which is made when it is not there.

    Raises
    ------
    ValueError
        No such implementation.
    subprocess.CalledProcessError
        The packages cannot be installed; the installer has said why.
    """
    if name not in PEERS:
        raise ValueError(f"expected one of {', '.join(PEERS)}, got {name!r}.")
    python = python_of(name)
    if python is None:
        say(f"Making .peers/{name}")
        python = _make(name)
        (FOLDER / name / ".installed").write_text(_state(name), encoding="utf-8")
    return python


def run(name: str, module: str, *arguments: str) -> None:
    """Run a module of the project with an implementation's Python, one thread of BLAS.

    Raises
    ------
    subprocess.CalledProcessError
        It fails; its traceback is on standard error.
    """
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    # TheCannon draws nothing here, but importing it sets up matplotlib, which keeps a folder.
    own = {"MPLBACKEND": "agg", "MPLCONFIGDIR": str(FOLDER / "matplotlib")}
    command = [str(make(name)), "-m", module, *arguments]
    subprocess.run(command, cwd=ROOT, env=kept | threads | own, check=True, stdin=subprocess.DEVNULL)


def _requirements(name: str) -> Path:
    return Path(__file__).with_name(f"requirements-{name}.txt")


def _state(name: str) -> str:
    return f"{FOLDER}\n{_requirements(name).read_text(encoding='utf-8')}"


def _make(name: str) -> Path:
    """Make an environment by uv where there is one, else by venv and pip."""
    folder = FOLDER / name
    python, requirements = folder / "bin" / "python", str(_requirements(name))
    shutil.rmtree(folder, ignore_errors=True)
    uv = shutil.which("uv", path=os.pathsep.join([os.environ.get("PATH", ""), str(Path(sys.executable).parent)]))
    if uv:
        subprocess.run([uv, "venv", "--quiet", "--no-project", "--python", sys.executable, str(folder)], check=True)
        install = [uv, "pip", "install", "--quiet", "--python", str(python)]
    else:
        venv.create(folder, with_pip=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, "-r", requirements], check=True, cwd=ROOT, stdin=subprocess.DEVNULL)
    return python


def main(names: Sequence[str]) -> None:
    """Make the environments of these implementations, or of all."""
    for name in names or PEERS:
        make(name)


if __name__ == "__main__":
    main(sys.argv[1:])
