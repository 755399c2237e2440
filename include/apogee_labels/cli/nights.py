"""Nights by all their names, their backfill lines, and why one is not done."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable
from datetime import UTC, datetime

import click

from apogee_labels.apogee.archive.nights import OBSERVATORIES, Observatory, observatory
from apogee_labels.cli.night_text import lines_of_night, lines_of_nights, table_lines
from apogee_labels.pipeline.nights.backfill import backfill_lines, finished
from apogee_labels.pipeline.nights.night_names import HEADINGS, NightNames, parse_nights

SITES = click.Choice(list(OBSERVATORIES))
NIGHTS = click.argument("names", nargs=-1, required=True, metavar="NIGHT...")
TELESCOPE = click.option("--telescope", type=SITES, help="One telescope only.")


@click.group()
def nights() -> None:
    """Nights by all their names, their backfill lines, and why one is not done.

    A NIGHT is an SDSS MJD (59280), the local date of its evening (2021-03-06), a range of either (59280-59286,
    2021-03-06..2021-03-08), a moment or logical date (2021-03-07T16:48Z), or the id of a run.
    """


@nights.command()
@NIGHTS
@TELESCOPE
def show(names: tuple[str, ...], telescope: str | None) -> None:
    """Show nights by all their names, at both telescopes."""
    found = [NightNames(site, mjd) for site in _sites(telescope) for mjd in parse_nights(site, names)]
    _echo(table_lines(HEADINGS, [each.row() for each in found]))


def _json_object(context: click.Context, parameter: click.Parameter, text: str | None) -> str | None:
    try:
        if text is not None and not isinstance(json.loads(text), dict):
            raise ValueError
    except ValueError:
        raise click.BadParameter(f'expected a JSON object such as {{"max_instances": 50}}, got {text!r}') from None
    return text


@nights.command()
@NIGHTS
@TELESCOPE
@click.option(
    "--reprocess-behavior", type=click.Choice(["none", "failed", "completed"]), help="Nights that have a run."
)
@click.option("--max-active-runs", type=click.IntRange(min=1), metavar="N", help="Nights at once.")
@click.option(
    "--dag-run-conf", callback=_json_object, metavar="JSON", help="Params of the runs, e.g. '{\"max_instances\": 50}'."
)
@click.option("--run-backwards", is_flag=True, help="The newest night first.")
@click.option("--dry-run", is_flag=True, help="Lines that only show the runs.")
@click.option("--airflow", default="airflow", show_default=True, metavar="COMMAND", help="How airflow is called here.")
def backfill(
    names: tuple[str, ...],
    telescope: str | None,
    airflow: str,
    run_backwards: bool,
    dry_run: bool,
    **passed_on: str | int | None,
) -> None:
    """Print the exact `airflow backfill create` lines of nights, and comments on what they leave out."""
    options = [text for name, value in passed_on.items() if value is not None for text in (_flag(name), str(value))]
    options += [flag for flag, given in (("--run-backwards", run_backwards), ("--dry-run", dry_run)) if given]
    any_night = False
    for site in _sites(telescope):
        over, not_over = finished(site, parse_nights(site, names), datetime.now(UTC))
        if not_over:
            click.echo(f"# {site.telescope}: MJD {_listed(not_over)} not over yet: a backfill leaves it out.")
        lines = backfill_lines(site, over, options=options, airflow=shlex.split(airflow))
        if len(lines) > 1:
            click.echo(
                f"# {site.telescope}: one backfill of a DAG at a time: start each line when the one before it has ended."
            )
        _echo(lines)
        any_night |= bool(lines)
    if not any_night:
        raise ValueError("none of these nights is over: there is nothing to backfill.")


@nights.command()
@click.argument("telescope", type=SITES)
@NIGHTS
@click.option("--every-file", is_flag=True, help="Also the files that are done.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def why(telescope: str, names: tuple[str, ...], every_file: bool, as_json: bool) -> None:
    """Say why a night is not done, from the catalogue; of several nights, a line each."""
    from apogee_labels.pipeline.nights.night_status import night_status, nights_overview
    from apogee_labels.pipeline.workspace import Workspace

    mjds = parse_nights(observatory(telescope), names)
    with Workspace.open() as workspace:
        if len(mjds) == 1:
            status = night_status(workspace, telescope, mjds[0])
            _echo(
                [json.dumps(status.as_json(), indent=2)] if as_json else lines_of_night(status, every_file=every_file)
            )
        else:
            rows = [row for row in nights_overview(workspace, mjds[0], mjds[-1], [telescope]) if row.night.mjd in mjds]
            _echo([json.dumps([row.as_json() for row in rows], indent=2)] if as_json else lines_of_nights(rows))


def _sites(telescope: str | None) -> list[Observatory]:
    return [observatory(telescope)] if telescope else list(OBSERVATORIES.values())


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _listed(mjds: list[int]) -> str:
    return f"{mjds[0]} is" if len(mjds) == 1 else f"{mjds[0]} to {mjds[-1]} are"


def _echo(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(line)
