"""A model that was in force before: the same file as another's under an identity of its own."""

from __future__ import annotations

import shutil
from dataclasses import replace

from apogee_labels.core.identity import digest_of
from apogee_labels.pipeline.workspace import Workspace

FORMER = digest_of(model="former")


def record_former(workspace: Workspace, model_id: str) -> None:
    """Put on record, as FORMER, a copy of a model, as if another training set had given it."""
    record = workspace.catalog.models.get(model_id)
    assert record is not None
    shutil.copyfile(workspace.model_path(model_id), workspace.model_path(FORMER))
    workspace.catalog.models.record(replace(record, id=FORMER, path=str(workspace.model_path(FORMER))))
