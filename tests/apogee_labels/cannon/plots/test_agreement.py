"""One-to-one plots show every star that has labels, and bias and rms are right."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from apogee_labels.cannon.model import CannonModel
from apogee_labels.cannon.plots import one_to_one
from apogee_labels.cannon.plots.agreement import agreement
from tests.apogee_labels.cannon.plots.stand_in import HeldOut, with_validation


def test_bias_and_rms_of_known_numbers() -> None:
    found = agreement(np.array([1.0, 2.0, 3.0, 4.0, 90.0]))
    assert found.bias == 20.0
    assert found.rms == pytest.approx(np.sqrt((1 + 4 + 9 + 16 + 8100) / 5))
    assert found.robust == pytest.approx(1.4826)  # deviations from 3: 2, 1, 0, 1, 87


def test_robust_rms_of_normal_errors_is_their_rms() -> None:
    found = agreement(np.random.default_rng(3).normal(0.0, 2.0, 40_000))
    assert found.robust == pytest.approx(found.rms, rel=0.03)


def test_titles_give_bias_and_rms_with_units(bare: CannonModel, held_out: HeldOut) -> None:
    offset = np.tile([[30.0, -0.04, 0.1], [10.0, 0.02, 0.1]], (200, 1))
    figure = one_to_one(with_validation(bare, replace(held_out, labels=bare.training_labels + offset)))
    teff, logg, fe_h = (annotation.text for annotation in figure.layout.annotations)
    assert "<b>TEFF</b> (K)" in teff
    assert "bias +20.0, rms 22.4, robust 14.8" in teff
    assert "<b>LOGG</b> (dex)" in logg
    assert "bias −0.0100, rms 0.0316, robust 0.0445" in logg
    assert "bias +0.100, rms 0.100, robust 0.000" in fe_h


def test_points_are_the_stars_and_the_line_is_one_to_one(validated: CannonModel, held_out: HeldOut) -> None:
    figure = one_to_one(validated)
    assert [trace.name for trace in figure.data] == ["1:1", "held-out stars"] * 3
    for label in range(3):
        line, points = figure.data[2 * label], figure.data[2 * label + 1]
        assert line.x == line.y
        np.testing.assert_array_equal(points.x, validated.training_labels[:, label])
        np.testing.assert_array_equal(points.y, held_out.labels[:, label])
        np.testing.assert_allclose(10.0**points.marker.color, held_out.snr)
        assert line.x[0] < min(points.x.min(), points.y.min())
        assert line.x[1] > max(points.x.max(), points.y.max())


def test_star_without_labels_is_left_out_and_one_without_a_ratio_is_not(bare: CannonModel, held_out: HeldOut) -> None:
    held_out.labels[3, 1], held_out.snr[5] = np.nan, np.nan
    figure = one_to_one(with_validation(bare, held_out))
    assert "399 stars" in figure.layout.title.text
    assert len(figure.data[1].x) == 399
    assert np.isnan(figure.data[1].marker.color).sum() == 1
    assert "nan" not in str([annotation.text for annotation in figure.layout.annotations])
