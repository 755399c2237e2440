"""A small synthetic installation, whose files say what is in a product: HDUs, header keys and columns."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from astropy.io.fits.hdu.base import _BaseHDU
    from astropy.io.fits.header import Header

STRUCTURE = {
    *(
        "SIMPLE",
        "BITPIX",
        "NAXIS",
        "EXTEND",
        "XTENSION",
        "PCOUNT",
        "GCOUNT",
        "EXTNAME",
        "CHECKSUM",
        "DATASUM",
        "LONGSTRN",
    ),
    *("TFIELDS", "TTYPE", "TFORM", "TUNIT", "TCOMM", "TNULL"),
}
"""Keywords of FITS itself, numbered ones by how they begin."""

EXPLAINED = {
    # keywords without room for a comment, or without one
    "CONTENT": "SHA-256 of what is inside: of the apStar file that was normalised; in a table of header and rows",
    "NUMPYVER": "version of numpy that computed it",
    "ASTROVER": "version of astropy that wrote it",
    "NORMID": "identity of the normalisation",
    "NORMVERS": "version of its method",
    "BUNIT": "unit of the image",
    "CRVAL1": "log10 of the first pixel's vacuum wavelength in Angstrom",
    "CDELT1": "log10 step from pixel to pixel",
    "CRPIX1": "the pixel that CRVAL1 is of",
    "CTYPE1": "LOG-LINEAR: the grid is even in the logarithm",
    "DC-FLAG": "1: as CTYPE1 says, in the words of IRAF",
    "MODEL": "identity of the model; empty: none was in force",
    "MODNAME": "name under which the model may be in force",
    "CREATED": "when it was written, UTC; no part of CONTENT",
    "INPUTS": "SHA-256 over the digests of the apStar files, in the order of the rows (column `spectrum`), a line each",
    "TRAINSET": "SHA-256 of the training set's content",
    "PARAMS": "digest of the parameters of normalisation and inference, versions of the methods included",
    "TELESCOP": "telescope of the night",
    "MJD": "SDSS MJD of the night",
    "NIGHT": "the same",
    "CATALOG": "address of the catalogue, without its password",
    # what a model's file has as HIERARCH MODEL, and whole in METADATA
    "MODEL TRAINING_SET": "SHA-256 of the training set's content",
    "MODEL LABEL_NAMES": "the labels, in their order",
    "MODEL ORDER": "degree of the polynomial",
    "MODEL REGULARIZATION": "strength of the L1 penalty",
    "MODEL SCATTER_RULE": "how the intrinsic scatter was estimated",
    "MODEL CENSORS": "where labels may act, as JSON",
    "MODEL BOUNDS": "bounds of coefficients, as JSON",
    "MODEL LATENT_COMPONENTS": "latent components",
    "MODEL N_STARS": "stars of the training set",
    "MODEL N_PIXELS": "pixels of its grid",
    "MODEL N_TRAINED_PIXELS": "of these, pixels that have coefficients",
    "MODEL STARS_PER_PIXEL": "stars with weight in the median pixel",
    "MODEL METHOD_VERSION": "version of the training",
    "MODEL NUMPY": "version of numpy",
    "MODEL SCIPY": "version of scipy",
    "MODEL PYTHON": "version of Python",
    "MODEL VALIDATION_FOLDS": "folds of the validation",
    "MODEL VALIDATION_STARS": "stars that were held back in turn",
    "MODEL CORRECT_COEFFICIENT_NOISE": "whether validation found that the correction helps",
    "MODEL IDENTITY": "identity of the model",
    "MODEL NAME": "name under which it may be in force",
    # images
    "HDU FLUX": "flux over continuum, (rows, pixels), 1 where nothing is known",
    "HDU IVAR": "its inverse variance, 0 where nothing is known",
    "HDU CONTINUUM": "the continuum that was divided out",
    "HDU THETA": "coefficients, (pixels, terms)",
    "HDU S2": "intrinsic variance of each pixel",
    "HDU WAVELENGTH": "vacuum wavelength of each pixel",
    "HDU TRAINING": "labels of the training stars, (stars, labels)",
    "HDU LOADINGS": "latent components, (pixels, components); there when there are any",
    "HDU NOISE_AMPLITUDES": "noise of the coefficients: an amplitude a pixel and mode",
    "HDU NOISE_MODES": "its leading modes, (modes, terms, terms)",
    "HDU BEYOND": "covariance beyond the formal one, as validation found it: without and with the correction",
    "HDU VISITS": "a row a visit that is in the images",
    "HDU LABELS": "a row a label, in the model's order",
    "HDU TERMS": "a row a term of the polynomial, in the order of THETA",
    "HDU METADATA": "all that the header has shortened or left out",
    "HDU VALIDATION": "a row a training star: its labels by the model of the others",
    "HDU TRIALS": "a row a setting that validation tried",
    # columns without a comment of their own
    "VISITS ROW": "the visit's row in the images, from 0",
    "VISITS NUMBER": "number of the visit in the apStar file, from 1",
    "VISITS MJD": "SDSS MJD of the night",
    "VISITS FIBER": "fiber; -1: not known",
    "VISITS SNR": "S/N a pixel",
    "VISITS STARFLAG": "APOGEE_STARFLAG of the visit",
    "VISITS FILE": "name of the apVisit file",
    "LABELS NAME": "name of the label",
    "LABELS OFFSET": "what is subtracted before a label enters the polynomial, in its unit",
    "LABELS SCALE": "what it is then divided by",
    "TERMS TERM": "the term, as a product of labels",
    "METADATA JSON": "one object",
    "VALIDATION FOLD": "the fold that held the star back",
    "VALIDATION TRUTH": "its labels in the training set",
    "VALIDATION LABELS": "its labels as inferred",
    "VALIDATION COVARIANCE": "formal, (L, L)",
    "VALIDATION CHI_SQ": "chi-square",
    "VALIDATION N_FREEDOM": "degrees of freedom",
    "VALIDATION UNEXPLAINED": "share of the lines that is left unexplained",
    "VALIDATION SNR": "S/N a pixel",
    "VALIDATION FLAGS": "bits of ResultFlag",
    "TRIALS COMPONENTS": "latent components",
    "TRIALS CORRECTED": "whether the noise of the coefficients was corrected for",
    "TRIALS RATIO": "rms of each label, against no components and no correction",
}
"""What the files do not say themselves."""


OF_LABELS = {
    "BIAS": "mean difference of held-out labels from the training labels",
    "RMS": "root mean square of these differences",
    "PULL": "their width, in errors",
}
"""Keywords that end with a label's name, in MODEL."""


