"""The continuum of each visit, divided out before anything is compared with a model.

Casey et al. 2016: on each detector by itself a sum of sines and cosines (L = 1400 A, order 3) is fitted by weighted
least squares to the pixels of given continuum regions, with a ridge of 1e-6 of the normal matrix's largest eigenvalue.
Visits are normalised one by one and then stacked with inverse-variance weights; the combined rows of an apStar file are
never used, because each photon in them is in the visits too.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations_with_replacement
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from apogee_labels.apogee.spectra.grid import WAVELENGTH
from apogee_labels.apogee.spectra.masks import StarFlag
from apogee_labels.cannon.threads import single_threaded
from apogee_labels.core.arrays import Bools, Floats, Indices
from apogee_labels.core.errors import BadInputError, Reason
from apogee_labels.core.identity import digest_of

if TYPE_CHECKING:
    from apogee_labels.apogee.spectra.apstar import ApStar


METHOD_VERSION = "2"
"""Raised whenever the same input would give another normalised spectrum: part of every normalisation's identity."""

DETECTORS = ((15090.0, 15822.0), (15823.0, 16451.0), (16452.0, 16971.0))
"""Half-open wavelength ranges [low, high) of the three detectors, vacuum Angstrom (Casey et al. 2016)."""

RIDGE = 1e-6
"""Share of a normal matrix's largest eigenvalue that is added to its diagonal."""

PIXELS_PER_TERM = 3
"""Good continuum pixels that a detector must have for each coefficient of its continuum."""

UNKNOWN_VELOCITY = StarFlag.BAD_RV_COMBINATION | StarFlag.RV_FAIL
"""A visit with any of these bits may not be at rest: in a stack its shifted lines would make the labels wrong."""

_BLOCK = 64


class Normalized(NamedTuple):
    """Continuum-normalised spectra, a row a visit or one row for their stack.

    Pixels outside the detectors, or without information, have flux 1, inverse variance 0 and continuum 1.  So has every
    pixel of a detector whose continuum could not be determined in that row: see :meth:`detectors`.
    """

    flux: Floats
    """Flux over continuum, shape (n, P), dimensionless."""
    ivar: Floats
    """Inverse variance of that flux, shape (n, P)."""
    continuum: Floats
    """The continuum divided out, shape (n, P), in the units of the input; of a stack, the visits' weighted mean."""

    def detectors(self, wavelength: Floats) -> Bools:
        """Which detectors carry information in which row, shape (n, 3).

        False: too few good continuum pixels, a continuum that was not positive, or no good pixel to begin with.
        """
        return np.stack([(self.ivar[:, pixels] > 0).any(axis=1) for pixels in detector_pixels(wavelength)], axis=1)


@dataclass(frozen=True, kw_only=True)
class ContinuumParameters:
    """What a normalisation depends on beside its input: the parameters of its identity."""

    regions_digest: str
    length: float = 1400.0
    order: int = 3
    sum_axis: int | None = 0

    def __post_init__(self) -> None:
        _check_parameters(self.length, self.order, self.sum_axis)

    def identity(self) -> dict[str, Any]:
        """Return the parameters as plain JSON values, for :func:`apogee_labels.core.identity.digest_of`."""
        return {
            "regions": self.regions_digest,
            "length": float(self.length),
            "order": int(self.order),
            "sum_axis": self.sum_axis,
            "detectors": [list(detector) for detector in DETECTORS],
            "ridge": RIDGE,
        }


def continuum_parameters(
    regions: Floats | str | Path, length: float = 1400.0, order: int = 3, sum_axis: int | None = 0
) -> ContinuumParameters:
    """Return what :func:`normalize` depends on beside the star, for the same arguments; its errors, too."""
    _check_parameters(length, order, sum_axis)
    return ContinuumParameters(
        regions_digest=regions_digest(regions), length=float(length), order=int(order), sum_axis=sum_axis
    )


