"""A table of labels as a product: what it was made from is in its header, and it is rewritten when its content changes."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from apogee_labels.catalog.records import ModelRecord
from apogee_labels.core.identity import digest_of
from apogee_labels.pipeline.identities import ResultIdentities

if TYPE_CHECKING:
    from astropy.table import Table

    from apogee_labels.fits.table_files import Cards, Value

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LabelProduct:
    """A table that is in its place: rows, stars among them, rows with a flag, and whether it had to be written."""

    path: Path
    n_rows: int
    n_stars: int
    n_flagged: int
    written: bool

    @property
    def content(self) -> str:
        """Digest of the table's content, from its header."""
        from apogee_labels.fits.table_files import CONTENT_KEYWORD, kept_header

        header = kept_header(self.path)
        return str(header[CONTENT_KEYWORD]) if header is not None else ""


def write_labels(
    path: Path,
    parts: Iterable[Table],
    model: ModelRecord | None,
    identities: ResultIdentities,
    header: Mapping[str, Value],
) -> LabelProduct:
    """Write a table of labels that comes in parts, unless the file there has the same content.

    The header says more than the table does, of which the content is made up anyway:

    ============  ========================================================================================================
    ``INPUTS``    SHA-256 over the digests of all apStar files, in the order of the rows (column ``spectrum``), a line each
    ``TRAINSET``  SHA-256 of the training set's content
    ``PARAMS``    digest of the parameters of normalisation and inference, versions of the methods included
    ============  ========================================================================================================

    and, beside ``MODEL`` and ``CONTENT``, the versions of reader, normalisation, training and inference (``V_READ``,
    ``V_NORM``, ``V_TRAIN``, ``V_INFER``) and the numbers of stars and of rows with a flag (``NSTARS``, ``NFLAGGED``).

    Parameters
    ----------
    parts
        As :meth:`apogee_labels.catalog.queries.label_tables.LabelTables.parts` gives them: by star.
    model
        Whose labels these are; None: none was in force, and the table is empty.
    header
        More keywords.
    """
    from apogee_labels.fits.table_files import write_parts

    started, tally = time.perf_counter(), _Tally()
    about = {**header, **_provenance(model, identities)}
    written = write_parts(tally.count(parts), path, header=lambda: {**about, **tally.cards()})
    log.info(
        "%s %s: %d row(s), %d star(s), %d flagged (%.1f s)",
        path, "written" if written else "is unchanged", tally.n_rows, tally.n_stars, tally.n_flagged,
        time.perf_counter() - started,
    )  # fmt: skip
    return LabelProduct(path, tally.n_rows, tally.n_stars, tally.n_flagged, written)


def _provenance(model: ModelRecord | None, identities: ResultIdentities) -> dict[str, Value | tuple[Value, str]]:
    return {
        "TRAINSET": model.training_set_digest if model else "",
        "PARAMS": digest_of(normalization=identities.normalization, inference=identities.inference),
        "V_READ": (str(identities.normalization["reader"]), "version of the reader of apStar files"),
        "V_NORM": (str(identities.normalization["method"]), "version of the normalisation"),
        "V_TRAIN": (model.method_version if model else "", "version of the training"),
        "V_INFER": (str(identities.inference["method"]), "version of the inference"),
    }


class _Tally:
    """What is counted while the parts go by."""

    def __init__(self) -> None:
        self.n_rows = self.n_stars = self.n_flagged = 0
        self._last = ""
        self._inputs = hashlib.sha256()

    def count(self, parts: Iterable[Table]) -> Iterator[Table]:
        for part in parts:
            self.n_rows += len(part)
            self.n_flagged += int((part["result_flags"] != 0).sum())
            for obj in part["obj"].tolist():
                self.n_stars += obj != self._last
                self._last = obj
            self._inputs.update("".join(f"{digest}\n" for digest in part["spectrum"].tolist()).encode())
            yield part

    def cards(self) -> Cards:
        return {
            "INPUTS": self._inputs.hexdigest(),
            "NSTARS": (self.n_stars, "stars"),
            "NFLAGGED": (self.n_flagged, "rows with result_flags"),
        }
