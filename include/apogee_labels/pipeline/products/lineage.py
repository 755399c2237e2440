"""Where a value in the catalogue comes from, for people: file, normalisation, model, training set, verdict, code.

Takes a result or a star; makes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from apogee_labels.catalog.records import VisitRecord
from apogee_labels.core.identity import short
from apogee_labels.core.plain import plain_fields

if TYPE_CHECKING:
    from apogee_labels.catalog.queries.lineage import Lineage
    from apogee_labels.catalog.records import InForce, ResultRow, VerdictRecord


def as_json(lineage: Lineage) -> dict[str, Any]:
    """Return a lineage as plain JSON values; a number that is not known is null."""
    result, spectrum, model = lineage.result, lineage.spectrum, lineage.model
    made, verdict = "parameters method_version code_version created", lineage.verdict
    return {
        "result": plain_fields(result, f"id {made}") | {"rows": [_row_as_json(row) for row in result.rows]},
        "file": plain_fields(spectrum, "obj telescope release apred digest path reader_version seen_at")
        | plain_fields(lineage, "held_by there_now")
        | {"visits": [plain_fields(visit, "number mjd snr file") for visit in spectrum.visits]},
        "normalization": plain_fields(lineage.normalization, f"id path {made}"),
        "model": plain_fields(model, f"id name label_names n_stars normalization provenance path {made}")
        | {"training_set": model.training_set_digest},
        "verdict": verdict and plain_fields(verdict, "outcome reason decided_by created details"),
        "in_force": lineage.in_force and plain_fields(lineage.in_force, "name since until decided_by reason"),
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
    labels = {label.name: plain_fields(label, "value error raw_error") for label in row.labels}
    return plain_fields(row, "row mjd reduced_chi_sq snr flags") | {"labels": labels}


def _moment(time: datetime) -> str:
    return time.isoformat(timespec="seconds")
