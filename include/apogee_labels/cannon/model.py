"""The Cannon's model: flux as a polynomial in the labels, pixel by pixel, learnt from a training set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from apogee_labels.cannon.bad_pixels import mask_impossible, unmasked
from apogee_labels.cannon.flags import ResultFlag
from apogee_labels.cannon.inference.inference import CHUNK, FEW_STARS, Engine, Inference, Options, concatenate
from apogee_labels.cannon.inference.quadratic_forms import FormBuilder
from apogee_labels.cannon.io.model_file import read_parts, write_parts
from apogee_labels.cannon.io.model_parts import ModelParts
from apogee_labels.cannon.noise.coefficient_noise import CoefficientNoise
from apogee_labels.cannon.regridding import regrid, same_grid
from apogee_labels.cannon.threads import single_threaded
from apogee_labels.cannon.training.scatter import ScatterRule
from apogee_labels.cannon.validation.validation import Validation
from apogee_labels.cannon.vectorizer import PolynomialVectorizer
from apogee_labels.core.arrays import Bools, Floats, Integers
from apogee_labels.core.errors import BadInputError, Reason
from apogee_labels.core.progress import ProgressCallback

if TYPE_CHECKING:
    from apogee_labels.cannon.training.restrictions import Bounds, Censors
    from apogee_labels.cannon.training_set import TrainingSet

Metadata = Mapping[str, str | int | float | bool]


@dataclass(frozen=True, eq=False, repr=False)
class CannonModel:
    """A trained model.

    Parameters
    ----------
    wavelength
        Shape (P,), vacuum Angstrom.
    vectorizer
        Terms of the L labels and their scales.
    theta
        Coefficients, shape (P, T), the constant term first.
    s2
        Intrinsic variance of each pixel, shape (P,).  A pixel that the training set tells nothing about has ``theta``
        (1, 0, 0, ...) and infinite ``s2``: it predicts the continuum and carries no weight at inference.
    training_labels
        Labels of the training stars, shape (N, L).
    metadata
        What made it: training set, parameters, versions, and what the caller adds (:meth:`with_metadata`).
    loadings
        Of K latent variables that stand for what the labels leave unexplained
        (:mod:`apogee_labels.cannon.noise.latent`), shape
        (P, K), projected out at inference; default: K = 0.
    noise
        Of the coefficients (:mod:`apogee_labels.cannon.noise.coefficient_noise`); None where it is not known.
    validation
        What validation found (:mod:`apogee_labels.cannon.validation.validation`); None for a model that was not validated.
    """

    wavelength: Floats
    vectorizer: PolynomialVectorizer
    theta: Floats
    s2: Floats
    training_labels: Floats
    metadata: Metadata = field(default_factory=dict)
    loadings: Floats = field(default_factory=lambda: np.empty((0, 0)))
    noise: CoefficientNoise | None = None
    validation: Validation | None = None
    _engines: dict[tuple[bool, int], Engine] = field(default_factory=dict, init=False, repr=False)

    def __repr__(self) -> str:
        labels, stars = ", ".join(self.label_names), len(self.training_labels)
        return f"<CannonModel of {labels}, order {self.vectorizer.order}, {stars} stars, {len(self.wavelength)} pixels>"

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_engines": {}}  # made anew where it is read

    def __post_init__(self) -> None:
        if not self.loadings.size:
            object.__setattr__(self, "loadings", np.empty((len(self.wavelength), 0)))

    @property
    def label_names(self) -> tuple[str, ...]:
        """Names of the labels, in the order in which they were asked for."""
        return self.vectorizer.label_names

    @property
    def informative(self) -> Bools:
        """Which pixels could be trained, shape (P,)."""
        return np.isfinite(self.s2)

    @property
    def corrects(self) -> bool:
        """Whether inference corrects for the coefficients' noise unless told otherwise: as validation found."""
        return self.validation is not None and self.validation.corrected

    @classmethod
    @single_threaded
    def train(
        cls,
        training_set: TrainingSet,
        label_names: Sequence[str] | None = None,
        order: int = 2,
        regularization: float | ArrayLike = 0.0,
        *,
        scatter_rule: ScatterRule | str = ScatterRule.RESTRICTED,
        scatter: ArrayLike | None = None,
        latent_components: int | None = None,
        censors: Censors | None = None,
        bounds: Bounds | None = None,
        keep_coefficient_noise: bool = True,
        validate: bool = True,
        progress: ProgressCallback | None = None,
    ) -> CannonModel:
        """Train a model, and validate it.

        Parameters
        ----------
        training_set
            Normalised spectra of stars of known labels.
        label_names
            Labels to learn, in this order; default: all of the training set.
        order
            Degree of the polynomial, at least 1.
        regularization
            L1 strength Lambda on the coefficients of all terms but the constant (Casey et al. 2016), 0 or more: one for
            all pixels, or shape (P,).
            :func:`apogee_labels.cannon.validation.regularization_path.choose_regularization` finds one.
        scatter_rule
            How the intrinsic scatter is estimated.
        scatter
            The intrinsic scatter sqrt(s2) of each pixel, shape (P,), where it is not to be estimated.
        latent_components
            Number of latent variables for what the labels leave unexplained.  None: as many as validation finds to lower
            the errors of the labels, often none; without validation none.  They do not go together with
            ``regularization``, ``scatter`` or ``bounds``, which leave them at 0.
        censors
            For a label, the wavelength ranges on which it may act (:mod:`apogee_labels.cannon.training.restrictions`).
        bounds
            For a term, the least and the greatest coefficient at every pixel (the same).
        keep_coefficient_noise
            Whether the model keeps the noise of its coefficients, without which inference cannot correct for it; with 17
            labels that is a third of the time.  Models with a penalty, bounds or censors do not keep it in any case.
        validate
            Whether the labels of each star are inferred by the model of others, in folds: that finds the options that
            help and the errors that formal ones miss (:mod:`apogee_labels.cannon.validation.cross_validation`), and
            takes a few times as long
            as training alone, with latent components to try about ten times.  A set of few stars for its terms is not
            validated.
        progress
            Called with the work that is done and the total, after every few pixels.

        Raises
        ------
        BadInputError
            ``BAD_TRAINING_SET``: an unknown label, labels that are constant or collinear, or too few stars for the
            terms.
        ValueError
            A parameter is out of its range.
        """
        # Here, because a task that only infers would else import all of training for its one file.
        from apogee_labels.cannon.training.fitting import (
            check_regularization,
            check_scatter,
            prepared,
            provenance,
            train_and_validate,
        )
        from apogee_labels.cannon.training.restrictions import censored_terms, term_bounds
        from apogee_labels.cannon.training.trainer import Trainer

        chosen, vectorizer = prepared(training_set, label_names, order)
        trainer = Trainer(
            chosen,
            vectorizer,
            regularization=check_regularization(regularization, len(chosen.wavelength)),
            rule=ScatterRule(scatter_rule),
            s2=check_scatter(scatter, len(chosen.wavelength)),
            allowed=censored_terms(vectorizer, chosen.wavelength, censors),
            bounds=term_bounds(vectorizer, bounds),
            keep_noise=keep_coefficient_noise,
        )
        fit, validation = train_and_validate(trainer, latent_components, validate=validate, progress=progress)
        metadata = provenance(trainer, fit, validation, censors=censors, bounds=bounds)
        return cls(
            chosen.wavelength,
            vectorizer,
            fit.theta,
            fit.s2,
            chosen.labels,
            metadata,
            fit.loadings,
            fit.noise,
            validation,
        )

    def with_metadata(self, **values: str | float | bool) -> CannonModel:
        """Return the model with more metadata: plain texts, numbers and truth values."""
        return replace(self, metadata={**self.metadata, **values})

    def predict(self, labels: ArrayLike) -> Floats:
        """Normalised flux at labels: (N, L) or (L,) becomes (N, P).

        Raises
        ------
        ValueError
            The labels have another number of columns.
        """
        points = np.atleast_2d(np.asarray(labels, dtype=np.float64))
        if points.ndim != 2 or points.shape[1] != len(self.label_names):
            raise ValueError(f"labels: expected shape (N, {len(self.label_names)}), got {np.shape(labels)}.")
        return np.asarray(self.vectorizer.design(self.vectorizer.scaled(points)) @ self.theta.T)

    @single_threaded
    def infer(
        self,
        flux: ArrayLike,
        ivar: ArrayLike,
        n_initialisations: int = 10,
        use_derivatives: bool = True,
        correct_coefficient_noise: bool | None = None,
        marginalize_continuum: bool = True,
        latent_components: int | None = None,
        *,
        wavelength: ArrayLike | None = None,
        starflag: ArrayLike | None = None,
    ) -> Inference:
        """Labels of normalised spectra.

        Parameters
        ----------
        flux, ivar
            Shape (N, P) or (P,): normalised flux and its inverse variance, 0 where nothing is known.  A pixel whose
            inverse variance is negative or infinite, or whose flux is no number or beyond 1e6, is left out and the row
            flagged.
        n_initialisations
            Number of starts, at percentiles of the training labels; the best chi-square is kept.
        use_derivatives
            Analytic derivatives; False: numerical ones, which take longer to the same answer.
        correct_coefficient_noise
            Take out what the noise of the model's coefficients does to labels and errors
            (:mod:`apogee_labels.cannon.noise.coefficient_noise`).  None: as the model's validation found; not
            validated: off.
        marginalize_continuum
            Project the residual continuum out: sines and cosines on each detector, with a flat prior.
        latent_components
            How many of the model's latent components to project out; the variation of the others counts as scatter.
            None: all that the model has, which is what its validation found; not validated and not asked for: none.
        wavelength
            Grid of the spectra, shape (Q,), vacuum Angstrom, where it is not the model's: they are brought onto it
            (:func:`apogee_labels.cannon.regridding.regrid`).
        starflag
            STARFLAG of each spectrum, shape (N,) or one for all; bad ones are flagged.

        Raises
        ------
        BadInputError
            ``BAD_MODEL``: the spectra have another number of pixels than the model.
        ValueError
            A parameter is out of its range.
        """
        if n_initialisations < 1:
            raise ValueError(f"n_initialisations: expected 1 or more, got {n_initialisations}.")
        if correct_coefficient_noise and self.noise is None:
            raise ValueError(
                "correct_coefficient_noise: expected None or False, for the model does not keep the noise of its "
                "coefficients (it has a penalty, bounds or censors, or was told not to)."
            )
        count = self.loadings.shape[1] if latent_components is None else latent_components
        if not 0 <= count <= self.loadings.shape[1]:
            raise ValueError(f"latent_components: expected 0 to {self.loadings.shape[1]}, got {count}.")
        correct = self.corrects if correct_coefficient_noise is None else correct_coefficient_noise
        spectra = self._spectra(flux, ivar, wavelength)
        flags = _starflags(starflag, len(spectra.flux))
        options = Options(n_initialisations, use_derivatives, correct)
        engine = self._engine(marginalize=marginalize_continuum, count=count)
        parts = []
        for start in range(0, max(len(flags), 1), CHUNK):  # spectra of another type or grid are brought to ours in turn
            rows = slice(start, start + CHUNK)
            fluxes, ivars, invalid = self._on_grid(spectra, rows)
            part = engine.infer(fluxes, ivars, flags[rows], options)
            part.flags[invalid] |= int(ResultFlag.INVALID_PIXELS)
            parts.append(part)
        return parts[0] if len(parts) == 1 else concatenate(parts)

    def write(self, path: str | Path) -> None:
        """Write the model as FITS with its provenance, atomically: see :mod:`apogee_labels.cannon.io.model_file`."""
        parts = ModelParts(
            self.wavelength,
            self.theta,
            self.s2,
            self.training_labels,
            self.label_names,
            self.vectorizer.order,
            self.vectorizer.offsets,
            self.vectorizer.scales,
            dict(self.metadata),
            self.loadings,
            self.noise,
            self.validation,
        )
        write_parts(path, parts, terms=self.vectorizer.terms)

    @classmethod
    def read(cls, path: str | Path) -> CannonModel:
        """Read what :meth:`write` wrote.

        Raises
        ------
        BadInputError
            ``BAD_MODEL``: it is damaged, cut short, or no model.
        OSError
            The file is not there or cannot be read.
        """
        parts = read_parts(path)._asdict()
        scaling = {name: parts.pop(name) for name in ("label_names", "order", "offsets", "scales")}
        return cls(vectorizer=PolynomialVectorizer(**scaling), **parts)

    def _spectra(self, flux: ArrayLike, ivar: ArrayLike, wavelength: ArrayLike | None) -> _Spectra:
        fluxes, ivars = (np.atleast_2d(array) for array in unmasked(flux, ivar))
        if fluxes.shape != ivars.shape or fluxes.ndim != 2:
            raise ValueError(f"expected flux and ivar of one shape (N, P), got {fluxes.shape} and {ivars.shape}.")
        grid = None if wavelength is None else np.asarray(wavelength, dtype=np.float64)
        if grid is not None and not same_grid(grid, self.wavelength):
            return _Spectra(fluxes, ivars, grid)
        if fluxes.shape[1] != len(self.wavelength):
            raise BadInputError(
                Reason.BAD_MODEL,
                f"expected spectra of the model's {len(self.wavelength)} pixels, got {fluxes.shape[1]}: give wavelength=.",
            )
        return _Spectra(fluxes, ivars, None)

    def _on_grid(self, spectra: _Spectra, rows: slice) -> tuple[Floats, Floats, Bools]:
        """Flux and inverse variance of some of the spectra on the model's grid, and which had impossible pixels before."""
        flux, ivar = (np.asarray(array[rows], dtype=np.float64) for array in (spectra.flux, spectra.ivar))
        if spectra.wavelength is None:
            return flux, ivar, np.zeros(len(flux), dtype=bool)
        flux, ivar = flux.copy(), ivar.copy()
        invalid = mask_impossible(flux, ivar)
        return *regrid(spectra.wavelength, flux, ivar, self.wavelength), invalid

    def _beyond(self, count: int) -> Floats | None:
        """What the validation found beyond formal errors, with so many latent components; NaN where it was of others."""
        if self.validation is None or self.validation.n_components == count:
            return None if self.validation is None else self.validation.beyond
        return np.full_like(self.validation.beyond, np.nan)

    def _engine(self, *, marginalize: bool, count: int) -> Engine:
        """The engine that projects out the continuum or not, and `count` latent components; made once."""
        key = marginalize, count
        if key not in self._engines:
            builder = FormBuilder(
                self.wavelength,
                self.theta,
                self.s2 + (self.loadings[:, count:] ** 2).sum(axis=1),
                loadings=self.loadings[:, :count],
                noise=self.noise,
                marginalize=marginalize,
            )
            stars = int(self.metadata.get("stars_per_pixel", len(self.training_labels)))
            few = stars < FEW_STARS * (self.vectorizer.n_terms + self.loadings.shape[1])
            beyond = self._beyond(count)
            self._engines[key] = Engine(self.vectorizer, self.training_labels, builder, beyond, few_stars=few)
        return self._engines[key]


class _Spectra(NamedTuple):
    """Spectra as they were given."""

    flux: NDArray[np.generic]
    ivar: NDArray[np.generic]
    wavelength: Floats | None  # where it is not the model's


def _starflags(starflag: ArrayLike | None, count: int) -> Integers:
    """STARFLAG of each of `count` spectra."""
    given = np.asarray(0 if starflag is None else starflag)
    if given.shape not in ((), (count,)) or not np.issubdtype(given.dtype, np.integer):
        raise ValueError(
            f"starflag: expected one integer or {count} of them, got shape {given.shape} of {given.dtype}."
        )
    return np.broadcast_to(given.astype(np.int64), count)
