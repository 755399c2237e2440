"""Reading the arrays of a pickle without running anything that it names.

A pickle is a program.  Those that hold numpy arrays call five functions; here each of those names stands for an inert
object of this module that only writes down what it was called with, and every other name is refused before it is
imported. Numpy's own functions never see the pickle's arguments: the arrays are made afterwards, from checked shapes,
checked types and bytes.

The standard library's Unpickler with the real functions on an allow-list of ``find_class`` does not refuse as much.  There a
pickle of 89 bytes makes an array of 2 GB (``_reconstruct`` and ``ndarray`` take any shape), one of 46 bytes an array of
memory that was never written, and BUILD sets attributes on the functions that are allowed, for all that the process does
later; ``_codecs.encode`` takes any codec.  The tests of this module hold each of them.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import warnings
from collections.abc import Callable
from typing import Any, Never

import numpy as np
from numpy.typing import NDArray

from apogee_labels.core.errors import BadInputError, Reason

_REFUSED_OPCODES = {
    "INST": "instances of classes",
    "OBJ": "instances of classes",
    "NEWOBJ": "instances of classes",
    "NEWOBJ_EX": "instances of classes",
    "EXT1": "extension codes",
    "EXT2": "extension codes",
    "EXT4": "extension codes",
    "PERSID": "persistent ids",
    "BINPERSID": "persistent ids",
    "NEXT_BUFFER": "buffers outside the file",
}
_DTYPE_KINDS = "fiuSU"
_FAULTS = (
    pickle.UnpicklingError,
    EOFError,
    ValueError,
    TypeError,
    AttributeError,
    KeyError,
    IndexError,
    OverflowError,
    MemoryError,
    ImportError,
)


class RefusedError(pickle.UnpicklingError):
    """The pickle names something that is not on the list of what training sets need."""


class _DType:
    """What ``numpy.dtype(...)`` was called with, and its byte order."""

    __slots__ = ("order", "text")

    def __init__(self, text: object) -> None:
        self.text, self.order = text, "|"

    def __setstate__(self, state: object) -> None:
        if isinstance(state, tuple) and len(state) > 1 and isinstance(state[1], str):
            self.order = state[1]

    def resolve(self) -> np.dtype[Any]:
        """Return the numpy type, when it is one of numbers or of text."""
        kind = self.text.decode("latin1") if isinstance(self.text, bytes) else self.text
        if (
            not isinstance(kind, str)
            or not 2 <= len(kind) <= 8
            or kind[0] not in _DTYPE_KINDS
            or not kind[1:].isdigit()
        ):
            raise RefusedError(f"an array of type {kind!r}: expected numbers, or names")
        return np.dtype(self.order + kind if self.order in ("<", ">") else kind)


class _Array:
    """The state of an array, as ``ndarray.__setstate__`` would get it."""

    __slots__ = ("state",)

    def __init__(self) -> None:
        self.state: object = None

    def __setstate__(self, state: object) -> None:
        self.state = state


class _Inert:
    """A name that a pickle may use: calling it runs a function of this module, and nothing can be set on it."""

    __slots__ = ("_function",)
    _function: Callable[..., object]

    def __init__(self, function: Callable[..., object]) -> None:
        object.__setattr__(self, "_function", function)

    def __call__(self, *arguments: object) -> object:
        return self._function(*arguments)

    def __setattr__(self, name: str, value: object) -> Never:
        raise RefusedError("state set on a function")

    def __setstate__(self, state: object) -> Never:
        raise RefusedError("state set on a function")


def _reconstruct(*_arguments: object) -> _Array:
    return _Array()


def _frombuffer(data: object, dtype: object, shape: object, order: object, _axes: object = None) -> _Array:
    if order not in ("C", "F"):
        raise RefusedError(f"an array of order {order!r}: expected C or F")
    array = _Array()
    array.state = (1, shape, dtype, order == "F", data)
    return array


def _dtype(text: object = None, *_arguments: object) -> _DType:
    return _DType(text)


def _scalar(dtype: object, data: object = None) -> _Array:
    array = _Array()
    array.state = (1, (), dtype, False, data)
    return array


def _encode(text: object, encoding: object = "latin1") -> bytes:
    """How protocols 0 to 2 write bytes."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise RefusedError(f"_codecs.encode to {encoding!r}")
    return text.encode("latin1")


def _empty_bytes(*arguments: object) -> bytes:
    """How protocols 0 to 2 write empty bytes."""
    if arguments:
        raise RefusedError("bytes made from other objects")
    return b""


def _not_callable(*_arguments: object) -> Never:
    raise RefusedError("a call of numpy.ndarray")


_ALLOWED = {
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _Inert(_reconstruct) for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): _Inert(_scalar) for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _Inert(_frombuffer) for core in ("core", "_core")},
    ("numpy", "ndarray"): _Inert(_not_callable),
    ("numpy", "dtype"): _Inert(_dtype),
    ("_codecs", "encode"): _Inert(_encode),
    ("__builtin__", "bytes"): _Inert(_empty_bytes),
    ("builtins", "bytes"): _Inert(_empty_bytes),
}


