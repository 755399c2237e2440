"""Many normalised spectra on disk and in the catalogue, made quickly: what a reanalysis finds.

The products are written by the pipeline's own writer, with the headers and visits of a few stars that were really read and
normalised; their spectra are synthetic, each with noise of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from apogee_labels.apogee.spectra.apstar import ApStar, read_apstar
from apogee_labels.cannon.continuum.normalization import METHOD_VERSION, Normalized
from apogee_labels.cannon.io.normalized import write_normalized
from apogee_labels.catalog.db.rows import chunks
from apogee_labels.catalog.records import NormalizationRecord, NormalizedFile
from apogee_labels.core.arrays import Floats
from apogee_labels.core.identity import digest_of
from apogee_labels.pipeline.identities import normalization_id
from apogee_labels.pipeline.ingest.registration import file_stat, records_of
from apogee_labels.pipeline.workspace import Workspace
from apogee_labels.simulation.spectra import draw_labels, synthetic_flux
from benchmarks.installation import Installation

TOGETHER = 250
N_CLEAN = 500
"""Stars of which spectra without noise are computed."""
SNR = (60.0, 250.0)


class _Spectra(NamedTuple):
    """Where spectra come from."""

    clean: Floats
    mask: Floats
    """Zero where a spectrum has no information, as in a file that was really normalised."""
    rng: np.random.Generator

    def draw(self, number: int) -> Normalized:
        """Return a spectrum with noise, as one row."""
        snr = self.rng.uniform(*SNR)
        clean = self.clean[number % len(self.clean)]
        ivar = np.where(self.mask > 0, snr**2, 0.0)
        noisy = np.where(self.mask > 0, clean + self.rng.standard_normal(len(clean), dtype=np.float32) / snr, 1.0)
        return Normalized(noisy[None], ivar[None], np.full((1, len(clean)), 800.0))


def store_stars(installation: Installation, n_stars: int) -> list[str]:
    """Write products of so many stars and record them, their files and contents; returns the normalisations."""
    rng = np.random.default_rng(4)
    with Workspace.open(installation.settings) as workspace:
        templates = [read_apstar(path) for path in installation.paths]
        real = _normalized(templates[0], installation)
        spectra = _Spectra(synthetic_flux(draw_labels(rng, N_CLEAN)), real.ivar[0], rng)
        made: list[str] = []
        for some in chunks(_stars(workspace, installation, templates, spectra, n_stars), TOGETHER):
            workspace.catalog.normalizations.record_files(some)
            made += [file.normalization.id for file in some]
    return made


def _normalized(star: ApStar, installation: Installation) -> Normalized:
    from apogee_labels.cannon.continuum.normalization import normalize

    return normalize(star, installation.settings.continuum_regions, sum_axis=0)


def _stars(
    workspace: Workspace, installation: Installation, templates: Sequence[ApStar], spectra: _Spectra, n_stars: int
) -> Iterator[NormalizedFile]:
    parts = installation.normalization.as_json()
    for number in range(n_stars):
        template = templates[number % len(templates)]
        star = replace(template, digest=digest_of(star=number), path=f"{template.path}.{number}")
        identity = normalization_id(star.digest, parts)
        product = workspace.normalized_path(identity)
        provenance = {"NORMID": identity, "NORMVERS": METHOD_VERSION}
        write_normalized(product, spectra.draw(number), star=star, provenance=provenance)
        file, spectrum = records_of(workspace, star.path, star, file_stat(template.path))
        record = NormalizationRecord(
            id=identity,
            digest=star.digest,
            path=str(product),
            n_rows=1,
            parameters=parts,
            method_version=METHOD_VERSION,
        )
        yield NormalizedFile(record, file, spectrum)
