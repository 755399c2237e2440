"""A checkout of the project in miniature, on a bare machine: the Makefile without packages to install."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.support.compose import PROJECT_ROOT

TOOLS = (
    "sh", "make", "awk", "cksum", "dirname", "find", "grep", "mkdir", "printf", "rm", "sed", "test", "tee", "cat",
    "env", "ln",
)  # fmt: skip
SHOW = "import os, sys; print('HOME', os.environ['HOME']); print('PATH', *sys.path)"
"""What the command does here: it shows what it was given."""
BACKEND = f'''"""A build backend without packages: an editable installation is the command alone."""

import zipfile

INFO = "apogee_labels-0.dist-info"
SHOW = """{SHOW}"""


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    name = "apogee_labels-0-py3-none-any.whl"
    with zipfile.ZipFile(wheel_directory + "/" + name, "w") as wheel:
        wheel.writestr("shown.py", "def main():\\n    exec(" + repr(SHOW) + ")\\n")
        wheel.writestr(INFO + "/METADATA", "Metadata-Version: 2.1\\nName: apogee-labels\\nVersion: 0\\n")
        wheel.writestr(INFO + "/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(INFO + "/entry_points.txt", "[console_scripts]\\napogee-labels = shown:main\\n")
        wheel.writestr(INFO + "/RECORD", "")
    return name
'''
PYPROJECT = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
VENV = 'for last in "$@"; do :; done; exec python3 -m venv --without-pip "$last"'


@dataclass(frozen=True)
class Checkout:
    """A folder with the Makefile, and a PATH of its own.

    Attributes
    ----------
    folder
        The project's root, with a space and an accent in its name.
    bin
        The only folder on PATH.
    """

    folder: Path
    bin: Path

    def make(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run make with nothing of this process's environment but what is given."""
        variables = {"PATH": str(self.bin), "HOME": str(self.bin), "LC_ALL": "C.UTF-8"} | environment
        return subprocess.run(
            ["make", *arguments],
            cwd=self.folder,
            env=variables,
            text=True,
            capture_output=True,
            timeout=120,
            check=False,
        )

    def program(self, name: str, script: str) -> None:
        """Put a shell script on PATH."""
        path = self.bin / name
        path.unlink(missing_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def installations(self) -> list[str]:
        """List the calls of ``uv pip install`` so far that were for locks."""
        log = self.bin / "uv.log"
        return [line for line in log.read_text().splitlines() if " -r " in line] if log.exists() else []


def bare_checkout(folder: Path) -> Checkout:
    """Make a checkout on a machine with make, this Python and no uv.

    Parameters
    ----------
    folder
        An empty folder.
    """
    checkout = Checkout(folder / "check out é", folder / "bin")
    checkout.bin.mkdir()
    for name in TOOLS:
        if found := shutil.which(name):
            (checkout.bin / name).symlink_to(found)
    checkout.program("python3", f'exec "{os.path.realpath(sys.executable)}" "$@"')
    checkout.program("apogee-labels", f'exec .venv/bin/python -c "{SHOW}"')  # what uv installs here
    for name in ("benchmarks", "config", "dags", "include", "plugins", "tests", "tools", "deployment"):
        (checkout.folder / name).mkdir(parents=True)
    (checkout.folder / "pyproject.toml").write_text(PYPROJECT)
    (checkout.folder / "backend.py").write_text(BACKEND)
    shutil.copy(PROJECT_ROOT / "Makefile", checkout.folder)
    shutil.copy(PROJECT_ROOT / "deployment" / "environment.sh", checkout.folder / "deployment")
    (checkout.folder / "requirements.txt").write_text("# nothing\n")
    (checkout.folder / "requirements-dev.txt").write_text("# nothing more\n")
    return checkout


def with_uv(checkout: Checkout, venv: str = VENV) -> Checkout:
    """Add a uv that makes environments without pip and writes down what it was asked to install."""
    checkout.program(
        "uv",
        'case "$1" in\n'
        f"venv) {venv} ;;\n"
        f'pip) echo "$*" >> "{checkout.bin}/uv.log"; ln -sf "{checkout.bin}/apogee-labels" .venv/bin/ ;;\n'
        "esac",
    )
    return checkout
