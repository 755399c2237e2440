"""The continuum fit against its obvious twin, one row and one detector at a time, and against known continua."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from apogee_labels.apogee.spectra.apstar import ApStar, parse_apstar
from apogee_labels.apogee.spectra.grid import N_PIXELS, WAVELENGTH
from apogee_labels.apogee.spectra.masks import StarFlag
from apogee_labels.cannon.continuum.normalization import (
    DETECTORS,
    RIDGE,
    Normalized,
    basis,
    continuum_parameters,
    continuum_pixels,
    detector_pixels,
    normalize,
    normalize_rows,
    read_regions,
    regions_digest,
    stack,
    stacked_rows,
)
from apogee_labels.core.arrays import Floats
from apogee_labels.core.errors import BadInputError, Reason
from apogee_labels.core.identity import digest_of
from apogee_labels.core.settings import SHIPPED_REGIONS
from apogee_labels.simulation.apstar_file import apstar_bytes
from apogee_labels.simulation.exposures import expose
from apogee_labels.simulation.spectra import on_chips
from apogee_labels.simulation.survey import SyntheticSurvey


def make_star(index: int = 0, nights: int = 3, seed: int = 11) -> ApStar:
    star = SyntheticSurvey("unused", seed=seed).stars[index]
    visits = [expose(star, star.debut + night, seed) for night in range(nights)]
    return parse_apstar(apstar_bytes(star, visits, release="dr17", apred="dr17"), path="star.fits")


@pytest.fixture(scope="module")
def star() -> ApStar:
    return make_star()


def twin(flux: Floats, ivar: Floats, regions: Floats, length: float = 1400.0, order: int = 3) -> Floats:
    """Continuum of one row: least squares with the ridge as extra observations of 0."""
    continuum = np.ones(N_PIXELS)
    chosen = np.zeros(N_PIXELS, dtype=bool)
    for low, high in regions:
        chosen |= (low <= WAVELENGTH) & (high > WAVELENGTH)
    for low, high in DETECTORS:
        inside = (low <= WAVELENGTH) & (high > WAVELENGTH)
        fit = inside & chosen
        columns = [np.ones(N_PIXELS)]
        for k in range(1, order + 1):
            columns += [np.cos(2 * np.pi * k / length * WAVELENGTH), np.sin(2 * np.pi * k / length * WAVELENGTH)]
        design = np.stack(columns, axis=1)
        weighted = np.sqrt(ivar[fit])[:, None] * design[fit]
        ridge = np.sqrt(RIDGE) * np.linalg.norm(weighted, ord=2)  # the largest singular value
        observed = np.r_[np.sqrt(ivar[fit]) * flux[fit], np.zeros(len(columns))]
        solution = np.linalg.lstsq(np.vstack([weighted, ridge * np.eye(len(columns))]), observed, rcond=None)[0]
        continuum[inside] = design[inside] @ solution
    return continuum


@pytest.mark.parametrize(("length", "order"), [(1400.0, 3), (1000.0, 2), (1400.0, 0)])
def test_every_row_is_fitted_as_if_alone(star: ApStar, length: float, order: int) -> None:
    regions = read_regions(SHIPPED_REGIONS)
    result = normalize(star, SHIPPED_REGIONS, length=length, order=order, sum_axis=None)
    assert result.flux.shape == (3, N_PIXELS)
    for row, source in enumerate(star.visit_rows):
        expected = twin(star.flux[source], star.ivar[source], regions, length, order)
        known = result.ivar[row] > 0
        assert known.sum() > 7000
        np.testing.assert_allclose(result.continuum[row, known], expected[known], rtol=1e-8)
        np.testing.assert_allclose(result.flux[row, known], (star.flux[source] / expected)[known], rtol=1e-8)
        np.testing.assert_allclose(result.ivar[row, known], (star.ivar[source] * expected**2)[known], rtol=1e-8)


def test_rows_beyond_one_block_are_like_the_first() -> None:
    rng = np.random.default_rng(1)
    flux, ivar = 1000.0 + rng.normal(size=(70, N_PIXELS)), rng.uniform(0.5, 1.5, (70, N_PIXELS))
    together = normalize_rows(WAVELENGTH, flux, ivar, SHIPPED_REGIONS)
    for row in (0, 63, 64, 69):
        alone = normalize_rows(WAVELENGTH, flux[row : row + 1], ivar[row : row + 1], SHIPPED_REGIONS)
        np.testing.assert_allclose(together.flux[row], alone.flux[0], rtol=1e-9)


def test_a_known_continuum_is_recovered() -> None:
    u = (WAVELENGTH - 16_000.0) / 1000.0
    continuum = 700.0 * (1.0 + 0.05 * u - 0.08 * u**2)
    result = normalize_rows(WAVELENGTH, continuum[None], np.ones((1, N_PIXELS)), SHIPPED_REGIONS)
    inside = continuum_pixels(WAVELENGTH, np.array(DETECTORS)) & on_chips()
    np.testing.assert_allclose(result.continuum[0, inside], continuum[inside], rtol=2e-3)  # what the ridge costs


def test_what_is_not_known_is_one_with_no_weight(star: ApStar) -> None:
    for sum_axis in (0, None):
        result = normalize(star, SHIPPED_REGIONS, sum_axis=sum_axis)
        unknown = result.ivar == 0
        assert unknown[:, ~continuum_pixels(WAVELENGTH, np.array(DETECTORS))].all()
        assert unknown.any()
        assert (result.flux[unknown] == 1).all()
        assert (result.continuum[unknown] == 1).all()
        assert all(np.isfinite(array).all() for array in result)


def test_flux_without_information_changes_nothing(star: ApStar) -> None:
    """Masked pixels within the continuum regions must not enter the fit."""
    spoilt = np.where(star.ivar > 0, star.flux, 1e6)
    assert continuum_pixels(WAVELENGTH, read_regions(SHIPPED_REGIONS))[(star.ivar[2] == 0) & on_chips()].any()
    expected, result = (normalize(s, SHIPPED_REGIONS, sum_axis=None) for s in (star, replace(star, flux=spoilt)))
    np.testing.assert_array_equal(result.flux, expected.flux)


@pytest.mark.parametrize("towards", [0.0, np.inf])
def test_the_last_bit_of_a_wavelength_decides_nothing(star: ApStar, towards: float) -> None:
    regions = read_regions(SHIPPED_REGIONS)
    nearly = np.nextafter(WAVELENGTH, towards)
    np.testing.assert_array_equal(continuum_pixels(nearly, regions), continuum_pixels(WAVELENGTH, regions))
    assert detector_pixels(nearly) == detector_pixels(WAVELENGTH)
    expected, result = (normalize(s, regions) for s in (star, replace(star, wavelength=nearly)))
    np.testing.assert_allclose(result.flux, expected.flux, atol=1e-8)


def test_regions_are_half_open() -> None:
    pixels = continuum_pixels(WAVELENGTH, WAVELENGTH[[[100, 103], [200, 201]]])
    np.testing.assert_array_equal(np.flatnonzero(pixels), [100, 101, 102, 200])


def test_stacking_is_the_weighted_mean_of_the_visits_alone(star: ApStar) -> None:
    rows, one = normalize(star, SHIPPED_REGIONS, sum_axis=None), normalize(star, SHIPPED_REGIONS, sum_axis=0)
    assert one.flux.shape == (1, N_PIXELS)
    for pixel in range(200, 8400, 97):
        weight = rows.ivar[:, pixel]
        assert one.ivar[0, pixel] == pytest.approx(weight.sum())
        if weight.sum() > 0:
            assert one.flux[0, pixel] == pytest.approx((weight * rows.flux[:, pixel]).sum() / weight.sum())
    spoilt = star.flux.copy()
    spoilt[:2] = 1e9  # the combined rows
    np.testing.assert_array_equal(normalize(replace(star, flux=spoilt), SHIPPED_REGIONS).flux, one.flux)


def flagged(star: ApStar, **flags: StarFlag) -> ApStar:
    """The star with these flags of its visits: v1, v2, ..."""
    return replace(
        star, visits=tuple(replace(visit, starflag=flags.get(f"v{visit.number}", StarFlag(0))) for visit in star.visits)
    )


@pytest.mark.parametrize("flag", [StarFlag.BAD_RV_COMBINATION, StarFlag.RV_FAIL])
def test_a_stack_leaves_out_visits_of_unknown_velocity(star: ApStar, flag: StarFlag) -> None:
    bad = flagged(star, v2=flag | StarFlag.LOW_SNR, v3=StarFlag.RV_REJECT)
    assert stacked_rows(bad).tolist() == star.visit_rows[[0, 2]].tolist()
    rows = normalize(star, SHIPPED_REGIONS, sum_axis=None)
    expected = stack(Normalized(*(array[[0, 2]] for array in rows)))
    for left, right in zip(normalize(bad, SHIPPED_REGIONS), expected, strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-12)
    for left, right in zip(normalize(bad, SHIPPED_REGIONS, sum_axis=None), rows, strict=True):
        np.testing.assert_array_equal(left, right)


def test_a_stack_of_unknown_velocities_alone_is_still_a_stack(star: ApStar) -> None:
    failed = StarFlag.RV_FAIL
    assert stacked_rows(flagged(star, v1=failed, v2=failed, v3=failed)).tolist() == star.visit_rows.tolist()
    ivar = star.ivar.copy()
    ivar[star.visit_rows[0]] = 0.0  # the one good visit tells nothing
    empty = replace(flagged(star, v2=failed, v3=failed), ivar=ivar)
    assert stacked_rows(empty).tolist() == star.visit_rows.tolist()
    assert normalize(empty, SHIPPED_REGIONS).ivar.any()


def test_a_single_visit_is_itself() -> None:
    star = make_star(nights=1)
    stacked, alone = (normalize(star, SHIPPED_REGIONS, sum_axis=axis) for axis in (0, None))
    for left, right in zip(stacked, alone, strict=True):
        np.testing.assert_array_equal(left, right)


def test_errors_of_a_stack_are_its_scatter() -> None:
    """Pulls of stacked pixels: 1, and the 2% that 21 coefficients fitted to 530 pixels add."""
    rng = np.random.default_rng(5)
    sigma = rng.uniform(20.0, 100.0, (4, N_PIXELS))
    chips = on_chips()
    pulls = []
    for _ in range(12):
        flux = 500.0 + sigma * rng.normal(size=sigma.shape)
        row = stack(normalize_rows(WAVELENGTH, flux, sigma**-2.0, SHIPPED_REGIONS))
        pulls.append(((row.flux - 1.0) * np.sqrt(row.ivar))[(row.ivar > 0) & chips])
    assert np.std(np.concatenate(pulls)) == pytest.approx(1.02, abs=0.02)
    assert abs(np.mean(np.concatenate(pulls))) < 0.05


def test_a_detector_without_continuum_pixels_is_known_and_the_others_stay(star: ApStar) -> None:
    ivar = star.ivar.copy()
    green = detector_pixels(WAVELENGTH)[1]
    regions = read_regions(SHIPPED_REGIONS)
    chosen = np.flatnonzero(continuum_pixels(WAVELENGTH, regions) & (np.arange(N_PIXELS) >= green.start))
    ivar[2, chosen[(chosen < green.stop)][20:]] = 0.0  # 20 pixels are left, 21 are needed
    result = normalize(replace(star, ivar=ivar), regions, sum_axis=None)
    np.testing.assert_array_equal(result.detectors(WAVELENGTH), [[True, False, True], [True] * 3, [True] * 3])
    assert (result.flux[0, green] == 1).all()
    stacked = normalize(replace(star, ivar=ivar), regions)
    assert stacked.ivar[0, green].max() == pytest.approx(result.ivar[1:, green].sum(axis=0).max())


def test_a_continuum_that_is_not_positive_is_no_continuum() -> None:
    flux = np.full((1, N_PIXELS), 100.0)
    blue = detector_pixels(WAVELENGTH)[0]
    flux[0, blue] = np.linspace(50.0, -50.0, blue.stop - blue.start)
    result = normalize_rows(WAVELENGTH, flux, np.ones((1, N_PIXELS)), SHIPPED_REGIONS)
    np.testing.assert_array_equal(result.detectors(WAVELENGTH), [[False, True, True]])


def test_no_continuum_at_all_is_bad_input(star: ApStar) -> None:
    with pytest.raises(
        BadInputError, match=r"star\.fits: expected a detector with at least 21 good continuum"
    ) as caught:
        normalize(replace(star, flux=-np.abs(star.flux)), SHIPPED_REGIONS)
    assert caught.value.reason is Reason.NO_CONTINUUM


def test_basis_has_one_row_a_coefficient() -> None:
    terms = basis(WAVELENGTH, length=1400.0, order=3)
    assert terms.shape == (7, N_PIXELS)
    np.testing.assert_allclose(terms[2], np.cos(2 * np.pi * 2 * WAVELENGTH / 1400.0))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"length": 0.0}, "positive length"),
        ({"length": float("nan")}, "positive length"),
        ({"order": -1}, "whole order"),
        ({"order": 2.5}, "whole order"),
        ({"sum_axis": 1}, "sum_axis 0 .* or None"),
    ],
)
def test_parameters_are_checked(star: ApStar, arguments: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        normalize(star, SHIPPED_REGIONS, **arguments)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=message):
        continuum_parameters(SHIPPED_REGIONS, **arguments)  # type: ignore[arg-type]


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_regions_are_read_with_comments_and_in_order(tmp_path: Path) -> None:
    path = write(tmp_path / "r.txt", "# head\n16000.5 16001.5  # a note\n\n15200 15201.25\n")
    np.testing.assert_array_equal(read_regions(path), [[15200.0, 15201.25], [16000.5, 16001.5]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("15200 15201\nabc def\n", r"line 2: expected two wavelengths .* 'abc def'"),
        ("15200\n", r"line 1: expected two"),
        ("15200 15201 15202\n", r"line 1: expected two"),
        ("# c\n15201 15200\n", r"line 2: expected low < high, got 15201 to 15200"),
        ("15200 15200\n", r"line 1: expected low < high"),
        ("nan 15200\n", r"line 1: expected low < high"),
        ("1.52 1.53\n", r"line 1: 1\.52 to 1\.53 A lies off the apStar grid"),
        ("15210 15220\n15200 15212\n", r"line 1: overlaps with .*line 2"),
        ("# nothing\n", r"expected at least one line"),
    ],
)
def test_bad_regions_name_the_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_regions(write(tmp_path / "regions.txt", text))


def test_regions_may_touch_and_arrays_are_checked_as_well(star: ApStar) -> None:
    normalize(star, np.array([[15150.0, 15400.0], [15400.0, 16900.0]]))
    with pytest.raises(ValueError, match="continuum region 2: overlaps"):
        normalize(star, np.array([[15150.0, 15400.0], [15399.0, 16900.0]]))
    with pytest.raises(ValueError, match=r"shape \(n, 2\)"):
        normalize(star, np.array([15150.0, 15400.0]))


def test_the_digest_is_of_the_numbers(tmp_path: Path) -> None:
    first = write(tmp_path / "a.txt", "15200 15201\n15300 15301\n")
    second = write(tmp_path / "b.txt", "# other words\n15300.0 15301.000\n15200 15201\n")
    third = write(tmp_path / "c.txt", "15200 15201\n15300 15301.0001\n")
    assert regions_digest(first) == regions_digest(second) == regions_digest(read_regions(first))
    assert regions_digest(first) != regions_digest(third)


def test_every_parameter_is_in_the_identity() -> None:
    variants = [{}, {"length": 1200.0}, {"order": 2}, {"sum_axis": None}]
    digests = {digest_of(**continuum_parameters(SHIPPED_REGIONS, **variant).identity()) for variant in variants}  # type: ignore[arg-type]
    assert len(digests) == len(variants)
    assert continuum_parameters(SHIPPED_REGIONS, length=1400) == continuum_parameters(SHIPPED_REGIONS)


def test_normalized_unpacks_into_its_arrays() -> None:
    flux, ivar, continuum = Normalized(np.ones((1, 2)), np.zeros((1, 2)), np.ones((1, 2)))
    assert flux.shape == ivar.shape == continuum.shape
