"""Tables of stars as people write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from apogee_labels.pipeline.stars.star_list import Entry, StarListError, read_star_file, read_star_table

NAME, OTHER = "2M16505794-2118004", "2M17000000-2118004"


def rows(text: str) -> list[Entry]:
    return [*read_star_table(text, "t")]


@pytest.mark.parametrize(
    "text",
    [
        f"obj,telescope,field\n{NAME},apo25m,000+14\n{OTHER},,\n",
        f"\ufeffOBJ, Telescope ,FIELD\r\n{NAME} , apo25m,000+14\r\n{OTHER}\r\n",
        f"# planned for October\n\nAPOGEE_ID,telescope,field\n{NAME},apo25m,000+14\n  # and this one\n,,\n{OTHER},,\n\n",
        f"apogee_id\ttelescope\tfield\n{NAME}\tapo25m\t000+14\n{OTHER}\t\t",
        f"obj;telescope;field;;\n{NAME};apo25m;000+14;;\n{OTHER};;;;",
        f'"obj","telescope","field"\n"{NAME}","apo25m","000+14"\n{OTHER}',
        f"field,obj,telescope\n000+14,{NAME},apo25m\n,{OTHER}",
    ],
)
def test_a_table_may_be_written_in_many_ways(text: str) -> None:
    found = rows(text)
    assert [entry.star for entry in found] == [
        {"obj": NAME, "telescope": "apo25m", "field": "000+14"}, {"obj": OTHER},
    ]  # fmt: skip
    assert not any(entry.fault for entry in found)


def test_lines_are_counted_as_an_editor_does() -> None:
    assert [entry.where for entry in rows(f"# one\nobj\n\n{NAME}\n#\n{OTHER}")] == ["t, line 4", "t, line 6"]


def test_a_healpix_is_a_number() -> None:
    assert rows(f"obj,healpix\n{NAME},87654")[0].star == {"obj": NAME, "healpix": 87654}


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n", "obj,field\n"])
def test_a_table_of_nothing_is_empty(text: str) -> None:
    assert rows(text) == []


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("obj,feild", "t, line 1: .* 'feild', which is none: did you mean field"),
        ("obj,H_mag", "'H_mag', which is none: known are release, apred"),
        (f"{NAME},000+14", "expected a header"),
        ("telescope,field", "has no column obj .or APOGEE_ID.: add"),
        ("obj,field,APOGEE_ID", "column obj is there twice"),
        ('obj,"field', "t, line 1: .*close the quotes"),
    ],
)
def test_a_header_that_is_wrong_ends_the_reading(header: str, message: str) -> None:
    with pytest.raises(StarListError, match=message):
        rows(f"{header}\n{NAME},000+14")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (",000+14,", "t, line 2, column obj: it is empty: name the star"),
        (f"{NAME},000+14,12.5", "t, line 2, column healpix: expected a whole number, got '12.5'"),
        (f"{NAME},000+14,-1", "column healpix"),
        (f"{NAME},000+14,1,apo25m", "t, line 2: 4 cells, and the header has 3"),
        (f'{NAME},"000+14', "t, line 2: .*close the quotes"),
    ],
)
def test_a_row_that_is_wrong_says_where_and_leaves_the_others(line: str, message: str) -> None:
    wrong, right = rows(f"obj,field,healpix\n{line}\n{OTHER},,")
    with pytest.raises(StarListError, match=message):
        raise StarListError(wrong.fault)
    assert right == Entry("t, line 3", {"obj": OTHER})


# -- files -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def roots(tmp_path: Path) -> tuple[Path, Path]:
    roots = tmp_path / "data", tmp_path / "sas"
    for root in roots:
        root.mkdir()
        (root / "planned.csv").write_bytes(b"\xef\xbb\xbfobj\r\n")
    (tmp_path / "secret.csv").write_text("obj\n")
    return roots


def test_a_file_below_either_folder_is_read(roots: tuple[Path, Path]) -> None:
    data, sas = roots
    (data / "link.csv").symlink_to(sas / "planned.csv")
    for name in ("planned.csv", str(data / "planned.csv"), str(sas / "planned.csv"), "link.csv", "../sas/planned.csv"):
        assert read_star_file(name, roots) == "obj\n"


def test_a_folder_that_is_a_link_itself_may_be_read_from(roots: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "mounted").symlink_to(roots[0])
    assert read_star_file("planned.csv", (tmp_path / "mounted", roots[1])) == "obj\n"


def test_nothing_outside_of_them_is_read(roots: tuple[Path, Path], tmp_path: Path) -> None:
    data = roots[0]
    (data / "link.csv").symlink_to(tmp_path / "secret.csv")
    (data / "folder").symlink_to(tmp_path)
    outside = [
        "../secret.csv",
        str(tmp_path / "secret.csv"),
        "link.csv",
        "folder/secret.csv",
        "/etc/passwd",
        "../data2/x",
    ]
    for name in outside:
        with pytest.raises(StarListError, match=r"is outside of .*data and .*sas: put the list there"):
            read_star_file(name, roots)


def test_what_is_no_list_is_told(roots: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StarListError, match=r"there is none at .*no\.csv"):
        read_star_file("no.csv", roots)
    with pytest.raises(StarListError, match="expected a file"):
        read_star_file("", roots)
    (roots[0] / "excel.csv").write_bytes("obj\nä\n".encode("utf-16"))
    with pytest.raises(StarListError, match="save it as 'CSV UTF-8'"):
        read_star_file("excel.csv", roots)
    monkeypatch.setattr("apogee_labels.pipeline.stars.star_list.LARGEST", 3)
    with pytest.raises(StarListError, match="at most 3 bytes"):
        read_star_file("planned.csv", roots)
