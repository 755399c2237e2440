"""What came out of the synthetic nights: the summaries on record, and inferred against true labels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from astropy.table import Table

SHOWN = 12
"""Stars of the comparison that are printed one by one; the statistics are over all."""


def night_summaries() -> Iterator[str]:
    """Yield one line a night that was published, in order."""
    from apogee_labels.catalog import Catalog
    from apogee_labels.core.settings import Settings

    with Catalog.open(Settings().catalog_url) as catalog:
        for summary in catalog.nights.publications():
            parts = [
                f"{summary[key]} {text}"
                for key, text in (
                    ("done", "done"),
                    ("already_complete", "already complete"),
                    ("rejected", "rejected"),
                    ("no_model", "waiting for a model"),
                    ("unfinished", "unfinished"),
                )
                if summary[key]
            ]
            yield (
                f"{summary['telescope']} MJD {summary['mjd']} (evening of {summary['evening']}): "
                f"{summary['listed']} file(s) listed: {', '.join(parts) or 'nothing to do'}"
            )


def comparison() -> str:
    """Return a table of inferred against true labels; the stars and their labels are synthetic."""
    from astropy.table import Table, join

    from apogee_labels.catalog import Catalog
    from apogee_labels.core.settings import Settings

    settings = Settings()
    truth = Table.read(settings.sas_base_dir / "truth.csv")
    with Catalog.open(settings.catalog_url) as catalog:
        stars = join(
            catalog.labels(), truth, keys="obj", table_names=("", "true"), uniq_col_name="{col_name}_{table_name}"
        )
    return "\n".join(_lines(stars, tuple(name for name in truth.colnames if name.lower() in stars.colnames)))


def _lines(stars: Table, names: tuple[str, ...]) -> Iterator[str]:
    import numpy as np

    names = tuple(name for name in names if name.isupper())
    yield "\nInferred against true labels of the synthetic stars:"
    yield f"{'star':20s} {'S/N':>5s} {'chi2r':>6s} " + " ".join(f"{name:>17s}" for name in names)
    for star in stars[:SHOWN]:
        values = " ".join(f"{star[name.lower()]:8.6g} {star[name]:8.6g}" for name in names)
        yield f"{star['obj']:20s} {star['snr']:5.0f} {star['rchi2']:6.2f} {values}"
    yield f"... {len(stars)} stars in all; inferred less true:"
    for name in names:
        difference = np.asarray(stars[name.lower()] - stars[name], dtype=float)
        yield f"  {name:8s} bias {np.mean(difference):+9.4f}   rms {np.sqrt(np.mean(difference**2)):9.4f}"
