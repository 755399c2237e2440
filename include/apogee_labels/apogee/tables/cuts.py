"""What an entry of a label table must have to be trained on; applied by :mod:`apogee_labels.apogee.tables.label_cuts`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from pydantic import Field, field_validator

from apogee_labels.core.parameters import Parameters

Range = tuple[float | None, float | None]

GIANTS: Mapping[str, Range] = {"TEFF": (3500.0, 5300.0), "LOGG": (None, 4.0)}
"""The ranges in which red giants are trained on, K and dex."""


class FlagCut(StrEnum):
    """How strictly a flag is taken."""

    BAD = "bad"  # leave out what it calls bad
    ANY = "any"  # leave out what it says anything of, warnings included
    OFF = "off"  # do not look


class Cuts(Parameters):
    """What an entry must have to be trained on; the defaults are the usual ones for red giants.

    Of ASPCAPFLAG ``bad`` means any bit from 16 on (:data:`apogee_labels.apogee.spectra.masks.BAD_ASPCAP`), of STARFLAG a bit
    of :data:`apogee_labels.apogee.spectra.masks.UNFIT_STAR`.  With a least S/N of 0 an entry counts whose S/N is not known.
    """

    min_snr: float = Field(100.0, ge=0.0, allow_inf_nan=False, title="Least signal-to-noise ratio")
    ranges: Mapping[str, Range] = Field(
        GIANTS,
        title="Ranges of labels",
        examples=[GIANTS],
        description='Least and greatest, null for none, e.g. {"TEFF": [3500, 5300], "LOGG": [null, 4]} for red giants.',
    )
    aspcapflag: FlagCut = Field(
        FlagCut.BAD, title="ASPCAPFLAG", description="Leave out what it calls bad, any, or do not look"
    )
    starflag: FlagCut = Field(
        FlagCut.BAD, title="STARFLAG", description="Leave out what it calls bad, any, or do not look"
    )
    label_flags: bool = Field(True, title="Leave out stars with a flag on a label (FE_H_FLAG)")
    max_stars: int | None = Field(
        2000, ge=1, title="At most so many stars",
        description="Chosen evenly over the labels, the highest S/N first; each takes 140 kB of memory.",
    )  # fmt: skip

    @field_validator("ranges")
    @classmethod
    def _in_order(cls, ranges: Mapping[str, Range]) -> Mapping[str, Range]:
        for name, (low, high) in ranges.items():
            if any(limit is not None and math.isnan(limit) for limit in (low, high)):
                raise ValueError(f"range of {name}: expected [least, greatest], null for none, got {[low, high]}.")
            if low is not None and high is not None and low > high:
                raise ValueError(f"range of {name}: expected the least value first, got {low:g} and {high:g}.")
        return ranges

    def as_json(self) -> dict[str, Any]:
        """Return the cuts as plain JSON values."""
        return self.model_dump(mode="json") | {
            "ranges": {name: list(both) for name, both in sorted(self.ranges.items())}
        }
