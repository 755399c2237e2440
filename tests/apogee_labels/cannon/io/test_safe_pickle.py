"""What the restricted reader reads as pickle would, and what it refuses without running it."""

from __future__ import annotations

import builtins
import copyreg
import io
import os
import pickle
import pickletools
import struct
import tracemalloc
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apogee_labels.cannon.io import safe_pickle
from apogee_labels.cannon.io.safe_pickle import load_arrays
from apogee_labels.core.errors import BadInputError, Reason


class NumpyOnePickler(pickle._Pickler):  # type: ignore[misc]
    """Names the functions as numpy 1 did."""

    # As Python itself has it: dill, which Airflow imports, teaches Python's pickler ways of its own for these.
    dispatch = {  # noqa: RUF012 - pickle's own name and kind
        **pickle._Pickler.dispatch,
        dict: pickle._Pickler.save_dict,
        type: pickle._Pickler.save_type,
    }

    def save_global(self, obj: Any, name: str | None = None) -> None:
        module = str(getattr(obj, "__module__", ""))
        if not module.startswith("numpy._core"):
            super().save_global(obj, name)
            return
        module, name = module.replace("numpy._core", "numpy.core"), name or obj.__qualname__
        if self.proto >= 4:
            self.save(module)
            self.save(name)
            self.write(pickle.STACK_GLOBAL)
        else:
            self.write(pickle.GLOBAL + f"{module}\n{name}\n".encode())
        self.memoize(obj)


def numpy_one(value: object, protocol: int) -> bytes:
    stream = io.BytesIO()
    NumpyOnePickler(stream, protocol).dump(value)
    return stream.getvalue()


ARRAYS = {
    "float64": np.arange(6.0).reshape(2, 3),
    "float32": np.arange(6, dtype="f4").reshape(2, 3),
    "big-endian": np.arange(6, dtype=">f8").reshape(3, 2),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "strided": np.arange(24.0).reshape(4, 6)[::2, ::3],
    "integers": np.arange(4),
    "empty": np.empty((0, 3)),
    "names": np.array(["TEFF", "LOGG"]),
    "bytes": np.array([b"TEFF", b"LOGG"]),
}


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_of_every_protocol(name: str, protocol: int) -> None:
    for content in (pickle.dumps({"x": ARRAYS[name]}, protocol), numpy_one({"x": ARRAYS[name]}, protocol)):
        got = load_arrays(content)["x"]
        np.testing.assert_array_equal(got, ARRAYS[name])
        assert isinstance(got, np.ndarray)
        assert got.dtype == ARRAYS[name].dtype


@pytest.mark.parametrize("protocol", range(6))
def test_plain_values(protocol: int) -> None:
    value = {"names": ("TEFF", "LOGG"), "list": [1, 2.5], "text": "Å", "raw": b"LOGG", "none": None}
    assert load_arrays(pickle.dumps(value, protocol)) == value | {"raw": "LOGG"}
    names = np.array(["TEFF", "LOGG"], dtype=object)
    assert load_arrays(pickle.dumps({"names": names}, protocol)) == {"names": ["TEFF", "LOGG"]}
    assert load_arrays(pickle.dumps({"x": np.float64(2.5)}, protocol))["x"] == np.array(2.5)


def python_two(array: np.ndarray[Any, Any]) -> bytes:
    """Protocol 2 as Python 2 and numpy 1 wrote it: texts and the arrays' bytes are both ``str``."""
    raw = array.tobytes()
    text = lambda value: b"U" + bytes([len(value)]) + value  # noqa: E731
    dtype = (
        b"cnumpy\ndtype\n"
        + text(b"f8")
        + b"K\x00K\x01\x87R(K\x03"
        + text(b"<")
        + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    )
    shape = b"(" + b"".join(b"K" + bytes([size]) for size in array.shape) + b"t"
    state = b"(K\x01" + shape + dtype + b"\x89" + b"T" + struct.pack("<i", len(raw)) + raw + b"tb"
    start = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85" + text(b"b") + b"\x87R"
    names = text(b"label_names") + b"(" + text(b"TEFF") + text(b"LOGG") + b"t"
    return b"\x80\x02}(" + text(b"flux") + start + state + names + b"u."


def test_a_pickle_of_python_two() -> None:
    array = np.random.default_rng(1).normal(size=(3, 4))  # bytes above 127 among them
    content = python_two(array)
    pickletools.dis(content, out=io.StringIO())  # it is a whole pickle
    got = load_arrays(content)
    np.testing.assert_array_equal(got["flux"], array)
    assert got["label_names"] == ("TEFF", "LOGG")


def test_arrays_share_the_memory_of_the_content() -> None:
    got = load_arrays(pickle.dumps({"x": np.arange(1000.0)}, 4))["x"]
    assert isinstance(got, np.ndarray)
    assert not got.flags.owndata


