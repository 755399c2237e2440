"""How much memory a training will take, estimated before its file is read, and how much it may take.

A training that needs more than there is would be killed by the kernel, or drive the machine into its swap; on the way it
may take the night's tasks with it.  The estimate is made from the headers of an .npz file's arrays, or from the size of a
pickle of numbers in double precision.  It is an upper bound, about twice what was measured on sets of 200 to 2000 stars with
3 to 17 labels (a test holds it against a training): sets with masked pixels, or stars without a spectrum, are copied more
often than those.
"""

from __future__ import annotations

import math
import re
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from apogee_labels.core.errors import BadInputError, Reason

if TYPE_CHECKING:
    from apogee_labels.pipeline.identities import TrainingParameters

SHARE = 0.8
"""Of the machine's memory, or of what its container may take: what a training may take by default."""

BASE_BYTES = 120_000_000
"""Of a process that has loaded what trains, with its buffers."""
COPIES = 3.5
"""Of the fluxes and inverse variances in double precision: the file's content and its arrays, then the arrays, those of
stars that have a spectrum, those of a fold, and residuals."""
COPIES_OF_PATH = 1.0
"""More of these for the fits along a path."""
PATH_BYTES = 100_000_000
"""Of the coefficients along a path, which are worked on in pieces."""
CACHED_BYTES = 200_000_000
"""Most that the engine keeps of the products of two coefficients of each pixel; what is larger it does not keep."""
CACHES = 4
"""How many of these there are while a fold's engine takes the place of another's."""
BLOCK_BYTES = 10_000
"""Of normal matrices and their inverses in a block of pixels, for each of their elements."""
LATENT = 8
"""Most latent components that are tried."""
GRID = 8575
"""Pixels of an apStar file: how many stars a pickle holds, its size tells with that."""

_CGROUP = Path("/sys/fs/cgroup")
_OWN_CGROUP = Path("/proc/self/cgroup")
_MAGIC = b"PK\x03\x04"
_FAULTS = (ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError)


class NotEnoughMemoryError(RuntimeError):
    """A training needs more memory than it may take: trying again changes nothing, a person has to act."""


class SetSize(NamedTuple):
    """How large a training set is."""

    n_stars: int
    n_pixels: int


def check_memory(path: str | Path, parameters: TrainingParameters, limit_gb: float | None = None) -> None:
    """Refuse a training that needs more memory than it may take.

    Parameters
    ----------
    path
        The training set.
    limit_gb
        What a training may take, GB; None: :data:`SHARE` of what there is.

    Raises
    ------
    NotEnoughMemoryError
        It needs more.
    BadInputError
        ``BAD_TRAINING_SET``: the arrays are larger than what the file holds of them.
    OSError
        The file cannot be read.
    """
    size = set_size(path)
    needed = needed_bytes(size, Path(path).stat().st_size, parameters)
    allowed = round(limit_gb * 1e9) if limit_gb is not None else round(SHARE * present_bytes())
    if needed > allowed:
        whose = "as APOGEE_LABELS_TRAINING_MEMORY_GB says" if limit_gb is not None else f"{SHARE:.0%} of what there is"
        raise NotEnoughMemoryError(
            f"training on {path} (about {size.n_stars} stars, {size.n_pixels} pixels, {len(parameters.label_names)} labels) "
            f"needs about {needed / 1e9:.1f} GB, and may take {allowed / 1e9:.1f} GB, {whose}: set "
            "APOGEE_LABELS_TRAINING_MEMORY_GB higher if the machine has more, or train with fewer stars, labels or a lower "
            "order, or on a larger machine."
        )


def needed_bytes(size: SetSize, n_file: int, parameters: TrainingParameters) -> int:
    """Upper bound of the memory that a training takes at its peak, bytes; `n_file` is the size of the file."""
    n_stars, n_pixels = size
    n_labels, order = len(parameters.label_names), parameters.order
    n_terms, n_products = math.comb(n_labels + order, order), math.comb(n_labels + 2 * order, 2 * order)
    arrays = 16 * n_stars * n_pixels
    path = parameters.regularization_path
    of_spectra = max(COPIES * arrays, n_file + 2 * arrays) + (COPIES_OF_PATH * arrays + PATH_BYTES if path else 0.0)
    cached = 4 * n_pixels * (n_terms + LATENT) ** 2
    of_terms = (CACHES * cached if cached <= CACHED_BYTES else 0) + 64 * n_pixels * n_terms + BLOCK_BYTES * n_terms**2
    return round(BASE_BYTES + of_spectra + of_terms + 24 * n_stars * n_products)


def set_size(path: str | Path) -> SetSize:
    """Stars and pixels of a training set file: from the headers of an .npz file's arrays, about for a pickle.

    Raises
    ------
    BadInputError
        ``BAD_TRAINING_SET``: an array is larger than what the file holds of it.
    OSError
        The file cannot be read.
    """
    path = Path(path)
    with path.open("rb") as stream:
        is_npz = stream.read(len(_MAGIC)) == _MAGIC
    return (_npz_size(path) if is_npz else None) or SetSize(max(path.stat().st_size // (16 * GRID), 1), GRID)


def present_bytes() -> int:
    """Memory of the machine, or of the container that this process runs in where that is less, bytes."""
    import psutil

    return min([int(psutil.virtual_memory().total), *_cgroup_limits()])


def _npz_size(path: Path) -> SetSize | None:
    """Stars and pixels of the fluxes; None where the file is such that its reader has to say what is wrong."""
    import numpy as np

    try:
        with zipfile.ZipFile(path) as archive, archive.open("flux.npy") as member:
            version = np.lib.format.read_magic(member)
            header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, dtype = header(member)
            held = archive.getinfo("flux.npy").file_size
    except _FAULTS:
        return None
    if math.prod(shape) * dtype.itemsize > held:
        raise BadInputError(
            Reason.BAD_TRAINING_SET,
            f"{path}: flux: expected an array of shape {shape} and type {dtype}, the file holds {held} bytes: "
            "write it anew.",
        )
    return SetSize(*shape) if len(shape) == 2 else None


def _cgroup_limits() -> list[int]:
    """Limits of the control groups that this process is in, bytes: of both versions, where there are any."""
    try:
        lines = _OWN_CGROUP.read_text().splitlines()
    except OSError:  # another system than Linux
        return []
    limits = []
    for line in lines:
        controllers, group = line.split(":", 2)[1:]
        if controllers and "memory" not in controllers.split(","):
            continue
        root, name = (_CGROUP / "memory", "memory.limit_in_bytes") if controllers else (_CGROUP, "memory.max")
        own = Path(group.lstrip("/"))
        # In a container the group's own path is often not there, and the root is the container's.
        folders = [root / own, *(root / parent for parent in own.parents)]
        limits += [limit for folder in folders if (limit := _limit(folder / name)) is not None]
    return limits


def _limit(path: Path) -> int | None:
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if re.fullmatch(r"\d+", text) else None  # "max": none
