"""Training sets: both formats, there and back, and every way in which one does not hold together."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from apogee_labels.cannon.training_set import TrainingSet
from apogee_labels.core.errors import BadInputError, Reason
from apogee_labels.core.identity import digest_file

NAMES = ("TEFF", "LOGG")


def make_parts(**changes: Any) -> dict[str, Any]:
    """The arrays of 6 stars, 5 pixels and 2 labels."""
    rng = np.random.default_rng(1)
    parts = {
        "wavelength": np.linspace(15100.0, 15200.0, 5),
        "flux": rng.normal(1, 0.1, (6, 5)),
        "ivar": rng.uniform(1, 2, (6, 5)),
        "labels": rng.normal(size=(6, 2)),
        "label_names": NAMES,
    }
    return parts | changes


def with_value(name: str, index: tuple[int, ...], value: float) -> dict[str, Any]:
    parts = make_parts()
    parts[name][index] = value
    return parts


def as_file(path: Path, **changes: Any) -> Path:
    """The tutorial's pickle: labels are (L, N) there."""
    parts = make_parts()
    parts["labels"] = parts["labels"].T
    path.write_bytes(pickle.dumps(parts | changes, 4))
    return path


@pytest.mark.parametrize("suffix", [".pkl", ".pickle", ".npz"])
def test_there_and_back(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"set{suffix}"
    original = TrainingSet(**make_parts(), provenance={"made_by": "a test", "stars": 6})
    original.write(path)
    copy = TrainingSet.read(path)
    for name in ("wavelength", "flux", "ivar", "labels"):
        np.testing.assert_array_equal(getattr(copy, name), getattr(original, name))
    assert copy.label_names == NAMES
    assert copy.provenance == {"made_by": "a test", "stars": 6}
    assert copy.digest == digest_file(path)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_the_pickle_is_the_tutorials(tmp_path: Path) -> None:
    path = tmp_path / "set.pkl"
    TrainingSet(**make_parts()).write(path)
    raw = pickle.loads(path.read_bytes())
    assert raw["labels"].shape == (2, 6)
    assert raw["flux"].shape == (6, 5)
    assert raw["label_names"] == NAMES


@pytest.mark.parametrize(
    "names",
    [
        NAMES,
        list(NAMES),
        np.array(NAMES),
        np.array(NAMES, dtype=object),
        np.array(NAMES, dtype="S"),
        (b"TEFF", b"LOGG"),
    ],
)
def test_label_names_of_any_kind(tmp_path: Path, names: object) -> None:
    assert TrainingSet.read(as_file(tmp_path / "set.pkl", label_names=names)).label_names == NAMES


def test_single_precision_becomes_double(tmp_path: Path) -> None:
    read = TrainingSet.read(as_file(tmp_path / "set.pkl", flux=np.asfortranarray(make_parts()["flux"], dtype="f4")))
    assert read.flux.dtype == np.float64
    assert read.flux.flags.c_contiguous


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (make_parts(flux=np.ones((6, 4))), r"flux: expected shape \(stars, 5\).*\(6, 4\)"),
        (make_parts(ivar=np.ones((5, 5))), r"ivar: expected the shape of the flux, \(6, 5\), got \(5, 5\)"),
        (make_parts(labels=np.ones((5, 2))), "expected 6 stars .* and 2 labels, got 5 and 2"),
        (make_parts(labels=np.ones((6, 3))), "got 6 and 3"),
        (make_parts(wavelength=np.ones((5, 1))), "wavelength: expected shape"),
        (make_parts(wavelength=np.array([1.0, 2, 4, 3, 5])), "not at pixel 2"),
        (make_parts(label_names=("A", "A")), "A is there more than once"),
        (make_parts(label_names=("A", " ")), "plain characters"),
        (with_value("labels", (3, 1), np.nan), "LOGG of row 3 is nan"),
        (with_value("ivar", (2, 4), -1.0), "row 2 has -1.0 at pixel 4"),
        (with_value("ivar", (2, 4), np.inf), "row 2 has inf at pixel 4"),
        (with_value("flux", (1, 0), np.nan), "row 1 is nan at pixel 0"),
    ],
)
def test_what_does_not_hold_together(parts: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInputError, match=message) as caught:
        TrainingSet(**parts)
    assert caught.value.reason is Reason.BAD_TRAINING_SET
    assert "\n" not in caught.value.message


def test_twins_are_refused_and_repeated_stars_are_not() -> None:
    parts = make_parts()
    parts["labels"][4] = parts["labels"][1]
    TrainingSet(**parts)  # the same star, observed twice
    parts["flux"][4] = parts["flux"][1]
    with pytest.raises(BadInputError, match="rows 1 and 4 are the same star"):
        TrainingSet(**parts)