def normalize(
    star: ApStar, regions: Floats | str | Path, length: float = 1400.0, order: int = 3, sum_axis: int | None = 0
) -> Normalized:
    """Normalise the visits of a star, each on its own, and stack them unless told otherwise.

    A stack leaves out the visits whose velocity is not known (:func:`stacked_rows`), unless there are no others.  Of the
    other STARFLAG bits the flags of the result tell.

    Parameters
    ----------
    star
        What :func:`apogee_labels.apogee.spectra.apstar.read_apstar` returned.
    regions
        Continuum regions, shape (n, 2): half-open ranges [low, high) in vacuum Angstrom; or the path of a file of them.
    length
        Fundamental length L of the sines and cosines, Angstrom.
    order
        Highest harmonic; the continuum of a detector has ``2 * order + 1`` coefficients.
    sum_axis
        0: one row, the inverse-variance weighted mean of the normalised visits (a single visit: itself).
        None: a row a visit, all of them, in the order of ``star.visit_rows``.

    Raises
    ------
    BadInputError
        ``NO_CONTINUUM``: no visit has a detector whose continuum could be determined.
    ValueError
        The regions or parameters are not usable.
    OSError
        The regions file cannot be read.
    """
    _check_parameters(length, order, sum_axis)
    rows = stacked_rows(star) if sum_axis == 0 else star.visit_rows
    flux, ivar = star.flux[rows], star.ivar[rows]
    visits = normalize_rows(star.wavelength, flux, ivar, regions, length=length, order=order)
    if not visits.ivar.any():
        raise BadInputError(
            Reason.NO_CONTINUUM,
            f"{star.path}: expected a detector with at least {_pixels_needed(order)} good continuum pixels and a "
            f"positive continuum, found none in {len(visits.flux)} visit(s); see the pixel mask or the regions.",
        )
    return stack(visits) if sum_axis == 0 else visits


def stacked_rows(star: ApStar) -> Indices:
    """Rows of the visits that a stack is made of, in the order of ``star.visit_rows``.

    All whose STARFLAG has no bit of ``UNKNOWN_VELOCITY``; when none of those has a good pixel, all.
    """
    unknown = {visit.row for visit in star.visits if visit.starflag & UNKNOWN_VELOCITY}
    known = np.array([int(row) not in unknown for row in star.visit_rows], dtype=bool)
    return star.visit_rows[known] if star.ivar[star.visit_rows[known]].any() else star.visit_rows


@single_threaded
def normalize_rows(
    wavelength: Floats,
    flux: Floats,
    ivar: Floats,
    regions: Floats | str | Path,
    *,
    length: float = 1400.0,
    order: int = 3,
) -> Normalized:
    """Normalise every row on its own: what :func:`normalize` does, on plain arrays.

    Parameters
    ----------
    wavelength
        Shape (P,), vacuum Angstrom, ascending.
    flux, ivar
        Shape (n, P); flux finite everywhere, ivar 0 where nothing is known.
    regions, length, order
        As for :func:`normalize`.

    Raises
    ------
    ValueError
        The regions or parameters are not usable.
    OSError
        The regions file cannot be read.
    """
    _check_parameters(length, order, None)
    regions = _as_regions(regions)
    detectors = _design(_key(wavelength), regions.tobytes(), float(length), int(order))
    result = Normalized(*(np.empty(flux.shape) for _ in range(3)))
    for start in range(0, len(flux), _BLOCK):  # blocks that stay in the cache
        rows = slice(start, start + _BLOCK)
        result.flux[rows], result.ivar[rows], result.continuum[rows] = 1.0, 0.0, 1.0
        for detector in detectors:
            part = rows, detector.pixels
            _normalize_detector(detector, flux[part], ivar[part], Normalized(*(array[part] for array in result)))
    return result


def stack(visits: Normalized) -> Normalized:
    """Return the inverse-variance weighted mean of normalised visits, one row; a single visit is returned as it is."""
    if len(visits.flux) == 1:
        return visits
    ivar = visits.ivar.sum(axis=0)
    known = ivar > 0
    weight = visits.ivar / np.where(known, ivar, 1.0)
    flux, continuum = (np.where(known, (weight * array).sum(axis=0), 1.0) for array in (visits.flux, visits.continuum))
    return Normalized(flux[None], ivar[None], continuum[None])


