"""The file of a model: what is in it, and every way in which it is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from apogee_labels.cannon.io.model_file import FORMAT, read_parts, write_parts
from apogee_labels.cannon.model import CannonModel
from apogee_labels.core.errors import BadInputError, Reason
from tests.apogee_labels.cannon.edited_files import Edit, change, drop


@pytest.fixture
def path(model: CannonModel, tmp_path: Path) -> Path:
    path = tmp_path / "model.fits"
    model.with_metadata(name="giants, Ångström\n", long="x" * 200, good=True, share=0.1).write(path)
    return path


def test_anyone_can_read_it(path: Path, model: CannonModel) -> None:
    with fits.open(path, checksum=True) as hdus:
        header = hdus[0].header
        assert header["MODELFMT"] == FORMAT
        assert header["MODEL TRAINING_SET"].startswith(str(model.metadata["training_set"])[:37])
        assert header["MODEL REGULARIZATION"] == 0.0
        assert header["MODEL GOOD"] is True
        assert [hdu.name for hdu in hdus[1:]] == [
            "THETA",
            "S2",
            "WAVELENGTH",
            "TRAINING",
            "NOISE_AMPLITUDES",
            "NOISE_MODES",
            "VALIDATION",
            "BEYOND",
            "TRIALS",
            "LABELS",
            "TERMS",
            "METADATA",
        ]
        np.testing.assert_array_equal(hdus["THETA"].data, model.theta)
        assert hdus["WAVELENGTH"].header["BUNIT"] == "Angstrom"
        assert list(hdus["TERMS"].data["TERM"]) == list(model.vectorizer.terms)
        assert list(hdus["LABELS"].data["NAME"]) == list(model.label_names)


def with_loadings(model: CannonModel) -> CannonModel:
    """The model with two latent variables."""
    loadings = np.random.default_rng(4).normal(0, 0.01, (len(model.theta), 2))
    assert model.validation is not None
    validation = replace(model.validation, n_components=2)
    return replace(model.with_metadata(latent_components=2), loadings=loadings, validation=validation)


def test_loadings_are_kept(model: CannonModel, tmp_path: Path) -> None:
    latent = with_loadings(model)
    latent.write(tmp_path / "model.fits")
    copy = CannonModel.read(tmp_path / "model.fits")
    np.testing.assert_array_equal(copy.loadings, latent.loadings)
    flux, ivar = model.predict(model.training_labels[:3]), np.full((3, 240), 1e4)
    flux = flux + 2.0 * latent.loadings[:, 0]
    np.testing.assert_array_equal(copy.infer(flux, ivar).labels, latent.infer(flux, ivar).labels)
    assert not np.array_equal(copy.infer(flux, ivar).labels, model.infer(flux, ivar).labels)


@pytest.mark.parametrize("edit", ["drop", "nan", "turn"])
def test_loadings_that_are_not_the_models(model: CannonModel, tmp_path: Path, edit: str) -> None:
    path = tmp_path / "model.fits"
    with_loadings(model).write(path)

    def turn(hdus: fits.HDUList) -> None:
        hdus["LOADINGS"].data = hdus["LOADINGS"].data.T.copy()

    change(path, {"drop": drop("LOADINGS"), "nan": set_value("LOADINGS", np.nan), "turn": turn}[edit])
    with pytest.raises(BadInputError, match=r"other parts|values that no model has"):
        CannonModel.read(path)


def test_texts_are_kept_in_full(path: Path) -> None:
    metadata = read_parts(path).metadata
    assert metadata["name"] == "giants, Ångström\n"
    assert metadata["long"] == "x" * 200
    assert metadata["good"] is True
    assert metadata["share"] == 0.1


def test_the_same_model_gives_the_same_bytes(model: CannonModel, tmp_path: Path) -> None:
    for name in ("one", "two"):
        model.write(tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert len(list(tmp_path.iterdir())) == 2


METADATA = {
    "bias_a=b": 1.0,
    "rms_α": 2.0,
    "rms_ß": 2.0,
    "two\nlines": "x",
    "": 3,
    "a blank": 4,
    "n" * 60: 5,
    "m" * 40: "'" * 64,
    "long": 10**30,
    "integer": np.int64(3),
    "real": np.float64(0.25),
    "truth": np.bool_(True),
    "single": np.float32(0.5),
    "text": np.str_("x"),
    "infinite": -np.inf,
}


def test_metadata_of_any_name_and_of_numpy(model: CannonModel, tmp_path: Path) -> None:
    path = tmp_path / "model.fits"
    replace(model, metadata=METADATA).write(path)
    metadata = read_parts(path).metadata
    assert metadata == METADATA
    assert [type(metadata[name]) for name in ("integer", "real", "truth", "text")] == [int, float, bool, str]
    with fits.open(path) as hdus:
        header = {name: value for name, value in hdus[0].header.items() if name.startswith("MODEL ")}
    assert header.pop("MODEL " + "M" * 40) == "'" * 64
    expected = {"LONG": str(10**30), "INTEGER": 3, "REAL": 0.25, "TRUTH": True, "SINGLE": 0.5, "TEXT": "x"}
    assert header == {f"MODEL {name}": value for name, value in (expected | {"INFINITE": "-inf"}).items()}


@pytest.mark.parametrize("name", ["TEFF ", " TEFF", "", " ", "TE\nFF", "TEFF\0", "TEFF\u00a0", "\ud800"])
def test_names_that_fits_does_not_keep(model: CannonModel, tmp_path: Path, name: str) -> None:
    vectorizer = replace(model.vectorizer, label_names=(name, "LOGG", "FE_H"))
    with pytest.raises(
        ValueError, match="label names: expected printable text without blanks around it, got"
    ) as caught:
        replace(model, vectorizer=vectorizer).write(tmp_path / "model.fits")
    assert not isinstance(caught.value, BadInputError)
    assert not list(tmp_path.iterdir())


def test_terms_that_fits_does_not_keep(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"got 'TEFF '"):
        write_parts(path, read_parts(path), terms=("1", "TEFF "))
    assert path.read_bytes() == before


def test_names_of_any_alphabet(model: CannonModel, tmp_path: Path) -> None:
    names = ("[α/M]", "log g", "Å=1")
    replace(model, vectorizer=replace(model.vectorizer, label_names=names)).write(tmp_path / "model.fits")
    assert CannonModel.read(tmp_path / "model.fits").label_names == names


def flip(position: float) -> Callable[[bytes], bytes]:
    """One changed byte, at a share of the file."""

    def damage(content: bytes) -> bytes:
        place = int(position * len(content))
        return content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :]

    return damage


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: b"no FITS at all",
        lambda content: content[:5000],
        lambda content: content[:-2880],
        lambda content: content[: len(content) // 2],
        flip(0.0),
        flip(0.003),
        flip(0.3),
        flip(0.6),
    ],
)
def test_damage_is_noticed(path: Path, damage: Callable[[bytes], bytes]) -> None:
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(BadInputError, match=r"model\.fits: expected a whole model file") as caught:
        CannonModel.read(path)
    assert caught.value.reason is Reason.BAD_MODEL
    assert "\n" not in caught.value.message


def set_value(name: str, value: float) -> Edit:
    def edit(hdus: fits.HDUList) -> None:
        hdus[name].data.flat[3] = value

    return edit


def set_card(name: str, value: object) -> Edit:
    def edit(hdus: fits.HDUList) -> None:
        hdus[0].header[name] = value

    return edit


def shorten(hdus: fits.HDUList) -> None:
    hdus["S2"].data = hdus["S2"].data[:-1]


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (set_value("THETA", np.nan), "values that no model has"),
        (set_value("S2", -1.0), "values that no model has"),
        (set_card("MODELFMT", "OTHER"), "MODELFMT 'OTHER'"),
        (set_card("ORDER", 3), "coefficients of shape"),
        (set_card("ORDER", 0), "order 0"),
        (drop("METADATA"), "METADATA"),
        (drop("S2"), "S2"),
        (shorten, "other parts"),
    ],
)
def test_files_that_are_whole_but_no_model(path: Path, edit: Edit, message: str) -> None:
    change(path, edit)
    with pytest.raises(BadInputError, match=message):
        CannonModel.read(path)


def test_a_file_without_sums(path: Path) -> None:
    with fits.open(path) as hdus:
        for hdu in hdus:
            del hdu.header["CHECKSUM"], hdu.header["DATASUM"]
        hdus.writeto(path, overwrite=True)
    with pytest.raises(BadInputError, match="sums that do not agree"):
        CannonModel.read(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        CannonModel.read(tmp_path / "model.fits")
