"""The stellar labels: an entry each, from which tables, plots, reports and readers of tables take what they say of one.

A label that has no entry is known by how its name ends, as abundances are; any other has no unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

DEFAULT_LABELS = ("TEFF", "LOGG", "FE_H")
"""What a model learns where nobody says otherwise."""

ABUNDANCE_ENDINGS = ("_H", "_FE", "_M")
"""How the names of abundances end, in upper case."""


class LabelKind(StrEnum):
    """What a label is a measure of; the value is its unit as people write it."""

    TEMPERATURE = "K"
    GRAVITY = "dex of cm s-2"
    ABUNDANCE = "dex"
    VELOCITY = "km/s"
    OTHER = ""


@dataclass(frozen=True)
class Label:
    """A label by SDSS's name, and the other spellings of it: ASPCAP's, Astra's and what people write."""

    name: str
    kind: LabelKind
    aliases: tuple[str, ...] = ()

    @property
    def logarithmic(self) -> bool:
        """Whether it is in dex, which FITS has no unit for."""
        return self.kind in (LabelKind.GRAVITY, LabelKind.ABUNDANCE)

    @property
    def unit(self) -> str:
        """``K``, ``km/s`` or ``dex``; empty where none is known."""
        return "dex" if self.logarithmic else str(self.kind)


LABELS = (
    Label("TEFF", LabelKind.TEMPERATURE, ("T_EFF",)),
    Label("LOGG", LabelKind.GRAVITY, ("LOG_G",)),
    Label("FE_H", LabelKind.ABUNDANCE, ("FEH", "[FE/H]")),
    Label("M_H", LabelKind.ABUNDANCE, ("M_H_ATM", "MH", "[M/H]")),
    Label("ALPHA_M", LabelKind.ABUNDANCE, ("ALPHA_M_ATM", "[ALPHA/M]")),
    Label("ALPHA_FE", LabelKind.ABUNDANCE, ("[ALPHA/FE]",)),
    Label("C_M", LabelKind.ABUNDANCE, ("C_M_ATM",)),
    Label("N_M", LabelKind.ABUNDANCE, ("N_M_ATM",)),
    Label("VMICRO", LabelKind.VELOCITY, ("V_MICRO",)),
    Label("VMACRO", LabelKind.VELOCITY, ("V_MACRO",)),
    Label("VSINI", LabelKind.VELOCITY, ("V_SINI",)),
    Label("VROT", LabelKind.VELOCITY),
    Label("V_REL", LabelKind.VELOCITY),
    Label("V_RAD", LabelKind.VELOCITY),
)

_BY_SPELLING = {spelling: label for label in LABELS for spelling in (label.name, *label.aliases)}


def label_of(name: str) -> Label:
    """Return what is known of a label, by any spelling, in capital or small letters.

    >>> label_of("t_eff").name, label_of("MG_FE").unit, label_of("AGE").unit
    ('TEFF', 'dex', '')
    """
    name = name.upper()
    kind = LabelKind.ABUNDANCE if name.endswith(ABUNDANCE_ENDINGS) else LabelKind.OTHER
    return _BY_SPELLING.get(name) or Label(name, kind)


def with_unit(name: str) -> str:
    """Return a label's name as the title of an axis: ``TEFF (K)``."""
    unit = label_of(name).unit
    return f"{name} ({unit})" if unit else name
