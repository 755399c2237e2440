"""A validation there and back through a model's file, and validations that no model has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from apogee_labels.cannon.io.model_file import read_validation, validation_hdus
from apogee_labels.cannon.model import CannonModel
from apogee_labels.cannon.validation.validation import Trial, Validation
from apogee_labels.core.errors import BadInputError, Reason
from tests.apogee_labels.cannon.edited_files import Edit, change, drop


@pytest.fixture
def path(model: CannonModel, tmp_path: Path) -> Path:
    path = tmp_path / "model.fits"
    model.write(path)
    return path


def make_validation(*, n_stars: int, n_labels: int) -> Validation:
    """Numbers of every kind, NaN among them."""
    rng = np.random.default_rng(n_labels)
    labels = rng.normal(size=(n_stars, n_labels))
    labels[0] = np.nan
    return Validation(
        fold=rng.integers(0, 4, n_stars),
        truth=rng.normal(size=(n_stars, n_labels)),
        labels=labels,
        covariance=rng.normal(size=(n_stars, n_labels, n_labels)),
        chi_sq=rng.normal(size=n_stars),
        n_freedom=rng.integers(-10, 8000, n_stars),
        unexplained=np.where(np.arange(n_stars) % 3, rng.normal(size=n_stars), np.nan),
        snr=rng.normal(size=n_stars),
        flags=rng.integers(0, 1 << 40, n_stars),
        beyond=rng.normal(size=(2, n_labels, n_labels)),
        corrected=True,
        n_components=8,
        trials=(Trial(0, False, (1.0,) * n_labels), Trial(8, True, tuple(rng.random(n_labels).tolist()))),
    )


def assert_equal(one: Validation | None, other: Validation | None) -> None:
    assert one is not None
    assert other is not None
    for field in fields(Validation):
        values = [getattr(side, field.name) for side in (one, other)]
        np.testing.assert_array_equal(*values)
        if isinstance(values[0], np.ndarray):
            assert values[0].dtype == values[1].dtype
            assert values[0].shape == values[1].shape


@pytest.mark.parametrize(("n_stars", "n_labels"), [(50, 3), (50, 1), (1, 3), (20, 17)])
def test_there_and_back(tmp_path: Path, n_stars: int, n_labels: int) -> None:
    validation = make_validation(n_stars=n_stars, n_labels=n_labels)
    fits.HDUList([fits.PrimaryHDU(), *validation_hdus(validation)]).writeto(tmp_path / "validation.fits")
    with fits.open(tmp_path / "validation.fits") as hdus:
        assert_equal(read_validation(hdus), validation)


def test_without_trials(tmp_path: Path) -> None:
    validation = replace(make_validation(n_stars=5, n_labels=2), trials=(), corrected=False)
    assert [hdu.name for hdu in validation_hdus(validation)] == ["VALIDATION", "BEYOND"]
    fits.HDUList([fits.PrimaryHDU(), *validation_hdus(validation)]).writeto(tmp_path / "validation.fits")
    with fits.open(tmp_path / "validation.fits") as hdus:
        assert_equal(read_validation(hdus), validation)


def test_a_models_validation_is_kept(model: CannonModel, path: Path) -> None:
    assert_equal(CannonModel.read(path).validation, model.validation)


def test_a_model_without_one(model: CannonModel, tmp_path: Path) -> None:
    silent = replace(model, validation=None, noise=None)
    silent.write(tmp_path / "model.fits")
    copy = CannonModel.read(tmp_path / "model.fits")
    assert copy.validation is None
    assert copy.noise is None


def test_anyone_can_read_it(model: CannonModel, path: Path) -> None:
    assert model.validation is not None
    with fits.open(path) as hdus:
        table = hdus["VALIDATION"]
        assert len(table.data) == 400
        np.testing.assert_array_equal(table.data["LABELS"], model.validation.labels)
        assert table.header["CORRECT"] is model.validation.corrected
        assert list(hdus["TRIALS"].data["COMPONENTS"]) == [0, 0, 4, 4, 8, 8]


Columns = dict[str, np.ndarray]


def table_with(name: str, make: Callable[[Columns], Columns]) -> Edit:
    """Put other columns in the place of a table's, its header as it was."""

    def edit(hdus: fits.HDUList) -> None:
        old = hdus[name]
        kinds = {column.name: column.format[-1] for column in old.columns}
        made = make({column: np.array(old.data[column]) for column in kinds})
        columns = [
            fits.Column(column, f"{values[0].size}{kinds[column]}", array=values) for column, values in made.items()
        ]
        new = fits.BinTableHDU.from_columns(columns, name=name)
        new.header.update({card: old.header[card] for card in ("CORRECT", "NCOMP") if card in old.header})
        hdus[hdus.index_of(name)] = new

    return edit


def fewer_stars(columns: Columns) -> Columns:
    return {name: values[:-1] for name, values in columns.items()}


def without(name: str) -> Callable[[Columns], Columns]:
    return lambda columns: {column: values for column, values in columns.items() if column != name}


def narrow(name: str) -> Callable[[Columns], Columns]:
    """One number a row less."""
    return lambda columns: {**columns, name: columns[name][:, :-1]}


def image_of(name: str, values: np.ndarray) -> Edit:
    def edit(hdus: fits.HDUList) -> None:
        hdus[name].data = values

    return edit


@pytest.mark.parametrize(
    "edit",
    [
        table_with("VALIDATION", fewer_stars),
        table_with("VALIDATION", without("FLAGS")),
        table_with("VALIDATION", narrow("LABELS")),
        table_with("VALIDATION", narrow("TRUTH")),
        table_with("VALIDATION", narrow("COVARIANCE")),
        table_with("TRIALS", without("RATIO")),
        table_with("TRIALS", narrow("RATIO")),
        image_of("BEYOND", np.zeros((1, 3, 3))),
        image_of("BEYOND", np.zeros((2, 2, 2))),
        image_of("BEYOND", np.full((2, 3, 3), np.nan)),
        drop("BEYOND"),
        drop("NOISE_MODES"),
        drop("NOISE_AMPLITUDES"),
        image_of("NOISE_AMPLITUDES", np.zeros((239, 4))),
        image_of("NOISE_AMPLITUDES", np.zeros((240, 3))),
        image_of("NOISE_AMPLITUDES", np.full((240, 4), np.nan)),
        image_of("NOISE_MODES", np.zeros((4, 9, 9))),
        image_of("NOISE_MODES", np.zeros((4, 10, 9))),
        image_of("NOISE_MODES", np.full((4, 10, 10), np.inf)),
    ],
)
def test_parts_that_do_not_fit_the_model(path: Path, edit: Edit) -> None:
    change(path, edit)
    with pytest.raises(BadInputError, match=r"model\.fits: expected a whole model file") as caught:
        CannonModel.read(path)
    assert caught.value.reason is Reason.BAD_MODEL
