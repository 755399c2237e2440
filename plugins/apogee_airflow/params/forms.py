"""The forms of the DAGs: made from typed parameters, in which title, description, default and bounds stand once.

:func:`params_form` gives a DAG its params, :func:`form_value` an operator what was filled in, as one native object.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from airflow.sdk import Param
from pydantic import Field

from apogee_labels.apogee.archive.nights import DEFAULT_TELESCOPE
from apogee_labels.core.parameters import Parameters
from apogee_labels.pipeline.models.judgement import Tolerances
from apogee_labels.pipeline.parameters import TrainingParameters, offer_telescopes

if TYPE_CHECKING:
    from apogee_labels.core.settings import Settings

NOTHING: Mapping[str, Any] = MappingProxyType({})


def params_form(
    model: type[Parameters], *, exclude: Collection[str] = (), defaults: Mapping[str, Any] = NOTHING, **schema: Any
) -> dict[str, Param]:
    """Return a DAG's params for the fields of a model.

    Parameters
    ----------
    model
        The parameters.
    exclude
        Fields that the form does not show.
    defaults
        Defaults in the place of the model's, such as an installation's settings.
    schema
        What every param gets besides, such as a ``section``.
    """
    described = model.model_json_schema()
    form = {}
    for name in model.model_fields:
        if name not in exclude:
            wanted = _flat(described["properties"][name], described.get("$defs", {})) | schema
            given = [defaults[name]] if name in defaults else [wanted.pop("default")] if "default" in wanted else []
            form[name] = Param(
                *given, **{key: value for key, value in wanted.items() if key not in ("default", "examples")}
            )
    return form


def form_value(model: type[Parameters]) -> str:
    """Return a template of what a form with the fields of a model holds, as an operator's argument: one native object.

    In a template of its own, native rendering would make a number of text that looks like one: the identity of a model may
    begin with 12e4, and does then.
    """
    return "{{ {" + ", ".join(f"'{name}': params.{name}" for name in model.model_fields) + "} }}"


def _flat(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema as Airflow's forms read it: no references, and "or nothing" as one more type."""
    flat = {key: value for key, value in schema.items() if key not in ("anyOf", "$ref")}
    if "$ref" in schema:
        flat = dict(definitions[schema["$ref"].rpartition("/")[2]]) | flat
        flat.pop("description", None) if "description" not in schema else None
    for choice in schema.get("anyOf", ()):
        types = [choice["type"]] if choice["type"] != "null" else []
        flat = {**choice, **flat, "type": ["null", *types, *(t for t in flat.get("type", []) if t != "null")]}
    return flat


class NightParameters(Parameters):
    """What the form of a night asks for."""

    mjd: int | None = Field(
        None,
        ge=55000,
        le=99999,
        title="SDSS MJD",
        description="The night to process; empty: the night that contains the run's logical date.",
    )
    reprocess: bool = Field(
        False,
        title="Do it again",
        description="Take all files of the night, also what is complete or rejected; otherwise what is not done.",
    )
    visits: bool = Field(
        False,
        title="Labels of each visit",
        description="Normalise and infer each visit on its own, into a table of visits, instead of their stack.",
    )
    use_remote: bool = Field(
        False,
        title="Fetch what is missing",
        description="Fetch the files that are known to be of this night and are not here from the SDSS or your mirror.",
    )
    wait_hours: float = Field(
        12,
        ge=0,
        le=240,
        title="Wait (hours)",
        description="How long the run waits for the night's files after the end of the night.",
    )
    settle_seconds: float = Field(
        600,
        ge=0,
        le=86400,
        title="Settled after (seconds)",
        description="The files have come when none has changed for so long.",
    )
    late_nights: int = Field(
        14,
        ge=0,
        le=365,
        title="Late nights",
        description="A scheduled run also takes what came late for so many nights before its own.",
    )
    max_instances: int = Field(
        300,
        ge=1,
        le=1000,
        title="Mapped instances",
        description="Up to so many files, one instance a file; above, an instance takes several.",
    )
    backfill_batch: int = Field(
        64,
        ge=1,
        le=10000,
        title="Files an instance in a backfill",
        description="A backfill takes at least so many files an instance: it is after throughput, not a grid of stars.",
    )
    max_rejected_share: float = Field(
        0.5, ge=0, le=1, title="Tolerated share of rejected files",
        description="The night is red when more than this share of its files is rejected.",
    )  # fmt: skip


SUM_AXIS: Any = Field(0, title="Stack the visits (0), or labels a visit (empty)", json_schema_extra={"enum": [0, None]})


class FolderParameters(Parameters):
    """What the form of a watched folder asks for."""

    folder: str = Field(
        title="Folder",
        description="Below the data folder or the archive; file names as SDSS has them (apStar-..., asStar-...).",
    )
    settle_seconds: float = Field(
        60, ge=0, le=86400, title="Settled after (seconds)",
        description="A file has come when it has not changed for so long.",
    )  # fmt: skip
    sum_axis: int | None = SUM_AXIS


