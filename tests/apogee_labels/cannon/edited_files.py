"""Model files that are whole, with right sums, and yet no model's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from astropy.io import fits

Edit = Callable[[fits.HDUList], None]


def change(path: Path, edit: Edit) -> None:
    """Edit a model file and make its sums right again."""
    with fits.open(path) as hdus:
        edit(hdus)
        hdus.writeto(path, checksum=True, overwrite=True)


def drop(name: str) -> Edit:
    """Leave an HDU out."""

    def edit(hdus: fits.HDUList) -> None:
        del hdus[name]

    return edit
