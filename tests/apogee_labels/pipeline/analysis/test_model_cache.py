"""A model is read once, and again when its file is another one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from apogee_labels.core.errors import BadInputError
from apogee_labels.pipeline.analysis import model_cache
from apogee_labels.pipeline.analysis.infer import read_model
from apogee_labels.pipeline.analysis.model_cache import preload_newest, read_cached
from apogee_labels.pipeline.workspace import Workspace


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    model_cache._read.cache_clear()


def test_a_model_is_read_once_while_its_file_stays(workspace: Workspace, put_model: Callable[[Workspace], str]) -> None:
    identity = put_model(workspace)
    path = workspace.model_path(identity)
    preload_newest(path.parent)
    first = read_model(workspace, identity)
    assert read_cached(path) is first
    assert model_cache._read.cache_info().misses == 1
    path.write_bytes(path.read_bytes())
    assert read_model(workspace, identity) is not first


def test_a_file_that_is_damaged_or_gone_is_noticed(workspace: Workspace, put_model: Callable[[Workspace], str]) -> None:
    identity = put_model(workspace)
    path = workspace.model_path(identity)
    read_model(workspace, identity)
    path.write_bytes(b"\0" * path.stat().st_size)
    with pytest.raises(BadInputError):
        read_model(workspace, identity)
    preload_newest(path.parent)  # says nothing: the task that needs it does
    path.unlink()
    with pytest.raises(FileNotFoundError):
        read_model(workspace, identity)
    preload_newest(path.parent)
