"""A table of labels and the archive become a training set."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG, Param, TriggerRule

from apogee_airflow import (
    ContinuumNormalizeOperator,
    FindTrainingSpectraOperator,
    SelectTrainingStarsOperator,
    WriteTrainingSetOperator,
)
from apogee_airflow.assets import TRAINING_SET
from apogee_airflow.pools import FILES_POOL, TRAINING_POOL
from apogee_airflow.retries import RETRIES
from apogee_labels.apogee.archive.nights import DEFAULT_TELESCOPE, telescopes
from apogee_labels.core.settings import Settings

SETTINGS = Settings()

DOC = """
### Make a training set

Give a table of stars whose labels are known: SDSS's allStar, a summary of Astra's, or a CSV file, below the data folder or
the archive.  Columns are found by name: the star (`APOGEE_ID`, `obj`, `sdss4_apogee_id`), its `telescope` and `field` (or
`healpix`), the labels (`TEFF`, `LOGG`, `FE_H`, `M_H`, ... in capital or small letters), and what there is of `SNR`,
`STARFLAG`, `ASPCAPFLAG`, `EXTRATARG` and the flags of labels.  The log of `select_stars` has a table of what each cut took
out; of several entries of a star the best is taken.

The stars' files are normalised as the nightly DAGs do; what is done already is not done again.  Stars are chosen from those
whose file is in the archive, or, with `use_remote`, from all: then what is not here is fetched.  Stars whose file does not
come, and rejected ones, are left out and counted.

The set is written in the tutorial's format, and beside it as `.npz`, both with what they were made from.  The same table and
spectra give the same file.  By default it is the installation's training set: `cannon_training` sees a new content and
trains on it.
"""

_FLAG = ["bad", "any", "off"]
PARAMS = {
    "label_table": Param(
        "allStar.fits", type="string", title="Table of labels",
        description="FITS or CSV, below the data folder or the archive; a relative path counts from the data folder.",
    ),
    "label_names": Param(
        list(SETTINGS.label_names), type="array", items={"type": "string"}, title="Labels, in the order wanted"
    ),
    "min_snr": Param(100, type="number", minimum=0, title="Least signal-to-noise ratio"),
    "ranges": Param(
        {"TEFF": [3500, 5300], "LOGG": [None, 4.0]}, type="object", title="Ranges of labels",
        description='Least and greatest, null for none, e.g. {"TEFF": [3500, 5300], "LOGG": [null, 4]} for red giants.',
    ),
    "aspcapflag": Param(
        "bad", type="string", enum=_FLAG, title="ASPCAPFLAG", description="Leave out what it calls bad, any, or do not look"
    ),
    "starflag": Param(
        "bad", type="string", enum=_FLAG, title="STARFLAG", description="Leave out what it calls bad, any, or do not look"
    ),
    "label_flags": Param(True, type="boolean", title="Leave out stars with a flag on a label (FE_H_FLAG)"),
    "max_stars": Param(
        2000, type=["null", "integer"], minimum=1, maximum=20000, title="At most so many stars",
        description="Chosen evenly over the labels, the highest S/N first; each takes 140 kB of memory.",
    ),
    "least_share": Param(
        0.2, type="number", minimum=0, maximum=1, title="Close pixels that fewer than this share of the stars have"
    ),
    "telescope": Param(
        DEFAULT_TELESCOPE, type="string", enum=telescopes(), title="Telescope of entries that do not say"
    ),
    "use_remote": Param(False, type="boolean", title="Fetch what is not here from the SDSS"),
    "output": Param(
        str(SETTINGS.training_set), type="string", title="Training set to write (.pkl or .npz)",
        description="Below the data folder, or the installation's training set.",
    ),
}  # fmt: skip
CUTS = ("min_snr", "aspcapflag", "starflag", "label_flags", "ranges", "max_stars")

with DAG(
    dag_id="cannon_training_set",
    schedule=None,
    start_date=datetime(2011, 4, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    params=PARAMS,
    default_args=RETRIES,
    render_template_as_native_obj=True,
    doc_md=DOC,
    tags=["apogee", "cannon"],
):
    plan = SelectTrainingStarsOperator(
        task_id="select_stars",
        label_table="{{ params.label_table }}",
        label_names="{{ params.label_names }}",
        cuts={name: f"{{{{ params.{name} }}}}" for name in CUTS},
        continuum_regions_path=str(SETTINGS.continuum_regions),
        telescope="{{ params.telescope }}",
        least_share="{{ params.least_share }}",
        use_remote="{{ params.use_remote }}",
    )
    paths = FindTrainingSpectraOperator(
        task_id="find_spectra", plan_id=plan.output, use_remote="{{ params.use_remote }}"
    )
    normalize = ContinuumNormalizeOperator.partial(
        task_id="normalize",
        continuum_regions_path=str(SETTINGS.continuum_regions),
        sum_axis=0,
        pool=FILES_POOL,
        map_index_template="{{ label }}",
    ).expand(apstar_paths=paths.output)
    write = WriteTrainingSetOperator(
        task_id="write_training_set",
        plan_id=plan.output,
        output_path="{{ params.output }}",
        pool=TRAINING_POOL,
        trigger_rule=TriggerRule.ALL_DONE,
        outlets=[TRAINING_SET],
    )
    normalize >> write
