"""What the archive holds: its paths as last scanned, and the nights and stars that they belong to."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

from sqlalchemy import ColumnElement, bindparam, case, func, select, union, update

from apogee_labels.catalog.db import schema
from apogee_labels.catalog.db.database import upsert
from apogee_labels.catalog.db.rows import Subject, as_fields, chunks, row_of
from apogee_labels.catalog.queries.spectra import insert_spectra
from apogee_labels.catalog.records import ArchiveFile, FileState, SpectrumRecord, utc_now

FILE = schema.archive_file
SPECTRUM = schema.spectrum
VISIT = schema.visit


class IndexedStat(NamedTuple):
    """What the index knows of a path: enough to tell whether its file has changed."""

    size: int
    mtime_ns: int
    state: FileState
    digest: str | None


class Archive(Subject):
    """The index of the archive's files."""

    def index(self, files: Iterable[ArchiveFile]) -> None:
        """Record `files` as they are now; what was recorded of their paths is replaced."""
        with self._database.write() as connection:
            upsert(connection, FILE, [row_of(file, FILE) for file in files])

    def indexed(self, paths: Iterable[str] | None = None) -> dict[str, ArchiveFile]:
        """Return the files of the last scans by path: `paths`, or all; those never scanned are left out."""
        if paths is not None:
            return self._find(ArchiveFile, FILE, paths)
        with self._database.read() as connection:
            return {row.path: ArchiveFile(**as_fields(row)) for row in connection.execute(select(FILE))}

    def stats(self, paths: Iterable[str]) -> dict[str, IndexedStat]:
        """Return what is known of these paths; those never scanned are left out."""
        columns = FILE.c.path, FILE.c.size, FILE.c.mtime_ns, FILE.c.state, FILE.c.digest
        with self._database.read() as connection:
            return {
                path: IndexedStat(*known)
                for chunk in chunks(paths)
                for path, *known in connection.execute(select(*columns).where(FILE.c.path.in_(chunk)))
            }

    def count(self, telescope: str) -> int:
        """Return how many files of a telescope are not known as gone."""
        with self._database.read() as connection:
            return connection.execute(select(func.count()).where(*_is_there(telescope))).scalar_one()

    def paths(self, telescope: str) -> list[str]:
        """Return the paths of a telescope that are not known as gone."""
        with self._database.read() as connection:
            return list(connection.scalars(select(FILE.c.path).where(*_is_there(telescope)).order_by(FILE.c.path)))

    def paths_of_stars(self, names: Iterable[str]) -> dict[str, list[str]]:
        """Return the paths that are there and whose content is of these stars, by star and path; others are left out."""
        found: dict[str, list[str]] = {}
        columns = select(SPECTRUM.c.obj, FILE.c.path).join(FILE, FILE.c.digest == SPECTRUM.c.digest)
        query = columns.where(FILE.c.state == FileState.PRESENT).order_by(SPECTRUM.c.obj, FILE.c.path)
        with self._database.read() as connection:
            for chunk in chunks(set(names)):
                for obj, path in connection.execute(query.where(SPECTRUM.c.obj.in_(chunk))):
                    found.setdefault(obj, []).append(path)
        return found

    def mark_gone(self, paths: Iterable[str]) -> None:
        """Record that `paths` are not there any more; their last content stays known."""
        gone = [{"key": path, "state": FileState.GONE, "scanned_at": utc_now()} for path in sorted(set(paths))]
        if gone:
            with self._database.write() as connection:
                connection.execute(update(FILE).where(FILE.c.path == bindparam("key")), gone)

    def record_arrivals(self, spectra: Iterable[SpectrumRecord], files: Iterable[ArchiveFile]) -> None:
        """Record contents that were read and the paths that hold them, all in one transaction."""
        with self._database.write() as connection:
            insert_spectra(connection, spectra)
            upsert(connection, FILE, [row_of(file, FILE) for file in files])

    def files_of_night(self, telescope: str, mjd: int) -> list[ArchiveFile]:
        """Return the files that are there and whose content has a visit on that SDSS MJD, by path."""
        return self.files_of_nights(telescope, [mjd])

    def files_of_nights(self, telescope: str, mjds: Collection[int]) -> list[ArchiveFile]:
        """Return the files that are there and whose content has a visit on one of these SDSS MJDs, by path."""
        if not mjds:
            return []
        of_nights = select(VISIT.c.digest).where(VISIT.c.mjd.in_(mjds))
        # The bare column would make SQLite take the index of the states, and go through the whole archive.
        present = func.coalesce(FILE.c.state, FILE.c.state) == FileState.PRESENT
        return self._files(telescope, present, FILE.c.digest.in_(of_nights))

    def paths_of_night(self, telescope: str, mjd: int) -> list[str]:
        """Return every path that ever had a content with a visit on that SDSS MJD, gone or not, in order."""
        of_night = select(VISIT.c.digest).where(VISIT.c.mjd == mjd)
        indexed = select(FILE.c.path).where(FILE.c.telescope == telescope, FILE.c.digest.in_(of_night))
        read = select(SPECTRUM.c.path).where(SPECTRUM.c.telescope == telescope, SPECTRUM.c.digest.in_(of_night))
        with self._database.read() as connection:
            return sorted(connection.scalars(union(indexed, read)))

    def paths_of(self, digest: str) -> list[str]:
        """Return the paths that hold a content, or held it when last seen; those that are there come first.

        Where it was first read is among them: that path may hold another one now.
        """
        holders = self.files_with([digest]).get(digest, [])
        first = select(SPECTRUM.c.path).where(SPECTRUM.c.digest == digest)
        with self._database.read() as connection:
            return list(dict.fromkeys([*(holder.path for holder in holders), *connection.scalars(first)]))

    def files_with(self, digests: Iterable[str]) -> dict[str, list[ArchiveFile]]:
        """Return the files that hold each content, or held it when last seen; those that are there come first."""
        found: dict[str, list[ArchiveFile]] = {}
        there_first = case((FILE.c.state == FileState.PRESENT, 0), else_=1), FILE.c.path
        with self._database.read() as connection:
            for chunk in chunks(set(digests)):
                for row in connection.execute(select(FILE).where(FILE.c.digest.in_(chunk)).order_by(*there_first)):
                    found.setdefault(row.digest, []).append(ArchiveFile(**as_fields(row)))
        return found

    def nights_of_stars(self, paths: Iterable[str]) -> set[int]:
        """Return the SDSS MJDs of all visits that any content of these files' stars had, be it an older one."""
        same_star = (SPECTRUM.c.obj == FILE.c.obj) & (SPECTRUM.c.telescope == FILE.c.telescope)
        query = select(VISIT.c.mjd).distinct().join(SPECTRUM, SPECTRUM.c.digest == VISIT.c.digest).join(FILE, same_star)
        with self._database.read() as connection:
            return {
                mjd for chunk in chunks(set(paths)) for mjd in connection.scalars(query.where(FILE.c.path.in_(chunk)))
            }

    def files_being_written(self, telescope: str) -> list[ArchiveFile]:
        """Return the files that were still being written when they were last looked at, by path."""
        return self._files(telescope, FILE.c.state == FileState.WRITING)

    def files_of_no_night(self, telescope: str) -> list[ArchiveFile]:
        """Return the files that are there and whose header cannot be read: they belong to no known night."""
        return self._files(telescope, FILE.c.state == FileState.NIGHT_UNKNOWN)

    def _files(self, telescope: str, *conditions: ColumnElement[bool]) -> list[ArchiveFile]:
        query = select(FILE).where(FILE.c.telescope == telescope, *conditions).order_by(FILE.c.path)
        with self._database.read() as connection:
            return [ArchiveFile(**as_fields(row)) for row in connection.execute(query)]


def _is_there(telescope: str) -> tuple[ColumnElement[bool], ...]:
    return FILE.c.telescope == telescope, FILE.c.state != FileState.GONE