def test_flux_without_weight_may_be_anything() -> None:
    parts = with_value("flux", (1, 2), np.nan)
    parts["ivar"][1, 2] = 0.0
    assert TrainingSet(**parts).flux[1, 2] == 1.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": np.ones((6, 2))}, r"labels: expected shape \(2, stars\)"),
        ({"flux": "much"}, "flux: expected an array of numbers, got str"),
        ({"flux": np.array(["a"])}, "flux: expected an array of numbers, got an array of <U1"),
        ({"flux": [[1.0], [1.0, 2.0]]}, "flux: expected an array of numbers, got list"),
        ({"label_names": 7}, "label_names: expected a tuple"),
    ],
)
def test_files_of_the_wrong_kind(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInputError, match=message) as caught:
        TrainingSet.read(as_file(tmp_path / "set.pkl", **changes))
    assert "set.pkl" in caught.value.message


def test_a_part_that_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "set.pkl"
    path.write_bytes(pickle.dumps({"flux": np.ones((2, 2))}))
    with pytest.raises(BadInputError, match="lacks wavelength, ivar, labels, label_names"):
        TrainingSet.read(path)


def bare_npy() -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.ones(3))
    return stream.getvalue()


def npz_of_objects() -> bytes:
    stream = io.BytesIO()
    np.savez(stream, flux=np.array([{}], dtype=object))
    return stream.getvalue()


def cut_npz() -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **make_parts())
    return stream.getvalue()[:-300]


@pytest.mark.parametrize("content", [b"PK\x03\x04 and then nothing", bare_npy(), npz_of_objects(), cut_npz()])
def test_damaged_npz(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "set.npz"
    path.write_bytes(content)
    with pytest.raises(BadInputError, match=r"expected an \.npz file"):
        TrainingSet.read(path)


@pytest.mark.parametrize("suffix", [".pkl", ".npz"])
@pytest.mark.parametrize("name", ["set.npz", "set.pkl", "set.model", "set"])
def test_the_content_tells_the_format(tmp_path: Path, suffix: str, name: str) -> None:
    original = TrainingSet(**make_parts())
    original.write(tmp_path / f"original{suffix}")
    path = (tmp_path / f"original{suffix}").rename(tmp_path / name)
    np.testing.assert_array_equal(TrainingSet.read(path).flux, original.flux)


@pytest.mark.parametrize("content", [b"", b"TEFF,LOGG\n4500,2.1\n"])
def test_a_file_of_neither_format(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "set.npz"
    path.write_bytes(content)
    with pytest.raises(BadInputError, match=r"set\.npz") as caught:
        TrainingSet.read(path)
    assert caught.value.reason is Reason.BAD_TRAINING_SET


def test_negligible_inverse_variance_is_none(tmp_path: Path) -> None:
    parts = make_parts()
    parts["ivar"][:, 2] = 1e-12
    parts["ivar"][3] *= 1e-9  # a faint star is measured by itself
    parts["ivar"][3, 2] = 0.0
    parts["flux"][0, 2] = np.nan
    given = parts["ivar"].copy()
    read = TrainingSet.read(as_file(tmp_path / "set.pkl", ivar=given, flux=parts["flux"]))
    expected = given.copy()
    expected[:, 2] = 0.0
    assert read.flux[0, 2] == 1.0
    assert read.digest == digest_file(tmp_path / "set.pkl")
    np.testing.assert_array_equal(read.ivar, expected)
    np.testing.assert_array_equal(TrainingSet(**parts).ivar, expected)
    np.testing.assert_array_equal(parts["ivar"], given)  # the caller's array stays as it is


def test_an_unknown_ending(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected a name that ends in"):
        TrainingSet(**make_parts()).write(tmp_path / "set.csv")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        TrainingSet.read(tmp_path / "set.pkl")


def test_selecting_labels_keeps_the_order_asked_for() -> None:
    original = TrainingSet(**make_parts())
    chosen = original.select(["LOGG", "TEFF"])
    np.testing.assert_array_equal(chosen.labels, original.labels[:, ::-1])
    assert chosen.digest == original.digest
    assert original.select(NAMES) is original
    for names in (["M_H"], [], ["TEFF", "TEFF"]):
        with pytest.raises(BadInputError, match="label names"):
            original.select(names)


def test_digest_of_a_set_in_memory() -> None:
    one, same = TrainingSet(**make_parts()), TrainingSet(**make_parts())
    assert len(one.digest) == 64
    assert one.digest == same.digest
    assert TrainingSet(**with_value("flux", (0, 0), 0.5)).digest != one.digest
    assert TrainingSet(**make_parts(label_names=("A", "B"))).digest != one.digest
