"""Time the engine and the public implementations on the same data: ``python -m benchmarks.peers`` (``make bench-peers``).

The figures are kept in ``.peers/results.json``, where ``make bench`` finds its baselines.  Implementations get the
training spectra of all pixels for 3 labels, of a few for 17; inference is timed on a few spectra, with our coefficients,
so that all look for the same minimum.  Where a figure was measured on a part and scaled, its note says so.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks import machine
from benchmarks.baselines import NAMES, RESULTS
from benchmarks.clock import say
from benchmarks.peers import environment
from benchmarks.peers.handover import Handover
from benchmarks.quantities import gain_text
from benchmarks.report import table
from benchmarks.workbench import NotMeasuredError, Workbench
from benchmarks.works import WORKS, Work

_PIXELS_OF_17, _SPECTRA = 64, 200


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    options = _parser().parse_args(arguments)
    described, bench = machine.describe(), Workbench(options.repeats, options.training_set)
    environment.main(environment.PEERS)
    peers: dict[str, Any] = {}
    labels = (3,) if options.three_labels_only else (3, 17)
    works = [work for work in WORKS if _is_shared(work, labels) and (options.slow or not work.slow)]
    with threadpool_limits(limits=1, user_api="blas"), tempfile.TemporaryDirectory(dir=environment.FOLDER) as folder:
        ours = {work.key: _ours(work, bench) for work in works}
        for n_labels in labels:
            _hand_over(bench, n_labels, Path(folder))
        for peer in environment.PEERS:
            say(NAMES[peer])
            peers[peer] = _time(peer, Path(folder))
    results = {
        "machine": described,
        "data": bench.descriptions(),
        "ours": ours,
        "peers": {peer: found["rows"] for peer, found in peers.items()},
        "versions": {peer: found["versions"] for peer, found in peers.items()},
    }
    RESULTS.write_text(f"{json.dumps(results, indent=2)}\n", encoding="utf-8")
    sys.stdout.write(f"{text_of(results)}\n")


def text_of(results: dict[str, Any]) -> str:
    """Write what is printed: the table, the notes, the machine and the data."""
    peers, rows, notes = results["peers"], [], []
    for work in WORKS:
        found = {peer: peers[peer][work.key] for peer in NAMES if work.key in peers[peer]}
        if not found:
            continue
        mine = results["ours"].get(work.key)
        cells = [work.quantity.text(found[peer]["value"]) if peer in found else "" for peer in NAMES]
        gains = [work.quantity.gain(mine, row["value"]) for row in found.values()] if mine else []
        rows.append(
            (work.title, work.quantity.text(mine) if mine else "", *cells, gain_text(min(gains)) if gains else "")
        )
        notes += [
            f"{NAMES[peer]}, {work.title}: {row['note']}" for peer, row in found.items() if "scaled" in row["note"]
        ]
    parts = [
        table(("work", "ours", *NAMES.values(), "ratio to the better"), rows),
        "Scatter: ours as the row says, AnniesLasso by the median of chi-square, TheCannon by likelihood on a grid.",
        *notes,
        f"CPU time; the other implementations once. {machine.line(results['machine'])}",
        *(f"Data of {text}." for text in results["data"]),
    ]
    return "\n\n".join(parts)


def _is_shared(work: Work, labels: Sequence[int]) -> bool:
    """Tell whether the others do this, too; what they have not (validation, corrections) is not."""
    kind, _, rest = work.key.partition("-")
    many = rest.startswith("17")
    return kind in {"train", "infer"} and rest not in {"3-corrected", "3-validated"} and (17 in labels or not many)


def _hand_over(bench: Workbench, n_labels: int, folder: Path) -> None:
    try:
        sample, model = bench.sample(n_labels), bench.model(n_labels)
    except NotMeasuredError as error:
        say(f"  {n_labels} labels: {error}")
        return
    training_set, n_pixels = sample.training_set, len(model.wavelength)
    count = n_pixels if n_labels < 10 else min(_PIXELS_OF_17, n_pixels)
    pixels = np.unique(np.linspace(0, n_pixels - 1, count).astype(np.intp))
    powers = [[factors.count(label) for label in range(n_labels)] for factors in model.vectorizer.basis.factors]
    Handover(
        labels=training_set.labels,
        train_flux=training_set.flux[:, pixels],
        train_ivar=training_set.ivar[:, pixels],
        train_pixels=pixels,
        flux=sample.flux[:_SPECTRA],
        ivar=sample.ivar[:_SPECTRA],
        theta=model.theta,
        s2=model.s2,
        powers=np.array(powers),
        offsets=model.vectorizer.offsets,
        scales=model.vectorizer.scales,
        starts=np.percentile(training_set.labels, np.arange(5.0, 100.0, 10.0), axis=0),
    ).write(folder / f"{n_labels}.npz")


def _time(peer: str, folder: Path) -> dict[str, Any]:
    result = folder / f"{peer}.json"
    environment.run(peer, f"benchmarks.peers.{peer}", "time", str(folder), str(result))
    found: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
    return found


def _ours(work: Work, bench: Workbench) -> float | None:
    say(f"ours: {work.title}")
    try:
        return work.measure(bench)
    except NotMeasuredError:
        return None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description="Beside AnniesLasso and TheCannon.")
    parser.add_argument("--repeats", type=int, default=3, metavar="N", help="our calls of which the quickest counts")
    parser.add_argument("--training-set", type=Path, metavar="FILE", help="train on this instead of synthetic stars")
    parser.add_argument("--three-labels-only", action="store_true", help="leave out the rows of 17 labels")
    parser.add_argument("--slow", action="store_true", help="train ours of 17 labels with L1, too: minutes")
    return parser


if __name__ == "__main__":
    main()