def read_regions(path: str | Path) -> Floats:
    """Continuum regions from a text file of two columns, low and high in Angstrom; ``#`` starts a comment.

    Returns
    -------
    ndarray
        Shape (n, 2), ascending, read-only.

    Raises
    ------
    ValueError
        A line is not two numbers, or a region is reversed, off the apStar grid or overlaps another; names the line.
    OSError
        The file cannot be read.
    """
    return _parse_regions(Path(path).read_text(encoding="utf-8"), str(path))


def regions_digest(regions: Floats | str | Path) -> str:
    """Digest of the regions' numbers: the same for any order of the lines, any comments and any name of the file."""
    return digest_of(regions=_as_regions(regions).tolist())


def continuum_pixels(wavelength: Floats, regions: Floats) -> Bools:
    """Which pixels lie in the regions, shape (P,)."""
    return np.asarray(((wavelength >= regions[:, :1]) & (wavelength < regions[:, 1:])).any(axis=0))


def detector_pixels(wavelength: Floats) -> tuple[slice, ...]:
    """Return the pixels of each detector, from the shortest wavelengths on."""
    return tuple(slice(*(int(edge) for edge in np.searchsorted(wavelength, detector))) for detector in DETECTORS)


def basis(wavelength: Floats, *, length: float = 1400.0, order: int = 3) -> Floats:
    """One, cosines and sines of 2 pi k wavelength / length for k = 1 to `order`, shape (2 order + 1, P)."""
    phase = 2 * np.pi / length * np.arange(1, order + 1)[:, None] * wavelength
    return np.concatenate([np.ones((1, len(wavelength))), np.cos(phase), np.sin(phase)])


class _Detector(NamedTuple):
    """What the fit of one detector needs, whatever the spectrum."""

    pixels: slice  # of the spectrum
    basis: Floats  # (T, pixels of the detector)
    fitted: Indices  # (C,), continuum pixels, counted from the detector's first
    fitted_basis: Floats  # (C, T)
    products: Floats  # (C, T (T + 1) / 2), each product of two basis functions once
    unfold: Indices  # (T, T), where in those products an element of the normal matrix is


def prepare_designs(regions: Floats | str | Path, *, length: float = 1400.0, order: int = 3) -> None:
    """Make now what the fits of all apStar spectra share, so that processes which are forked from this one need not.

    Raises
    ------
    ValueError
        The regions are not usable.
    OSError
        The regions file cannot be read.
    """
    _design(_key(WAVELENGTH), _as_regions(regions).tobytes(), float(length), int(order))


@lru_cache(maxsize=16)
def _design(wavelength: bytes, regions: bytes, length: float, order: int) -> tuple[_Detector, ...]:
    grid = np.frombuffer(wavelength)
    chosen = continuum_pixels(grid, np.frombuffer(regions).reshape(-1, 2))
    return tuple(_detector(grid, chosen, pixels, length, order) for pixels in detector_pixels(grid))


def _detector(grid: Floats, chosen: Bools, pixels: slice, length: float, order: int) -> _Detector:
    terms = basis(grid[pixels], length=length, order=order)
    fitted = np.flatnonzero(chosen[pixels])
    pairs = np.array(list(combinations_with_replacement(range(len(terms)), 2)))
    unfold = np.empty((len(terms), len(terms)), dtype=np.intp)
    unfold[pairs[:, 0], pairs[:, 1]] = unfold[pairs[:, 1], pairs[:, 0]] = np.arange(len(pairs))
    fitted_basis = np.ascontiguousarray(terms[:, fitted].T)
    products = fitted_basis[:, pairs[:, 0]] * fitted_basis[:, pairs[:, 1]]
    return _Detector(pixels, terms, fitted, fitted_basis, products, unfold)


def _normalize_detector(detector: _Detector, flux: Floats, ivar: Floats, out: Normalized) -> None:
    """Fit one detector of a block of rows, and write what is known into `out` (views of the result)."""
    weight = ivar[:, detector.fitted]
    usable = np.count_nonzero(weight, axis=1) >= PIXELS_PER_TERM * len(detector.basis)
    continuum = _coefficients(detector, flux[:, detector.fitted], weight, usable) @ detector.basis
    known = ivar > 0
    # A zero or negative continuum where there is light to divide by it is a failed fit, not a normalised spectrum.
    usable &= np.min(continuum, axis=1, where=known, initial=np.inf) > 0
    known &= usable[:, None]
    np.copyto(out.continuum, continuum, where=known)
    np.divide(flux, continuum, out=out.flux, where=known)
    np.multiply(ivar, continuum**2, out=out.ivar, where=known)