class Reduce:
    """An object whose pickle calls something."""

    def __init__(self, function: Any, *arguments: object, state: object = None) -> None:
        self.reduced = (function, arguments) if state is None else (function, arguments, state)

    def __reduce__(self) -> Any:
        return self.reduced


class Plain:
    """A class of this module."""


def reconstructed_with(payload: object) -> Reduce:
    """An array in whose state something else hides."""
    return Reduce(
        np._core.multiarray._reconstruct, np.ndarray, (0,), b"b", state=(1, (1,), np.dtype("f8"), False, payload)
    )


@pytest.fixture
def marker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file that exists when something ran."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path / "ran"
    assert not (tmp_path / "ran").exists(), "the pickle ran code"


TOUCH = "touch ran"
WRITE = "open('ran', 'w').close()"
ATTACKS: dict[str, tuple[object, str]] = {
    "os.system": (Reduce(os.system, TOUCH), r"(posix|nt)\.system"),
    "eval": (Reduce(eval, WRITE), r"(builtins|__builtin__)\.eval"),
    "exec": (Reduce(exec, WRITE), r"(builtins|__builtin__)\.exec"),
    "open": (Reduce(open, "ran", "w"), r"io\.open|_io\.open"),
    "import": (Reduce(builtins.__import__, "antigravity"), r"__import__"),
    "getattr": (Reduce(getattr, os, "system"), r"getattr|cannot pickle"),
    "numpy.load": (Reduce(np.load, "ran.npy"), r"numpy\.load"),
    "numpy.memmap": (Reduce(np.memmap, "ran", "f8", "w+", 0, (8,)), r"numpy\.memmap"),
    "numpy.fromfile": (Reduce(np.fromfile, "ran"), r"fromfile"),
    "a class": (Plain(), r"Plain|instances of classes|copy_reg|copyreg"),
    "ordered dict": (OrderedDict(a=1), r"OrderedDict"),
    "in an array's state": (reconstructed_with(Reduce(os.system, TOUCH)), r"system"),
    "in a list in a state": (reconstructed_with([Reduce(eval, WRITE)]), r"eval"),
    "in an array of objects": (np.array([Reduce(os.system, TOUCH)], dtype=object), r"system"),
    "as the key": ({Reduce(os.system, TOUCH): 1}, r"system"),
}


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("name", [name for name in ATTACKS if name != "getattr"])
def test_attacks_by_reduce(name: str, protocol: int, marker: Path) -> None:
    payload, refused = ATTACKS[name]
    with pytest.raises(BadInputError, match=refused) as caught:
        load_arrays(pickle.dumps({"flux": payload}, protocol), name="set.pkl")
    assert caught.value.reason is Reason.BAD_TRAINING_SET
    assert "nothing was run" in caught.value.message
    assert caught.value.message.startswith("set.pkl: ")
    assert "\n" not in caught.value.message


def short(text: str) -> bytes:
    """SHORT_BINUNICODE."""
    return b"\x8c" + bytes([len(text)]) + text.encode()


def stack_global(module: str, name: str) -> bytes:
    return short(module) + short(name) + b"\x93"


