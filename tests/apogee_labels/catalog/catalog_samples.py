"""Records to fill a catalogue with, and processes that use it at the same moment."""

from __future__ import annotations

import math
import multiprocessing
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import insert

from apogee_labels.catalog import Catalog
from apogee_labels.catalog.db import schema
from apogee_labels.catalog.db.rows import row_of
from apogee_labels.catalog.records import (
    ArchiveFile,
    Expected,
    LabelValue,
    ModelRecord,
    NormalizationRecord,
    RejectionRecord,
    ResultRecord,
    ResultRow,
    SpectrumRecord,
    Stage,
    VisitRecord,
)
from apogee_labels.core.errors import Reason
from apogee_labels.core.identity import digest_of

EPOCH = datetime(2024, 3, 1, 4, 5, 6, 789, tzinfo=UTC)
LABELS = ("TEFF", "LOGG", "FE_H")
NIGHT = 59000


def moment(minutes: float) -> datetime:
    return EPOCH + timedelta(minutes=minutes)


def content(name: object) -> str:
    return digest_of(content=name)


def archive_file(name: str = "star", *, digest: str | None = None, **changes: Any) -> ArchiveFile:
    values: dict[str, Any] = {
        "path": f"/sas/{name}.fits",
        "telescope": "apo25m",
        "obj": name,
        "size": 3 * 1024**3,
        "mtime_ns": 1_700_000_000_123_456_789,
        "digest": digest or content(name),
        "scanned_at": EPOCH,
    }
    return ArchiveFile(**values | changes)


def spectrum(name: str = "star", *, digest: str | None = None, nights: tuple[int, ...] = (NIGHT,)) -> SpectrumRecord:
    return SpectrumRecord(
        digest=digest or content(name),
        path=f"/sas/{name}.fits",
        obj=name,
        telescope="apo25m",
        field="000+14",
        healpix=None,
        release="dr17",
        apred="dr17",
        snr=123.4,
        n_visits=len(nights),
        starflag=1 << 31,
        reader_version="1",
        visits=tuple(VisitRecord(number=i, mjd=mjd, fiber=200, snr=50.0) for i, mjd in enumerate(nights, start=1)),
        seen_at=EPOCH,
    )


def normalization(digest: str, *, sum_axis: int | None = 0, minutes: float = 0) -> NormalizationRecord:
    return NormalizationRecord(
        id=digest_of(normalization=digest, sum_axis=sum_axis),
        digest=digest,
        path="/data/normalized.fits",
        n_rows=1,
        parameters={"sum_axis": sum_axis, "order": 3, "length": 1400.0},
        method_version="1",
        seconds=0.25,
        created=moment(minutes),
    )


def model(name: str = "first", *, labels: tuple[str, ...] = LABELS) -> ModelRecord:
    return ModelRecord(
        id=digest_of(model=name),
        name="giants",
        training_set_digest=content("training set"),
        parameters={"order": 2, "regularization": 0.0},
        label_names=labels,
        n_stars=800,
        n_pixels=8575,
        path=f"/data/{name}.npz",
        method_version="1",
        seconds=12.5,
        created=EPOCH,
    )


def row(
    number: int = 0, *, mjd: int | None = None, teff: float = 4500.0, labels: tuple[str, ...] = LABELS
) -> ResultRow:
    values = dict(zip(LABELS, (teff, 2.5, -0.25), strict=True))
    return ResultRow(
        row=number,
        mjd=mjd,
        labels=tuple(LabelValue(name, values.get(name, 0.1), 0.02, 0.01) for name in labels),
        covariance=tuple(tuple(float(i == j) for j in range(len(labels))) for i in range(len(labels))),
        chi_sq=7000.0,
        reduced_chi_sq=1.01,
        snr=99.0 + number,
        n_pixels=7000,
        converged=True,
        flags=1 << 40,
        n_iterations=7,
        unexplained=0.125,
    )


def result(
    normalization_id: str, model_id: str, *, rows: tuple[ResultRow, ...] = (), minutes: float = 0, again: int = 0
) -> ResultRecord:
    return ResultRecord(
        id=digest_of(result=normalization_id, model=model_id, again=again),
        normalization_id=normalization_id,
        model_id=model_id,
        parameters={"n_initialisations": 10},
        method_version="1",
        rows=rows or (row(),),
        seconds=0.5,
        created=moment(minutes),
    )


