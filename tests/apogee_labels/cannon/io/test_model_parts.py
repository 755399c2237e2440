"""Values that no model has, in files that are whole and whose sums are right: each is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from apogee_labels.cannon.io.model_file import read_parts
from apogee_labels.cannon.io.model_parts import fault_in
from apogee_labels.cannon.model import CannonModel
from apogee_labels.core.errors import BadInputError, Reason
from tests.apogee_labels.cannon.edited_files import Edit, change


@pytest.fixture
def path(model: CannonModel, tmp_path: Path) -> Path:
    path = tmp_path / "model.fits"
    model.write(path)
    return path


def put(name: str, place: tuple[int, ...], value: float) -> Edit:
    """One value of an image."""

    def edit(hdus: fits.HDUList) -> None:
        hdus[name].data[place] = value

    return edit


def put_column(name: str, value: float) -> Edit:
    """One value of the table of labels."""

    def edit(hdus: fits.HDUList) -> None:
        hdus["LABELS"].data[name][1] = value

    return edit


def swap(hdus: fits.HDUList) -> None:
    """Two wavelengths in the wrong order."""
    hdus["WAVELENGTH"].data[[7, 8]] = hdus["WAVELENGTH"].data[[8, 7]]


def repeat(hdus: fits.HDUList) -> None:
    """A wavelength twice."""
    hdus["WAVELENGTH"].data[8] = hdus["WAVELENGTH"].data[7]


def stand(hdus: fits.HDUList) -> None:
    """Wavelengths with a second axis."""
    hdus["WAVELENGTH"].data = hdus["WAVELENGTH"].data[:, None].copy()


def more_components(hdus: fits.HDUList) -> None:
    hdus["VALIDATION"].header["NCOMP"] += 1


def put_beyond(matrix: np.ndarray) -> Edit:
    def edit(hdus: fits.HDUList) -> None:
        hdus["BEYOND"].data[1] = matrix

    return edit


def make_beyond(**correlations: float) -> np.ndarray:
    """Errors of 50 K, 0.1 and 0.05 dex with these correlations."""
    matrix = np.eye(3)
    for place, value in correlations.items():
        one, other = (int(digit) for digit in place[1:])
        matrix[one, other] = matrix[other, one] = value
    width = np.array([50.0, 0.1, 0.05])
    return matrix * width[:, None] * width


def lopsided() -> np.ndarray:
    matrix = make_beyond(c01=0.5)
    matrix[2, 1] += 1e-5
    return matrix


def write_metadata(text: str) -> Edit:
    def edit(hdus: fits.HDUList) -> None:
        column = fits.Column("JSON", f"{len(text)}A", array=np.array([text.encode()]))
        hdus[hdus.index_of("METADATA")] = fits.BinTableHDU.from_columns([column], name="METADATA")

    return edit


@pytest.mark.parametrize(
    "edit",
    [
        put("WAVELENGTH", (3,), np.nan),
        put("WAVELENGTH", (239,), np.inf),
        swap,
        repeat,
        stand,
        put("TRAINING", (3, 1), np.nan),
        put("TRAINING", (3, 1), np.inf),
        put_column("OFFSET", np.nan),
        put_column("OFFSET", -np.inf),
        put_column("SCALE", np.nan),
        put_column("SCALE", np.inf),
        put_column("SCALE", 0.0),
        put("S2", (3,), np.nan),
        put("S2", (3,), -1e-9),
        put("THETA", (3, 1), np.inf),
        more_components,
        put_beyond(make_beyond(c01=1.01)),
        put_beyond(make_beyond(c01=0.9, c12=0.9, c02=-0.9)),
        put_beyond(-make_beyond()),
        put_beyond(lopsided()),
        put_beyond(np.diag([2500.0, -1e-12, 0.0])),
        put("BEYOND", (0, 2, 2), np.nan),
        put("NOISE_MODES", (0, 1, 2), 1e3),
        put("NOISE_MODES", (3, 2, 1), np.nan),
        write_metadata("[1]"),
        write_metadata("1"),
        write_metadata("{"),
    ],
)
def test_values_that_no_model_has(path: Path, edit: Edit) -> None:
    change(path, edit)
    with pytest.raises(BadInputError, match=r"model\.fits: expected a whole model file") as caught:
        CannonModel.read(path)
    assert caught.value.reason is Reason.BAD_MODEL


def rounded(hdus: fits.HDUList) -> None:
    """Asymmetry of rounding."""
    hdus["BEYOND"].data[0, 0, 1] *= 1.0 + 1e-13
    hdus["NOISE_MODES"].data[1, 0, 1] += 1e-13 * np.abs(hdus["NOISE_MODES"].data[1]).max()


@pytest.mark.parametrize(
    "edit",
    [
        put("S2", (3,), np.inf),
        put_beyond(np.zeros((3, 3))),
        put_beyond(make_beyond(c01=1.0)),
        put_beyond(make_beyond(c01=1.0, c02=1.0, c12=1.0)),
        put_beyond(make_beyond() * [[1, 1, 0], [1, 1, 0], [0, 0, 0]]),
        rounded,
    ],
)
def test_values_that_a_model_can_have(path: Path, edit: Edit) -> None:
    change(path, edit)
    CannonModel.read(path)


def test_so_many_terms_are_counted_not_made(path: Path) -> None:
    names = tuple(f"L{k}" for k in range(500))
    fault = fault_in(read_parts(path)._replace(label_names=names, order=10))
    assert fault is not None
    assert fault.startswith("coefficients of shape (240, 10)")
