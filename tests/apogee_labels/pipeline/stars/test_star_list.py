"""The stars that a run is asked for, from wherever they are named."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from apogee_labels.core.settings import Settings
from apogee_labels.pipeline.stars.star_list import SHOWN, StarListError, planned_stars
from apogee_labels.pipeline.workspace import Workspace

NAME, OTHER, THIRD = "2M16505794-2118004", "2M17000000-2118004", "2M18000000-2118004"
FORM = {"telescope": "apo25m", "field": "000+14", "apstar": "stars", "apred": "", "healpix": None, "wait_hours": 3}
FILLED = {"telescope": "apo25m", "field": "000+14", "apstar": "stars"}


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """An installation without any file."""
    with Workspace.open(Settings(data_dir=tmp_path / "data")) as workspace:
        yield workspace


def test_the_form_alone_is_a_star(workspace: Workspace) -> None:
    assert planned_stars(workspace, FORM | {"obj": NAME}) == [{"obj": NAME, **FILLED}]


def test_what_an_entry_does_not_say_comes_from_the_form(workspace: Workspace) -> None:
    (workspace.settings.data_dir / "planned.csv").write_text(f"obj,release\n{THIRD},dr16\n")
    found = planned_stars(
        workspace, FORM, stars=[{"obj": NAME, "field": ""}], table=f"obj,field\n{OTHER},001+14\n", file="planned.csv"
    )
    assert found == [
        {**FILLED, "obj": NAME}, {**FILLED, "obj": OTHER, "field": "001+14"}, {**FILLED, "obj": THIRD, "release": "dr16"},
    ]  # fmt: skip


def test_one_file_is_one_star_however_it_is_named(workspace: Workspace, caplog: pytest.LogCaptureFixture) -> None:
    table = f"obj,field,release,apred,prefix\n{NAME},,,,\n{NAME},000+14,dr17,dr17,ap\n{NAME},001+14,,,\n"
    with caplog.at_level(logging.INFO):
        found = planned_stars(workspace, FORM, stars=[{"obj": NAME}], table=table)
    assert [(star["obj"], star["field"]) for star in found] == [(NAME, "000+14"), (NAME, "001+14")]
    assert "2 of 4 entries name a star that was named before" in caplog.text


def test_every_fault_is_told_with_its_place(workspace: Workspace) -> None:
    table = f"obj,field,telescope\n{NAME},,\n../../etc/passwd,,\n,,\n ,001+14,\n{OTHER},00 14,\n"
    stars = [{"obj": NAME, "feild": "x"}, {"field": "000+14"}]
    with pytest.raises(StarListError) as caught:
        planned_stars(workspace, FORM, stars=stars, table=table)
    lines = str(caught.value).splitlines()
    assert len(lines) == 5
    assert lines[0].startswith("star 1 of the list: unknown key(s) feild: known are release")
    assert lines[1].startswith("star 2 of the list names no star: fill in obj")
    assert lines[2].startswith("the pasted table, line 3: these keys name no apStar file: obj '../../etc/passwd'")
    assert lines[3].startswith("the pasted table, line 5, column obj: it is empty")
    assert lines[4].startswith("the pasted table, line 6: these keys name no apStar file: field '00 14'")


def test_a_key_that_the_release_needs_is_named(workspace: Workspace) -> None:
    with pytest.raises(
        StarListError, match=r"line 2: .* field missing\. Add it to the entry, or fill it in in the form"
    ):
        planned_stars(workspace, FORM | {"field": None}, table=f"obj\n{NAME}\n")
    with pytest.raises(StarListError, match=r"the form: .* healpix missing"):
        planned_stars(workspace, FORM | {"obj": NAME, "release": "sdss5"})


def test_of_very_many_faults_the_first_are_told(workspace: Workspace) -> None:
    table = "\n".join(["obj", *["?"] * (SHOWN + 3)])
    with pytest.raises(StarListError, match=r"\nand 3 more\.$") as caught:
        planned_stars(workspace, FORM, table=table)
    assert str(caught.value).count("line ") == SHOWN


@pytest.mark.parametrize("given", [{"table": "obj,field\n"}, {"table": "# later"}, {"file": "empty.csv"}])
def test_an_empty_list_is_not_the_form_s_star(workspace: Workspace, given: dict[str, Any]) -> None:
    """Somebody meant a list: the fields above it are its defaults."""
    (workspace.settings.data_dir / "empty.csv").write_text("obj\n")
    with pytest.raises(StarListError, match="the list is empty"):
        planned_stars(workspace, FORM | {"obj": NAME}, **given)
