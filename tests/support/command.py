"""The command apogee-labels, called in this process."""

from __future__ import annotations

from click.testing import CliRunner, Result

from apogee_labels.cli import main


def call(*arguments: object) -> Result:
    """Call ``apogee-labels``; the result has ``exit_code``, ``stdout`` and ``stderr``."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)


def output_of(*arguments: object) -> str:
    """Return what a call prints that ends well."""
    result = call(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout
