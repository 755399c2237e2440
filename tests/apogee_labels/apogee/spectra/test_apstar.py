"""What an apStar file says, in every layout, and what is said of a file that is none."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import math
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from apogee_labels.apogee.spectra.apstar import ApStar, parse_apstar, read_apstar
from apogee_labels.apogee.spectra.masks import PixelMask, StarFlag
from apogee_labels.core.errors import BadInputError, Reason

PATH = "apStar-dr17-2M16505794-2118004.fits"
LAYOUTS = [
    ("dr16", 1, 0, 1, [0]),
    ("dr16", 1, 1, 1, [0]),
    ("dr16", 1, 2, 2, [0]),
    ("dr16", 1, 3, 3, [2]),
    ("dr16", 3, 5, 5, [2, 3, 4]),
    ("dr17", 1, 2, 2, [0]),
    ("dr17", 4, 6, 6, [2, 3, 4, 5]),
    ("sdss5", 1, 1, 1, [0]),
    ("sdss5", 12, 14, 14, list(range(2, 14))),
]


@pytest.mark.parametrize(("layout", "n_visits", "n_rows", "rows", "visit_rows"), LAYOUTS)
def test_every_layout(
    build_apstar: Callable[..., bytes], layout: str, n_visits: int, n_rows: int, rows: int, visit_rows: list[int]
) -> None:
    star = parse_apstar(build_apstar(layout, n_visits, n_rows), path=PATH)
    assert star.flux.shape == star.ivar.shape == star.mask.shape == (rows, 8575)
    assert star.visit_rows.tolist() == visit_rows == [visit.row for visit in star.visits]
    assert [visit.mjd for visit in star.visits] == [59281 + k for k in range(n_visits)]
    assert star.combined_row == 0
    assert np.isfinite(star.flux).all()
    assert np.isfinite(star.ivar).all()
    assert (star.ivar >= 0).all()
    for array, kind in ((star.flux, np.float64), (star.ivar, np.float64), (star.mask, np.int64)):
        assert array.dtype == np.dtype(kind)
        assert array.dtype.isnative
    if rows == 2:
        assert not star.ivar[1].any()


@pytest.mark.parametrize(("layout", "n_visits"), [("dr16", 1), ("dr16", 3), ("dr17", 1), ("dr17", 4), ("sdss5", 2)])
def test_inverse_variance_pixel_by_pixel(build_apstar: Callable[..., bytes], layout: str, n_visits: int) -> None:
    """The slow obvious twin of the array arithmetic, over astropy's reading."""
    content = build_apstar(layout, n_visits)
    star = parse_apstar(content, path=PATH)
    with fits.open(io.BytesIO(content)) as hdus:
        flux, error, mask = (np.atleast_2d(hdus[k].data) for k in (1, 2, 3))
    rng = np.random.default_rng(5)
    for row in range(len(flux)):
        for pixel in [*range(60), *rng.integers(0, 8575, 300)]:
            bits = int(mask[row, pixel])
            if n_visits > 1 and row < 2:
                bits = int(np.bitwise_and.reduce(mask[2:, pixel]))
            value = float(error[row, pixel])
            nothing = bits & 16639 or not 0 < value < 1e9 or math.isnan(flux[row, pixel])
            assert star.ivar[row, pixel] == pytest.approx(0.0 if nothing else value**-2, rel=1e-14)
    np.testing.assert_array_equal(star.flux, np.nan_to_num(flux.astype(np.float64)))
    np.testing.assert_array_equal(star.mask, mask)


def test_who_the_star_is(build_apstar: Callable[..., bytes]) -> None:
    content = build_apstar("sdss5", 2)
    star = parse_apstar(content, path=PATH)
    assert (star.obj, star.telescope, star.field, star.healpix) == ("2M16505794-2118004", "apo25m", None, 87654)
    assert (star.apred, star.snr, star.starflag) == ("1.3", 101.5, StarFlag.BRIGHT_NEIGHBOR)
    assert (star.ra, star.dec) == (252.741447, -21.300121)
    assert star.path == PATH
    assert star.digest == hashlib.sha256(content).hexdigest()
    assert star.wavelength.shape == (8575,)
    assert star.wavelength[0] == pytest.approx(15100.80, abs=0.01)
    assert star.wavelength[-1] == pytest.approx(16999.81, abs=0.01)
    assert not star.wavelength.flags.writeable


def test_the_mask_of_combined_rows_is_what_no_visit_saw_well(build_apstar: Callable[..., bytes]) -> None:
    """DR16 stores the OR in row 0: a pixel that one visit saw well would be lost; a row 1 left zero would keep all."""

    def edit(hdus: fits.HDUList) -> None:
        mask = hdus[3].data
        mask[:] = 0
        mask[2, 100], mask[3, 100], mask[2:, 200] = PixelMask.CRPIX, 0, PixelMask.CRPIX
        mask[0] = np.bitwise_or.reduce(mask[2:])

    star = parse_apstar(build_apstar("dr16", 3, edit=edit), path=PATH)
    assert (star.ivar[:, 100] > 0).tolist() == [True, True, False, True, True]
    assert not star.ivar[:, 200].any()
    assert star.mask[0, 100] == PixelMask.CRPIX
    assert star.mask[1, 200] == 0


