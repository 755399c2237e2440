"""A training set becomes a model; whether it comes into force is decided in :mod:`apogee_labels.pipeline.models.acceptance`.

Takes a training set file and parameters; done already when the model of that identity exists, or a verdict says that it
cannot; makes a model file and its row in the catalogue.
"""

from __future__ import annotations

import json
import logging
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from apogee_labels.catalog.records import ModelRecord, VerdictOutcome, VerdictRecord
from apogee_labels.core.code_version import code_version
from apogee_labels.core.errors import BadInputError, Reason
from apogee_labels.core.identity import digest_file, short
from apogee_labels.core.labels import label_of
from apogee_labels.pipeline.analysis.trained_normalization import check_training_set, recorded_normalization
from apogee_labels.pipeline.identities import TrainingParameters, model_id
from apogee_labels.pipeline.models.training_memory import check_memory
from apogee_labels.pipeline.models.training_progress import TrainingProgress
from apogee_labels.pipeline.parameters import check_censored_pixels

if TYPE_CHECKING:
    from apogee_labels.cannon.model import CannonModel
    from apogee_labels.cannon.training_set import TrainingSet
    from apogee_labels.pipeline.workspace import Workspace

log = logging.getLogger(__name__)
DIGEST = "[0-9a-f]" * 64
"""A pattern of file names for a digest."""


def training_identity(path: str | Path, parameters: TrainingParameters) -> str:
    """Identity of the model that a training set file's present content would make.

    Raises
    ------
    OSError
        The file is not there or cannot be read.
    """
    return model_id(digest_file(path), parameters.as_json())


def train_model(workspace: Workspace, path: str | Path, parameters: TrainingParameters) -> str:
    """Train a model, unless it exists; returns its identity.

    Raises
    ------
    BadInputError
        The training set is broken; the verdict is in the catalogue, and the same content is not tried again.
    ValueError
        The parameters cannot be trained with, whatever the training set.
    NotEnoughMemoryError
        The training needs more memory than it may take.
    OtherNormalizationError
        The spectra were normalised otherwise than this installation's.
    OSError
        Trouble with the disk or the database that may pass; try again.
    """
    with workspace.lock("train"):
        _tidy(workspace)
        identity = _identity(path, parameters)
        verdict = workspace.catalog.models.verdict(identity)
        if verdict and verdict.outcome is VerdictOutcome.BROKEN:
            raise BadInputError(Reason.BAD_TRAINING_SET, verdict.reason)
        if workspace.catalog.models.get(identity) and workspace.model_path(identity).exists():
            log.info("model %s exists: nothing to train", short(identity))
            return identity
        try:
            check_memory(path, parameters, workspace.settings.training_memory_gb)
            _train(workspace, Path(path), parameters, identity)
        except BadInputError as fault:
            if isinstance(fault.__cause__, MemoryError):  # a pickle's reader takes it for damage
                raise MemoryError(f"{path} could not be read: {fault.__cause__}") from fault
            _check_unchanged(path, identity, training_identity(path, parameters))
            log.error("training set %s: %s", path, fault.message)
            workspace.catalog.models.record_verdict(
                VerdictRecord(
                    identity=identity,
                    outcome=VerdictOutcome.BROKEN,
                    reason=fault.message,
                    model_id=None,
                    decided_by="training",
                )
            )
            raise
        return identity


def training_due(workspace: Workspace, identity: str) -> tuple[bool, str]:
    """Return whether a training is due, and why (not): it has no verdict, or was accepted and nothing is in force."""
    verdict = workspace.catalog.models.verdict(identity)
    if verdict is None:
        return True, "no verdict yet"
    name = workspace.settings.model_name
    if verdict.outcome is VerdictOutcome.ACCEPTED and workspace.catalog.models.in_force(name) is None:
        return True, f"accepted, and no model is in force as {name}"
    return False, f"the verdict is {verdict.outcome}"


def _tidy(workspace: Workspace) -> None:
    """Remove half-written model files, which a training that was killed left; the caller holds the lock of trainings."""
    for path in workspace.model_path("0" * 64).parent.glob(f".{DIGEST}.fits.*.part"):
        with suppress(OSError):
            path.unlink(missing_ok=True)
            log.info("removed %s, which an earlier training left", path)


def _identity(path: str | Path, parameters: TrainingParameters) -> str:
    try:
        return training_identity(path, parameters)
    except (FileNotFoundError, IsADirectoryError) as fault:
        raise BadInputError(
            Reason.MISSING, f"no training set at {path}: set APOGEE_LABELS_TRAINING_SET, or put the file there."
        ) from fault


