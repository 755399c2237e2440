"""What the DAGs make and take, as Airflow's assets: the asset graph of the UI tells how one comes from the other.

An event only wakes a DAG and tells people what was made; what is to be done is decided from the catalogue, so that a lost
event, or one for a paused DAG, loses nothing.
"""

from __future__ import annotations

from airflow.sdk import Asset, AssetAlias

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
