"""The parameters of the pipeline's steps: each with its title, description, default and bounds, once.

From these come the forms of the DAGs (:mod:`apogee_airflow.params.forms`), what operators take, and what enters an identity
(:mod:`apogee_labels.pipeline.identities`).  Nothing heavy is imported here: every task parses its DAG file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from apogee_labels.apogee.archive.nights import DEFAULT_TELESCOPE, telescopes
from apogee_labels.apogee.tables.cuts import Cuts
from apogee_labels.core.errors import BadInputError, Reason
from apogee_labels.core.parameters import Parameters

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_STRENGTHS = 50
"""Strengths of a path: each is one more training of every pixel, fold by fold."""

Strength = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
Ranges = Annotated[tuple[tuple[float, float], ...], Field(min_length=1)]


def _names_differ(names: tuple[str, ...]) -> tuple[str, ...]:
    if not names or len(set(names)) != len(names):
        raise ValueError(f"label_names: expected one or more labels, all different, got {', '.join(names) or 'none'}.")
    return names


LabelNames = Annotated[tuple[str, ...], AfterValidator(_names_differ)]
Days = Annotated[float | None, Field(ge=0.0)]


class NormalizationParameters(Parameters):
    """How continua are fitted."""

    regions: Path = Field(description="File of the continuum regions; it counts by the numbers in it")
    length: float = Field(1400.0, description="Longest period of the sines and cosines, Angstrom")
    order: int = Field(3, description="Number of their harmonics")
    sum_axis: int | None = Field(0, description="0: the visits are stacked; None: a row a visit")

    def as_json(self) -> dict[str, object]:
        """Return the parameters as they enter an identity: the regions by their content."""
        from apogee_labels.apogee.spectra.apstar import READER_VERSION
        from apogee_labels.cannon.continuum.normalization import METHOD_VERSION, continuum_parameters

        parameters = continuum_parameters(self.regions, self.length, self.order, self.sum_axis)
        return {**parameters.identity(), "method": METHOD_VERSION, "reader": READER_VERSION}


class InferenceParameters(Parameters):
    """How labels are inferred; the defaults are the tutorial's."""

    n_initialisations: int = 10
    use_derivatives: bool = True

    def as_json(self) -> dict[str, object]:
        """Return the parameters as they enter an identity."""
        from apogee_labels.cannon.inference.inference import METHOD_VERSION

        return {**self.model_dump(), "method": METHOD_VERSION}


class TrainingParameters(Parameters):
    """What a model is trained with, besides the training set."""

    label_names: LabelNames = Field(title="Labels, in the order wanted", examples=[["TEFF", "LOGG", "FE_H"]])
    order: int = Field(2, ge=1, le=4, title="Order of the polynomial")
    regularization: Strength = Field(
        0.0,
        title="L1 strength Lambda",
        description="Drives small coefficients to 0, the more the larger it is; 0: no penalty",
    )
    regularization_path: tuple[Strength, ...] = Field(
        (),
        title="Or strengths to choose from",
        examples=[[10, 100, 1000]],
        description="Such as [0, 10, 100, 1000]: stars that the models have not seen choose one; the L1 strength above "
        "has to be 0 then",
    )
    censors: Mapping[str, Ranges] = Field(
        {},
        title="Where a label may act",
        examples=[{"FE_H": [[15200, 15300]]}],
        description='By label, ranges of vacuum Angstrom, such as {"FE_H": [[15200, 15800], [16000, 16400]]}; a label '
        "that is not named acts everywhere",
    )
    scatter_rule: Literal["restricted", "likelihood", "median"] = Field(
        "restricted", title="Intrinsic scatter",
        description="restricted: unbiased by the number of terms; likelihood: as Ness et al. 2015 write it; median: as "
        "AnniesLasso estimates it",
    )  # fmt: skip

    @model_validator(mode="after")
    def _agree(self) -> TrainingParameters:
        path = self.regularization_path
        if path and self.regularization:
            raise ValueError(
                f"regularization_path: expected regularization 0 beside it, got {self.regularization:g}: give one strength, "
                "or a path from which one is chosen."
            )
        if path and not 2 <= len(set(path)) <= MOST_STRENGTHS:
            raise ValueError(
                f"regularization_path: expected 2 to {MOST_STRENGTHS} different numbers, got {list(path)}."
            )
        for label, ranges in self.censors.items():
            if label not in self.label_names:
                raise ValueError(f"censors: expected labels of {', '.join(self.label_names)}, got {label}.")
            _check_ranges(label, ranges)
        return self

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
            given["censors"] = {name: sorted(map(list, self.censors[name])) for name in sorted(self.censors)}
        if self.scatter_rule != "restricted":
            given["scatter_rule"] = self.scatter_rule
        return {
            "label_names": list(self.label_names),
            "order": self.order,
            "regularization": self.regularization,
            "method": METHOD_VERSION,
            **given,
        }


