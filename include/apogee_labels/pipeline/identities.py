"""What each product is known by: the digest of what made it (ARCHITECTURE.md, "Identity")."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from apogee_labels.apogee.spectra.apstar import READER_VERSION
from apogee_labels.catalog.records import Expected
from apogee_labels.core.identity import digest_of


@dataclass(frozen=True, kw_only=True)
class NormalizationParameters:
    """How continua are fitted.

    Parameters
    ----------
    regions
        File of the continuum regions; it counts by the numbers in it.
    length
        Longest period of the sines and cosines, Angstrom.
    order
        Number of their harmonics.
    sum_axis
        0: the visits are stacked; None: a row a visit.
    """

    regions: Path
    length: float = 1400.0
    order: int = 3
    sum_axis: int | None = 0

    def as_json(self) -> dict[str, object]:
        """Return the parameters as they enter an identity: the regions by their content."""
        from apogee_labels.cannon.continuum.normalization import METHOD_VERSION, continuum_parameters

        parameters = continuum_parameters(self.regions, self.length, self.order, self.sum_axis)
        return {**parameters.identity(), "method": METHOD_VERSION, "reader": READER_VERSION}


@dataclass(frozen=True, kw_only=True)
class InferenceParameters:
    """How labels are inferred; the defaults are the tutorial's."""

    n_initialisations: int = 10
    use_derivatives: bool = True

    def as_json(self) -> dict[str, object]:
        """Return the parameters as they enter an identity."""
        from apogee_labels.cannon.inference.inference import METHOD_VERSION

        return {**asdict(self), "method": METHOD_VERSION}


@dataclass(frozen=True, kw_only=True)
class TrainingParameters:
    """What a model is trained with, besides the training set.

    Checked by :mod:`apogee_labels.pipeline.models.hyper_parameters`.

    Parameters
    ----------
    label_names
        Labels that the model learns, in this order.
    order
        Degree of the polynomial in the labels.
    regularization
        Strength Lambda of the L1 penalty.
    regularization_path
        Strengths from which validation chooses one, in the place of `regularization`; none: that is taken.
    censors
        For a label, the wavelength ranges [low, high) on which it may act, vacuum Angstrom; no entry: everywhere.
    scatter_rule
        How the intrinsic scatter is estimated, a value of :class:`apogee_labels.cannon.training.scatter.ScatterRule`.
    """

    label_names: tuple[str, ...]
    order: int = 2
    regularization: float = 0.0
    regularization_path: tuple[float, ...] = ()
    censors: Mapping[str, Sequence[Sequence[float]]] = field(default_factory=dict)
    scatter_rule: str = "restricted"

    def as_json(self) -> dict[str, object]:
        """Return the parameters as they enter an identity.

        What came later than the first three enters only where it is not the default: models of before keep their identity.
        The order of strengths, labels and ranges makes no other model, and no other identity.
        """
        from apogee_labels.cannon.training.coefficients import METHOD_VERSION

        given: dict[str, object] = {}
        if self.regularization_path:
            given["regularization_path"] = sorted(set(self.regularization_path))
        if self.censors:
            given["censors"] = {
                name: sorted([float(low), float(high)] for low, high in self.censors[name])
                for name in sorted(self.censors)
            }
        if self.scatter_rule != "restricted":
            given["scatter_rule"] = self.scatter_rule
        return {
            "label_names": list(self.label_names),
            "order": self.order,
            "regularization": self.regularization,
            "method": METHOD_VERSION,
            **given,
        }


@dataclass(frozen=True)
class ResultIdentities:
    """The products that a file's content would have, made or not: a whole night is decided without touching a file.

    Call it with a content digest and a model's identity (None: no model).
    """

    normalization: dict[str, object]
    inference: dict[str, object]

    @classmethod
    def of(cls, normalization: NormalizationParameters, inference: InferenceParameters) -> ResultIdentities:
        """Read the regions once, for any number of files."""
        return cls(normalization.as_json(), inference.as_json())

    @classmethod
    def nightly(cls, regions: Path, *, visits: bool = False) -> ResultIdentities:
        """Return those of the nightly DAGs, which products for everybody are made of: stacks, or a row a visit."""
        return cls.of(NormalizationParameters(regions=regions, sum_axis=None if visits else 0), InferenceParameters())

    @property
    def visits(self) -> bool:
        """Whether results have a row a visit."""
        return self.normalization["sum_axis"] is None

    def __call__(self, content: str, model: str | None) -> Expected:
        """The identities of the two products of a content."""
        normalization = normalization_id(content, self.normalization)
        return Expected(normalization, result_id(normalization, model, self.inference) if model else None)


def normalization_id(content: str, parameters: dict[str, object]) -> str:
    """Identity of a normalisation: content digest, continuum parameters, versions of method and reader."""
    return digest_of(kind="normalization", content=content, parameters=parameters)


def model_id(training_set: str, parameters: dict[str, object]) -> str:
    """Identity of a model: training set digest (its normalisation is in it), training parameters, method version.

    It is also the identity under which a training is due: nothing else decides what comes out.
    """
    return digest_of(kind="model", training_set=training_set, parameters=parameters)


def result_id(normalization: str, model: str, parameters: dict[str, object]) -> str:
    """Identity of inferred labels: normalisation, model, inference parameters, method version."""
    return digest_of(kind="result", normalization=normalization, model=model, parameters=parameters)
