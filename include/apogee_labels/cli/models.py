"""What is made from a model's file: its plots, and the continuum regions that it shows."""

from __future__ import annotations

from pathlib import Path

import click

MODEL = click.argument("model", type=click.Path(path_type=Path))


@click.command()
@MODEL
@click.argument("folder", type=click.Path(path_type=Path))
def plots(model: Path, folder: Path) -> None:
    """Plot a trained MODEL (a file below models/ of the data folder) into a FOLDER, and say which page to open."""
    from apogee_labels.cannon.model import CannonModel
    from apogee_labels.cannon.plots.pages import write_plots

    click.echo(write_plots(CannonModel.read(model), folder)["index"])


@click.command()
@MODEL
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default="continuum_regions.txt",
    show_default=True,
    help="The file to write.",
)
@click.option("--tolerance", default=0.015, show_default=True, help="Largest distance of the baseline from 1.")
@click.option("--share", default=0.065, show_default=True, help="Share of the pixels that are to be continuum.")
@click.option("--note", "notes", multiple=True, help="A line for the head of the file; may be repeated.")
def regions(model: Path, out: Path, tolerance: float, share: float, notes: tuple[str, ...]) -> None:
    """Find the continuum regions of a trained MODEL by the criterion of Ness et al. (2015), and write them."""
    from apogee_labels.cannon.continuum.regions import as_regions, describe, select_continuum, write_regions
    from apogee_labels.cannon.model import CannonModel

    trained = CannonModel.read(model)
    selection = select_continuum(trained, tolerance=tolerance, share=share)
    lines = describe(selection, trained.wavelength)
    found = as_regions(trained.wavelength, selection.pixels)
    provenance = [
        "Continuum regions: low and high, half-open [low, high), vacuum Angstrom; edges halfway between pixels.",
        f"Made by: apogee-labels regions {model.name} --tolerance {tolerance:g} --share {share:g}",
        f"Criterion (Ness et al. 2015): baseline within {tolerance:.1%} of 1, smallest label coefficients.",
    ]
    write_regions(out, found, [*provenance, *notes, *lines])
    click.echo("\n".join([*lines, f"{len(found)} regions written to {out}"]))
