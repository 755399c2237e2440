"""Products: what is written is what is read, without a warning, and a damaged one is noticed."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from apogee_labels.apogee.spectra.apstar import ApStar, parse_apstar
from apogee_labels.apogee.spectra.grid import WAVELENGTH
from apogee_labels.apogee.spectra.masks import StarFlag
from apogee_labels.cannon.continuum.normalization import Normalized, normalize
from apogee_labels.cannon.io import normalized as module
from apogee_labels.cannon.io.normalized import read_normalized, write_normalized
from apogee_labels.cannon.io.normalized_file import parse_product
from apogee_labels.core.errors import BadInputError, Reason
from apogee_labels.core.settings import SHIPPED_REGIONS
from apogee_labels.simulation.apstar_file import apstar_bytes
from apogee_labels.simulation.exposures import expose
from apogee_labels.simulation.survey import SyntheticSurvey
from tests.apogee_labels.cannon.edited_files import change
from tests.apogee_labels.cannon.product_by_astropy import write_by_astropy

PROVENANCE = {"NORMID": "a" * 64, "NORMVERS": "1", "continuum_regions_digest": "b" * 64, "length": 1400.0, "ORDER": 3}


def make_star(nights: int = 3) -> ApStar:
    star = SyntheticSurvey("unused", seed=12).stars[1]
    visits = [expose(star, star.debut + night, 12) for night in range(nights)]
    return parse_apstar(apstar_bytes(star, visits, release="dr17", apred="dr17"), path="star.fits")


@pytest.fixture(scope="module")
def star() -> ApStar:
    return make_star()


@pytest.fixture(scope="module")
def stacked(star: ApStar) -> Normalized:
    return normalize(star, SHIPPED_REGIONS)


@pytest.fixture
def product(tmp_path: Path, star: ApStar, stacked: Normalized) -> Path:
    path = tmp_path / "products" / "one.fits"
    write_normalized(path, stacked, star=star, provenance=PROVENANCE)
    return path


def test_what_is_written_is_what_is_read(product: Path, star: ApStar, stacked: Normalized) -> None:
    read = read_normalized(product)
    for name in Normalized._fields:
        array = getattr(read, name)
        assert array.dtype == np.float64
        np.testing.assert_allclose(array, getattr(stacked, name), rtol=1e-7)
    np.testing.assert_array_equal(read.wavelength, WAVELENGTH)
    assert (read.obj, read.content, read.starflag) == (star.obj, star.digest, star.starflag)
    assert read.snr == pytest.approx(star.snr)
    assert read.provenance == PROVENANCE


def test_rows_know_their_nights(tmp_path: Path, star: ApStar, product: Path) -> None:
    nights = tuple(visit.mjd for visit in star.visits)
    stack = read_normalized(product)
    assert (stack.stacked, stack.mjds, stack.visit_mjds) == (True, (None,), nights)
    write_normalized(tmp_path / "v.fits", normalize(star, SHIPPED_REGIONS, sum_axis=None), star=star, provenance={})
    visits = read_normalized(tmp_path / "v.fits")
    assert (visits.stacked, visits.mjds, visits.flux.shape[0]) == (False, nights, 3)
    one = make_star(nights=1)
    write_normalized(tmp_path / "1.fits", normalize(one, SHIPPED_REGIONS), star=one, provenance={})
    assert read_normalized(tmp_path / "1.fits").mjds == (one.visits[0].mjd,)


@pytest.mark.parametrize(("bad", "kept"), [((1,), (0, 2)), ((0, 1), (2,))])
def test_a_product_tells_of_the_visits_that_are_in_the_stack(
    tmp_path: Path, star: ApStar, bad: tuple[int, ...], kept: tuple[int, ...]
) -> None:
    failed = [replace(v, starflag=StarFlag.RV_FAIL if k in bad else StarFlag(0)) for k, v in enumerate(star.visits)]
    flagged = replace(star, visits=tuple(failed))
    path, nights = tmp_path / "one.fits", tuple(star.visits[k].mjd for k in kept)
    write_normalized(path, normalize(flagged, SHIPPED_REGIONS), star=flagged, provenance={})
    read = read_normalized(path)
    assert read.visit_mjds == nights
    assert read.mjds == ((None,) if len(kept) > 1 else nights)
    with fits.open(path) as hdus:
        assert (hdus[0].header["NVISITS"], hdus[0].header["STACKED"]) == (len(kept), len(kept) > 1)
        assert hdus["VISITS"].data["ROW"].tolist() == [0] * len(kept)
        assert hdus["VISITS"].data["NUMBER"].tolist() == [k + 1 for k in kept]
    write_normalized(path, normalize(flagged, SHIPPED_REGIONS, sum_axis=None), star=flagged, provenance={})
    assert len(read_normalized(path).mjds) == 3


def test_single_precision_costs_nothing_that_matters(product: Path, stacked: Normalized) -> None:
    """The rounding is below a thousandth of the error even where the S/N is a thousand."""
    read = read_normalized(product)
    assert np.abs(read.flux - stacked.flux).max() < 1e-3 * 1e-3
    known = stacked.ivar > 0
    chi_square = (stacked.ivar * (stacked.flux - 1.0) ** 2).sum()
    assert (read.ivar * (read.flux - 1.0) ** 2).sum() == pytest.approx(chi_square, rel=1e-6)
    np.testing.assert_array_equal(read.ivar > 0, known)


def test_the_file_is_what_its_documentation_says(product: Path) -> None:
    assert product.stat().st_size < 130_000
    with fits.open(product, checksum=True) as hdus:  # a wrong sum would warn, and a warning fails
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "FLUX", "IVAR", "CONTINUUM", "VISITS"]
        for hdu in hdus[1:4]:
            keywords = [hdu.header[key] for key in ("CRVAL1", "CDELT1", "CRPIX1", "CTYPE1")]
            assert keywords == [4.179, 6e-6, 1, "LOG-LINEAR"]
        assert hdus[0].header["NORMID"] == PROVENANCE["NORMID"]
        assert list(hdus["VISITS"].data["ROW"]) == [0, 0, 0]
        assert hdus["VISITS"].data["FILE"][0].startswith("asVisit-")


def test_the_same_input_gives_the_same_bytes(tmp_path: Path, product: Path, star: ApStar, stacked: Normalized) -> None:
    write_normalized(tmp_path / "again.fits", stacked, star=star, provenance=PROVENANCE)
    assert (tmp_path / "again.fits").read_bytes() == product.read_bytes()


def test_what_a_header_lacks_is_nan_or_absent(tmp_path: Path, star: ApStar, stacked: Normalized) -> None:
    visits = tuple(replace(visit, fiber=None, snr=None, file=None) for visit in star.visits)
    bare = replace(star, snr=math.nan, ra=math.nan, dec=math.nan, visits=visits, starflag=StarFlag.RV_FAIL)
    write_normalized(tmp_path / "bare.fits", stacked, star=bare, provenance={})
    read = read_normalized(tmp_path / "bare.fits")
    assert math.isnan(read.snr)
    assert read.starflag is StarFlag.RV_FAIL


BARE = {"snr": math.nan, "ra": math.nan, "starflag": StarFlag.RV_FAIL, "obj": "it's", "dec": -1e-7}


@pytest.mark.parametrize("sum_axis", [0, None])
@pytest.mark.parametrize(
    "provenance", [PROVENANCE, {}, {"NORMID": "a" * 64, "NORMVERS": "2", "TEXT": "", "N": -3, "T": True}]
)
@pytest.mark.parametrize("changes", [{}, BARE])
def test_it_is_byte_for_byte_what_astropy_writes(
    tmp_path: Path, star: ApStar, sum_axis: int | None, provenance: dict[str, str], changes: dict[str, float]
) -> None:
    star = replace(star, **changes)
    if changes:
        star = replace(star, visits=(replace(star.visits[0], fiber=None, snr=None, file=None), *star.visits[1:]))
    spectra = normalize(star, SHIPPED_REGIONS, sum_axis=sum_axis)
    write_normalized(tmp_path / "own.fits", spectra, star=star, provenance=provenance)
    write_by_astropy(tmp_path / "twin.fits", spectra, star=star, provenance=provenance)
    assert (tmp_path / "own.fits").read_bytes() == (tmp_path / "twin.fits").read_bytes()


@pytest.mark.parametrize("sum_axis", [0, None])
def test_what_is_read_without_astropy_is_what_is_read_with_it(
    tmp_path: Path, star: ApStar, sum_axis: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, provenance = tmp_path / "one.fits", {"NORMID": "a" * 64, "N": 1.5}
    write_normalized(path, normalize(star, SHIPPED_REGIONS, sum_axis=sum_axis), star=star, provenance=provenance)
    with monkeypatch.context() as patch:
        patch.setattr(module, "parse_product", lambda _: None)
        twin = read_normalized(path)
    monkeypatch.setattr(module, "read_checked", None)
    own = read_normalized(path)
    for name in twin.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(own, name), getattr(twin, name), strict=True)
        assert type(getattr(own, name)) is type(getattr(twin, name))


def test_no_changed_byte_passes_without_astropy(product: Path) -> None:
    content = product.read_bytes()
    assert parse_product(content) is None, "a HIERARCH card is not plain"
    path = product.with_name("plain.fits")
    write_normalized(path, normalize(make_star(), SHIPPED_REGIONS), star=make_star(), provenance={"NORMID": "a"})
    content, rng = path.read_bytes(), np.random.default_rng(3)
    assert parse_product(content) is not None
    for place in [*rng.integers(0, len(content), 150), *range(0, 2880, 37)]:
        changed = bytearray(content)
        changed[place] ^= 1 << rng.integers(0, 8)
        assert parse_product(bytes(changed)) is None, place
    for end in (0, 100, 2880, 40_000, len(content) - 2880, len(content) - 1):
        assert parse_product(content[:end]) is None
    assert parse_product(content + bytes(2880)) is None


@pytest.mark.parametrize("key", ["SNR", "objid", "CHECKSUM", "", "a key", "ключ"])
def test_provenance_names_are_checked(tmp_path: Path, star: ApStar, stacked: Normalized, key: str) -> None:
    with pytest.raises(ValueError, match="expected a provenance name"):
        write_normalized(tmp_path / "x.fits", stacked, star=star, provenance={key: "value"})
    assert not list(tmp_path.iterdir())


def test_rows_must_be_the_stars(tmp_path: Path, star: ApStar, stacked: Normalized) -> None:
    two = Normalized(*(np.repeat(array, 2, axis=0) for array in stacked))
    with pytest.raises(ValueError, match="expected 1 or 3 normalised rows"):
        write_normalized(tmp_path / "x.fits", two, star=star, provenance={})


@pytest.mark.parametrize("size", [0, 100, 2880, 40_000, 40_320, 115_200])
def test_a_product_cut_short_is_noticed(product: Path, size: int) -> None:
    product.write_bytes(product.read_bytes()[:size])
    with pytest.raises(BadInputError, match="delete it and normalise again"):
        read_normalized(product)


@pytest.mark.parametrize("place", [3000, 10_000, 50_000, 100_000])
def test_a_changed_byte_is_noticed(product: Path, place: int) -> None:
    content = bytearray(product.read_bytes())
    content[place] ^= 1
    product.write_bytes(content)
    with pytest.raises(BadInputError):
        read_normalized(product)


@pytest.mark.parametrize("name", ["FLUX", "VISITS"])
def test_another_header_with_right_sums_is_for_astropy_to_read(
    tmp_path: Path, star: ApStar, stacked: Normalized, name: str
) -> None:
    """Two words of four bytes change places, which leaves every sum as it was."""
    path = tmp_path / "one.fits"
    write_normalized(path, stacked, star=star, provenance={"NORMID": "a" * 64})
    content = bytearray(path.read_bytes())
    assert parse_product(bytes(content)) is not None
    first = content.index(f"EXTNAME = '{name}".encode())
    second = content.index(b"XTENSION", first - 2880)
    content[first : first + 4], content[second : second + 4] = (
        content[second : second + 4],
        content[first : first + 4],
    )
    assert parse_product(bytes(content)) is None


def test_a_product_on_another_grid_is_refused(product: Path) -> None:
    change(product, lambda hdus: hdus["FLUX"].header.update({"CRVAL1": 4.2}))
    with pytest.raises(BadInputError, match="not that of apStar files"):
        read_normalized(product)


def test_another_fits_file_is_no_product(tmp_path: Path) -> None:
    images = [fits.ImageHDU(np.zeros((1, 5))) for _ in range(4)]
    fits.HDUList([fits.PrimaryHDU(), *images]).writeto(tmp_path / "other.fits", checksum=True)
    with pytest.raises(BadInputError) as caught:
        read_normalized(tmp_path / "other.fits")
    assert caught.value.reason is Reason.WRONG_LAYOUT


def test_a_product_that_is_not_there_is_no_bad_input(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_normalized(tmp_path / "none.fits")
