"""The spectrum of scatter shows sqrt(s2) where there is any, and counts where there is none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from apogee_labels.cannon.model import CannonModel
from apogee_labels.cannon.plots import scatter_spectrum


def test_scatter_and_its_median(bare: CannonModel) -> None:
    figure = scatter_spectrum(bare)
    scatter, middle = figure.data
    shown = np.isfinite(scatter.y)
    there = bare.informative & (bare.s2 > 0.0)
    np.testing.assert_allclose(scatter.y[shown], np.sqrt(bare.s2[there]), rtol=1e-6)
    np.testing.assert_allclose(scatter.x[shown], bare.wavelength[there], rtol=1e-6)
    assert set(middle.y) == {np.median(np.sqrt(bare.s2[bare.informative]))}
    assert figure.layout.yaxis.type == "log"
    assert 10.0 ** figure.layout.yaxis.range[0] < np.nanmin(scatter.y)
    assert 10.0 ** figure.layout.yaxis.range[1] > np.nanmax(scatter.y)


def test_title_counts_pixels_without(bare: CannonModel) -> None:
    assert scatter_spectrum(bare).layout.title.text == (
        "Intrinsic scatter: 10 of 240 pixels untrained, 1 without scatter"
    )
    s2 = np.where(bare.s2 > 0.0, bare.s2, 1e-4)
    title = scatter_spectrum(replace(bare, s2=s2)).layout.title.text
    assert title == "Intrinsic scatter: 10 of 240 pixels untrained"


def test_model_without_any_scatter_has_no_median_line(bare: CannonModel) -> None:
    figure = scatter_spectrum(replace(bare, s2=np.zeros_like(bare.s2)))
    assert [trace.name for trace in figure.data] == ["scatter"]
    assert "240 without scatter" in figure.layout.title.text
