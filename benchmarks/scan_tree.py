"""A tree of empty apStar files under right names, and a catalogue that knows them as if it had read each.

A scan that finds a file unchanged asks for its size and time stamp only: files without a byte on disk cost it what real ones
would.  They are sparse, two megabytes in name; what their headers would say is put into the catalogue here.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Table, insert

from apogee_labels.apogee.archive.archive import ApStarKeys, Archive
from apogee_labels.apogee.spectra.apstar import READER_VERSION
from apogee_labels.catalog.db import schema
from apogee_labels.catalog.db.database import Database
from apogee_labels.catalog.db.rows import chunks, row_of
from apogee_labels.catalog.records import ArchiveFile, SpectrumRecord, VisitRecord
from apogee_labels.core.identity import digest_bytes

TELESCOPE = "apo25m"
RELEASE = APRED = "dr17"
FILES_A_FOLDER = 500
"""Stars of a field: DR17 has 733,000 in some hundreds of fields for each telescope."""
VISITS = (1, 3, 4, 6)
"""Visits of one star after the other: 3.5 in the mean, as in DR17 (2,659,178 visits of 733,000 stars)."""
STARS_A_NIGHT = 300
FIRST_MJD = 55_800
SIZE, MTIME_NS = 2_000_000, 1_600_000_000_000_000_000

_AT_ONCE = 10_000


class FakeStar(NamedTuple):
    """A star by its number: its file, and what the header of that file would say."""

    number: int
    path: str

    @property
    def obj(self) -> str:
        """Its name."""
        return name_of(self.number)

    @property
    def digest(self) -> str:
        """What stands for the digest of its content."""
        return digest_bytes(str(self.number).encode())

    @property
    def mjds(self) -> range:
        """SDSS MJDs of its visits: an archive that is larger has more nights, and not more stars a night."""
        n_visits = VISITS[self.number % len(VISITS)]
        first = FIRST_MJD + self.number * sum(VISITS) // len(VISITS) // STARS_A_NIGHT
        return range(first, first + n_visits)


def name_of(number: int) -> str:
    """Return a name in the way of 2MASS, another for each number below 10^8."""
    return f"2M{number:08d}+{number % 900_000:07d}"


def middle_night(n_files: int) -> int:
    """Return an SDSS MJD in the middle of those that an archive of so many files has."""
    return FakeStar(n_files // 2, "").mjds[0]


def stars(root: Path, numbers: range) -> Iterator[FakeStar]:
    """Give the stars of these numbers, in an archive at `root`, a folder after the other."""
    archive = Archive(root, RELEASE, APRED)
    folder, of_field = "", -1
    for number in numbers:
        if number // FILES_A_FOLDER != of_field:
            of_field = number // FILES_A_FOLDER
            folder = str(archive.path(_keys(f"{of_field:04d}+00", name_of(number))).parent)
        yield FakeStar(number, f"{folder}/apStar-{APRED}-{name_of(number)}.fits")


def grow(root: Path, numbers: range) -> None:
    """Make the files of these numbers."""
    folder = ""
    for star in stars(root, numbers):
        if (parent := os.path.dirname(star.path)) != folder:  # noqa: PTH120 - a million of them
            folder = parent
            Path(folder).mkdir(parents=True, exist_ok=True)
        descriptor = os.open(star.path, os.O_CREAT | os.O_WRONLY, 0o644)
        os.ftruncate(descriptor, SIZE)
        os.close(descriptor)
        os.utime(star.path, ns=(MTIME_NS, MTIME_NS))


def put_on_record(database: Database, root: Path, numbers: range) -> None:
    """Put the files of these numbers into the catalogue, as a scan that read them would have."""
    for some in chunks(stars(root, numbers), _AT_ONCE):
        _insert(database, schema.archive_file, (row_of(_file(star), schema.archive_file) for star in some))
        _insert(database, schema.spectrum, (row_of(_spectrum(star), schema.spectrum) for star in some))
        visits = (row_of(visit, schema.visit, digest=star.digest) for star in some for visit in _visits(star))
        _insert(database, schema.visit, visits)


def _insert(database: Database, table: Table, rows: Iterable[dict[str, object]]) -> None:
    with database.write() as connection:
        connection.execute(insert(table), list(rows))


def _keys(field: str, obj: str) -> ApStarKeys:
    return ApStarKeys(
        release=RELEASE, apred=APRED, apstar="stars", telescope=TELESCOPE, field=field, prefix="ap", obj=obj
    )


def _file(star: FakeStar) -> ArchiveFile:
    return ArchiveFile(
        path=star.path, telescope=TELESCOPE, obj=star.obj, size=SIZE, mtime_ns=MTIME_NS, digest=star.digest
    )


def _spectrum(star: FakeStar) -> SpectrumRecord:
    return SpectrumRecord(
        digest=star.digest, path=star.path, obj=star.obj, telescope=TELESCOPE, field=Path(star.path).parent.name,
        healpix=None, release=RELEASE, apred=APRED, snr=100.0, n_visits=len(star.mjds), starflag=0,
        reader_version=READER_VERSION, visits=(),
    )  # fmt: skip


def _visits(star: FakeStar) -> Iterator[VisitRecord]:
    for number, mjd in enumerate(star.mjds, 1):
        yield VisitRecord(number=number, mjd=mjd, fiber=number, snr=50.0, file=f"asVisit-{APRED}-1-{mjd}-001.fits")
