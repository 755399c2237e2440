"""Errors against signal-to-noise: what is seen, what the model says, and what visits say."""

from __future__ import annotations

import numpy as np
import pytest

from apogee_labels.cannon.model import CannonModel
from apogee_labels.cannon.noise.repeatability import SnrBins, repeat_differences, scatter_by_snr
from apogee_labels.cannon.plots import error_against_snr
from tests.apogee_labels.cannon.plots.stand_in import HeldOut, with_validation

SEEN, TOTAL, FORMAL = "rms of held-out − training", "total error (median)", "formal error (median)"


def test_curves_of_each_label_are_those_of_the_bins(validated: CannonModel, held_out: HeldOut) -> None:
    figure = error_against_snr(validated)
    assert [trace.name for trace in figure.data] == [SEEN, TOTAL, FORMAL] * 3
    assert [trace.showlegend for trace in figure.data] == [True] * 3 + [False] * 6
    bins = SnrBins.of(held_out.snr)
    for position in range(len(bins)):
        chosen = bins.index == position
        difference = held_out.labels[chosen, 1] - validated.training_labels[chosen, 1]
        seen, total, formal = (trace.y[position] for trace in figure.data[3:6])
        assert figure.data[3].x[position] == np.median(held_out.snr[chosen])
        assert seen == pytest.approx(np.sqrt(np.mean(difference**2)))
        assert total == pytest.approx(np.median(held_out.errors[chosen, 1]))
        assert formal == pytest.approx(np.median(held_out.raw_errors[chosen, 1]))
        assert figure.data[3].error_y.array[position] == pytest.approx(seen / np.sqrt(2 * chosen.sum()))


def test_right_errors_lie_on_the_line_of_total_ones(validated: CannonModel) -> None:
    seen, total, _, *_ = error_against_snr(validated).data
    pulls = (seen.y - total.y) / seen.error_y.array
    assert np.abs(pulls).max() < 4.0


def test_bins_hold_ten_stars_or_more(validated: CannonModel) -> None:
    figure = error_against_snr(validated)
    assert min(figure.data[0].customdata) >= 10
    assert sum(figure.data[0].customdata) == 400


def test_star_without_errors_is_left_out(bare: CannonModel, held_out: HeldOut) -> None:
    held_out.raw_errors[0, 0], held_out.labels[1, 2], held_out.snr[2] = np.nan, np.nan, np.nan
    figure = error_against_snr(with_validation(bare, held_out))
    assert sum(figure.data[0].customdata) == 397
    assert all(np.isfinite(trace.y).all() for trace in figure.data)


def test_repeats_are_a_fourth_curve(validated: CannonModel) -> None:
    rng = np.random.default_rng(6)
    snr = 10.0 ** rng.uniform(1.0, 2.0, 600)
    errors = np.array([900.0, 2.0, 1.0]) / snr[:, None]
    repeats = repeat_differences(errors * rng.normal(size=(600, 3)), errors, snr, np.arange(600) // 2)
    figure = error_against_snr(validated, repeats)
    visits = [trace for trace in figure.data if trace.name == "rms of single visits / √2"]
    assert len(visits) == 3
    expected = scatter_by_snr(repeats)
    np.testing.assert_array_equal(visits[2].x, expected.snr)
    np.testing.assert_array_equal(visits[2].y, expected.rms[:, 2])
    lowest, highest = 10.0 ** np.array(figure.layout.xaxis.range)
    assert lowest < expected.snr.min()
    assert highest > figure.data[0].x.max()


def test_repeats_of_other_labels_are_refused(validated: CannonModel) -> None:
    repeats = repeat_differences(np.ones((2, 2)), np.ones((2, 2)), np.ones(2), np.ones(2))
    with pytest.raises(ValueError, match="repeats: expected 3 labels, got 2"):
        error_against_snr(validated, repeats)
