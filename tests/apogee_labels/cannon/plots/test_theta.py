"""The spectra of coefficients show the model's numbers, a panel for each term."""

from __future__ import annotations

import numpy as np
import pytest

from apogee_labels.cannon.model import CannonModel
from apogee_labels.cannon.plots import theta_spectra
from apogee_labels.cannon.plots.style import number


def test_constant_and_linear_terms_by_default(bare: CannonModel) -> None:
    figure = theta_spectra(bare)
    assert [trace.name for trace in figure.data] == ["1", "TEFF", "LOGG", "FE_H"]
    assert len({trace.yaxis for trace in figure.data}) == 4
    for position, trace in enumerate(figure.data):
        shown = np.isfinite(trace.y)
        np.testing.assert_allclose(trace.x[shown], bare.wavelength[bare.informative], rtol=1e-6)
        np.testing.assert_allclose(trace.y[shown], bare.theta[bare.informative, position], rtol=1e-6)
        assert np.count_nonzero(~shown) == 10 + 2, "pixels not trained, and the gaps between detectors"
        assert not trace.connectgaps


def test_titles_say_the_labels_and_the_unit_of_each_change(bare: CannonModel) -> None:
    titles = [annotation.text for annotation in theta_spectra(bare, ["1", "FE_H", "TEFF*LOGG"]).layout.annotations]
    teff, logg, fe_h = (number(scale) for scale in bare.vectorizer.scales)
    assert titles == [
        "<b>1</b>: flux at the median labels, TEFF 4,500 K, LOGG 2.20 dex, FE_H −0.300 dex",
        f"<b>FE_H</b>: change of flux per {fe_h} dex",
        f"<b>TEFF*LOGG</b>: change of flux per {teff} K × {logg} dex",
    ]


def test_panels_share_their_wavelengths(bare: CannonModel) -> None:
    figure = theta_spectra(bare)
    axes = [figure.layout[f"xaxis{number}" if number > 1 else "xaxis"] for number in range(1, 5)]
    assert {axis.matches for axis in axes} == {"x4", None}
    assert [axis.title.text for axis in axes] == [None, None, None, "Vacuum wavelength (Å)"]


@pytest.mark.parametrize(("terms", "got"), [(["TEFF", "MG_FE"], "MG_FE"), ([], "none")])
def test_terms_that_the_model_does_not_have_are_refused(bare: CannonModel, terms: list[str], got: str) -> None:
    with pytest.raises(ValueError, match=rf"terms: expected some of 1, TEFF, .*, got {got}\."):
        theta_spectra(bare, terms)
