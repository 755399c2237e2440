"""Numbers and ticks as a person reads them."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from apogee_labels.cannon.plots.style import columns_for, fixed, log_ticks, number
from tests.support.compose import PROJECT_ROOT


@pytest.mark.parametrize(
    ("value", "text"),
    [(1240.4, "1,240"), (803.2, "803"), (-0.02653, "−0.0265"), (0.0022, "0.00220"), (12345.6, "12,300"), (0.0, "0")],
)
def test_number_has_three_digits_and_no_power_of_ten(value: float, text: str) -> None:
    assert number(value) == text


def test_fixed_has_no_negative_zero() -> None:
    assert fixed(-0.0001, 3) == "0.000"
    assert fixed(-1234.5, 1) == "−1,234.5"


@pytest.mark.parametrize(
    ("low", "high"), [(10.0, 250.0), (1e-5, 3.0), (20.0, 24.0), (51.0, 58.0), (0.021, 0.045), (9.5, 11.0)]
)
def test_a_logarithmic_axis_has_a_few_ticks_within_its_range(low: float, high: float) -> None:
    axis = log_ticks(low, high)
    assert 3 <= len(axis["tickvals"]) <= 12
    assert all(low <= value <= high for value in axis["tickvals"])
    assert [float(text.replace(",", "")) for text in axis["ticktext"]] == pytest.approx(axis["tickvals"])
    np.testing.assert_allclose(10.0 ** np.array(axis["range"]), [low, high])


def test_panels_are_laid_out_in_rows_of_up_to_three() -> None:
    assert [columns_for(count) for count in (1, 2, 3, 4, 5, 17)] == [1, 2, 3, 2, 3, 3]


def test_importing_the_plots_does_not_import_plotly() -> None:
    code = "import apogee_labels.cannon.plots, sys; sys.exit('plotly' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=PROJECT_ROOT)