def _coefficients(detector: _Detector, flux: Floats, weight: Floats, usable: Bools) -> Floats:
    """Ridge solution of every row, shape (n, T); rows that are not usable get zeros.

    One matrix product gives the normal matrices of all rows: each is linear in the weights.
    """
    normal: Floats = (weight @ detector.products)[:, detector.unfold]
    normal[~usable] = np.eye(normal.shape[-1])
    diagonal = np.arange(normal.shape[-1])
    normal[:, diagonal, diagonal] += RIDGE * np.linalg.eigvalsh(normal)[:, -1:]
    moments = (weight * flux) @ detector.fitted_basis * usable[:, None]
    return np.asarray(np.linalg.solve(normal, moments[..., None])[..., 0], dtype=np.float64)


def _key(wavelength: Floats) -> bytes:
    return np.ascontiguousarray(wavelength, dtype=np.float64).tobytes()


@lru_cache(maxsize=16)
def _parse_regions(text: str, path: str) -> Floats:
    lines, rows = [], []
    for number, line in enumerate(text.splitlines(), 1):
        fields = line.partition("#")[0].split()
        if not fields:
            continue
        try:
            low, high = (float(field) for field in fields)
        except ValueError:
            got = line.strip()
            raise ValueError(f"{path}, line {number}: expected two wavelengths in Angstrom, got {got!r}.") from None
        lines.append(f"{path}, line {number}")
        rows.append((low, high))
    if not rows:
        raise ValueError(f"{path}: expected at least one line of two wavelengths in Angstrom, found none.")
    regions = _check_regions(np.array(rows), lines)
    regions.setflags(write=False)
    return regions


def _as_regions(regions: Floats | str | Path) -> Floats:
    if isinstance(regions, str | Path):
        return read_regions(regions)
    array = np.asarray(regions, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != 2 or not len(array):
        raise ValueError(
            f"expected continuum regions of shape (n, 2), low and high in Angstrom, got shape {array.shape}."
        )
    return _check_regions(array, [f"continuum region {number}" for number in range(1, len(array) + 1)])


def _check_regions(regions: Floats, names: list[str]) -> Floats:
    """Return the regions in ascending order, when each is a range on the grid and no two overlap."""
    low, high = regions.T
    for index in np.flatnonzero(~(low < high))[:1]:  # NaN, too
        raise ValueError(f"{names[index]}: expected low < high, got {low[index]:g} to {high[index]:g} A.")
    for index in np.flatnonzero((high <= WAVELENGTH[0]) | (low > WAVELENGTH[-1]))[:1]:
        raise ValueError(
            f"{names[index]}: {low[index]:g} to {high[index]:g} A lies off the apStar grid, expected within "
            f"{WAVELENGTH[0]:.2f} to {WAVELENGTH[-1]:.2f} A (vacuum Angstrom)."
        )
    order = np.argsort(low, kind="stable")
    for first in np.flatnonzero(low[order[1:]] < high[order[:-1]])[:1]:
        pair = order[first : first + 2]
        where = " and ".join(f"{low[index]:.4f} to {high[index]:.4f} A" for index in pair)
        raise ValueError(f"{names[pair[1]]}: overlaps with {names[pair[0]]} ({where}); merge the two.")
    return regions[order]


def _check_parameters(length: float, order: int, sum_axis: int | None) -> None:
    if not (np.isfinite(length) and length > 0):
        raise ValueError(f"expected a positive length in Angstrom, got {length!r}.")
    if int(order) != order or order < 0:
        raise ValueError(f"expected a whole order of 0 or more, got {order!r}.")
    if sum_axis not in (0, None):
        raise ValueError(f"expected sum_axis 0 (one stacked row) or None (a row a visit), got {sum_axis!r}.")


def _pixels_needed(order: int) -> int:
    return PIXELS_PER_TERM * (2 * int(order) + 1)
