"""Tables as astronomers use them: columns with units and descriptions.  :mod:`apogee_labels.fits.table_files` writes them.

Names are those of Astra's summary products, so that what reads them reads these.
Text that is not known is an empty string, a whole number -1, a float NaN.  Astropy writes such a table to FITS
without a warning.  FITS has no unit for dex: a logarithmic label is dimensionless, and its description says dex.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from astropy import units as u
from astropy.table import Column, Table
from numpy.typing import NDArray

from apogee_labels.core.labels import label_of

TEXT = "U"
DIGEST_WIDTH = 64


@dataclass(frozen=True)
class ColumnSpec:
    """A column: its name, its kind (``U20``: text of at least 20 characters), its unit and what it says."""

    name: str
    kind: str
    description: str
    unit: u.UnitBase | None = None

    def column(self, values: Sequence[Any]) -> Column:
        """Return the column with `values`, those that are not known filled."""
        return Column(self._array(values), name=self.name, unit=self.unit, description=self.description)

    def at_least(self, width: int) -> ColumnSpec:
        """Return the column with room for so many characters; one that is no text stays."""
        if not self.kind.startswith(TEXT) or width <= int(self.kind[1:]):
            return self
        return replace(self, kind=f"{TEXT}{width}")

    def _array(self, values: Sequence[Any]) -> NDArray[Any]:
        if self.kind.startswith(TEXT):
            text = ["" if value is None else str(value) for value in values]
            width = max(int(self.kind[1:]), max(map(len, text), default=0))
            return np.array(text, dtype=f"U{width}")
        fill = np.nan if self.kind.startswith("f") else -1
        return np.array([fill if value is None else value for value in values], dtype=self.kind)


STAR = (
    ColumnSpec("obj", "U19", "name of the star"),
    ColumnSpec("sdss4_apogee_id", "U19", "name of the star as in DR17; empty: it has none"),
    ColumnSpec("telescope", "U6", "telescope"),
    ColumnSpec("release", "U5", "SDSS release of the archive"),
    ColumnSpec("apred", "U5", "version of the reduction"),
    ColumnSpec("field", "U16", "field, up to DR17"),
    ColumnSpec("healpix", "i8", "HEALPix number, SDSS-V; -1: none"),
    ColumnSpec("prefix", "U2", "ap or as, as the apStar file's name begins"),
    ColumnSpec("mjd", "i4", "SDSS MJD of the visit; of a stack: the newest in the apStar file; -1: not known"),
    ColumnSpec("snr", "f8", "S/N a pixel of the spectrum whose labels these are"),
    ColumnSpec("n_visits", "i4", "1 for a visit; of a stack: all that the apStar file lists, with a spectrum or not"),
    ColumnSpec("spectrum_flags", "i8", "bits of APOGEE_STARFLAG: the visit's; of a stack: OR of the visits"),
)
FIT = (
    ColumnSpec("row", "i4", "row in the normalised spectrum's file"),
    ColumnSpec("chi2", "f8", "chi-square of the fit"),
    ColumnSpec("rchi2", "f8", "chi-square a degree of freedom"),
    ColumnSpec(
        "unexplained",
        "f8",
        "share of the lines that the model leaves unexplained; above 0.2 it is unlike the training set",
    ),
    ColumnSpec("result_flags", "i8", "bits of ResultFlag"),
    ColumnSpec("converged", "?", "whether the fit converged"),
    ColumnSpec("ier", "i4", "0: the fit converged, 1: it did not"),
    ColumnSpec("nfev", "i4", "number of steps of the fit; -1: not known"),
    ColumnSpec("spectrum", f"U{DIGEST_WIDTH}", "SHA-256 of the apStar file's content"),
    ColumnSpec("normalization", f"U{DIGEST_WIDTH}", "identity of the normalisation"),
    ColumnSpec("model", f"U{DIGEST_WIDTH}", "identity of the model"),
    ColumnSpec("result", f"U{DIGEST_WIDTH}", "identity of the result"),
    ColumnSpec("v_apogee_cannon", "U3", "versions of the methods: normalisation.inference"),
    ColumnSpec("created", "U20", "when the result was made, UTC"),
)

CURRENT = ColumnSpec("current", "?", "whether this is the star's current result")
IS_VISIT = ColumnSpec("is_visit", "?", "whether this is a single visit, and not a stack")


def label_columns(name: str) -> tuple[ColumnSpec, ColumnSpec, ColumnSpec]:
    """Return the columns of a label: value, error and formal error; a label that is not known has no unit."""
    column, label = name.lower(), label_of(name)
    unit = u.dimensionless_unscaled if label.logarithmic else u.Unit(label.unit) if label.unit else None
    suffix = f" ({label.kind})" if label.logarithmic else ""
    return (
        ColumnSpec(column, "f8", f"{name}{suffix}", unit),
        ColumnSpec(f"e_{column}", "f8", f"error of {name}{suffix}: formal, and what validation found beyond", unit),
        ColumnSpec(f"raw_e_{column}", "f8", f"formal error of {name}{suffix}", unit),
    )


def iso_utc(moment: datetime) -> str:
    """Return a time as ISO-8601 in UTC, to the second: ``2024-03-01T04:05:06Z``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def build_table(columns: Iterable[tuple[ColumnSpec, Sequence[Any]]], meta: Mapping[str, Any]) -> Table:
    """Return a table of those columns; `meta` becomes header keywords, so its names have at most eight characters."""
    return Table([spec.column(values) for spec, values in columns], meta=dict(meta))
