"""A survey by two synthetic telescopes: who is observed on which night, and the archive that comes of it."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from apogee_labels.apogee.spectra.grid import N_PIXELS, WAVELENGTH
from apogee_labels.apogee.spectra.masks import BAD_PIXEL
from apogee_labels.cannon.continuum.normalization import normalize_rows
from apogee_labels.core.arrays import Floats
from apogee_labels.core.files import write_if_changed
from apogee_labels.core.settings import SHIPPED_REGIONS
from apogee_labels.simulation.apstar_file import apstar_bytes
from apogee_labels.simulation.damage import Damage, damaged
from apogee_labels.simulation.exposures import Exposure, SyntheticStar, expose
from apogee_labels.simulation.spectra import LABEL_NAMES, draw_labels, synthetic_flux

FIRST_MJD = 59280
"""First night of the survey: MJD 59280, the evening of 6 March 2021 at both sites."""

TRUTH = "truth.csv"
"""Name of the table of true labels, in the root of the archive."""

_FIELDS = {"apo25m": ("170+55", 155.5408, 46.1553, 61_482), "lco25m": ("260+30", 154.0772, -19.6531, 131_207)}
TELESCOPES = tuple(_FIELDS)
_FIELD_RADIUS = 1.2  # degrees
_FAINT, _BRIGHT = 12.4, 8.6  # H magnitudes
_REVISITED = 0.5  # chance that a star is observed again on a night after its first
_TRAINING_SNR = (150.0, 400.0)


class SyntheticSurvey:
    """A survey that is the same for the same seed, however often and in whichever order its nights are written.

    Parameters
    ----------
    root
        Root of the archive (SAS_BASE_DIR).
    release, apred
        Release and reduction whose paths and file layout are followed: ``dr16``, ``dr17``, ``sdss5`` and their like.
    seed
        Of everything that is drawn.
    n_stars
        Stars of both telescopes together.
    first_mjd, nights
        The nights on which stars are first seen; each is observed on half of all nights after its first.
    spoilt
        Stars (by index) whose files are damaged, and how.
    """

    def __init__(
        self,
        root: str | Path,
        release: str = "dr17",
        apred: str = "dr17",
        seed: int = 1,
        *,
        n_stars: int = 60,
        first_mjd: int = FIRST_MJD,
        nights: int = 3,
        spoilt: Mapping[int, Damage] | None = None,
    ) -> None:
        self.root = Path(root)
        self.release, self.apred, self.seed = release, apred, seed
        self.nights = tuple(range(first_mjd, first_mjd + nights))
        self.spoilt = dict(spoilt or {})
        self.stars = tuple(_star(index, seed, self.nights) for index in range(n_stars))

    def visits(self, star: SyntheticStar, until: int) -> tuple[int, ...]:
        """Return the MJDs up to `until` on which the star is observed."""
        later = range(star.debut + 1, until + 1)
        again = (mjd for mjd in later if np.random.default_rng([self.seed, star.index, mjd, 5]).random() < _REVISITED)
        return (star.debut, *again) if until >= star.debut else ()

    def observe(self, telescope: str, mjd: int) -> list[Path]:
        """Write the files of the stars visited on a night, each with all its visits up to then; return their paths.

        Raises
        ------
        ValueError
            No such telescope.
        OSError
            A file cannot be written.
        """
        if telescope not in TELESCOPES:
            raise ValueError(f"expected a telescope of {', '.join(TELESCOPES)}, got {telescope!r}.")
        stars = [star for star in self.stars if star.telescope == telescope and mjd in self.visits(star, mjd)]
        return self._write(stars, mjd)

    def observe_all(self) -> list[Path]:
        """Write every star's file as it stands after the survey's last night; return their paths."""
        return self._write([star for star in self.stars if self.visits(star, self.nights[-1])], self.nights[-1])

    def path(self, star: SyntheticStar) -> Path:
        """Return where the star's file belongs in an archive of this release."""
        from apogee_labels.apogee.archive.archive import ApStarKeys, Archive
        from apogee_labels.apogee.archive.nights import site_of

        in_field = self.release not in {"sdss5", "dr19", "dr20", "sdsswork"}
        keys = ApStarKeys(
            release=self.release,
            apred=self.apred,
            telescope=star.telescope,
            obj=star.obj,
            field=star.field if in_field else None,
            prefix=site_of(star.telescope).sdss_prefix if in_field else None,
            healpix=None if in_field else star.healpix,
        )
        return Archive(self.root, self.release, self.apred).path(keys)

    def truth(self) -> dict[str, dict[str, float]]:
        """Return the true labels by star and label name: TEFF in K, LOGG and FE_H in dex."""
        return {star.obj: dict(zip(LABEL_NAMES, star.labels.tolist(), strict=True)) for star in self.stars}

    def write_training_set(self, path: str | Path, n_stars: int = 400) -> bool:
        """Write a training set of other stars, with clean labels; False when the file was there with this content.

        Each is one visit of a signal-to-noise ratio of 150 to 400, normalised with the shipped continuum regions.
        """
        from apogee_labels.cannon.training_set import TrainingSet

        rng = np.random.default_rng([self.seed, 3])
        labels = draw_labels(rng, n_stars)
        flux, ivar = self._training_spectra(labels, rng.uniform(*_TRAINING_SNR, n_stars))
        training_set = TrainingSet(wavelength=WAVELENGTH, flux=flux, ivar=ivar, labels=labels, label_names=LABEL_NAMES)
        return write_if_changed(path, training_set.write)

    def _training_spectra(self, labels: Floats, snr: Floats) -> tuple[Floats, Floats]:
        flux, ivar = np.empty((2, len(labels), N_PIXELS))
        clean = synthetic_flux(labels)
        for index in range(len(labels)):
            star = _star(1_000_000 + index, self.seed, self.nights, labels=labels[index])
            exposure = expose(star, star.debut, self.seed, snr=float(snr[index]), flux=clean[index])
            flux[index], ivar[index] = exposure.flux, _inverse_variance(exposure)
        normalized = normalize_rows(WAVELENGTH, flux, ivar, SHIPPED_REGIONS)
        return normalized.flux, normalized.ivar

    def _write(self, stars: list[SyntheticStar], until: int) -> list[Path]:
        paths = []
        for star in stars:
            flux = synthetic_flux(star.labels)[0]
            visits = [expose(star, mjd, self.seed, flux=flux) for mjd in self.visits(star, until)]
            content = apstar_bytes(star, visits, release=self.release, apred=self.apred)
            if star.index in self.spoilt:
                content = damaged(content, self.spoilt[star.index])
            paths.append(self.path(star))
            _write(paths[-1], content)
        _write(self.root / TRUTH, self._truth_table().encode())
        return paths

    def _truth_table(self) -> str:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["obj", "telescope", "field", "healpix", *LABEL_NAMES])
        for star in self.stars:
            values = [f"{value:.4f}" for value in star.labels]
            writer.writerow([star.obj, star.telescope, star.field, star.healpix, *values])
        return text.getvalue()


