"""Continuum pixels found in a model that is known, the shipped list, and the command that makes it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from apogee_labels.apogee.spectra.grid import N_PIXELS, WAVELENGTH
from apogee_labels.cannon.continuum.normalization import continuum_pixels, detector_pixels, normalize_rows, read_regions
from apogee_labels.cannon.continuum.regions import (
    as_regions,
    condition_number,
    describe,
    find_continuum_regions,
    select_continuum,
    write_regions,
)
from apogee_labels.cannon.model import CannonModel
from apogee_labels.cannon.vectorizer import PolynomialVectorizer
from apogee_labels.core.settings import SHIPPED_REGIONS
from apogee_labels.simulation.spectra import on_chips

SHIPPED_SHARE = (0.06, 0.10)  # of each detector's pixels


def make_model(seed: int = 3) -> CannonModel:
    """A model whose flat pixels are known: every twelfth, but none in the first 300 of the second detector."""
    rng = np.random.default_rng(seed)
    labels = rng.normal(size=(60, 2))
    theta = np.zeros((N_PIXELS, 6))
    theta[:, 0] = rng.uniform(0.6, 0.9, N_PIXELS)
    theta[:, 1:] = rng.choice([-1, 1], (N_PIXELS, 5)) * rng.uniform(0.05, 0.2, (N_PIXELS, 5))
    flat = flat_pixels()
    theta[flat, 0] = rng.uniform(0.995, 1.005, flat.sum())
    theta[flat, 1:] *= 0.01
    s2 = np.full(N_PIXELS, 1e-4)
    theta[~on_chips()], s2[~on_chips()] = np.eye(6)[0], np.inf
    vectorizer = PolynomialVectorizer.fit(("TEFF", "LOGG"), labels, 2)
    return CannonModel(WAVELENGTH, vectorizer, theta, s2, labels)


def flat_pixels() -> np.ndarray:
    flat = np.arange(N_PIXELS) % 12 == 0
    start = np.searchsorted(WAVELENGTH, 15858.0)
    flat[start : start + 300] = False
    return flat & on_chips()


def test_flat_pixels_are_found() -> None:
    selection = select_continuum(make_model(), share=0.065, parts=0)
    assert (selection.pixels & ~flat_pixels()).sum() == 0
    assert selection.pixels.sum() == round(0.065 * on_chips().sum())
    assert not selection.relaxed.any()


def test_a_bare_part_is_covered_by_its_best_pixels() -> None:
    selection = select_continuum(make_model(), share=0.065)
    start = np.searchsorted(WAVELENGTH, 15858.0)
    for low, high in ((0, 25), (0, 129), (129, 258)):
        assert selection.pixels[start + low : start + high].sum() >= 5
    for detector in detector_pixels(WAVELENGTH):
        seen = np.flatnonzero(selection.pixels[detector][selection.seen[detector]])
        last = selection.seen[detector].sum() - 1
        assert (seen < 25).sum() >= 5
        assert (seen > last - 25).sum() >= 5
    np.testing.assert_array_equal(selection.relaxed & flat_pixels(), selection.relaxed & ~selection.pixels)
    assert selection.seen.sum() == on_chips().sum()
    covered = condition_number(WAVELENGTH, selection.pixels)
    assert (covered < condition_number(WAVELENGTH, select_continuum(make_model(), parts=0).pixels) * 1.5).all()


def test_regions_hold_their_pixels_and_end_halfway() -> None:
    model = make_model()
    regions = find_continuum_regions(model)
    pixels = select_continuum(model).pixels
    np.testing.assert_array_equal(continuum_pixels(WAVELENGTH, regions), pixels)
    place = (np.log10(regions) - 4.179) / 6e-6
    np.testing.assert_allclose(np.abs(place - np.rint(place)), 0.5, atol=1e-6)


def test_the_ends_of_the_grid_have_edges_too() -> None:
    everything = np.ones(N_PIXELS, dtype=bool)
    np.testing.assert_array_equal(continuum_pixels(WAVELENGTH, as_regions(WAVELENGTH, everything)), everything)
    assert as_regions(WAVELENGTH, ~everything).shape == (0, 2)


def test_too_few_flat_pixels_say_so() -> None:
    with pytest.raises(
        ValueError, match=r"expected at least \d+ pixels \(50\.0% of \d+\) with a baseline within 1\.5%"
    ):
        find_continuum_regions(make_model(), share=0.5)


def test_written_regions_are_read(tmp_path: Path) -> None:
    regions = find_continuum_regions(make_model())
    write_regions(tmp_path / "r.txt", regions, ["made by a test", ""])
    np.testing.assert_allclose(read_regions(tmp_path / "r.txt"), regions, atol=5.1e-5)


def test_the_shipped_list_covers_every_detector() -> None:
    regions = read_regions(SHIPPED_REGIONS)
    pixels = continuum_pixels(WAVELENGTH, regions)
    for detector in detector_pixels(WAVELENGTH):
        seen = np.arange(N_PIXELS)[detector][on_chips()[detector]]
        assert SHIPPED_SHARE[0] < pixels[seen].mean() < SHIPPED_SHARE[1]
        assert all(pixels[part].sum() >= 3 for part in np.array_split(seen, 16))
    # No worse than if every pixel were continuum: the basis itself is what is ill-conditioned.
    ratio = condition_number(WAVELENGTH, pixels) / condition_number(WAVELENGTH, on_chips())
    assert (ratio < 1.3).all()


def test_the_shipped_list_says_what_it_is() -> None:
    model = make_model()
    text = SHIPPED_REGIONS.read_text()
    for words in ("apogee-labels regions", "Ness et al. 2015", "BSD 3-clause", "1624 stars"):
        assert words in text
    assert len([line for line in text.splitlines() if line.startswith("# detector")]) == 3
    assert len(describe(select_continuum(model), WAVELENGTH)) == 5


@pytest.mark.shared
def test_real_giants_keep_little_of_their_continuum(realistic: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Spectra of a published model of real giants: what differs from star to star stays below 0.2%."""
    monkeypatch.syspath_prepend(str(realistic))
    make_nights = __import__("make_nights")
    rng = np.random.default_rng(8)
    lowest, highest = [3650, -0.3, -2.2, -0.05], [5100, 3.6, 0.35, 0.45]
    labels = np.clip(make_nights.giants()[rng.integers(1801, size=80)], lowest, highest)
    lines = np.array([make_nights.spectrum(row) for row in labels])
    chips = continuum_pixels(WAVELENGTH, np.array(make_nights.CHIPS))
    slope = (16_000.0 / WAVELENGTH) ** rng.normal(3.0, 0.2, (80, 1))
    ivar = np.where(chips, 1.0, 0.0) * np.ones_like(lines)
    rms = {}
    for name, regions in (("ours", read_regions(SHIPPED_REGIONS)), ("theirs", make_nights.continuum_regions())):
        normalized = normalize_rows(WAVELENGTH, 900.0 * slope * lines, ivar, regions)
        left = (normalized.continuum / (900.0 * slope))[:, chips]
        rms[name] = float(np.sqrt(((left - left.mean(axis=0)) ** 2).mean()))
    assert rms["ours"] < 0.002
    assert rms["ours"] < 1.05 * rms["theirs"]
    sys.modules.pop("make_nights", None)