class Entry(NamedTuple):
    """A keyword or a column of an HDU."""

    name: str
    kind: str
    """Of a column: how FITS says it (``8A``, ``D``, ``K``, ...).  Of a keyword: an example of its value."""
    unit: str
    meaning: str
    """Empty: neither the file nor :data:`EXPLAINED` says."""


class Unit(NamedTuple):
    """An HDU of a product."""

    number: int
    name: str
    what: str
    keywords: list[Entry]
    columns: list[Entry]


KINDS = ("normalized", "model", "stars", "night")


@cache
def described(kind: str) -> list[Unit]:
    """Return the HDUs of a product."""
    return _all()[kind]


@cache
def _all() -> dict[str, list[Unit]]:
    from astropy.io import fits

    found = {}
    with _products() as paths:
        for kind, path in paths.items():
            with fits.open(path) as hdus:
                found[kind] = [_unit(number, hdu) for number, hdu in enumerate(hdus)]
    return found


@contextmanager
def _products() -> Iterator[dict[str, Path]]:
    """Make one product of each kind, as the nightly DAGs do; they are gone afterwards."""
    from apogee_labels.core.settings import Settings
    from apogee_labels.pipeline.analysis.infer import infer_labels
    from apogee_labels.pipeline.analysis.normalize import normalize_file
    from apogee_labels.pipeline.identities import (
        InferenceParameters,
        NormalizationParameters,
        ResultIdentities,
        TrainingParameters,
    )
    from apogee_labels.pipeline.models.train import train_model
    from apogee_labels.pipeline.nights.publish import write_night_table
    from apogee_labels.pipeline.products.summary import publish_summary
    from apogee_labels.pipeline.workspace import Workspace
    from apogee_labels.simulation.survey import SyntheticSurvey

    with tempfile.TemporaryDirectory(prefix="docs-products-") as folder:
        settings = Settings(data_dir=Path(folder))
        survey = SyntheticSurvey(settings.sas_base_dir, n_stars=2, nights=1)
        paths = survey.observe("apo25m", survey.nights[0])
        survey.write_training_set(settings.training_set, 120)
        how = NormalizationParameters(regions=settings.continuum_regions)
        with Workspace.open(settings) as workspace:
            model = train_model(workspace, settings.training_set, TrainingParameters(label_names=settings.label_names))
            workspace.catalog.models.put_in_force(settings.model_name, model, "documentation")
            done = [normalize_file(workspace, path, how).normalization_id for path in paths]
            infer_labels(workspace, done, model, InferenceParameters())
            identities = ResultIdentities.of(how, InferenceParameters())
            night = write_night_table(workspace, "apo25m", survey.nights[0], model, identities)
            (stars,) = publish_summary(workspace, visits=False)
            yield {
                "normalized": workspace.normalized_path(done[0]),
                "model": workspace.model_path(model),
                "night": night.path,
                "stars": stars.path,
            }


def _unit(number: int, hdu: _BaseHDU) -> Unit:
    header = hdu.header
    name = header.get("EXTNAME", "") or ("header" if number == 0 else "table")
    keywords = [
        Entry(card.keyword, _shown(card.value), "", _said(name, card.keyword, card.comment))
        for card in header.cards
        if not _structural(card.keyword)
    ]
    what = EXPLAINED.get(f"HDU {name}", "")
    return Unit(number, name, what, keywords, list(_columns(name, header)))


def _columns(unit: str, header: Header) -> Iterator[Entry]:
    for place in range(1, header.get("TFIELDS", 0) + 1):
        name = header[f"TTYPE{place}"]
        meaning = _said(unit, name, header.get(f"TCOMM{place}", ""))
        yield Entry(name, header[f"TFORM{place}"], header.get(f"TUNIT{place}", ""), meaning)


def _said(unit: str, name: str, comment: str) -> str:
    short = name.removeprefix("HIERARCH ")
    if short.startswith("MODEL ") and short.split("_")[0][6:] in OF_LABELS:
        return OF_LABELS[short.split("_")[0][6:]]
    return EXPLAINED.get(f"{unit} {short}") or comment or EXPLAINED.get(short, "")


def _structural(keyword: str) -> bool:
    return not keyword or keyword in STRUCTURE or keyword.rstrip("0123456789") in STRUCTURE


def _shown(value: object) -> str:
    text = str(value)
    return text if len(text) <= 24 else f"{text[:12]}..."