def test_a_visit_left_as_zeros_is_no_visit_row(build_apstar: Callable[..., bytes]) -> None:
    def edit(hdus: fits.HDUList) -> None:
        for number in (1, 2, 3):
            hdus[number].data[3] = 0
        hdus[1].data[0, 300:400] = np.nan
        hdus[3].data[[2, 4]] |= int(PixelMask.SATPIX) * (np.arange(8575) == 500)

    star = parse_apstar(build_apstar("dr17", 3, edit=edit), path=PATH)
    assert star.visit_rows.tolist() == [2, 4]
    assert [visit.row for visit in star.visits] == [2, None, 4]
    assert not star.ivar[0, 300:400].any()
    assert not star.ivar[0, 500], "the zero mask of a visit that is not there made a bad pixel good"


def test_a_visit_without_a_good_pixel_is_no_visit_row(build_apstar: Callable[..., bytes]) -> None:
    def edit(hdus: fits.HDUList) -> None:
        hdus[3].data[2] = int(PixelMask.NOSKY)

    star = parse_apstar(build_apstar("sdss5", 2, edit=edit), path=PATH)
    assert star.visit_rows.tolist() == [3]


def test_a_single_visit_uses_its_own_mask_in_both_rows(build_apstar: Callable[..., bytes]) -> None:
    def edit(hdus: fits.HDUList) -> None:
        for number in (1, 2):
            hdus[number].data[1] = hdus[number].data[0]

    star = parse_apstar(build_apstar("dr17", 1, edit=edit), path=PATH)
    np.testing.assert_array_equal(star.ivar[1], star.ivar[0])
    assert star.visit_rows.tolist() == [0]


@pytest.mark.parametrize("error", [0.0, -1.0, np.nan, np.inf, 1e9, 1e10, 1e-200])
def test_errors_that_say_nothing(build_apstar: Callable[..., bytes], error: float) -> None:
    def edit(hdus: fits.HDUList) -> None:
        hdus[3].data[:, 100] = 0
        hdus[2].data[0, 100] = error

    assert parse_apstar(build_apstar(edit=edit), path=PATH).ivar[0, 100] == 0


@pytest.mark.parametrize("snr", ["NaN", None])
def test_an_snr_that_the_header_lacks_is_measured(build_apstar: Callable[..., bytes], snr: str | None) -> None:
    def edit(hdus: fits.HDUList) -> None:
        del hdus[0].header["SNR"]
        if snr is not None:
            hdus[0].header["SNR"] = snr

    star = parse_apstar(build_apstar(edit=edit), path=PATH)
    good = star.ivar[0] > 0
    assert star.snr == pytest.approx(np.median(star.flux[0, good] * np.sqrt(star.ivar[0, good])))


def _keyword(number: int, **values: object) -> Callable[[fits.HDUList], None]:
    def edit(hdus: fits.HDUList) -> None:
        for keyword, value in values.items():
            hdus[number].header[keyword] = value

    return edit


def _drop(number: int) -> Callable[[fits.HDUList], None]:
    def edit(hdus: fits.HDUList) -> None:
        del hdus[number:]

    return edit


def _data(number: int, change: Callable[[np.ndarray], np.ndarray]) -> Callable[[fits.HDUList], None]:
    def edit(hdus: fits.HDUList) -> None:
        hdus[number].data = change(hdus[number].data)

    return edit


def _all_masked(hdus: fits.HDUList) -> None:
    hdus[3].data[:] = int(PixelMask.BADPIX)


def _all_nan(hdus: fits.HDUList) -> None:
    hdus[1].data[:] = np.nan


def _visits_zero(hdus: fits.HDUList) -> None:
    hdus[1].data[2:] = hdus[2].data[2:] = 0


def _no_visits(hdus: fits.HDUList) -> None:
    hdus[0].header["NVISITS"] = 0
    for keyword in ("SFILE", "DATE", "JD", "FIBER", "SNRVIS", "FLAG", "VHELIO"):
        hdus[0].header.remove(f"{keyword}*", ignore_missing=True)
        for k in (1, 2, 3):
            hdus[0].header.remove(f"{keyword}{k}", ignore_missing=True)


def _no_grid(hdus: fits.HDUList) -> None:
    for number in (0, 1):
        del hdus[number].header["CRVAL1"]


def _fewer_pixels(hdus: fits.HDUList) -> None:
    for number in (1, 2, 3):
        hdus[number].data = hdus[number].data[:, :4096]


def _table_first(hdus: fits.HDUList) -> None:
    hdus.insert(1, hdus.pop())


