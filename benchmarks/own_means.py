"""What the means of our own bring, beside the library's in their place: ``python -m benchmarks.own_means``.

ARCHITECTURE.md ("What is our own, and why") has the table.  All files are warm; CPU time, the quickest run counts.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

from astropy.io.fits.hdu.hdulist import fitsopen
from threadpoolctl import threadpool_limits

from apogee_labels.apogee.spectra.apstar import read_apstar
from apogee_labels.cannon.continuum.normalization import normalize
from apogee_labels.cannon.io import normalized
from apogee_labels.cannon.threads import single_threaded
from apogee_labels.core.errors import BadInputError
from apogee_labels.fits.checked import read_checked
from benchmarks import machine
from benchmarks.clock import cost_of
from benchmarks.installation import make_installation
from benchmarks.isolated import ROOT
from benchmarks.report import table

N_FILES, REPEATS = 30, 3
TASK = """
import sys, time
sys.path[:0] = [".", "config", "plugins"]
from airflow_local_settings import preload
preload()
import our_code
start = time.process_time()
our_code._import(our_code.MODULES)
our_code._prepare()
middle = time.process_time()
our_code.forget_changed_code()
print(middle - start, time.process_time() - middle)
"""


def main() -> None:
    """Run the command line."""
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as folder:
        rows = measure(Path(folder))
    cells = [(name, f"{own:.3f} ms", f"{other:.3f} ms", f"{other / own:.1f}") for name, (own, other) in rows.items()]
    sys.stdout.write(table(("work", "own", "library's", "ratio"), cells))
    sys.stdout.write(f"\n\n{N_FILES} files. Best of {REPEATS}. {machine.line(machine.describe())}\n")


def measure(folder: Path) -> dict[str, tuple[float, float]]:
    """Milliseconds with our own means and with the library's, by what is done."""
    installation = make_installation(folder, None, N_FILES)
    paths, product = installation.paths, folder / "product.fits"
    star = read_apstar(paths[0])
    spectrum = normalize(star, installation.settings.continuum_regions)

    def write() -> None:
        normalized.write_normalized(product, spectrum, star=star, provenance={})

    write()
    with fitsopen(product, memmap=False, lazy_load_hdus=False) as hdus:
        write_by_astropy = _milliseconds(lambda: hdus.writeto(io.BytesIO(), checksum=True), 20)
    with patch("apogee_labels.fits.content.find_plain", lambda *_: None):
        without_plain = _milliseconds(lambda: [read_apstar(path) for path in paths], 1) / len(paths)
    imports, compare = _task()
    return {
        "apStar file read; headers by plain_header": (
            _milliseconds(lambda: [read_apstar(path) for path in paths], 1) / len(paths),
            without_plain,
        ),
        "product read; by product_file": (
            _milliseconds(lambda: normalized.read_normalized(product), 20),
            _milliseconds(lambda: read_checked(product, normalized._by_astropy, BadInputError), 20),
        ),
        "product written; by product_file": (_milliseconds(write, 20), write_by_astropy),
        "BLAS limited to a thread; by threads": (
            _milliseconds(single_threaded(lambda: None), 200),
            _milliseconds(threadpool_limits.wrap(limits=1, user_api="blas")(lambda: None), 200),
        ),
        "our modules in a task; by our_code": (compare, imports),
    }


def _task() -> tuple[float, float]:
    """Milliseconds of a task that imports our modules itself, and of one that compares inherited ones."""
    done = subprocess.run([sys.executable, "-c", TASK], cwd=ROOT, capture_output=True, text=True, check=True)
    imports, compare = map(float, done.stdout.split()[-2:])
    return 1000.0 * imports, 1000.0 * compare


def _milliseconds(work: Callable[[], object], times: int) -> float:
    work()  # what happens once a process
    return min(cost_of(lambda: [work() for _ in range(times)]).cpu for _ in range(REPEATS)) * 1000.0 / times


if __name__ == "__main__":
    main()
