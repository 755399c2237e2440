"""The part of a form that says what a new model may be worse by, and how long a person is waited for."""

from __future__ import annotations

from airflow.sdk import Param

from apogee_airflow.templated import Templated
from apogee_labels.pipeline.models.judgement import Tolerances

TITLES = {
    "rms_percent": ("rms may be larger by, %", "Of each label of stars held back; what chance does comes on top."),
    "least_teff": ("Differences of TEFF that never count, K", "In rms and bias."),
    "least_logg": ("The same of LOGG, dex", "In rms and bias."),
    "least_abundance": ("The same of abundances, dex", "In rms and bias."),
    "shift_teff": ("TEFF of reference stars may move by, K", "In the mean, against the model in force."),
    "shift_logg": ("LOGG of reference stars may move by, dex", "In the mean, against the model in force."),
    "shift_abundance": ("Abundances of reference stars may move by, dex", "In the mean, against the model in force."),
    "shift_errors": ("Any other label may move by, in its errors", "In the mean of the reference stars."),
    "pull_low": ("Pulls from", "Width of residuals over errors, for each label."),
    "pull_high": ("Pulls to", "The same."),
    "chi_square_low": ("Median reduced chi-square from", "Of stars held back."),
    "chi_square_high": ("Median reduced chi-square to", "Of stars held back."),
    "failed_percent": ("Stars without labels, %", "Of stars held back, and of reference stars."),
    "outside_percent": ("Reference stars newly outside the training set, %", "Their labels are extrapolated."),
    "first_teff": ("First model: rms of TEFF up to, K", "Where no model of the name is in force."),
    "first_logg": ("First model: rms of LOGG up to, dex", "Where no model of the name is in force."),
    "first_abundance": ("First model: rms of abundances up to, dex", "Where no model of the name is in force."),
    "first_spread_percent": ("First model: rms up to, % of the spread", "Of the training labels' standard deviation."),
}
"""Titles and descriptions of the tolerances, as people read them."""

TOLERANCES: dict[str, Templated] = {name: f"{{{{ params.{name} }}}}" for name in TITLES}
"""The tolerances of a run as an operator's argument, as templates."""


def acceptance_form() -> dict[str, Param]:
    """Return the tolerances, with their defaults, and the days until no answer means no."""
    defaults = Tolerances().as_json()
    section = "When a model comes into force by itself"
    form = {
        name: Param(
            defaults[name], type="number", minimum=0, title=title, description=description, section=section
        )
        for name, (title, description) in TITLES.items()
    }  # fmt: skip
    return form | {
        "answer_days": Param(
            7, type="number", exclusiveMinimum=0, title="Days to answer", section=section,
            description="Where a person is asked: no answer by then means no, and the model in force stays.",
        )
    }  # fmt: skip
