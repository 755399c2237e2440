"""The command ``apogee-labels``: a module a group of subcommands, which imports what it needs when it is called.

What belongs to Airflow comes in by the entry points ``apogee_labels.commands`` of the packages that use it.
"""

from __future__ import annotations

from importlib.metadata import entry_points

import click

from apogee_labels import __version__
from apogee_labels.cli import catalog, lineage, models, nights, retention, simulate, stars, training_sets

ENTRY_POINTS = "apogee_labels.commands"


class Commands(click.Group):
    """The subcommands of this package and, behind them, those of the entry points; a fault is one line and code 1."""

    def list_commands(self, context: click.Context) -> list[str]:
        """Return the names of all subcommands."""
        return sorted({*super().list_commands(context), *entry_points(group=ENTRY_POINTS).names})

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """Return a subcommand by its name."""
        if found := super().get_command(context, name):
            return found
        for entry in entry_points(group=ENTRY_POINTS, name=name):
            command: click.Command = entry.load()
            return command
        return None

    def invoke(self, context: click.Context) -> object:
        """Run the subcommand.

        Raises
        ------
        click.ClickException
            It was given what cannot be, or needs Airflow where there is none.
        """
        try:
            return super().invoke(context)
        except ModuleNotFoundError as missing:
            if (missing.name or "").partition(".")[0] != "airflow":
                raise
            raise click.ClickException(
                "this command needs Apache Airflow: call it where that is, or pip install 'apogee-labels[airflow]'."
            ) from None
        except (
            click.exceptions.Exit,
            click.Abort,
            BrokenPipeError,
        ):  # they are RuntimeErrors and an OSError: click's own
            raise
        except (ValueError, RuntimeError, OSError) as fault:
            raise click.ClickException(str(fault)) from fault


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="apogee-labels")
def main() -> None:
    """Stellar labels from APOGEE spectra with The Cannon.

    The settings of the environment (SAS_BASE_DIR, APOGEE_LABELS_DATA_DIR, ...) say which installation is meant.
    """


for _command in (
    catalog.catalog,
    lineage.lineage,
    models.plots,
    models.regions,
    nights.nights,
    retention.retention,
    simulate.simulate,
    stars.stars,
    training_sets.training_sets,
):
    main.add_command(_command)