class StarsParameters(Parameters):
    """What the form of the tutorial asks for, besides the training."""

    obj: str | None = Field(None, title="Star", description="Name as in the file, e.g. 2M16505794-2118004")
    telescope: str = Field(DEFAULT_TELESCOPE, title="Telescope", json_schema_extra=offer_telescopes)
    field: str | None = Field(None, title="Field", description="Up to DR17, e.g. 000+14")
    healpix: int | None = Field(None, title="HEALPix", description="DR19 and later, instead of the field")
    release: str | None = Field(None, title="Release")
    apred: str | None = Field(None, title="Reduction", description="Version of the reduction; empty: the release's own")
    apstar: str | None = Field("stars", title="Combination")
    prefix: str | None = Field(None, title="Prefix", description="ap or as; empty: the telescope's")
    stars: list[dict[str, Any]] = Field(
        [],
        title="Or a list of stars",
        description='Objects with the keys above, e.g. [{"obj": "2M16505794-2118004", "field": "000+14"}]; '
        "what one does not say is taken from the fields above.",
    )
    stars_csv: str | None = Field(
        None,
        title="Or a table of stars",
        json_schema_extra={"format": "multiline"},
        description="Paste CSV with a header, e.g. obj,telescope,field; what a row does not say is taken from the fields "
        "above.",
    )
    stars_file: str | None = Field(
        None,
        title="Or a file with such a table",
        description="Path of a CSV file below the data folder or the archive (SAS_BASE_DIR)",
    )
    use_remote: bool = Field(False, title="Fetch what is not here from the SDSS")
    wait_hours: float = Field(0, ge=0, le=8760, title="Wait for files (hours)")  # fmt: skip
    sum_axis: int | None = SUM_AXIS


class TrainingSetForm(Parameters):
    """What the form of a training set asks for, besides its parameters and cuts."""

    label_table: str = Field(
        "allStar.fits",
        title="Table of labels",
        description="FITS or CSV, below the data folder or the archive; a relative path counts from the data folder.",
    )
    use_remote: bool = Field(False, title="Fetch what is not here from the SDSS")
    output: str = Field(
        title="Training set to write (.pkl or .npz)",
        description="Below the data folder, or the installation's training set.",
    )  # fmt: skip


class SummaryParameters(Parameters):
    """Which model the table of all stars is of."""

    model: str | None = Field(
        None, title="Model", description="Its identity, or the first 12 characters of it; empty: the model in force."
    )
    visits: bool = Field(
        True, title="Visits as well", description="A second table with a row a visit, if there are results of visits.",
    )  # fmt: skip


class ModelChoice(Parameters):
    """Which model a person puts in force, and why."""

    model: str = Field(
        pattern="^[0-9a-f]{12,64}$",
        title="Model",
        description="Its identity, or the first 12 characters of it, as Browse > Models shows them.",
    )
    reason: str = Field(
        min_length=3, title="Why", description="A sentence; it is kept with the model.",
    )  # fmt: skip


class ReanalysisParameters(Parameters):
    """How a reanalysis is divided."""

    batch_size: int = Field(
        5000,
        ge=1,
        le=100_000,
        title="Spectra an instance",
        description="About so many spectra in each mapped instance: more make a run quicker, fewer waits shorter.",
    )
    max_batches: int = Field(
        300, ge=1, le=1000, title="Mapped instances",
        description="At most so many instances; then each takes more spectra.",
    )  # fmt: skip


def training_form(settings: Settings) -> dict[str, Param]:
    """Return what a model is trained with, by default what the installation is set to."""
    path = Param(str(settings.training_set), type="string", title="Training set (.pkl or .npz)")
    names = ("order", "regularization")
    defaults = {name: getattr(settings, name) for name in names} | {"label_names": list(settings.label_names)}
    return {"training_set": path} | params_form(TrainingParameters, defaults=defaults)


def acceptance_form() -> dict[str, Param]:
    """Return how much worse a new model may be, and the days until no answer of a person means no."""
    section = "When a model comes into force by itself"
    return params_form(Tolerances, section=section) | {
        "answer_days": Param(
            7, type="number", exclusiveMinimum=0, title="Days to answer", section=section,
            description="Where a person is asked: no answer by then means no, and the model in force stays.",
        )
    }  # fmt: skip


TRAINING_FIELDS = tuple(TrainingParameters.model_fields)
"""Arguments of the sensor and of the operator that train, besides the training set."""

TRAINING_ARGUMENTS: dict[str, Any] = {
    "training_set_path": "{{ params.training_set }}",
    **{name: f"{{{{ params.{name} }}}}" for name in TRAINING_FIELDS},
}
"""What the form of a training holds as their arguments, as templates."""


def take_training_fields(arguments: dict[str, Any]) -> dict[str, Any]:
    """Take the training parameters out of an operator's arguments; what is not given has its default."""
    return {name: arguments.pop(name, field.get_default()) for name, field in TrainingParameters.model_fields.items()}


def training_parameters(task: Any) -> TrainingParameters:
    """Return the typed training parameters of a sensor or an operator whose fields are rendered.

    Raises
    ------
    ValueError
        They cannot be trained with, whatever the training set.
    """
    return TrainingParameters(**{name: getattr(task, name) for name in TRAINING_FIELDS})
