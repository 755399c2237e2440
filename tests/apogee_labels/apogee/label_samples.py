"""Tables of labels as SDSS publishes them, small."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from apogee_labels.apogee.spectra.masks import ExtraTarget
from apogee_labels.apogee.tables.label_table import LabelTable


def all_star(path: Path, *, wide: int = 3) -> Path:
    """A table in the way of DR17's allStar: labels in HDU 1, names of elements in HDU 2."""
    columns = [
        fits.Column("APOGEE_ID", "18A", array=["2M00000002+7417074", "2M00000019-1924498", "2M00000032+5737103", ""]),
        fits.Column("TELESCOPE", "6A", array=["apo25m", "lco25m", "apo25m", "apo25m"]),
        fits.Column("FIELD", "14A", array=["120+12", "060-75", "116-04", "116-04"]),
        fits.Column("SNR", "E", array=[229.2, 110.5, -9999.0, 300.0]),
        fits.Column("STARFLAG", "K", array=[0, 1 << 4, 0, 0]),
        fits.Column("ASPCAPFLAG", "K", array=[0, 1 << 41, 1 << 7, 0]),
        fits.Column("EXTRATARG", "J", array=[0, 1 << 4, 0, 0]),
        fits.Column("TEFF", "E", array=[4723.5, 5501.8, np.nan, 4000.0]),
        fits.Column("LOGG", "E", array=[2.41, 4.44, -9999.99, 1.0]),
        fits.Column("M_H", "E", array=[-0.13, -0.32, 0.1, 0.0]),
        fits.Column("FE_H", "E", array=[-0.12, -0.33, -9999.99, 0.0]),
        fits.Column("FE_H_FLAG", "J", array=[0, 0, 8, 0], null=-1),
        fits.Column("X_H", f"{wide}E", array=np.ones((4, wide))),
    ]
    names = fits.BinTableHDU.from_columns([fits.Column("ELEM_SYMBOL", "2A", array=["C", "N", "O"])])
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(columns), names]).writeto(path)
    return path


def astra_summary(path: Path) -> Path:
    """A table in the way of Astra's summaries: an HDU a telescope, and one of them empty."""

    def table(telescope: str, *rows: tuple[str, str, int, float, bool]) -> fits.BinTableHDU:
        old, new, healpix, teff, bad = (list(column) for column in zip(*rows, strict=True)) if rows else ([],) * 5
        columns = [
            fits.Column("sdss4_apogee_id", "18A", array=np.array(old, dtype="S18")),
            fits.Column("obj", "18A", array=np.array(new, dtype="S18")),
            fits.Column("telescope", "6A", array=np.array([telescope] * len(rows), dtype="S6")),
            fits.Column("healpix", "J", array=np.array(healpix, dtype=int)),
            fits.Column("release", "5A", array=np.array(["sdss5"] * len(rows), dtype="S5")),
            fits.Column("snr", "E", array=np.full(len(rows), 80.0)),
            fits.Column("spectrum_flags", "K", array=np.full(len(rows), 1 << 17)),
            fits.Column("teff", "E", array=np.array(teff, dtype=float)),
            fits.Column("m_h_atm", "E", array=np.full(len(rows), -0.5)),
            fits.Column("flag_bad", "L", array=np.array(bad, dtype=bool)),
            fits.Column("flag_warn", "L", array=np.ones(len(rows), dtype=bool)),
        ]
        return fits.BinTableHDU.from_columns(columns)

    empty = fits.BinTableHDU.from_columns([fits.Column("sdss_id", "K", array=[])])
    apo = table("apo25m", ("", "2M00000101+0000001", 101, 4100.0, False), ("2M00000202+0000002", "", 102, 4200.0, True))
    lco = table("lco25m", ("", "2M00000303+0000003", 103, 4300.0, False))
    fits.HDUList([fits.PrimaryHDU(), empty, apo, table("apo1m"), lco]).writeto(path)
    return path


def random_table(seed: int, count: int = 400, **changes: Any) -> LabelTable:
    """A table in which every cut finds something to take out, and most stars have several entries."""
    rng = np.random.default_rng(seed)

    def bits(*places: int) -> np.ndarray:
        return sum((rng.random(count) < 0.1) * (1 << place) for place in places).astype(np.int64)

    def unknown(values: np.ndarray, share: float = 0.05) -> np.ndarray:
        return np.where(rng.random(count) < share, np.nan, values)

    stars = np.array([f"2M{number:08d}+0000000" for number in rng.integers(count // 2, size=count)])
    parts: dict[str, Any] = {
        "stars": np.where(rng.random(count) < 0.03, "", stars),
        "keys": {
            "telescope": rng.choice(["apo25m", "lco25m"], count),
            "field": np.array([f"{number:03d}+00" for number in rng.integers(1000, size=count)]),
        },
        "values": {
            "TEFF": unknown(rng.uniform(3300.0, 5500.0, count)),
            "LOGG": unknown(rng.uniform(-0.5, 4.5, count)),
            "FE_H": unknown(rng.normal(-0.3, 0.3, count)),
        },
        "flags": {"FE_H": bits(0, 8)},
        "snr": unknown(np.round(rng.uniform(20.0, 400.0, count))),
        "starflag": bits(0, 1, 2, 9, 12, 17, 19, 25),
        "aspcapflag": bits(0, 7, 16, 23, 31, 41),
        "extratarg": np.where(rng.random(count) < 0.3, int(ExtraTarget.DUPLICATE), 0) | bits(0),
        "columns": {name: name for name in ("TEFF", "LOGG", "FE_H")},
    }
    return LabelTable(**parts | changes)


def shuffled(table: LabelTable, seed: int) -> tuple[LabelTable, np.ndarray]:
    """The same table with its rows in another order, and that order."""
    order = np.random.default_rng(seed).permutation(len(table))

    def of(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: column[order] for name, column in value.items()}
        return None if value is None else value[order]

    parts = {name: of(getattr(table, name)) for name in ("stars", "keys", "values", "flags", "snr", "starflag")}
    others = {name: of(getattr(table, name)) for name in ("aspcapflag", "extratarg")}
    return LabelTable(**parts, **others, columns=table.columns), order
