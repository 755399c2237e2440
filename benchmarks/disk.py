"""What a star takes on disk, and a million of them: ``python -m benchmarks.disk`` (``make bench-disk``).

Products are measured as files.  The catalogue is filled with many copies of what real runs recorded of a few stars (other
digests and paths, the same lengths), and the growth of the database is divided by their number.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import create_engine, make_url, text
from sqlalchemy.engine import URL

from apogee_labels.catalog import Catalog
from apogee_labels.catalog.db.rows import chunks
from apogee_labels.catalog.records import ModelRecord, NormalizedFile, ResultRecord
from apogee_labels.core.identity import digest_of
from apogee_labels.pipeline.analysis.infer import infer_labels
from apogee_labels.pipeline.analysis.normalize import normalize_files
from apogee_labels.pipeline.identities import InferenceParameters, NormalizationParameters
from apogee_labels.pipeline.workspace import Workspace
from benchmarks.clock import say
from benchmarks.installation import Installation, make_installation
from benchmarks.report import table

MILLION = 1_000_000
TOGETHER = 250
DR17_VISITS = 3.6
"""Visits a star in DR17, in the mean: 2,659,178 of about 733,000 stars."""


class Star(NamedTuple):
    """What one file gave: bytes of its product, and its records."""

    n_visits: int
    product: int
    file: NormalizedFile
    result: ResultRecord


class Size(NamedTuple):
    """A row of the table: bytes a star."""

    what: str
    bytes: float


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    options = _parser().parse_args(arguments)
    sizes: list[Size] = []
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as folder:
        installation = make_installation(Path(folder), options.archive, options.files)
        for sum_axis, kind in ((0, "visits stacked"), (None, "a row a visit")):
            say(f"  {kind}")
            model, stars = analysed(installation, sum_axis)
            sizes.append(Size(f"normalised product, {kind}", sum(star.product for star in stars) / len(stars)))
            sqlite = make_url(f"sqlite:///{folder}/{sum_axis}.db")
            sizes.append(Size(f"catalogue in SQLite, {kind}", growth(sqlite, model, stars, options.copies)))
            if options.postgres:
                url = make_url(options.postgres)
                sizes.append(Size(f"catalogue in PostgreSQL, {kind}", growth(url, model, stars, options.copies)))
        n_visits = sum(star.n_visits for star in stars) / len(stars)
    sys.stdout.write(
        f"{size_table(sizes)}\n\n{len(stars)} stars, of {n_visits:.1f} visits in the mean (DR17: {DR17_VISITS}); "
    )
    sys.stdout.write(f"{len(model.label_names)} labels; catalogues of {options.copies} stars.\n")


def analysed(installation: Installation, sum_axis: int | None) -> tuple[ModelRecord, list[Star]]:
    """Analyse the files of an installation, and return the model and what is on record and on disk of each."""
    parameters = NormalizationParameters(regions=installation.settings.continuum_regions, sum_axis=sum_axis)
    with installation.copy("work") as copy, Workspace.open(copy.settings) as workspace:
        made = [outcome.unwrap().normalization_id for outcome in normalize_files(workspace, copy.paths, parameters)]
        results = infer_labels(workspace, made, copy.model_id, InferenceParameters()).result_ids
        model = workspace.catalog.models.get(copy.model_id)
        if model is None:
            raise LookupError("the installation has no model: make_installation trains one.")
        return model, [_star(workspace, *identities) for identities in zip(copy.paths, made, results, strict=True)]


def _star(workspace: Workspace, path: str, normalization_id: str, result_id: str) -> Star:
    catalog = workspace.catalog
    entry, normalization = catalog.archive.indexed([path])[path], catalog.normalizations.get(normalization_id)
    result = catalog.results.get(result_id)
    if normalization is None or result is None or (spectrum := catalog.spectra.get(normalization.digest)) is None:
        raise LookupError(f"{path} is not on record, although it was analysed.")
    size = workspace.normalized_path(normalization_id).stat().st_size
    return Star(len(spectrum.visits), size, NormalizedFile(normalization, entry, spectrum), result)


def growth(url: URL, model: ModelRecord, stars: Sequence[Star], copies: int) -> float:
    """Return the bytes by which a catalogue grows a star, when so many copies are recorded in it.

    Raises
    ------
    sqlalchemy.exc.OperationalError
        The database does not answer.
    """
    with Catalog.open(url) as catalog:
        catalog.models.record(model)
        before = _size(url)
        for some in chunks(_copies(stars, copies), TOGETHER):
            catalog.normalizations.record_files([star.file for star in some])
            catalog.results.record_all([star.result for star in some])
    return (_size(url) - before) / copies


def _copies(stars: Sequence[Star], copies: int) -> Iterator[Star]:
    first = stars[0].result.id  # another catalogue's copies may be in the database
    kinds = [[first, kind] for kind in ("content", "normalization", "result")]
    for number in range(copies):
        star = stars[number % len(stars)]
        content, identity, result = (digest_of(number=number, of=of) for of in kinds)
        normalization, entry, spectrum = star.file
        if entry is None or spectrum is None:
            raise LookupError("expected all records of a star.")
        path = f"{entry.path}{number:07d}"[7:]
        file = NormalizedFile(
            replace(normalization, id=identity, digest=content),
            replace(entry, path=path, digest=content),
            replace(spectrum, path=path, digest=content),
        )
        yield star._replace(file=file, result=replace(star.result, id=result, normalization_id=identity))


def _size(url: URL) -> int:
    """Bytes of a database: of its files, or as the server tells."""
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            if url.get_backend_name() != "sqlite":
                return int(connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one())
            connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
    finally:
        engine.dispose()
    return Path(str(url.database)).stat().st_size


def size_table(sizes: Sequence[Size]) -> str:
    """Write what a star takes, and a million."""
    rows = [(what, f"{size / 1e3:.1f} kB", f"{size * MILLION / 1e9:.3g} GB") for what, size in sizes]
    return table(("on disk", "a star", "a million stars"), rows)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.disk", description="What a star takes on disk.")
    parser.add_argument("--files", type=int, default=60, metavar="N", help="stars that are analysed")
    parser.add_argument("--copies", type=int, default=20_000, metavar="N", help="stars in each catalogue")
    parser.add_argument("--archive", type=Path, metavar="FOLDER", help="a SAS_BASE_DIR, instead of synthetic stars")
    parser.add_argument("--postgres", metavar="URL", help="an empty database of PostgreSQL to fill as well")
    return parser


if __name__ == "__main__":
    main()
