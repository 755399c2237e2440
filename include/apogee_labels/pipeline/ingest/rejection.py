"""Putting on record that an input is bad: one way for all steps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from apogee_labels.apogee.spectra.apstar import READER_VERSION
from apogee_labels.catalog.records import RejectionRecord, Stage, subject_of_path

if TYPE_CHECKING:
    from apogee_labels.core.errors import BadInputError
    from apogee_labels.pipeline.workspace import Workspace


def record_rejection(
    workspace: Workspace, path: str | Path, stage: Stage, fault: BadInputError, *, subject: str | None = None
) -> None:
    """Put on record that a file is bad for good.

    Parameters
    ----------
    workspace
        The installation.
    path
        The file.
    stage
        The step that found it.
    fault
        What is wrong with it.
    subject
        The digest of the content that is bad, or the identity of the product that cannot be made of it; default: the path
        itself, of which there is no content.
    """
    workspace.catalog.rejections.record(
        RejectionRecord(
            subject=subject or subject_of_path(str(path)),
            path=str(path),
            stage=stage,
            reason=fault.reason,
            message=fault.message,
            reader_version=READER_VERSION,
        )
    )
