"""What the DAGs make and take, as Airflow's assets: the asset graph of the UI tells how one comes from the other.

An event only wakes a DAG and tells people what was made; what is to be done is decided from the catalogue, so that a lost
event, or one for a paused DAG, loses nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, AssetAlias

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context

GROUP = "apogee_airflow"

TRAINING_SET = Asset(name="cannon_training_set", uri="apogee-cannon://training-set", group=GROUP)
"""The training set file that models are trained on."""

MODEL = Asset(name="cannon_model", uri="apogee-cannon://model", group=GROUP)
"""A trained model with its report, in force or not."""

MODEL_IN_FORCE = Asset(name="cannon_model_in_force", uri="apogee-cannon://model-in-force", group=GROUP)
"""The model by which the current results are."""

NORMALIZED_SPECTRA = Asset(name="apogee_normalized_spectra", uri="apogee-cannon://normalized-spectra", group=GROUP)
"""The products of continuum normalisation."""

LABEL_CATALOG = Asset(name="apogee_label_catalog", uri="apogee-cannon://label-catalog", group=GROUP)
"""The labels in the catalogue, and the table of all stars."""

NIGHT_TABLES = Asset(name="apogee_night_tables", uri="apogee-cannon://night-tables", group=GROUP)
"""The tables of single nights."""

OUTDATED_RESULTS = Asset(name="apogee_outdated_results", uri="apogee-cannon://outdated-results", group=GROUP)
"""A night that was pinned to an older model has ended: its stars lack a result by the one in force."""

OUTDATED_RESULTS_ALIAS = AssetAlias(name="apogee_outdated_results_found", group=GROUP)
"""The way to :data:`OUTDATED_RESULTS` for a task that has such an event only at times."""


def describe_event(operator: BaseOperator, context: Context, asset: Asset, **extra: Any) -> None:
    """Put `extra` beside the event of an asset, if it is among the operator's outlets: an operator works without any."""
    if asset in operator.outlets:
        context["outlet_events"][asset].extra = extra


def suppress_events(operator: BaseOperator, *assets: Asset) -> None:
    """Let the task end without an event for these assets: nothing of theirs has changed.

    Airflow 3.3.2 emits one for every outlet of a task that succeeds.  It asks the operator for them when `execute` has
    ended, and that is a copy which this try of the task has for itself: the DAG keeps its outlets.
    """
    operator.outlets = [outlet for outlet in operator.outlets if outlet not in assets]
