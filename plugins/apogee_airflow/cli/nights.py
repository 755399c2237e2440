"""Nights by all their names, their backfill lines, and why one is not done.

A night is named by its SDSS MJD (59280), the local date of its evening (2021-03-06), a range of either (59280-59286,
2021-03-06..2021-03-08), a moment or logical date (2021-03-07T16:48Z), or the id of a run.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from apogee_airflow.cli.asked import asked_mjds
from apogee_airflow.cli.backfill import backfill_lines, finished
from apogee_airflow.cli.translation import HEADINGS, NightNames, as_text
from apogee_labels.apogee.archive.nights import OBSERVATORIES, Observatory, observatory

PASSED_ON = ("reprocess_behavior", "max_active_runs", "dag_run_conf")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        for line in options.lines(options):
            sys.stdout.write(f"{line}\n")
    except (ValueError, RuntimeError) as error:
        sys.stderr.write(f"nights: {error}\n")
        return 1
    except BrokenPipeError:  # the reader has seen enough
        return 0
    return 0


def show(options: argparse.Namespace) -> Iterator[str]:
    """Yield a table of nights by all their names."""
    names = [NightNames(site, mjd) for site in _sites(options) for mjd in asked_mjds(site, options.nights)]
    yield from as_text(HEADINGS, [each.row() for each in names])


def backfill(options: argparse.Namespace) -> Iterator[str]:
    """Yield the command lines that make the runs of the nights, and comments on what they leave out."""
    lines: list[str] = []
    for site in _sites(options):
        over, not_over = finished(site, asked_mjds(site, options.nights), datetime.now(UTC))
        if not_over:
            yield f"# {site.telescope}: MJD {_listed(not_over)} not over yet: a backfill leaves it out."
        of_site = backfill_lines(site, over, options=_passed_on(options), airflow=shlex.split(options.airflow))
        if len(of_site) > 1:
            yield f"# {site.telescope}: one backfill of a DAG at a time: start each line when the one before it has ended."
        lines += of_site
        yield from of_site
    if not lines:
        raise ValueError("none of these nights is over: there is nothing to backfill.")


def why(options: argparse.Namespace) -> Iterator[str]:
    """Yield what the catalogue knows of a night; of several, a line each."""
    from apogee_airflow.cli.why import lines_of_night, lines_of_nights
    from apogee_labels.pipeline.nights.night_status import night_status, nights_overview
    from apogee_labels.pipeline.workspace import Workspace

    site = observatory(options.telescope)
    mjds = asked_mjds(site, options.nights)
    with Workspace.open() as workspace:
        if len(mjds) == 1:
            status = night_status(workspace, site.telescope, mjds[0])
            text = lines_of_night(status, every_file=options.every_file)
            yield from [json.dumps(status.as_json(), indent=2)] if options.json else text
        else:
            rows = [
                row for row in nights_overview(workspace, mjds[0], mjds[-1], [site.telescope]) if row.night.mjd in mjds
            ]
            yield from (
                [json.dumps([row.as_json() for row in rows], indent=2)] if options.json else lines_of_nights(rows)
            )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m apogee_airflow.cli.nights",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="show|backfill|why")
    shown = _add(commands, "show", "the night by all its names, at both telescopes", show)
    lines = _add(commands, "backfill", "the exact `airflow backfill create` lines of nights", backfill)
    for command in (shown, lines):
        command.add_argument("nights", nargs="+", metavar="NIGHT", help="SDSS MJD, date, range, moment or run id")
        command.add_argument("--telescope", choices=list(OBSERVATORIES), help="one telescope only")
    lines.add_argument(
        "--reprocess-behavior", choices=("none", "failed", "completed"), help="nights that have a run: ..."
    )
    lines.add_argument("--max-active-runs", type=_positive, metavar="N", help="nights at once")
    lines.add_argument("--run-backwards", action="store_true", help="the newest night first")
    lines.add_argument(
        "--dag-run-conf", type=_json, metavar="JSON", help="params of the runs, e.g. '{\"max_instances\": 50}'"
    )
    lines.add_argument("--dry-run", action="store_true", help="lines that only show the runs")
    lines.add_argument("--airflow", default="airflow", metavar="COMMAND", help="how airflow is called here")
    told = _add(commands, "why", "why a night is not done", why)
    told.add_argument("telescope", choices=list(OBSERVATORIES))
    told.add_argument("nights", nargs="+", metavar="NIGHT", help="SDSS MJD, date, range, moment or run id")
    told.add_argument("--every-file", action="store_true", help="also the files that are done")
    told.add_argument("--json", action="store_true", help="as JSON")
    return parser


def _add(
    commands: Any, name: str, text: str, lines: Callable[[argparse.Namespace], Iterator[str]]
) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    command.set_defaults(lines=lines)
    return command


def _sites(options: argparse.Namespace) -> list[Observatory]:
    return [observatory(options.telescope)] if options.telescope else list(OBSERVATORIES.values())


def _passed_on(options: argparse.Namespace) -> list[str]:
    """Return the options of ``airflow backfill create`` as they were given."""
    passed = [
        f for name in PASSED_ON if (value := getattr(options, name)) is not None for f in (_flag(name), str(value))
    ]
    return passed + [_flag(name) for name in ("run_backwards", "dry_run") if getattr(options, name)]


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _listed(mjds: Iterable[int]) -> str:
    mjds = list(mjds)
    return f"{mjds[0]} is" if len(mjds) == 1 else f"{mjds[0]} to {mjds[-1]} are"


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a number from 1 on, got {text!r}")
    return int(text)


def _json(text: str) -> str:
    try:
        if not isinstance(json.loads(text), dict):
            raise ValueError
    except ValueError:
        raise argparse.ArgumentTypeError(
            f'expected a JSON object such as {{"max_instances": 50}}, got {text!r}'
        ) from None
    return text


if __name__ == "__main__":
    sys.exit(main())
