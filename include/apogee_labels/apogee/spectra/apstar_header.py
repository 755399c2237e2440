"""The primary header of an apStar file: which star, and which visits on which nights.

The keywords follow SDSS's ``apStar`` data model from DR12 to SDSS-V; what a release left out is taken from the names of
the visits' files or of the file itself, and is None when these do not tell it either.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from apogee_labels.apogee.archive.names import SAFE_NAME, parse_star_name, parse_visit_name
from apogee_labels.apogee.spectra.masks import StarFlag
from apogee_labels.apogee.spectra.visits import Visit, read_flag, read_visits
from apogee_labels.core.errors import BadInputError, Reason
from apogee_labels.fits.content import Cards, CutShortError, read_cards
from apogee_labels.fits.header import BLOCK
from apogee_labels.fits.input_file import read_start

FIRST_READ = 8 * BLOCK
"""Bytes read first for a header: about 6 visits of the newest writer."""
_LARGEST_HEADER = 1000 * BLOCK


@dataclass(frozen=True, kw_only=True)
class ApStarHeader:
    """What the primary header of an apStar file tells.

    Parameters
    ----------
    obj
        Name of the star, such as ``2M16505794-2118004``.
    telescope, field, apred
        ``apo25m`` or another; the field of a plate (its location's number in older files); version of the reduction.
    healpix
        HEALPix number (nside 128) of the star's place, in SDSS-V.
    snr
        Median signal-to-noise ratio per pixel of the combined spectrum; NaN when the header does not say it.
    ra, dec
        Degrees, J2000; NaN when the header does not say it.
    starflag
        Flags of any visit (STARFLAG).
    visits
        The visits described, in order; their `row` is None, which only the images tell.
    n_declared
        NVISITS.
    """

    obj: str
    telescope: str | None
    field: str | None
    healpix: int | None
    apred: str | None
    snr: float
    ra: float
    dec: float
    starflag: StarFlag
    visits: tuple[Visit, ...]
    n_declared: int | None


def read_header(path: str | Path, size_hint: int | None = None) -> ApStarHeader:
    """Read the primary header alone: a few blocks instead of the megabytes of the file.

    Parameters
    ----------
    path
        An apStar file.
    size_hint
        Bytes that the header is expected to need; a longer one is read to its end all the same.

    Raises
    ------
    BadInputError
        MISSING, NOT_A_FILE, EMPTY, UNREADABLE (no FITS header, or one cut short) or NO_VISITS.
    OSError
        Trouble that may pass.
    """
    n_bytes = max(BLOCK, -(-(size_hint or FIRST_READ) // BLOCK) * BLOCK)
    while True:
        content = read_start(path, n_bytes)
        with naming(path):
            try:
                cards, _ = read_cards(content)
            except CutShortError:
                if len(content) < n_bytes or n_bytes >= _LARGEST_HEADER:
                    raise
                n_bytes *= 4
                continue
            header = parse_header(cards, path=path)
            if not header.visits:
                raise no_visits()
            return header


def parse_header(cards: Cards, *, path: str | Path) -> ApStarHeader:
    """Understand the keywords of a primary header.

    Raises
    ------
    BadInputError
        WRONG_LAYOUT: a visit is described whose night cannot be told.
    """
    file_name = parse_star_name(Path(path).name)
    visit_name = parse_visit_name(cards.text("SFILE1") or "")
    telescope = cards.text("TELESCOP") or (visit_name.telescope if visit_name else file_name.telescope)
    healpix = cards.integer("HEALPIX")
    obj, snr, ra, dec = cards.text("OBJID"), cards.number("SNR"), cards.number("RA"), cards.number("DEC")
    return ApStarHeader(
        obj=obj if obj is not None and SAFE_NAME.fullmatch(obj) else file_name.obj,
        telescope=telescope,
        field=cards.text("FIELD") or cards.text("LOCID"),
        healpix=healpix if healpix is not None and healpix >= 0 else None,
        apred=cards.text("APRED") or (visit_name.apred if visit_name else file_name.apred),
        snr=math.nan if snr is None else snr,
        ra=math.nan if ra is None else ra,
        dec=math.nan if dec is None else dec,
        starflag=read_flag(cards, "STARFLAG"),
        visits=tuple(read_visits(cards, telescope)),
        n_declared=cards.integer("NVISITS"),
    )


def no_visits() -> BadInputError:
    """Make the error for a file without a visit."""
    return BadInputError(Reason.NO_VISITS, "expected the header to describe its visits (SFILE1, JD1), got none.")


@contextmanager
def naming(path: str | Path) -> Iterator[None]:
    """Put the file's path in front of the message of a :class:`BadInputError`."""
    try:
        yield
    except BadInputError as error:
        raise BadInputError(error.reason, f"{path}: {error.message}") from error
