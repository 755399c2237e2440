"""Retention as a task: a report, and deletion only when asked."""

from __future__ import annotations

import os
from typing import Any

import pytest

from apogee_airflow import RetainProductsOperator
from apogee_labels.pipeline.workspace import Workspace
from tests.apogee_airflow.conftest import MakeContext


@pytest.mark.parametrize(("delete", "stays"), [(False, True), ("False", True), (True, False), ("True", False)])
def test_it_deletes_only_when_asked(workspace: Workspace, make_context: MakeContext, delete: Any, stays: bool) -> None:
    orphan = workspace.normalized_path("0" * 64)
    orphan.parent.mkdir(parents=True)
    orphan.write_bytes(b"12345")
    old = orphan.stat().st_mtime_ns - 10 * 86400 * 10**9
    os.utime(orphan, ns=(old, old))
    operator = RetainProductsOperator(
        task_id="retain", delete=delete, policy={"superseded_days": "30", "rebuildable_days": "None"}
    )
    report = operator.execute(make_context())  # type: ignore[arg-type]
    assert orphan.exists() is stays
    assert report["orphan"] == {"files": 1, "bytes": 5, "deleted": 1}
    assert (report["deletes"], report["bytes_after"]) == (not stays, 0)