def _check_unchanged(path: str | Path, expected: str, identity: str) -> None:
    """Raise an error that may pass when the file is no longer what the identity was made from."""
    if identity != expected:
        raise OSError(f"{path} was rewritten while it was read: it is tried again")


def _train(workspace: Workspace, path: Path, parameters: TrainingParameters, identity: str) -> None:
    from apogee_labels.cannon.training.coefficients import METHOD_VERSION
    from apogee_labels.cannon.training_set import TrainingSet

    started = time.perf_counter()
    training_set: TrainingSet = TrainingSet.read(path)
    _check_unchanged(path, identity, model_id(training_set.digest, parameters.as_json()))
    normalization = recorded_normalization(training_set.provenance)
    check_training_set(workspace, path, normalization)
    try:
        model = _fitted(training_set, parameters)
    except (ArithmeticError, ValueError) as fault:  # LinAlgError is a ValueError
        if isinstance(fault, BadInputError):
            raise
        # What fails once on this content and these parameters fails always: without a verdict it would be tried for ever.
        raise BadInputError(Reason.BAD_TRAINING_SET, f"training on {path} failed: {fault}") from fault
    seconds = time.perf_counter() - started
    product = workspace.model_path(identity)
    model.with_metadata(identity=identity, name=workspace.settings.model_name).write(product)
    n_stars, n_pixels = training_set.flux.shape
    workspace.catalog.models.record(
        ModelRecord(
            id=identity,
            name=workspace.settings.model_name,
            training_set_digest=training_set.digest,
            parameters=parameters.as_json(),
            label_names=parameters.label_names,
            n_stars=n_stars,
            n_pixels=n_pixels,
            path=str(product),
            method_version=METHOD_VERSION,
            seconds=seconds,
            code_version=code_version(),
            normalization=normalization,
            provenance=dict(training_set.provenance) or None,
        )
    )
    log.info("model %s: %d stars, %d pixels, trained in %.1f s", short(identity), n_stars, n_pixels, seconds)
    log.info("%s", _validated(model))


def _fitted(training_set: TrainingSet, parameters: TrainingParameters) -> CannonModel:
    """Train and validate; where a path is asked for, choose the strength of the penalty first."""
    from apogee_labels.cannon.model import CannonModel

    check_censored_pixels(parameters, training_set.wavelength)
    strength = parameters.regularization
    chosen_from: dict[str, str] = {}
    if parameters.regularization_path:
        strength, chosen_from = _chosen_strength(training_set, parameters, TrainingProgress("choosing Lambda"))
    model = CannonModel.train(
        training_set,
        label_names=parameters.label_names,
        order=parameters.order,
        regularization=strength,
        scatter_rule=parameters.scatter_rule,
        censors=parameters.censors or None,
        progress=TrainingProgress("training"),
    )
    return model.with_metadata(**chosen_from)


def _chosen_strength(
    training_set: TrainingSet, parameters: TrainingParameters, progress: TrainingProgress
) -> tuple[float, dict[str, str]]:
    """The strength that a path's held-out stars choose, and what the model says of the path."""
    from apogee_labels.cannon.validation.regularization_path import choose_regularization

    path = choose_regularization(
        training_set,
        parameters.regularization_path,
        parameters.label_names,
        parameters.order,
        censors=parameters.censors or None,
        scatter_rule=parameters.scatter_rule,
        infer=False,  # the score decides; labels would take most of the time
        progress=progress,
    )
    tried = dict(zip(path.strengths.tolist(), path.score.tolist(), strict=True))
    scores = ", ".join(f"{strength:g}: {score:.6g}" for strength, score in tried.items())
    log.info("Lambda %g is chosen, by the residuals of stars held back (%s)", path.chosen, scores)
    return path.chosen, {"regularization_path": json.dumps([list(pair) for pair in tried.items()])}


def _validated(model: CannonModel) -> str:
    """What validation found, in one line."""
    found = model.validation
    if found is None:
        return "not validated: too few stars"
    labels = "; ".join(
        f"{name} {bias:.3g}, {rms:.3g} {label_of(name).unit}".rstrip()
        for name, bias, rms in zip(model.label_names, found.bias, found.rms, strict=True)
    )
    return (
        f"validated, {found.n_folds} folds: {found.n_components} components, "
        f"correction {'on' if found.corrected else 'off'}; bias, rms: {labels}"
    )