def _check_ranges(label: str, ranges: Ranges) -> None:
    from apogee_labels.apogee.spectra.grid import WAVELENGTH

    first, last = float(WAVELENGTH[0]), float(WAVELENGTH[-1])
    for low, high in ranges:
        # A NaN is neither side of anything.
        if not (low < high and low <= last and high > first):
            raise ValueError(
                f"censors: expected ranges [low, high] for {label} that reach into {first:.0f} to {last:.0f} Angstrom, "
                f"got [{low:g}, {high:g}]."
            )


def check_censored_pixels(parameters: TrainingParameters, wavelength: NDArray[np.float64]) -> None:
    """Refuse censors that leave a label without a pixel of the training set, whose grid is `wavelength`, (P,) Angstrom.

    Raises
    ------
    BadInputError
        ``BAD_TRAINING_SET``: a range holds none of its pixels.
    """
    for label, ranges in parameters.censors.items():
        for low, high in ranges:
            if not ((wavelength >= low) & (wavelength < high)).any():
                raise BadInputError(
                    Reason.BAD_TRAINING_SET,
                    f"censors: expected ranges of {label} with pixels of the training set, which has {wavelength[0]:.1f} to "
                    f"{wavelength[-1]:.1f} Angstrom, got {low:g} to {high:g}.",
                )


def offer_telescopes(schema: dict[str, Any]) -> None:
    """Let a form's field offer the telescopes that there are."""
    schema["enum"] = telescopes()


class TrainingSetParameters(Parameters):
    """How a training set is made, besides the table of labels: how its spectra are normalised, and which stars are fit."""

    label_names: LabelNames = Field(title="Labels, in the order wanted", examples=[["TEFF", "LOGG", "FE_H"]])
    normalization: NormalizationParameters
    cuts: Cuts = Cuts()
    least_share: float = Field(0.2, ge=0.0, le=1.0, title="Close pixels that fewer than this share of the stars have")
    telescope: str = Field(
        DEFAULT_TELESCOPE, title="Telescope of entries that do not say", json_schema_extra=offer_telescopes
    )

    @field_validator("normalization")
    @classmethod
    def _of_stacks(cls, normalization: NormalizationParameters) -> NormalizationParameters:
        if normalization.sum_axis != 0:
            raise ValueError(
                "normalization: expected sum_axis 0: a star of a training set has one spectrum, its stack."
            )
        return normalization

    def as_json(self) -> dict[str, Any]:
        """Return the parameters as they enter the identity of a plan."""
        from apogee_labels.pipeline.training_sets.training_plan import METHOD_VERSION

        return {
            "label_names": list(self.label_names),
            "normalization": self.normalization.as_json(),
            "cuts": self.cuts.as_json(),
            "telescope": self.telescope,
            "least_share": self.least_share,
            "method": METHOD_VERSION,
        }


class RetentionPolicy(Parameters):
    """How old, in days since it was written, a product must be to be deleted; None: products of that kind stay."""

    superseded_days: Days = Field(
        30.0, title="Superseded after (days)", description="Empty: products of rewritten files stay."
    )
    rebuildable_days: Days = Field(
        None,
        title="Rebuildable after (days)",
        description="Empty: they stay. Making one anew costs reading and normalising its file.",
    )
    # Running tasks have unfinished writes.
    leftover_days: float | None = Field(
        1.0, ge=0.05, title="Leftovers after (days)", description="Empty: what a crash left stays."
    )  # fmt: skip
