"""The Cannon's model: flux as a polynomial in the labels, pixel by pixel, learnt from a training set."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from include.cannon.inference import Engine, Inference, Options
from include.cannon.model_file import ModelParts, read_parts, write_parts
from include.cannon.quadratic_forms import FormBuilder
from include.cannon.regridding import regrid, same_grid
from include.cannon.scatter import ScatterRule
from include.cannon.threads import single_threaded
from include.cannon.trainer import Trainer
from include.cannon.training import METHOD_VERSION, Progress
from include.cannon.training_checks import check_labels, check_terms
from include.cannon.training_set import TrainingSet
from include.cannon.validation import Choice, candidates, choose_components
from include.cannon.vectorizer import PolynomialVectorizer
from include.errors import BadInputError, Reason

Floats = NDArray[np.float64]
Metadata = Mapping[str, str | int | float | bool]


@dataclass(frozen=True, eq=False)
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
        Of K latent variables that stand for what the labels leave unexplained (:mod:`include.cannon.latent`), shape
        (P, K), projected out at inference; default: K = 0.
    """

    wavelength: Floats
    vectorizer: PolynomialVectorizer
    theta: Floats
    s2: Floats
    training_labels: Floats
    metadata: Metadata = field(default_factory=dict)
    loadings: Floats = field(default_factory=lambda: np.empty((0, 0)))

    def __post_init__(self) -> None:
        if not self.loadings.size:
            object.__setattr__(self, "loadings", np.empty((len(self.wavelength), 0)))

    @property
    def label_names(self) -> tuple[str, ...]:
        """Names of the labels, in the order in which they were asked for."""
        return self.vectorizer.label_names

    @property
    def informative(self) -> NDArray[np.bool_]:
        """Which pixels could be trained, shape (P,)."""
        return np.isfinite(self.s2)

    @classmethod
    @single_threaded
    def train(
        cls,
        training_set: TrainingSet,
        label_names: Sequence[str] | None = None,
        order: int = 2,
        regularization: float = 0.0,
        *,
        scatter_rule: ScatterRule | str = ScatterRule.RESTRICTED,
        latent_components: int | None = None,
        progress: Progress | None = None,
    ) -> CannonModel:
        """Train a model.

        Parameters
        ----------
        training_set
            Normalised spectra of stars of known labels.
        label_names
            Labels to learn, in this order; default: all of the training set.
        order
            Degree of the polynomial, at least 1.
        regularization
            L1 strength Lambda on the coefficients of all terms but the constant (Casey et al. 2016), 0 or more.
        scatter_rule
            How the intrinsic scatter is estimated.
        latent_components
            Number of latent variables for what the labels leave unexplained.  None: as many as validation on folds
            finds to lower the errors of the labels, often none (:mod:`include.cannon.validation`); the metadata say
            what it found.  Validation takes about ten times as long as training with 0.  They do not go together with
            ``regularization``, which leaves them at 0.
        progress
            Called with the number of pixels done and their total, anew for every fit of all the stars.

        Raises
        ------
        BadInputError
            ``BAD_TRAINING_SET``: an unknown label, labels that are constant or collinear, or too few stars for the
            terms.
        ValueError
            A parameter is out of its range.
        """
        if not (0.0 <= regularization < np.inf):
            raise ValueError(f"regularization: expected a finite number, 0 or more, got {regularization}.")
        rule = ScatterRule(scatter_rule)
        chosen = training_set if label_names is None else training_set.select(label_names)
        check_labels(chosen.labels, chosen.label_names)
        vectorizer = PolynomialVectorizer.fit(chosen.label_names, chosen.labels, order)
        check_terms(vectorizer, chosen.labels, np.asarray(chosen.ivar.any(axis=1)))
        trainer = Trainer(chosen, vectorizer, regularization, rule)
        choice = _choice(trainer, latent_components)
        theta, loadings, s2 = next(trainer.fits([choice.n_components], progress=progress))
        if not np.isfinite(s2).any():
            message = "no pixel has enough stars with weight for the terms of the model: check ivar, or add stars."
            raise BadInputError(Reason.BAD_TRAINING_SET, message)
        metadata = _metadata(trainer, int(np.isfinite(s2).sum())) | _metadata_of(choice, loadings)
        return cls(chosen.wavelength, vectorizer, theta, s2, chosen.labels, metadata, loadings)

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
        *,
        wavelength: ArrayLike | None = None,
        starflag: ArrayLike | None = None,
    ) -> Inference:
        """Labels of normalised spectra.

        Parameters
        ----------
        flux, ivar
            Shape (N, P) or (P,): normalised flux and its inverse variance, 0 where nothing is known.  A pixel whose
            inverse variance is negative or infinite, or whose flux is not a number, is left out and the row flagged.
        n_initialisations
            Number of starts, at percentiles of the training labels; the best chi-square is kept.
        use_derivatives
            Analytic derivatives; False: numerical ones, which take longer to the same answer.
        correct_coefficient_noise
            None: as the model's validation found; a model without validation (all of this version): off.
        marginalize_continuum
            Project the residual continuum out: sines and cosines on each detector, with a flat prior.
        wavelength
            Grid of the spectra, shape (Q,), vacuum Angstrom, where it is not the model's: they are brought onto it
            (:func:`include.cannon.regridding.regrid`).
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
        if correct_coefficient_noise:
            raise ValueError(
                "correct_coefficient_noise: expected None or False; the model keeps neither the noise of its coefficients "
                "nor a validation that says that correcting for it helps."
            )
        fluxes, ivars = self._on_grid(flux, ivar, wavelength)
        flags = np.broadcast_to(np.asarray(0 if starflag is None else starflag, dtype=np.int64), len(fluxes))
        engine = self._marginalizing if marginalize_continuum else self._plain
        return engine.infer(fluxes, ivars, flags, Options(n_initialisations, use_derivatives))

    def write(self, path: str | Path) -> None:
        """Write the model as FITS with its provenance, atomically: see :mod:`include.cannon.model_file`."""
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
        parts = read_parts(path)
        vectorizer = PolynomialVectorizer(parts.label_names, parts.order, parts.offsets, parts.scales)
        return cls(
            parts.wavelength, vectorizer, parts.theta, parts.s2, parts.training_labels, parts.metadata, parts.loadings
        )

    def _on_grid(self, flux: ArrayLike, ivar: ArrayLike, wavelength: ArrayLike | None) -> tuple[Floats, Floats]:
        fluxes, ivars = (np.atleast_2d(np.asarray(array, dtype=np.float64)) for array in (flux, ivar))
        if fluxes.shape != ivars.shape or fluxes.ndim != 2:
            raise ValueError(f"expected flux and ivar of one shape (N, P), got {fluxes.shape} and {ivars.shape}.")
        grid = None if wavelength is None else np.asarray(wavelength, dtype=np.float64)
        if grid is not None and not same_grid(grid, self.wavelength):
            return regrid(grid, fluxes, ivars, self.wavelength)
        if fluxes.shape[1] != len(self.wavelength):
            raise BadInputError(
                Reason.BAD_MODEL,
                f"expected spectra of the model's {len(self.wavelength)} pixels, got {fluxes.shape[1]}: give wavelength=.",
            )
        return fluxes, ivars

    @cached_property
    def _marginalizing(self) -> Engine:
        return self._engine(marginalize=True)

    @cached_property
    def _plain(self) -> Engine:
        return self._engine(marginalize=False)

    def _engine(self, *, marginalize: bool) -> Engine:
        builder = FormBuilder(self.wavelength, self.theta, self.s2, loadings=self.loadings, marginalize=marginalize)
        return Engine(self.vectorizer, self.training_labels, builder)


def _choice(trainer: Trainer, asked: int | None) -> Choice:
    """The number of latent components that was asked for, or that validation finds."""
    n_stars, n_terms = len(trainer.training_set), trainer.vectorizer.n_terms
    if asked is None:
        counts = (0,) if trainer.regularization else candidates(n_stars, n_terms)
        return choose_components(trainer, counts) if len(counts) > 1 else Choice(0, {})
    if not 0 <= asked < max(n_stars - n_terms, 1):
        raise ValueError(f"latent_components: expected 0 to {max(n_stars - n_terms, 1) - 1}, got {asked}.")
    if asked and trainer.regularization:
        raise ValueError(
            "latent_components: expected None or 0 with regularization, whose penalty is for labels' terms."
        )
    return Choice(asked, {})


def _metadata_of(choice: Choice, loadings: Floats) -> dict[str, str | int | float | bool]:
    """The number of components, and the geometric mean of the labels' errors that validation found, over those of 0."""
    means = {
        f"validation_{count}_components": float(np.exp(np.log(ratios).mean()))
        for count, ratios in choice.ratios.items()
    }
    return {"latent_components": loadings.shape[1], **means}


def _metadata(trainer: Trainer, n_trained: int) -> dict[str, str | int | float | bool]:
    training_set = trainer.training_set
    return {
        "training_set": training_set.digest,
        "label_names": ",".join(training_set.label_names),
        "order": trainer.vectorizer.order,
        "regularization": float(trainer.regularization),
        "scatter_rule": str(trainer.rule),
        "n_stars": len(training_set),
        "n_pixels": len(training_set.wavelength),
        "n_trained_pixels": n_trained,
        "method_version": METHOD_VERSION,
        "numpy": np.__version__,
        "scipy": version("scipy"),
        "python": platform.python_version(),
    }
