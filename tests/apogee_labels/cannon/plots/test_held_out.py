"""A plot of held-out stars says what is missing when there are none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from apogee_labels.cannon.model import CannonModel
from apogee_labels.cannon.plots import NothingToPlotError, chi_square_distribution, error_against_snr, one_to_one
from tests.apogee_labels.cannon.plots.stand_in import HeldOut, with_validation

PLOTS = [one_to_one, chi_square_distribution, error_against_snr]


@pytest.mark.parametrize("plot", PLOTS)
def test_model_without_validation(bare: CannonModel, plot: Callable[[CannonModel], Any]) -> None:
    with pytest.raises(ValueError, match="train with validation"):
        plot(bare)


@pytest.mark.parametrize("plot", PLOTS)
def test_no_star_with_a_result(bare: CannonModel, held_out: HeldOut, plot: Callable[[CannonModel], Any]) -> None:
    nothing = replace(held_out, labels=held_out.labels * np.nan, reduced_chi_sq=held_out.reduced_chi_sq * np.nan)
    with pytest.raises(NothingToPlotError, match="None of the 400 held-out stars has a result"):
        plot(with_validation(bare, nothing))
