"""Training sets made from a table of labels and the archive."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from apogee_labels.pipeline.parameters import TrainingSetParameters
    from apogee_labels.pipeline.training_sets.training_plan import TrainingPlan
    from apogee_labels.pipeline.workspace import Workspace

FLAG = click.Choice(["bad", "any", "off"])
OPTIONS = (
    click.argument("table", type=click.Path(path_type=Path)),
    click.option("--label", "label_names", multiple=True, help="A label; may be repeated; default: the setting's labels."),
    click.option("--min-snr", type=float, help="Least signal-to-noise ratio; default: 100."),
    click.option(
        "--range", "ranges", type=(str, float, float), multiple=True, metavar="LABEL LOW HIGH",
        help="Least and greatest value of a label, inf for no limit; may be repeated.  Default: red giants.",
    ),
    click.option("--aspcapflag", type=FLAG, help="Leave out what ASPCAPFLAG calls bad (default), any, or do not look."),
    click.option("--starflag", type=FLAG, help="The same for STARFLAG."),
    click.option("--label-flags/--no-label-flags", default=None, help="Leave out stars with a flag on a label (default)."),
    click.option("--max-stars", type=click.IntRange(min=1), help="At most so many stars; default: 2000."),
    click.option("--least-share", type=float, help="Close pixels that a smaller share of the stars has; default: 0.2."),
    click.option("--telescope", help="Telescope of the entries that do not say; default: apo25m."),
    click.option("--use-remote", is_flag=True, help="Fetch what is not here from the SDSS, and choose from all stars."),
)  # fmt: skip
OF_CUTS = ("min_snr", "ranges", "aspcapflag", "starflag", "label_flags", "max_stars")


def _choosing(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(OPTIONS):
        command = option(command)
    return command


@click.group("training-sets")
def training_sets() -> None:
    """Training sets from a TABLE of stars with known labels (FITS or CSV) and the archive."""


@training_sets.command()
@_choosing
def plan(table: Path, use_remote: bool, **options: Any) -> None:
    """Choose the stars, and show what each cut takes out."""
    from apogee_labels.pipeline.training_sets.training_plan import plan_training_set
    from apogee_labels.pipeline.workspace import Workspace

    with Workspace.open() as workspace:
        _show(plan_training_set(workspace, table, _parameters(workspace, options), only_here=not use_remote))


@training_sets.command()
@_choosing
@click.option(
    "--output", type=click.Path(path_type=Path), help="File to write, .pkl or .npz; default: the installation's set."
)
def make(table: Path, use_remote: bool, output: Path | None, **options: Any) -> None:
    """Make a training set: choose the stars, normalise their spectra, write the set as .pkl and .npz."""
    from apogee_labels.pipeline.training_sets.make_training_set import make_training_set
    from apogee_labels.pipeline.workspace import Workspace

    with Workspace.open() as workspace:
        report = make_training_set(workspace, table, _parameters(workspace, options), output, use_remote=use_remote)
    _show(report.plan)
    left_out = ", ".join(f"{number} {reason}" for reason, number in report.left_out.items()) or "none"
    click.echo(f"left out: {left_out}; {report.n_closed} pixels closed")
    click.echo(f"{report.path}: {report.n_stars} stars{'' if report.is_new else ' (unchanged)'}")


def _parameters(workspace: Workspace, options: Mapping[str, Any]) -> TrainingSetParameters:
    """Turn what was given into parameters; what was not has its default there."""
    from apogee_labels.apogee.tables.cuts import Cuts
    from apogee_labels.pipeline.identities import NormalizationParameters
    from apogee_labels.pipeline.parameters import TrainingSetParameters

    given = {name: value for name, value in options.items() if value not in (None, ())}
    if "ranges" in given:
        given["ranges"] = {name: tuple(map(_limit, limits)) for name, *limits in given["ranges"]}
    cuts = Cuts(**{name: given.pop(name) for name in OF_CUTS if name in given})
    given.setdefault("label_names", workspace.settings.label_names)
    normalization = NormalizationParameters(regions=workspace.settings.continuum_regions)
    return TrainingSetParameters(normalization=normalization, cuts=cuts, **given)


def _limit(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _show(chosen: TrainingPlan) -> None:
    from apogee_labels.pipeline.training_sets.training_plan import steps_text

    click.echo(steps_text(chosen.steps))