def _star(index: int, seed: int, nights: tuple[int, ...], labels: Floats | None = None) -> SyntheticStar:
    rng = np.random.default_rng([seed, index, 2])
    telescope = TELESCOPES[index % len(TELESCOPES)]
    field, ra, dec, healpix = _FIELDS[telescope]
    radius, angle = _FIELD_RADIUS * np.sqrt(rng.random()), 2 * np.pi * rng.random()
    dec = round(dec + float(radius * np.sin(angle)), 6)
    ra = round(ra + float(radius * np.cos(angle) / np.cos(np.radians(dec))), 6)
    return SyntheticStar(
        index=index,
        obj=_name(ra, dec),
        telescope=telescope,
        field=field,
        healpix=healpix + int(rng.integers(4)),
        ra=ra,
        dec=dec,
        h_mag=float(rng.uniform(_BRIGHT, _FAINT)),
        labels=draw_labels(rng, 1)[0] if labels is None else labels,
        debut=nights[index // len(TELESCOPES) % len(nights)],
    )


def _name(ra: float, dec: float) -> str:
    """Return a name in the way of 2MASS: 2M, hours to a hundredth of a second, degrees to a tenth of an arc second."""
    hundredths, tenths = int(ra / 15 * 360_000), int(abs(dec) * 36_000)
    sign = "-" if dec < 0 else "+"
    return (
        f"2M{hundredths // 360_000:02d}{hundredths // 6000 % 60:02d}{hundredths % 6000:04d}"
        f"{sign}{tenths // 36_000:02d}{tenths // 600 % 60:02d}{tenths % 600:03d}"
    )


def _inverse_variance(exposure: Exposure) -> Floats:
    return np.where(exposure.mask & int(BAD_PIXEL), 0.0, exposure.error**-2.0)


def _write(path: Path, content: bytes) -> None:
    write_if_changed(path, lambda beside: beside.write_bytes(content))
