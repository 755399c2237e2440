"""What ``make bench-scan`` measures in a process of its own, because memory is to be that of a scan and nothing else.

``python -m benchmarks.scan_process unchanged|new ...`` prints JSON.  Times are of the wall clock: a database server's work
counts.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import TypeVar

ROOT = Path(__file__).resolve().parents[1]
T = TypeVar("T")


def unchanged(data_dir: Path, url: str, telescope: str, mjd: int, repeats: int) -> dict[str, float]:
    """Measure scans of an archive that is as the catalogue has it, and what a night asks the catalogue."""
    return _run("unchanged", data_dir, url, telescope, mjd, repeats)


def new(data_dir: Path, telescope: str) -> dict[str, float]:
    """Measure the first scan of an archive, and reading the same bytes and nothing else."""
    return _run("new", data_dir, "", telescope)


def _run(*arguments: object) -> dict[str, float]:
    from apogee_labels.core.settings import PREFIX

    command = [sys.executable, "-m", "benchmarks.scan_process", *map(str, arguments)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith((PREFIX, "SAS_"))}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _unchanged(data_dir: str, url: str, telescope: str, mjd: str, repeats: str) -> dict[str, float]:
    from apogee_labels.core.settings import Settings
    from apogee_labels.pipeline.workspace import Workspace

    settings = Settings(data_dir=Path(data_dir), catalog_url=url)
    with Workspace.open(settings) as workspace:
        archive, catalog = workspace.archive(), workspace.catalog
        before = _peak_of_memory()
        seconds, scanned = _quickest(lambda: _scan(workspace, telescope), int(repeats))
        peak = _peak_of_memory()
        of_night, files = _quickest(lambda: catalog.archive.files_of_night(telescope, int(mjd)), int(repeats))
        without, unread = _quickest(lambda: catalog.archive.files_of_no_night(telescope), int(repeats))
        walk, walked = _quickest(lambda: sum(1 for _ in archive.walk(telescope)), int(repeats))
        bare, _ = _quickest(lambda: _count(str(archive.root)), int(repeats))
    if (scanned, len(unread)) != (walked, 0):
        raise AssertionError(f"the archive was to be unchanged: {scanned} of {walked} files, {len(unread)} unread")
    return {
        "files": scanned, "seconds": seconds, "megabytes": peak - before, "walk": walk, "bare_walk": bare,
        "night": of_night, "night_files": len(files), "without_spectrum": without,
    }  # fmt: skip


def _scan(workspace: object, telescope: str) -> int:
    """Scan, and say how many files were seen; a scan that changed something or was not one is an error."""
    from apogee_labels.pipeline.ingest.scan import scan_archive

    scan = scan_archive(workspace, telescope)  # type: ignore[arg-type]
    if scan.reused or scan.n_changed or scan.n_gone:
        raise AssertionError(f"a scan of an unchanged archive was expected, got {scan}")
    return scan.n_seen


def _new(data_dir: str, url: str, telescope: str) -> dict[str, float]:
    from apogee_labels.core.settings import Settings
    from apogee_labels.pipeline.ingest.scan import scan_archive
    from apogee_labels.pipeline.workspace import Workspace

    with Workspace.open(Settings(data_dir=Path(data_dir), catalog_url=url)) as workspace:
        paths = [Path(found.path) for found in workspace.archive().walk(telescope)]
        reading, _ = _quickest(lambda: sum(len(path.read_bytes()) for path in paths), 3)
        start = perf_counter()
        scan = scan_archive(workspace, telescope)
        seconds = perf_counter() - start
    if scan.n_changed != len(paths):
        raise AssertionError(f"{len(paths)} new files were expected, got {scan}")
    return {"files": len(paths), "seconds": seconds, "reading": reading}


def _quickest(work: Callable[[], T], repeats: int) -> tuple[float, T]:
    """Seconds of the quickest of several calls, and what it returned: the others were disturbed."""
    calls = []
    for _ in range(max(1, repeats)):
        start = perf_counter()
        answer = work()
        calls.append((perf_counter() - start, answer))
    return min(calls, key=lambda call: call[0])


def _count(folder: str) -> int:
    """Stat every file below a folder and do nothing with it: the floor for whatever finds files by their time stamps."""
    count = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                count += _count(entry.path)
            else:
                entry.stat()
                count += 1
    return count


def _peak_of_memory() -> float:
    """Largest memory that this process has had in use, 10^6 bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # elsewhere a child's figure begins with that of its parent
        (line,) = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) * 1024 / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def main(what: str, *arguments: str) -> None:
    """Measure in this process, and print JSON."""
    found = _unchanged(*arguments) if what == "unchanged" else _new(*arguments)
    sys.stdout.write(f"{json.dumps(found)}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
