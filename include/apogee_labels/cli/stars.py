"""What is known of a star."""

from __future__ import annotations

from pathlib import Path

import click


@click.group()
def stars() -> None:
    """What is known of a star."""


@stars.command()
@click.argument("obj", metavar="STAR")
@click.argument("folder", type=click.Path(path_type=Path))
def page(obj: str, folder: Path) -> None:
    """Plot the labels of a STAR (2M16505794-2118004), visit by visit, into a FOLDER, and say which page to open."""
    from apogee_labels.pipeline.stars.star_page import write_star_page
    from apogee_labels.pipeline.workspace import Workspace

    with Workspace.open() as workspace:
        click.echo(write_star_page(workspace, obj, folder))
