"""One apStar file becomes a normalised spectrum.

Takes the path of a file; done already when its content was normalised with the same parameters and the product is there;
makes a FITS product and its row in the catalogue, or a recorded rejection.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from include.apogee.apstar import READER_VERSION, parse_apstar
from include.apogee.content import read_content
from include.catalog.records import NormalizationRecord, RejectionRecord, Stage, subject_of_path
from include.errors import BadInputError, Reason
from include.identity import digest_bytes, digest_file, short
from include.pipeline.identities import NormalizationParameters, normalization_id
from include.pipeline.registration import look_at, register_file, register_unreadable

if TYPE_CHECKING:
    from include.apogee.apstar import ApStar
    from include.pipeline.workspace import Workspace

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Normalized:
    """What :func:`normalize_file` answers: the product's identity, the star, and whether it was there already."""

    normalization_id: str
    obj: str
    already_complete: bool


def normalize_file(workspace: Workspace, path: str | Path, parameters: NormalizationParameters) -> Normalized:
    """Normalise one apStar file, unless that is done.

    Raises
    ------
    BadInputError
        The file is bad for good; its rejection is in the catalogue.
    OSError
        Trouble with the disk or the database that may pass; try again.
    """
    parts = parameters.as_json()
    try:
        return _complete(workspace, path, parts) or _make(workspace, path, parameters, parts)
    except BadInputError as fault:
        log.warning("rejected %s: %s: %s", Path(path).name, fault.reason, fault.message)
        raise


def _complete(workspace: Workspace, path: str | Path, parts: dict[str, object]) -> Normalized | None:
    """The product of the file's present content, when it exists on record and on disk.

    A recorded rejection of the same content ends the step as well, without reading the file a second time.
    """
    try:
        content = digest_file(path)
    except OSError:
        return None  # what is the matter with it is the reader's to say
    identity = normalization_id(content, parts)
    rejected = workspace.catalog.rejections([content, identity], READER_VERSION)
    if fault := rejected.get(content) or rejected.get(identity):
        raise BadInputError(fault.reason, fault.message)
    record, spectrum = workspace.catalog.normalization(identity), workspace.catalog.spectrum(content)
    if record is None or spectrum is None or not workspace.normalized_path(identity).exists():
        return None
    log.info("%s is complete: normalisation %s", spectrum.obj, short(identity))
    return Normalized(identity, spectrum.obj, already_complete=True)


def _make(
    workspace: Workspace, path: str | Path, parameters: NormalizationParameters, parts: dict[str, object]
) -> Normalized:
    from include.cannon.continuum import METHOD_VERSION, normalize
    from include.cannon.normalized import write_normalized

    started = time.perf_counter()
    star = _read(workspace, path)
    identity = normalization_id(star.digest, parts)
    try:
        spectra = normalize(
            star, parameters.regions, length=parameters.length, order=parameters.order, sum_axis=parameters.sum_axis
        )
    except BadInputError as fault:
        _reject(workspace, identity, Stage.NORMALIZE, path, fault)
        raise
    product = workspace.normalized_path(identity)
    write_normalized(product, spectra, star=star, provenance={"NORMID": identity, "NORMVERS": METHOD_VERSION})
    seconds = time.perf_counter() - started
    workspace.catalog.record_normalization(
        NormalizationRecord(
            id=identity,
            digest=star.digest,
            path=str(product),
            n_rows=len(spectra.flux),
            parameters=parts,
            method_version=METHOD_VERSION,
            seconds=seconds,
        )
    )
    log.info("%s: %d row(s) normalised in %.2f s: %s", star.obj, len(spectra.flux), seconds, short(identity))
    return Normalized(identity, star.obj, already_complete=False)


def _read(workspace: Workspace, path: str | Path) -> ApStar:
    """Read the file and put its content on record, or its rejection."""
    subject = subject_of_path(str(path))
    try:
        glance = look_at(path)  # before the content: what is written meanwhile must look changed to the next scan
        content = read_content(path)
        subject = digest_bytes(content)
        star = parse_apstar(content, path=path)
    except BadInputError as fault:
        if fault.reason is Reason.EMPTY:
            subject = digest_bytes(b"")
        _reject(workspace, subject, Stage.READ, path, fault)
        register_unreadable(workspace, path, subject)
        raise
    register_file(workspace, path, star, glance)
    return star


def _reject(workspace: Workspace, subject: str, stage: Stage, path: str | Path, fault: BadInputError) -> None:
    workspace.catalog.record_rejection(
        RejectionRecord(
            subject=subject,
            path=str(path),
            stage=stage,
            reason=fault.reason,
            message=fault.message,
            reader_version=READER_VERSION,
        )
    )
