"""A line over a spectrum is broken between the detectors and where nothing is known."""

from __future__ import annotations

import numpy as np

from apogee_labels.apogee.spectra.grid import WAVELENGTH
from apogee_labels.cannon.continuum.normalization import DETECTORS
from apogee_labels.cannon.plots.spectra import broken_line


def test_values_stay_where_they_are_and_detectors_are_apart() -> None:
    values = np.random.default_rng(1).normal(size=len(WAVELENGTH))
    x, y = broken_line(WAVELENGTH, values, np.ones(len(WAVELENGTH), dtype=bool))
    kept = np.isfinite(y)
    np.testing.assert_allclose(x[kept], WAVELENGTH, rtol=1e-7)
    np.testing.assert_allclose(y[kept], values, rtol=1e-6)
    assert np.all(np.diff(x) > 0.0)
    gaps = x[~kept]
    assert len(gaps) == 2
    for gap, (_, end), (begin, _) in zip(gaps, DETECTORS[:-1], DETECTORS[1:], strict=True):
        assert end - 1.0 < gap < begin + 1.0


def test_pixels_not_shown_are_gaps() -> None:
    shown = np.ones(len(WAVELENGTH), dtype=bool)
    shown[100:130] = False
    _, y = broken_line(WAVELENGTH, np.ones(len(WAVELENGTH)), shown)
    assert np.isnan(y[100:130]).all()
    assert np.isnan(y).sum() == 30 + 2


def test_grid_within_one_detector_is_one_line() -> None:
    wavelength = np.linspace(15900.0, 16000.0, 50)
    x, y = broken_line(wavelength, np.ones(50), np.ones(50, dtype=bool))
    assert len(x) == 50
    assert np.isfinite(y).all()