HEAD = b"\x80\x04"
PROGRAMS: dict[str, tuple[bytes, str]] = {
    "os.system, protocol 0": (b"cos\nsystem\n(S'touch ran'\ntR.", r"os\.system"),
    "posix.system": (b"cposix\nsystem\n(S'touch ran'\ntR.", r"posix\.system"),
    "python 2 eval": (b"c__builtin__\neval\n(S\"open('ran','w')\"\ntR.", r"__builtin__\.eval"),
    "INST": (b"(S'touch ran'\nios\nsystem\n.", r"os\.system"),
    "INST of an allowed name": (b"(S'f8'\ninumpy\ndtype\n.", r"instances of classes"),
    "OBJ": (HEAD + b"(" + stack_global("os", "system") + short(TOUCH) + b"o.", r"instances of classes|os\.system"),
    "STACK_GLOBAL": (HEAD + stack_global("os", "system") + short(TOUCH) + b"\x85R.", r"os\.system"),
    "dotted name": (HEAD + stack_global("numpy", "ndarray.__class__") + b".", r"numpy\.ndarray\.__class__"),
    "dotted module": (
        HEAD + stack_global("numpy.testing", "measure") + short(WRITE) + b"\x85R.",
        r"numpy\.testing\.measure",
    ),
    "memoised name": (
        HEAD + short("system") + b"\x94" + short("os") + b"h\x00\x93" + short(TOUCH) + b"\x85R.",
        r"os\.system",
    ),
    "numpy's own eval": (HEAD + stack_global("numpy.f2py.crackfortran", "myeval") + b".", r"myeval"),
    "getattr chain": (HEAD + stack_global("builtins", "getattr") + stack_global("numpy", "ndarray") + b".", r"getattr"),
    "NEWOBJ": (HEAD + stack_global("numpy", "ndarray") + b")\x81.", r"instances of classes"),
    "NEWOBJ_EX": (HEAD + stack_global("numpy", "ndarray") + b")}\x92.", r"instances of classes"),
    "BUILD on a class": (HEAD + stack_global("numpy", "ndarray") + b"}" + short("x") + b"K\x01sb.", r"state set"),
    "BUILD with slots": (
        HEAD + stack_global("numpy", "dtype") + b"N}" + short("_function") + b"K\x01s\x86b.",
        r"state set",
    ),
    "call of ndarray": (HEAD + stack_global("numpy", "ndarray") + b"K\x05\x85R.", r"numpy\.ndarray"),
    "persistent id": (b"Pos.system\n.", r"persistent ids"),
    "binary persistent id": (HEAD + short("x") + b"Q.", r"persistent ids"),
    "extension": (HEAD + b"\x82\xf0.", r"extension codes"),
    "wide extension": (HEAD + b"\x84\xf0\x00\x00\x00.", r"extension codes"),
    "buffer from outside": (b"\x80\x05\x97.", r"buffers outside"),
    "other codec": (b"c_codecs\nencode\n(S'x'\nS'rot13'\ntR.", r"rot13"),
    "numbers as objects": (pickle.dumps({"x": np.array([1, None], dtype=object)}), r"array of objects"),
    "structured type": (pickle.dumps({"x": np.zeros(2, dtype="f8,f8")}), r"array of type"),
    "dates": (pickle.dumps({"x": np.zeros(2, dtype="M8[s]")}), r"array of type"),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_attacks_by_hand(name: str, marker: Path) -> None:
    content, refused = PROGRAMS[name]
    with pytest.raises(BadInputError, match=refused):
        load_arrays(content)


@pytest.mark.parametrize("put", [b"r\x00\x00\x00\x04", b"p67108864\n"], ids=["LONG_BINPUT", "PUT"])
def test_a_memo_of_more_places_than_bytes_is_refused(put: bytes) -> None:
    """Python takes the memory for all places below the one that is named: a gigabyte for nine bytes."""
    with pytest.raises(BadInputError, match="a memo of more places than the file has bytes"):
        load_arrays(b"\x80\x02}" + put + b".")


def test_an_array_of_any_shape_takes_no_memory() -> None:
    """An Unpickler that calls numpy's own functions makes 2 GB of these bytes."""
    huge = HEAD + stack_global("numpy", "ndarray") + b"J\0\0\0\x10\x85"
    made = HEAD + short("a") + stack_global("numpy._core.multiarray", "_reconstruct") + huge[len(HEAD) :]
    tracemalloc.start()
    try:
        with pytest.raises(BadInputError, match="an array without its content"):
            load_arrays(b"\x80\x04}" + made[len(HEAD) :] + b"C\x01d\x87Rs.")
        assert tracemalloc.get_traced_memory()[1] < 1e6
    finally:
        tracemalloc.stop()


def test_an_extension_that_is_registered_and_cached_is_refused(marker: Path) -> None:
    copyreg.add_extension("os", "system", 0xF0)
    try:
        pickle.loads(HEAD + b"\x82\xf0.")  # now it is in the cache, which asks nobody
        with pytest.raises(BadInputError, match="extension codes"):
            load_arrays(HEAD + b"\x82\xf0" + short(TOUCH) + b"\x85R.")
    finally:
        copyreg.remove_extension("os", "system", 0xF0)
        copyreg.clear_extension_cache()


def test_what_stands_for_the_names_cannot_be_changed() -> None:
    for inert in safe_pickle._ALLOWED.values():
        with pytest.raises(pickle.UnpicklingError):
            inert._function = eval
        assert not hasattr(inert, "__dict__")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a pickle",
        pickle.dumps({"x": np.arange(100.0)})[:-200],
        pickle.dumps([1, 2]),
        HEAD + b"}" + short("x") + stack_global("numpy._core.multiarray", "_reconstruct") + b")Rs.",
        pickle.dumps({"x": np.arange(4.0)}).replace(b"K\x04\x85", b"K\x05\x85"),
        b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f.",
        b"\x89PNG\r\n\x1a\n",
    ],
)
def test_damaged_files(content: bytes) -> None:
    with pytest.raises(BadInputError):
        load_arrays(content)


def test_an_odd_escape_in_a_text_is_no_warning() -> None:
    assert load_arrays(b"(dS'x'\nS'a\\q'\ns.") == {"x": "a\\q"}


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_damage_is_an_error_of_ours_or_harmless(data: st.DataObject) -> None:
    content = bytearray(pickle.dumps({"flux": np.arange(4.0), "names": ("A", "B")}, data.draw(st.integers(0, 5))))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with suppress(BadInputError):  # any other error fails the test
        load_arrays(bytes(content))
