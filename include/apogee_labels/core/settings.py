"""The settings of an installation, from the environment; what changes from run to run is a DAG parameter instead."""

from __future__ import annotations

import difflib
import json
import os
import re
from datetime import date
from pathlib import Path
from typing import Annotated

from pydantic import AliasChoices, Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from apogee_labels.core.labels import DEFAULT_LABELS

PREFIX = "APOGEE_LABELS_"
FORMER_PREFIX = "APOGEE_CANNON_"
"""Of the settings before version 0.6."""
PACKAGE = Path(__file__).resolve().parent.parent
PROJECT_ROOT = PACKAGE.parent.parent
"""The checkout that the package lies in; where it was installed from a wheel, no folder to write into."""
SHIPPED_REGIONS = PACKAGE / "data" / "continuum_regions.txt"
DEFAULT_DATA_DIR = PROJECT_ROOT / "data" if (PROJECT_ROOT / "dags").is_dir() else Path.home() / "apogee-labels"
ADDRESS = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+")
REDUCTION_OF_RELEASE = {
    "dr12": "r5",
    "dr13": "l30e.2",
    "dr14": "r8",
    "dr15": "r8",
    "dr16": "r12",
    "dr17": "dr17",
    "dr19": "1.3",
    "dr20": "1.4",
    "sdss5": "1.3",
}


class Settings(BaseSettings):
    """Where the archive, the products and the catalogue are, and which model an installation runs.

    Each field is read from ``APOGEE_LABELS_<NAME>`` (``SAS_BASE_DIR`` keeps the name that SDSS gave it); each has a default
    that works.  An unknown name with the prefix is an error, because it is a misspelt setting.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", validate_default=True)

    data_dir: Path = Field(
        DEFAULT_DATA_DIR,
        description="Products, models and the embedded catalogue; default: data/ of a checkout, else ~/apogee-labels.",
    )
    sas_base_dir: Path = Field(
        Path(),
        validation_alias=AliasChoices("SAS_BASE_DIR", "sas_base_dir"),
        description="Root of the local SDSS archive; default: sas/ below data_dir.",
    )
    release: str = Field("dr17", pattern=r"^[a-z0-9]+$", description="SDSS release whose paths the archive follows.")
    apred: str = Field("", description="Version of the reduction; default: the release's own.")
    catalog_url: str = Field("", description="SQLAlchemy URL of the catalogue; default: SQLite below data_dir.")
    training_set: Path = Field(Path(), description="The training set; default: training_set.pkl below data_dir.")
    continuum_regions: Path = Field(SHIPPED_REGIONS, description="Continuum regions; default: the shipped list.")
    label_names: Annotated[tuple[str, ...], NoDecode] = Field(
        DEFAULT_LABELS, min_length=1, description="Labels that the model learns, in this order."
    )
    order: int = Field(2, ge=1, le=4, description="Polynomial order of the model.")
    regularization: float = Field(0.0, ge=0.0, allow_inf_nan=False, description="L1 strength of the training.")
    training_memory_gb: float | None = Field(
        None,
        gt=0.0,
        allow_inf_nan=False,
        description="Memory that a training may take, GB; default: 80 % of the machine's or the container's.",
    )
    model_name: str = Field("giants", pattern=r"^[a-z0-9_-]+$", description="Name under which a model is in force.")
    reference_stars: Path | None = Field(
        None,
        description="Text file of stars, a name a line, on which new models are compared; default: chosen by itself.",
    )
    start_date: date | None = Field(
        None,
        description="First night of the scheduled ingestion; not set: nights before the installation are not caught up.",
    )
    remote_base: str | None = Field(
        None,
        pattern=r"^https?://",
        description="Mirror that missing files are fetched from; default: SDSS's own server.",
    )
    visit_summary: Path | None = Field(
        None, description="SDSS's allVisit file, or a CSV of its columns: which stars a night should have."
    )
    notify: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Who is written to when a night fails or takes too long; default: nobody."
    )
    night_deadline_hours: float = Field(
        18.0,
        gt=0.0,
        le=8760.0,
        # A run begins when its night ends, may wait 12 hours for files by default, and has 6 more for its work and retries.
        description="Hours after which a night's run is late, counted from when it was queued: at the night's end.",
    )

    @field_validator("label_names", "notify", mode="before")
    @classmethod
    def _split_names(cls, value: object) -> object:
        """Accept ``TEFF,LOGG,FE_H``, ``TEFF LOGG FE_H`` or a JSON list."""
        if isinstance(value, str):
            return (
                tuple(json.loads(value)) if value.lstrip().startswith("[") else tuple(value.replace(",", " ").split())
            )
        return value

    @field_validator("label_names")
    @classmethod
    def _distinct_names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) != len(value):
            raise ValueError(f"label names must differ, got {', '.join(value)}")
        return value

    @field_validator("notify")
    @classmethod
    def _addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for address in value:
            if not ADDRESS.fullmatch(address):
                raise ValueError(
                    f"{address!r} is not an e-mail address: expected such as night@example.org, with commas between."
                )
        return value

    @model_validator(mode="before")
    @classmethod
    def _fill_defaults(cls, values: dict[str, object]) -> dict[str, object]:
        """Defaults that follow from other settings; an empty variable counts as one that is not set."""
        values = {key: value for key, value in values.items() if value not in ("", None)}
        data_dir = Path(str(values.get("data_dir", DEFAULT_DATA_DIR))).expanduser().absolute()
        release = str(values.get("release", "dr17"))
        sas = values.pop("SAS_BASE_DIR", None) or values.pop("sas_base_dir", None) or data_dir / "sas"
        values.setdefault("apred", REDUCTION_OF_RELEASE.get(release, release))
        values.setdefault("catalog_url", f"sqlite:///{data_dir / 'catalog.db'}")
        values.setdefault("training_set", data_dir / "training_set.pkl")
        return values | {"data_dir": data_dir, "SAS_BASE_DIR": Path(str(sas)).expanduser().absolute()}

    @model_validator(mode="after")
    def _no_unknown_names(self) -> Settings:
        known = {name.upper() for name in type(self).model_fields if name != "sas_base_dir"}
        for variable in os.environ:
            if variable.startswith(FORMER_PREFIX):
                raise ValueError(
                    f"{variable}: since version 0.6 its name is {PREFIX}{variable.removeprefix(FORMER_PREFIX)}."
                )
            name = variable.removeprefix(PREFIX)
            if variable.startswith(PREFIX) and name not in known:
                close = difflib.get_close_matches(name, known, 1)
                hint = f"did you mean {PREFIX}{close[0]}?" if close else f"known are {', '.join(sorted(known))}."
                raise ValueError(f"{variable} is not a setting: {hint}")
        return self
