"""A night of 4,000 files, four times what Airflow maps: listed in few batches, and each file accounted for on its own."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from apogee_labels.apogee.archive.archive import ApStarKeys
from apogee_labels.apogee.spectra.apstar import READER_VERSION
from apogee_labels.catalog.records import ArchiveFile, FileStatus, RejectionRecord, SpectrumRecord, Stage, VisitRecord
from apogee_labels.core.errors import Reason
from apogee_labels.core.identity import digest_of
from apogee_labels.pipeline.identities import ResultIdentities
from apogee_labels.pipeline.nights.night import NightKey, batches, list_night
from apogee_labels.pipeline.nights.publish import publish_night
from apogee_labels.pipeline.workspace import Workspace

N_FILES = 4000
MAX_MAP_LENGTH = 1024
"""Airflow's own limit on the instances of a mapped task."""
NIGHT = NightKey("apo25m", 59280, "big")


@pytest.fixture
def indexed(workspace: Workspace) -> list[ArchiveFile]:
    """An index that a scan of a moment ago made: the files themselves would take 10 GB."""
    files, spectra = [], []
    for number in range(N_FILES):
        obj, digest = f"2M{number:08d}+0000000", digest_of(number=number)
        keys = ApStarKeys(release="dr17", apred="dr17", telescope="apo25m", field="170+55", obj=obj)
        path = str(workspace.archive().path(keys))
        visit = VisitRecord(number=1, mjd=NIGHT.mjd)
        files.append(ArchiveFile(path=path, telescope="apo25m", obj=obj, size=1, mtime_ns=1, digest=digest))
        spectra.append(
            SpectrumRecord(
                digest=digest, path=path, obj=obj, telescope="apo25m", field="170+55", healpix=None, release="dr17",
                apred="dr17", snr=100.0, n_visits=1, starflag=0, reader_version=READER_VERSION, visits=(visit,),
            )
        )  # fmt: skip
    workspace.catalog.archive.record_arrivals(spectra, files)
    with workspace.lock("scan-apo25m") as note:
        note.write_text(repr(time.time()))
    return files


def test_each_file_is_in_one_batch_and_has_an_outcome_of_its_own(
    workspace: Workspace, indexed: list[ArchiveFile], identities: ResultIdentities
) -> None:
    due = list_night(workspace, NIGHT, identities, None, since=datetime.now(UTC) - timedelta(minutes=1))
    divided = batches(due, max_batches=300)
    assert len(divided) <= 300 < MAX_MAP_LENGTH
    assert sorted(path for batch in divided for path in batch) == [entry.path for entry in indexed]
    assert len(batches(due, max_batches=300, at_least=64)) == 63, "a backfill's"
    first, *others = indexed
    assert first.digest is not None
    workspace.catalog.rejections.record(
        RejectionRecord(
            subject=first.digest, path=first.path, stage=Stage.READ, reason=Reason.UNREADABLE, message="cut short",
            reader_version=READER_VERSION,
        )
    )  # fmt: skip
    summary = publish_night(workspace, NIGHT, identities)
    assert summary.outcome.counts[FileStatus.REJECTED] == 1
    assert summary.outcome.counts[FileStatus.FAILED] == len(others)
    assert f"{len(others)} of {N_FILES} files" in (summary.fault(max_rejected_share=0.5) or "")
    assert len(summary.lines()) < 60, "a summary names some of them"