def _no_night(hdus: fits.HDUList) -> None:
    hdus[0].header["SFILE2"], hdus[0].header["JD2"], hdus[0].header["DATE2"] = "none", "NaN", ""


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (_all_masked, Reason.NO_INFORMATION),
        (_all_nan, Reason.NO_INFORMATION),
        (_data(2, np.zeros_like), Reason.NO_INFORMATION),
        (_visits_zero, Reason.NO_VISITS),
        (_no_visits, Reason.NO_VISITS),
        (_no_night, Reason.WRONG_LAYOUT),
        (_drop(1), Reason.WRONG_LAYOUT),
        (_drop(3), Reason.WRONG_LAYOUT),
        (_table_first, Reason.WRONG_LAYOUT),
        (_data(2, lambda data: data[:3]), Reason.WRONG_LAYOUT),
        (_data(3, lambda data: data.astype("f4")), Reason.WRONG_LAYOUT),
        (_data(1, lambda data: np.nan_to_num(data).astype("i4")), Reason.WRONG_LAYOUT),
        (_data(1, lambda data: data[None]), Reason.WRONG_LAYOUT),
        (_data(1, lambda data: None), Reason.WRONG_LAYOUT),
        (_keyword(0, SFILE4="apVisit-dr17-5815-59284-204.fits", NVISITS=4), Reason.WRONG_LAYOUT),
        (_no_grid, Reason.WRONG_GRID),
        (_fewer_pixels, Reason.WRONG_GRID),
        (_keyword(0, CRVAL1=4.1791), Reason.WRONG_GRID),
        (_keyword(1, CDELT1=6.01e-6), Reason.WRONG_GRID),
        (_keyword(1, CRPIX1=2), Reason.WRONG_GRID),
        (_keyword(0, CTYPE1="LINEAR"), Reason.WRONG_GRID),
        (_keyword(1, CRVAL1="NaN"), Reason.WRONG_GRID),
    ],
)
def test_bad_input_has_its_reason(
    write_apstar: Callable[..., Path], edit: Callable[[fits.HDUList], None], reason: Reason
) -> None:
    path = write_apstar(edit=edit)
    with pytest.raises(BadInputError) as caught:
        read_apstar(path)
    assert caught.value.reason is reason
    assert caught.value.message.startswith(f"{path}: ")
    assert "\n" not in caught.value.message
    assert len(caught.value.message) < 400


@pytest.mark.parametrize("size", [1, 1000, 2880, 20_000, 300_000])
def test_a_file_cut_short_is_unreadable(write_apstar: Callable[..., Path], size: int) -> None:
    path = write_apstar()
    os.truncate(path, size)
    with pytest.raises(BadInputError) as caught:
        read_apstar(path)
    assert caught.value.reason is Reason.UNREADABLE


def test_no_bytes_are_empty() -> None:
    with pytest.raises(BadInputError) as caught:
        parse_apstar(b"", path=PATH)
    assert caught.value.reason is Reason.EMPTY


def test_a_grid_in_single_precision_is_the_grid(build_apstar: Callable[..., bytes]) -> None:
    single = {"CRVAL1": float(np.float32(4.179)), "CDELT1": float(np.float32(6e-6))}
    assert parse_apstar(build_apstar(edit=_keyword(0, **single)), path=PATH).obj


def _outcome(content: bytes) -> ApStar | BadInputError:
    try:
        return parse_apstar(content, path=PATH)
    except BadInputError as error:
        return error


@pytest.mark.parametrize(("layout", "n_visits"), [("dr16", 1), ("dr16", 2), ("dr17", 1), ("sdss5", 3)])
def test_damaged_bytes_give_a_star_or_a_reason(build_apstar: Callable[..., bytes], layout: str, n_visits: int) -> None:
    """Bytes flipped all over the file and thick in its headers, and cuts; warnings are errors here."""
    content = build_apstar(layout, n_visits)
    headers = [at for at in range(0, len(content), 80) if content[at : at + 8].strip().isalnum()]
    rng = np.random.default_rng([len(content), n_visits])
    outcomes = []
    for _ in range(250):
        damaged = bytearray(content)
        for at in rng.integers(0, len(content), rng.integers(1, 30)):
            damaged[at] = rng.integers(256)
        for at in rng.choice(headers, rng.integers(0, 4)):
            damaged[at + rng.integers(0, 30)] = rng.choice(list(b"0123456789 '=-.EX/\xff\0"))
        cut = rng.integers(0, len(content)) if rng.random() < 0.2 else len(content)
        outcomes.append(_outcome(bytes(damaged[:cut])))
    stars = [outcome for outcome in outcomes if isinstance(outcome, ApStar)]
    assert 20 < len(stars) < 230
    assert {error.reason for error in outcomes if isinstance(error, BadInputError)} >= {Reason.UNREADABLE}
    for star in stars:
        assert np.isfinite(star.flux).all()
        assert np.isfinite(star.ivar).all()
        assert len(star.visit_rows) > 0


def test_a_star_cannot_be_changed(build_apstar: Callable[..., bytes]) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        parse_apstar(build_apstar(), path=PATH).obj = "another"  # type: ignore[misc]
