"""How large the house is, and what a change touches: the table of ARCHITECTURE.md.

Run it by ``python -m benchmarks.house``; ``--before REVISION`` puts an older state of the repository beside the present one.
What a change touches is counted on a change of its kind that was made: the source files that name it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from statistics import median

from benchmarks.report import table

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ("dags", "plugins", "include")
"""What is counted; tools/ is beside it, and was a part of plugins/ once: :data:`TOOLS` is counted with it."""
TOOLS = "tools"
CHANGES = {
    "a quantity in results (`unexplained`)": r"\bunexplained\b",
    "a telescope (`lco25m`)": r"lco25m",
    "a parameter of a night (`late_nights`)": r"\blate_nights\b",
    "a parameter of a training (`scatter_rule`)": r"\bscatter_rule\b",
    "a column of tables (`spectrum_flags`)": r"\bspectrum_flags\b",
    "an operator (`RetainProductsOperator`)": r"\bRetainProductsOperator\b",
}
"""For a kind of change, the pattern of an example."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.house", description=__doc__)
    parser.add_argument("--before", metavar="REVISION", help="a commit to stand beside the present one")
    options = parser.parse_args(arguments)
    states = ([options.before] if options.before else []) + [None]
    measured = [measure(state) for state in states]
    headings = ("", *(["before"] if options.before else []), "now")
    sys.stdout.write(table(headings, ([name, *(each[name] for each in measured)] for name in measured[-1])) + "\n")


def measure(revision: str | None) -> dict[str, str]:
    """Return the figures of a revision, or of the files as they lie here, by their names."""
    files = {path: text(revision, path) for path in sources(revision)}
    rooms = Counter(str(PurePosixPath(path).parent) for path in files if "/versions/" not in path)
    lengths = [content.count("\n") for content in files.values()]
    crowded = [f"{room} {number}" for room, number in rooms.most_common() if number > 15]
    found = {
        "lines of dags, plugins, include and tools": f"{sum(lengths):,}",
        "modules; their lines, median": f"{len(files)}; {median(lengths):.0f}",
        "folders of more than 15 modules": ", ".join(crowded) or "none",
        "classes": f"{sum(content.count(chr(10) + 'class ') for content in files.values())}",
    }
    return found | {f"files that name {what}": str(naming(revision, pattern)) for what, pattern in CHANGES.items()}


def sources(revision: str | None) -> list[str]:
    """Return the Python files of the source, in order."""
    listing = ("ls-tree", "-r", "--name-only", revision) if revision else ("ls-files",)
    return sorted(
        path for path in git(*listing).splitlines() if path.endswith(".py") and path.split("/")[0] in (*SOURCE, TOOLS)
    )


def text(revision: str | None, path: str) -> str:
    """Return a file of a revision, or as it lies here."""
    return git("show", f"{revision}:{path}") if revision else (ROOT / path).read_text()


def naming(revision: str | None, pattern: str) -> int:
    """Count the source files in which a pattern occurs."""
    where = [revision] if revision else []
    folders = [folder for folder in (*SOURCE, TOOLS) if revision or (ROOT / folder).is_dir()]
    return len(git("grep", "-lP", pattern, *where, "--", *folders, accept=(0, 1)).splitlines())


def git(*arguments: str, accept: tuple[int, ...] = (0,)) -> str:
    """Return what git prints."""
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    if done.returncode not in accept:
        raise SystemExit(f"git {' '.join(arguments)} failed: {done.stderr.strip()}")
    return done.stdout


if __name__ == "__main__":
    main()
