"""A product that is missing or damaged on disk is made anew from the archive.

Takes the record of a normalisation; done already when its product is there and whole; makes the product again from the
content and the parameters on record, and sees that its identity is the same.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from apogee_labels.apogee.spectra.apstar import parse_apstar
from apogee_labels.catalog.records import NormalizationRecord, Stage
from apogee_labels.core.errors import BadInputError, Reason
from apogee_labels.core.identity import digest_bytes, short
from apogee_labels.fits.input_file import read_content
from apogee_labels.pipeline.analysis.normalize import make_product
from apogee_labels.pipeline.analysis.regions import find_regions
from apogee_labels.pipeline.identities import NormalizationParameters, normalization_id
from apogee_labels.pipeline.ingest.rejection import record_rejection

if TYPE_CHECKING:
    from apogee_labels.cannon.io.normalized import NormalizedSpectrum
    from apogee_labels.pipeline.workspace import Workspace

log = logging.getLogger(__name__)


class CannotRebuildError(LookupError):
    """A product that this installation cannot make again, though another one, or its normalize task, may."""


def read_or_rebuild(workspace: Workspace, record: NormalizationRecord) -> NormalizedSpectrum:
    """Read a normalised spectrum; where its product is missing or damaged, after making it anew.

    Raises
    ------
    BadInputError
        MISSING: no path of the archive holds the content any more.  That is on record as a rejection of the paths, not of
        the content: should it come back, it is taken.
    CannotRebuildError
        The product was made with regions that are nowhere any more, or by another version of the method.
    OSError
        Trouble with the disk that may pass.
    """
    from apogee_labels.cannon.io.normalized import read_normalized

    product = workspace.normalized_path(record.id)
    try:
        return read_normalized(product)
    except FileNotFoundError:
        log.info("normalisation %s is not on disk: it is made anew", short(record.id))
    except BadInputError as damage:
        log.warning("normalisation %s is made anew: %s", short(record.id), damage.message)
    _rebuild(workspace, record)
    return read_normalized(product)


def _rebuild(workspace: Workspace, record: NormalizationRecord) -> None:
    parameters = recorded_parameters(workspace, record)
    parts = parameters.as_json()
    if normalization_id(record.digest, parts) != record.id:
        raise CannotRebuildError(
            f"normalisation {short(record.id)} is not on disk and was made by method {record.method_version}, which this "
            "code is not: run the file's normalize task, and infer from what that gives."
        )
    path, content = _find_content(workspace, record.digest)
    make_product(workspace, parse_apstar(content, path=path, digest=record.digest), parameters, parts)


def recorded_parameters(workspace: Workspace, record: NormalizationRecord) -> NormalizationParameters:
    """Return what a product was made with.

    Raises
    ------
    CannotRebuildError
        Its continuum regions are nowhere any more.
    """
    recorded = record.parameters
    regions = find_regions(workspace, str(recorded["regions"]))
    if regions is None:
        raise CannotRebuildError(
            f"normalisation {short(record.id)} is not on disk, and the continuum regions {short(str(recorded['regions']))} "
            "that it was made with are not here: put their file where APOGEE_LABELS_CONTINUUM_REGIONS says."
        )
    return NormalizationParameters(
        regions=regions, **{name: recorded[name] for name in ("length", "order", "sum_axis")}
    )


def _find_content(workspace: Workspace, content: str) -> tuple[str, bytes]:
    """Return a path that holds the content, and the content: each is read and digested, whatever the index says."""
    paths = workspace.catalog.archive.paths_of(content)
    for path, found in _contents(paths):
        if digest_bytes(found) == content:
            return path, found
    fault = BadInputError(
        Reason.MISSING,
        f"{paths[0]}: expected the content {short(content)}, of which the normalised spectrum is lost, and it is neither "
        "there nor elsewhere in the archive; if the file was rewritten, its present content is listed by itself.",
    )
    for path in paths:
        record_rejection(workspace, path, Stage.INFER, fault)
    log.warning("rejected %s: %s: %s", Path(paths[0]).name, fault.reason, fault.message)
    raise fault


def _contents(paths: list[str]) -> Iterator[tuple[str, bytes]]:
    for path in paths:
        try:
            yield path, read_content(path)
        except BadInputError:
            continue  # there is nothing to read
