"""The commands of a local Airflow: ``apogee-labels run``, ``serve`` and ``local``."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from apogee_labels.core.settings import DEFAULT_DATA_DIR
from apogee_local.environment import COMMAND, DEFAULT_HOME, Installation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FOLDER = click.Path(path_type=Path, resolve_path=True)


def _of_installation(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say which local Airflow is meant."""
    data = click.option("--data", type=FOLDER, default=DEFAULT_DATA_DIR, help="Archive, products and catalogue.")
    home = click.option("--home", type=FOLDER, default=DEFAULT_HOME, help="AIRFLOW_HOME of this Airflow.")
    return home(data(command))


@click.command()
@_of_installation
@click.option("--once", is_flag=True, help="End after the report, instead of serving until Ctrl-C.")
def run(home: Path, data: Path, once: bool) -> None:
    """Make a synthetic observatory, process its nights in a local Airflow, print the labels, serve until Ctrl-C."""
    _run(Installation(home, data, port()), once=once)


@click.command()
@_of_installation
def serve(home: Path, data: Path) -> None:
    """Serve a local Airflow on your own data, by the settings of your environment, until Ctrl-C."""
    _run(Installation(home, data, port()), own_data=True)


@click.command(context_settings={"allow_interspersed_args": False})
@_of_installation
@click.argument("command", nargs=-1, required=True, metavar="COMMAND...")
@click.pass_context
def local(context: click.Context, home: Path, data: Path, command: tuple[str, ...]) -> None:
    """Run a COMMAND in the environment of `run`: airflow ..., or one of apogee-labels' own, such as nights ..."""
    from apogee_labels.cli import main
    from apogee_local.processes import airflow_command

    environment = Installation(home, data, port()).environment()
    if command[0] == "airflow":
        context.exit(subprocess.run(airflow_command(*command[1:]), env=environment).returncode)
    os.environ.clear()
    os.environ.update(environment)
    is_default = (home, data) == (DEFAULT_HOME, DEFAULT_DATA_DIR)
    folders = () if is_default else ("--home", str(home), "--data", str(data))
    airflow = shlex.join([COMMAND, "local", *folders, "airflow"])  # in the lines of `nights backfill`
    main.main(command, standalone_mode=False, default_map={"nights": {"backfill": {"airflow": airflow}}})


def port() -> int:
    """Return the port that AIRFLOW_PORT names, or 8080.

    Raises
    ------
    click.ClickException
        It names none that a server of a user could have.
    """
    given = os.environ.get("AIRFLOW_PORT", "8080")
    if not given.isdigit() or not 1024 <= int(given) <= 65535:
        raise click.ClickException(
            f"AIRFLOW_PORT is {given!r}: expected a port from 1024 to 65535, e.g. AIRFLOW_PORT=8090 make run."
        )
    return int(given)


def _run(installation: Installation, **options: Any) -> None:
    """Run a local Airflow to its end, by which signal ever."""
    import httpx

    from apogee_local.run import run

    try:
        with _interrupted_by(signal.SIGTERM, signal.SIGHUP):
            all_well = run(installation, **options)
    except KeyboardInterrupt:
        click.echo("\nStopped; no process is left behind.")
        return
    except httpx.HTTPError as error:
        raise click.ClickException(str(error)) from error
    click.get_current_context().exit(0 if all_well else 1)


@contextmanager
def _interrupted_by(*numbers: signal.Signals) -> Iterator[None]:
    """Let signals end the block as Ctrl-C does; afterwards, and in processes that are forked then, they do what they did."""
    before = {number: signal.signal(number, _interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt
