"""Make the demo archive: ``python -m apogee_labels.simulation ROOT --training-set PATH``.

A few consecutive nights at both telescopes, some stars seen on several of them, one damaged file, the true labels in
``truth.csv`` and, if a path is given, a training set.  Run again, it changes nothing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from apogee_labels.core.settings import REDUCTION_OF_RELEASE
from apogee_labels.simulation.damage import Damage
from apogee_labels.simulation.survey import TRUTH, SyntheticSurvey

_SPOILT = 4
"""Index of the star whose file is cut short: one of apo25m, first seen on the third night of three."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and say what was made."""
    options = _parser().parse_args(arguments)
    apred = options.apred or REDUCTION_OF_RELEASE.get(options.release, options.release)
    survey = SyntheticSurvey(
        options.root,
        options.release,
        apred,
        options.seed,
        n_stars=options.stars,
        nights=options.nights,
        spoilt={_SPOILT: Damage.TRUNCATED} if options.stars > _SPOILT else None,
    )
    _say(f"synthetic survey, seed {options.seed}: {options.stars} stars, {options.release} {apred}")
    paths = survey.observe_all()
    _say(f"{len(paths)} apStar files below {options.root}, nights {survey.nights[0]} to {survey.nights[-1]}")
    _say(f"true labels: {options.root / TRUTH}")
    for index in survey.spoilt:
        _say(f"cut short on purpose: {survey.path(survey.stars[index]).name}")
    if options.training_set is not None:
        written = survey.write_training_set(options.training_set, options.training_stars)
        _say(
            f"training set of {options.training_stars} stars: {options.training_set}{'' if written else ' (unchanged)'}"
        )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m apogee_labels.simulation", description=__doc__)
    parser.add_argument("root", type=Path, help="root of the archive (SAS_BASE_DIR)")
    parser.add_argument("--release", default="dr17", help="dr16, dr17, sdss5 or their like: paths and layout")
    parser.add_argument("--apred", default="", help="version of the reduction; default: the release's own")
    parser.add_argument("--nights", type=_positive, default=3, help="consecutive nights")
    parser.add_argument("--stars", type=_positive, default=60, help="stars of both telescopes together")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--training-set", type=Path, help="where to write a training set; default: none is written")
    parser.add_argument("--training-stars", type=_positive, default=400, help="stars in it")
    return parser


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, got {value}")
    return value


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
