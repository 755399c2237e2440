"""Which columns of a table of labels are needed, under the names that SDSS has given them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

STAR_COLUMNS = ("APOGEE_ID", "OBJ", "OBJID", "SDSS4_APOGEE_ID")
"""Columns with the star's name as its file has it; of several the first that says something counts, row by row."""

KEY_COLUMNS = {
    "telescope": ("TELESCOPE",),
    "field": ("FIELD",),
    "healpix": ("HEALPIX",),
    "release": ("RELEASE",),
    "apred": ("APRED",),
}
"""Columns with the other keys of a star's file, by key."""

ALIASES = {
    "TEFF": ("T_EFF",),
    "LOGG": ("LOG_G",),
    "FE_H": ("FEH", "[FE/H]"),
    "M_H": ("M_H_ATM", "MH", "[M/H]"),
    "ALPHA_M": ("ALPHA_M_ATM", "[ALPHA/M]"),
    "ALPHA_FE": ("[ALPHA/FE]",),
    "C_M": ("C_M_ATM",),
    "N_M": ("N_M_ATM",),
    "VMICRO": ("V_MICRO",),
    "VMACRO": ("V_MACRO",),
    "VSINI": ("V_SINI",),
}
"""Other spellings of labels, Astra's among them; any label is looked for under its own name first."""

FLAG_COLUMNS = {
    "snr": ("SNR",),
    "starflag": ("STARFLAG", "SPECTRUM_FLAGS"),
    "aspcapflag": ("ASPCAPFLAG",),
    "flag_bad": ("FLAG_BAD",),
    "flag_warn": ("FLAG_WARN",),
    "extratarg": ("EXTRATARG",),
}
"""Columns that tell how good an entry is."""

_SHOWN = 20
"""Columns that an error names."""


class LabelTableError(ValueError):
    """The table does not have what it is asked for; the message says which column or line, and what to do.

    Parameters
    ----------
    message
        That message.
    n_missing
        Columns that are missing.
    """

    def __init__(self, message: str, n_missing: int = 0) -> None:
        super().__init__(message)
        self.n_missing = n_missing


class Wanted(NamedTuple):
    """The columns of one table that are read."""

    stars: list[str]
    keys: dict[str, str]
    values: dict[str, str]
    flags: dict[str, str]
    quality: dict[str, str]

    @property
    def texts(self) -> list[str]:
        """Columns of text."""
        return [*self.stars, *self.keys.values()]

    @property
    def numbers(self) -> list[str]:
        """Columns of numbers."""
        return list(dict.fromkeys([*self.values.values(), *self.flags.values(), *self.quality.values()]))


def wanted_columns(path: Path, there: Iterable[str], names: Sequence[str]) -> Wanted:
    """Find the columns of a table.

    Raises
    ------
    LabelTableError
        One that is needed is not there; the message says what was looked for, and what there is.
    """
    found = {name.strip().upper(): name for name in there}

    def first(candidates: Iterable[str]) -> str | None:
        return next((found[name] for name in candidates if name in found), None)

    stars = [found[name] for name in STAR_COLUMNS if name in found]
    spellings = {name: (name.upper(), *ALIASES.get(name.upper(), ())) for name in names}
    values = {name: column for name, candidates in spellings.items() if (column := first(candidates))}
    missing = [] if stars else [" or ".join(STAR_COLUMNS)]
    missing += [" or ".join(candidates) for name, candidates in spellings.items() if name not in values]
    if missing:
        raise LabelTableError(
            f"{path}: expected the columns {'; '.join(missing)} (capital or small), and it has {_some(found.values())}: "
            "name labels and ranges that it has, or rename its columns.",
            len(missing),
        )
    flags = {
        name: flag
        for name, column in values.items()
        if (flag := first((f"{column.strip().upper()}_FLAG", f"{column.strip().upper()}_FLAGS")))
    }
    keys = {key: column for key, candidates in KEY_COLUMNS.items() if (column := first(candidates))}
    quality = {kind: column for kind, candidates in FLAG_COLUMNS.items() if (column := first(candidates))}
    return Wanted(stars, keys, values, flags, quality)


def _some(names: Iterable[str]) -> str:
    names = [*names]
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "") or "none"