class _ArrayUnpickler(pickle.Unpickler):
    """An unpickler that knows the names in ``_ALLOWED``, and imports nothing at all."""

    def find_class(self, module_name: str, global_name: str) -> Any:
        """Return the inert object that stands for an allowed name."""
        allowed = _ALLOWED.get((module_name, global_name))
        if allowed is None:
            raise RefusedError(f"{module_name}.{global_name}")
        return allowed

    def persistent_load(self, pid: Any) -> Never:
        """Refuse objects that are kept outside of the file."""
        raise RefusedError("persistent ids")


def load_arrays(content: bytes, *, name: str = "pickle") -> dict[str, object]:
    """Read a pickled dict of arrays, texts and numbers.

    Parameters
    ----------
    content
        The file's bytes: protocols 0 to 5, written by Python 2 or 3 with numpy 1 or 2.
    name
        What error messages call it.

    Returns
    -------
    dict
        Arrays of numbers or of text (read-only ones share the memory of the content), and tuples, lists, texts and
        numbers as they are.  Entries whose name is no text are left out.

    Raises
    ------
    BadInputError
        ``BAD_TRAINING_SET``: it names anything but numpy arrays (nothing of it has run then), or it is not a whole
        pickle of a dict.
    """
    try:
        # Python warns of odd escapes in texts as in source code; here they are damage, and the rest tells.
        with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
            _refuse_opcodes(content)
            loaded = _ArrayUnpickler(io.BytesIO(content), fix_imports=False, encoding="latin1").load()
        if not isinstance(loaded, dict):
            raise _bad(name, f"expected a dict of arrays, got {type(loaded).__name__}")
        return {str(_plain(key)): _plain(value) for key, value in loaded.items() if isinstance(key, str | bytes)}
    except RefusedError as refusal:
        message = f"refused, it asks for {refusal}, which no training set needs; nothing was run"
        raise _bad(name, message) from refusal
    except BadInputError:
        raise
    except _FAULTS as fault:
        raise _bad(name, f"expected a whole pickle of a dict of arrays ({type(fault).__name__}: {fault})") from fault


def _refuse_opcodes(content: bytes) -> None:
    """Read the program without running it, and refuse what arrays never need, and names that are not allowed."""
    for opcode, argument, _ in pickletools.genops(content):
        if opcode.name in ("GLOBAL", "INST"):
            module, _, attribute = str(argument).partition(" ")
            if (module, attribute) not in _ALLOWED:
                raise RefusedError(f"{module}.{attribute}")
        if opcode.name in _REFUSED_OPCODES:
            raise RefusedError(_REFUSED_OPCODES[opcode.name])
        if opcode.name in ("PUT", "LONG_BINPUT") and int(str(argument)) > len(content):
            raise RefusedError("a memo of more places than the file has bytes")  # memory for each is taken at once


def _plain(value: object) -> object:
    """`value` with bytes as text and inert states as arrays, through one level of tuples and lists."""
    if isinstance(value, _Array):
        return _to_array(value)
    if isinstance(value, bytes):
        return value.decode("latin1")
    if isinstance(value, tuple | list):
        return type(value)(_plain(item) if isinstance(item, _Array | bytes) else item for item in value)
    return value


def _to_array(array: _Array) -> NDArray[Any] | list[object]:
    if not isinstance(array.state, tuple) or len(array.state) < 4:
        raise RefusedError("an array without its content")
    shape, dtype, fortran, data = array.state[-4:]
    if not isinstance(dtype, _DType):
        raise RefusedError("an array without a type")
    if dtype.text in ("O8", b"O8", "O4", b"O4", "O", b"O"):
        return _names_of_objects(data)
    kind = dtype.resolve()
    raw = data.encode("latin1") if isinstance(data, str) else data
    if not isinstance(raw, bytes | bytearray) or not isinstance(shape, tuple):
        raise RefusedError("an array whose content is not bytes")
    if not all(type(size) is int and size >= 0 for size in shape) or math.prod(shape) * kind.itemsize != len(raw):
        raise ValueError(f"an array of shape {shape} and type {kind} holds {len(raw)} bytes")
    return np.frombuffer(raw, dtype=kind).reshape(shape, order="F" if fortran else "C")


def _names_of_objects(data: object) -> list[object]:
    """Return what an array of objects holds, when it holds texts only: such arrays name labels, never numbers."""
    if not isinstance(data, list) or not all(isinstance(item, str | bytes) for item in data):
        raise RefusedError("an array of objects")
    return [_plain(item) for item in data]


def _bad(name: str, message: str) -> BadInputError:
    return BadInputError(Reason.BAD_TRAINING_SET, f"{name}: {message}.")
