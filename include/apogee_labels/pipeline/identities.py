"""What each product is known by: the digest of what made it (ARCHITECTURE.md, "Identity")."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from apogee_labels.catalog.records import Expected
from apogee_labels.core.identity import digest_of
from apogee_labels.pipeline.parameters import InferenceParameters, NormalizationParameters, TrainingParameters

__all__ = [
    "InferenceParameters",
    "NormalizationParameters",
    "ResultIdentities",
    "TrainingParameters",
    "model_id",
    "normalization_id",
    "result_id",
]


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
