"""The machine and the libraries: without them a time says little."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_info


def describe() -> dict[str, str]:
    """Return processor, cores, versions and the load at this moment, in the order in which they are printed."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    return {
        "CPU": _processor(),
        "cores": str(os.cpu_count()),
        "Python": platform.python_version(),
        "numpy": np.__version__,
        "BLAS": _blas(),
        "load average at start": f"{load:.1f}",
    }


def line(parts: dict[str, str]) -> str:
    """Write the description as one line."""
    return ", ".join(f"{name} {value}" for name, value in parts.items()) + ", one thread of BLAS."


def _processor() -> str:
    """Return the processor's name: Linux tells it in a file only."""
    path = Path("/proc/cpuinfo")
    names = [text for text in path.read_text().splitlines() if text.startswith("model name")] if path.exists() else []
    return names[0].partition(":")[2].strip() if names else platform.processor() or platform.machine()


def _blas() -> str:
    libraries = [library for library in threadpool_info() if library["user_api"] == "blas"]
    found = {f"{library['internal_api']} {library.get('version')}" for library in libraries}
    return " and ".join(sorted(found)) or "unknown"
