"""Plot a trained model: ``python -m apogee_labels.cannon.plots MODEL FOLDER``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from apogee_labels.cannon.model import CannonModel
from apogee_labels.cannon.plots.pages import write_plots
from apogee_labels.core.errors import BadInputError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and say which page to open."""
    parser = argparse.ArgumentParser(prog="python -m apogee_labels.cannon.plots", description="Plot a trained model.")
    parser.add_argument("model", type=Path, help="a model's file (below models/ of the data folder)")
    parser.add_argument("folder", type=Path, help="where the pages are written")
    options = parser.parse_args(arguments)
    try:
        pages = write_plots(CannonModel.read(options.model), options.folder)
    except (BadInputError, OSError) as fault:
        sys.stderr.write(f"{fault}\n")
        return 1
    sys.stdout.write(f"{pages['index']}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
