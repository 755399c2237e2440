"""At a given scatter there is one optimum: AnniesLasso, as it was released, and this engine must agree on it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from apogee_labels.cannon.training.coefficients import train_pixels
from apogee_labels.cannon.training.scatter import ScatterRule
from apogee_labels.cannon.vectorizer import PolynomialVectorizer
from apogee_labels.core.arrays import Floats
from benchmarks.peers import environment
from tests.apogee_labels.cannon.universe import make_universe
from tests.support.required import require

LAMBDAS = (1.0, 100.0, 1000.0)


class Parity(NamedTuple):
    """A small problem, and what AnniesLasso makes of it."""

    vectorizer: PolynomialVectorizer
    scaled: Floats  # (N, L)
    flux: Floats  # (N, P)
    ivar: Floats  # (N, P)
    s2: Floats  # (P,)
    plain: Floats  # (P, T), terms in our order
    with_l1: Floats  # (Lambdas, P, T)

    def ours(self, regularization: float) -> Floats:
        """Our coefficients, shape (P, T)."""
        return train_pixels(
            self.scaled,
            self.flux,
            self.ivar,
            order=2,
            regularization=regularization,
            rule=ScatterRule.LIKELIHOOD,
            s2=self.s2,
        ).theta

    def objective(self, theta: Floats, regularization: float) -> Floats:
        """What both minimise, shape (P,): sum W (y - v.theta)^2 + Lambda sum |theta_d| without the constant."""
        weight = self.ivar / (1.0 + self.ivar * self.s2)
        residual = self.flux - self.vectorizer.design(self.scaled) @ theta.T
        return (weight * residual**2).sum(axis=0) + regularization * np.abs(theta[:, 1:]).sum(axis=1)


@pytest.fixture(scope="module")
def parity(tmp_path_factory: pytest.TempPathFactory) -> Parity:
    require(environment.python_of("annieslasso"), "AnniesLasso has no environment here: make peers")
    rng = np.random.default_rng(96)
    training_set = make_universe(n_pixels=40).training_set(rng, 200)
    vectorizer = PolynomialVectorizer.fit(training_set.label_names, training_set.labels, order=2)
    scaled, s2 = vectorizer.scaled(training_set.labels), 10.0 ** rng.uniform(-5.5, -3.0, 40)
    problem = {"scaled": scaled, "flux": training_set.flux, "ivar": training_set.ivar, "s2": s2}
    theirs = solutions(tmp_path_factory.mktemp("parity"), problem)
    order = [vectorizer.basis.index(factors_of(powers)) for powers in theirs["powers"]]
    plain, with_l1 = np.empty_like(theirs["plain"]), np.empty_like(theirs["with_l1"])
    plain[:, order], with_l1[:, :, order] = theirs["plain"], theirs["with_l1"]
    return Parity(vectorizer, scaled, training_set.flux, training_set.ivar, s2, plain, with_l1)


def solutions(folder: Path, problem: dict[str, Floats]) -> dict[str, Floats]:
    """AnniesLasso's coefficients, found in its own environment."""
    np.savez(folder / "problem.npz", lambdas=np.array(LAMBDAS), **problem)
    paths = str(folder / "problem.npz"), str(folder / "solution.npz")
    environment.run("annieslasso", "benchmarks.peers.annieslasso", "solve", *paths)
    with np.load(folder / "solution.npz") as arrays:
        return dict(arrays)


def factors_of(powers: Floats) -> tuple[int, ...]:
    """Powers (1, 0, 2) are the factors (0, 2, 2)."""
    return tuple(label for label, power in enumerate(powers) for _ in range(int(power)))


def test_without_l1_the_coefficients_are_the_same(parity: Parity) -> None:
    scale = np.abs(parity.plain).max(axis=1, keepdims=True)
    assert np.abs((parity.ours(0.0) - parity.plain) / scale).max() < 1e-8


@pytest.mark.parametrize("number", range(len(LAMBDAS)), ids=[f"{value:g}" for value in LAMBDAS])
def test_with_l1_the_objective_is_never_above(parity: Parity, number: int) -> None:
    regularization = LAMBDAS[number]
    ours = parity.objective(parity.ours(regularization), regularization)
    theirs = parity.objective(parity.with_l1[number], regularization)
    assert (ours <= theirs * (1.0 + 1e-8)).all()
    # It is the same problem: theirs ends a little above the optimum, for its optimiser stops at the kinks.
    assert (theirs < ours * 1.05).all()


def test_the_penalty_leaves_exact_zeros(parity: Parity) -> None:
    assert (parity.ours(1000.0) == 0.0).any()
    assert not (parity.ours(0.0) == 0.0).any()
