"""Which normalised products are on disk, and which of them need not be."""

from __future__ import annotations

import click


@click.command()
@click.option("--delete", is_flag=True, help="Delete; without it, only report.")
@click.option("--superseded-days", type=float, metavar="AGE", help="Products of rewritten files; default: 30.")
@click.option(
    "--rebuildable-days", type=float, metavar="AGE", help="Products that can be made anew; default: they stay."
)
@click.option("--leftover-days", type=float, metavar="AGE", help="What a crash left; default: 1.")
def retention(delete: bool, **days: float | None) -> None:
    """Report which normalised products need not be on disk, by their age in days; with --delete, delete them."""
    from apogee_labels.pipeline.parameters import RetentionPolicy
    from apogee_labels.pipeline.products.retention import retain
    from apogee_labels.pipeline.workspace import Workspace

    policy = RetentionPolicy(**{name: age for name, age in days.items() if age is not None})
    with Workspace.open() as workspace:
        report = retain(workspace, policy, delete=delete)
    click.echo("\n".join(report.lines()))
