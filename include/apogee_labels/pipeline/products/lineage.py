"""Where a value in the catalogue comes from, for people: file, normalisation, model, training set, verdict, code.

Takes a result or a star; makes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from apogee_labels.catalog.records import VisitRecord
from apogee_labels.core.identity import short

if TYPE_CHECKING:
    from apogee_labels.catalog.queries.lineage import Lineage
    from apogee_labels.catalog.records import InForce, ResultRow, VerdictRecord


def as_json(lineage: Lineage) -> dict[str, Any]:
    """Return a lineage as plain JSON values; a number that is not known is null."""
    result, spectrum, made, model = lineage.result, lineage.spectrum, lineage.normalization, lineage.model
    return {
        "result": {
            "id": result.id,
            "parameters": dict(result.parameters),
            "method_version": result.method_version,
            "code_version": result.code_version,
            "created": _moment(result.created),
            "rows": [_row_as_json(row) for row in result.rows],
        },
        "file": {
            "obj": spectrum.obj,
            "telescope": spectrum.telescope,
            "release": spectrum.release,
            "apred": spectrum.apred,
            "digest": spectrum.digest,
            "path": spectrum.path,
            "held_by": lineage.held_by,
            "there_now": lineage.there_now,
            "reader_version": spectrum.reader_version,
            "seen_at": _moment(spectrum.seen_at),
            "visits": [
                {"number": visit.number, "mjd": visit.mjd, "snr": _number(visit.snr), "file": visit.file}
                for visit in spectrum.visits
            ],
        },
        "normalization": {
            "id": made.id,
            "parameters": dict(made.parameters),
            "path": made.path,
            "method_version": made.method_version,
            "code_version": made.code_version,
            "created": _moment(made.created),
        },
        "model": {
            "id": model.id,
            "name": model.name,
            "label_names": list(model.label_names),
            "training_set": model.training_set_digest,
            "n_stars": model.n_stars,
            "parameters": dict(model.parameters),
            "normalization": _plain(model.normalization),
            "provenance": _plain(model.provenance),
            "path": model.path,
            "method_version": model.method_version,
            "code_version": model.code_version,
            "created": _moment(model.created),
        },
        "verdict": _verdict_as_json(lineage.verdict),
        "in_force": _in_force_as_json(lineage.in_force),
    }


def facts(lineage: Lineage) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return what people read: a heading, and names with values below it, from the result back to the file."""
    result, spectrum, made, model = lineage.result, lineage.spectrum, lineage.normalization, lineage.model
    return [
        ("Result", [
            ("identity", result.id), ("star", spectrum.obj), *_labels(result.rows),
            ("parameters", _parameters(result.parameters)), *_versions(result.method_version, result.code_version),
            ("made", _moment(result.created)),
        ]),
        ("Model", [
            ("identity", model.id), ("name", model.name), ("parameters", _parameters(model.parameters)),
            *_versions(model.method_version, model.code_version), ("made", _moment(model.created)),
            ("verdict", verdict_sentence(lineage.verdict)), ("in force", in_force_sentence(lineage.in_force)),
        ]),
        ("Training set", [
            ("digest", model.training_set_digest), ("stars", str(model.n_stars)),
            ("normalised with", _parameters(model.normalization)), ("made from", _parameters(model.provenance)),
        ]),
        ("Normalisation", [
            ("identity", made.id), ("parameters", _parameters(made.parameters)), ("product", made.path),
            *_versions(made.method_version, made.code_version), ("made", _moment(made.created)),
        ]),
        ("File", [
            ("digest", spectrum.digest), ("first seen", f"{spectrum.path}, {_moment(spectrum.seen_at)}"),
            ("now", where_now(lineage)), ("release", f"{spectrum.release}, reduction {spectrum.apred}"),
            ("reader", spectrum.reader_version), ("visits", _visits(spectrum.visits)),
        ]),
    ]  # fmt: skip


def lines(lineage: Lineage) -> Iterator[str]:
    """Yield a lineage as text."""
    for heading, of_part in facts(lineage):
        yield heading
        yield from (f"  {name:<16} {value}" for name, value in of_part)


def verdict_sentence(verdict: VerdictRecord | None) -> str:
    """Return what was decided about a model, by whom and why."""
    if verdict is None:
        return "none"
    return f"{verdict.outcome.value} by {verdict.decided_by}, {_moment(verdict.created)}: {verdict.reason}"


def in_force_sentence(in_force: InForce | None) -> str:
    """Return when a model was in force, by whom and why."""
    if in_force is None:
        return "never"
    end = "until now" if in_force.until is None else f"until {_moment(in_force.until)}"
    reason = f": {in_force.reason}" if in_force.reason else ""
    return f"as {in_force.name} from {_moment(in_force.since)} {end}, by {in_force.decided_by}{reason}"


def where_now(lineage: Lineage) -> str:
    """Return whether the content is still in the archive, and what its path holds if it does not hold this."""
    there = lineage.there_now
    if there == lineage.spectrum.digest and lineage.held_by == lineage.spectrum.path:
        return "still there"
    if lineage.held_by is not None:
        return f"at {lineage.held_by}"
    return f"rewritten: the path holds {short(there)}" if there not in (None, lineage.spectrum.digest) else "gone"


def _labels(rows: Sequence[ResultRow]) -> Iterator[tuple[str, str]]:
    for row in rows:
        of_row = ", ".join(f"{label.name} {label.value:.6g} +- {label.error:.2g}" for label in row.labels)
        fit = f"reduced chi-square {row.reduced_chi_sq:.3g}, S/N {row.snr:.3g}, flags {row.flags}"
        yield ("labels" if row.mjd is None else f"visit {row.mjd}"), f"{of_row}; {fit}"


def _versions(method: str, code: str | None) -> list[tuple[str, str]]:
    return [("method version", method), ("code version", code or "not recorded")]


def _parameters(parameters: Mapping[str, object] | None) -> str:
    if not parameters:
        return "not recorded"
    return ", ".join(f"{name} {value}" for name, value in sorted(parameters.items()))


def _visits(visits: Sequence[VisitRecord]) -> str:
    return ", ".join(f"{visit.mjd} ({visit.file or f'S/N {visit.snr:.3g}'})" for visit in visits) or "none"


def _row_as_json(row: ResultRow) -> dict[str, Any]:
    return {
        "row": row.row,
        "mjd": row.mjd,
        "reduced_chi_sq": _number(row.reduced_chi_sq),
        "snr": _number(row.snr),
        "flags": row.flags,
        "labels": {
            label.name: {
                "value": _number(label.value), "error": _number(label.error), "raw_error": _number(label.raw_error)
            }
            for label in row.labels
        },
    }  # fmt: skip


def _verdict_as_json(verdict: VerdictRecord | None) -> dict[str, Any] | None:
    if verdict is None:
        return None
    return {
        "outcome": verdict.outcome.value,
        "reason": verdict.reason,
        "decided_by": verdict.decided_by,
        "created": _moment(verdict.created),
        "details": _plain(verdict.details),
    }


def _in_force_as_json(in_force: InForce | None) -> dict[str, Any] | None:
    if in_force is None:
        return None
    return {
        "name": in_force.name,
        "since": _moment(in_force.since),
        "until": _moment(in_force.until) if in_force.until else None,
        "decided_by": in_force.decided_by,
        "reason": in_force.reason,
    }


def _plain(mapping: Mapping[str, object] | None) -> dict[str, object] | None:
    return None if mapping is None else dict(mapping)


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _moment(time: datetime) -> str:
    return time.isoformat(timespec="seconds")
