"""A synthetic archive, for the demo and for trying things out."""

from __future__ import annotations

from pathlib import Path

import click

POSITIVE = click.IntRange(min=1)
DAMAGED_STAR = 4
"""Index of the star whose file is cut short: one of apo25m, first seen on the third night of three."""


@click.command()
@click.argument("root", type=click.Path(path_type=Path))
@click.option("--release", default="dr17", show_default=True, help="dr16, dr17, sdss5 or their like: paths and layout.")
@click.option("--apred", default="", help="Version of the reduction; default: the release's own.")
@click.option("--nights", type=POSITIVE, default=3, show_default=True, help="Consecutive nights.")
@click.option("--stars", type=POSITIVE, default=60, show_default=True, help="Stars of both telescopes together.")
@click.option("--seed", default=1, show_default=True)
@click.option(
    "--training-set", type=click.Path(path_type=Path), help="Where to write a training set; default: none is written."
)
@click.option("--training-stars", type=POSITIVE, default=400, show_default=True, help="Stars in it.")
def simulate(
    root: Path,
    release: str,
    apred: str,
    nights: int,
    stars: int,
    seed: int,
    training_set: Path | None,
    training_stars: int,
) -> None:
    """Make a synthetic archive below ROOT (SAS_BASE_DIR).

    A few consecutive nights at both telescopes, some stars seen on several of them, one damaged file, the true labels in
    truth.csv and, if a path is given, a training set.  Run again, it changes nothing.
    """
    from apogee_labels.core.settings import REDUCTION_OF_RELEASE
    from apogee_labels.simulation.damage import Damage
    from apogee_labels.simulation.survey import TRUTH, SyntheticSurvey

    apred = apred or REDUCTION_OF_RELEASE.get(release, release)
    damage = {DAMAGED_STAR: Damage.TRUNCATED} if stars > DAMAGED_STAR else None
    survey = SyntheticSurvey(root, release, apred, seed, n_stars=stars, nights=nights, spoilt=damage)
    click.echo(f"synthetic survey, seed {seed}: {stars} stars, {release} {apred}")
    paths = survey.observe_all()
    click.echo(f"{len(paths)} apStar files below {root}, nights {survey.nights[0]} to {survey.nights[-1]}")
    click.echo(f"true labels: {root / TRUTH}")
    for index in survey.spoilt:
        click.echo(f"cut short on purpose: {survey.path(survey.stars[index]).name}")
    if training_set is not None:
        written = survey.write_training_set(training_set, training_stars)
        click.echo(f"training set of {training_stars} stars: {training_set}{'' if written else ' (unchanged)'}")