def expected(digest: str, model_id: str | None) -> Expected:
    """The identities that the products of a content have with the parameters of the samples."""
    made = normalization(digest)
    return Expected(made.id, result(made.id, model_id).id if model_id else None)


def rejection(
    subject: str, *, reason: Reason = Reason.UNREADABLE, minutes: float = 0, **changes: Any
) -> RejectionRecord:
    values: dict[str, Any] = {
        "subject": subject,
        "path": "/sas/star.fits",
        "stage": Stage.READ,
        "reason": reason,
        "message": "expected FITS, got text: reduce the star again.",
        "reader_version": "1",
        "created": moment(minutes),
    }
    return RejectionRecord(**values | changes)


def analysed(
    catalog: Catalog,
    name: str,
    *,
    digest: str | None = None,
    by: str = "first",
    nights: tuple[int, ...] = (NIGHT,),
    teff: float = 4500.0,
    minutes: float = 0,
) -> ResultRecord:
    """A star's file with this content is scanned, read, normalised as a stack and analysed by the model `by`."""
    digest = digest or content(name)
    catalog.archive.index([archive_file(name, digest=digest)])
    catalog.spectra.record(spectrum(name, digest=digest, nights=nights))
    normalized = normalization(digest)
    if catalog.normalizations.get(normalized.id) is None:
        catalog.normalizations.record(normalized)
    found = result(normalized.id, model(by).id, rows=(row(teff=teff),), minutes=minutes)
    catalog.results.record(found)
    return found


def fill(catalog: Catalog, stars: int) -> None:
    """Record `stars` results the quick way."""
    names = [f"2M{star:014d}" for star in range(stars)]
    made = [normalization(content(name)) for name in names]
    results = [result(item.id, model().id) for item in made]
    tables: list[tuple[object, list[dict[str, object]]]] = [
        (schema.archive_file, [row_of(archive_file(name), schema.archive_file) for name in names]),
        (schema.spectrum, [row_of(spectrum(name), schema.spectrum) for name in names]),
        (schema.visit, [{"digest": content(n), "number": 1, "mjd": NIGHT, "starflag": 0} for n in names]),
        (schema.normalization, [row_of(item, schema.normalization) for item in made]),
        (schema.result, [row_of(item, schema.result) for item in results]),
        (schema.result_row, [row_of(item.rows[0], schema.result_row, result_id=item.id) for item in results]),
        (schema.label, [label_of(item.id, item.rows[0], place) for item in results for place in range(len(LABELS))]),
    ]
    with catalog._database.write() as connection:
        for table, rows in tables:
            connection.execute(insert(table), rows)


def label_of(identity: str, line: ResultRow, place: int) -> dict[str, object]:
    return {"result_id": identity, "row": line.row, **line.labels[place]._asdict()}


def same(left: object, right: object) -> bool:
    """Equality in which NaN equals NaN."""
    if isinstance(left, float) and isinstance(right, float):
        return left == right or (math.isnan(left) and math.isnan(right))
    if isinstance(left, tuple) and isinstance(right, tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if hasattr(left, "__dataclass_fields__") and type(left) is type(right):
        return all(same(getattr(left, name), getattr(right, name)) for name in left.__dataclass_fields__)
    return left == right


def together(number: int, work: Callable[..., Any], *arguments: Any) -> list[Any]:
    """What `work(place, *arguments)` returns in `number` forked processes that begin at the same moment."""
    context = multiprocessing.get_context("fork")
    barrier, answers = context.Barrier(number), context.Queue()

    def run(place: int) -> None:
        barrier.wait()
        try:
            answers.put((True, work(place, *arguments)))
        except Exception as error:  # noqa: BLE001 - whatever it was, the test is to see it
            answers.put((False, f"{type(error).__name__}: {error}"))

    processes = [context.Process(target=run, args=(place,)) for place in range(number)]
    for process in processes:
        process.start()
    found = [answers.get(timeout=120) for _ in processes]
    for process in processes:
        process.join()
    answers.close()
    answers.join_thread()
    assert [text for good, text in found if not good] == []
    return [value for _, value in found]
