"""A table of labels and the archive become a training set."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG, TriggerRule

from apogee_airflow import (
    ContinuumNormalizeOperator,
    FindTrainingSpectraOperator,
    SelectTrainingStarsOperator,
    WriteTrainingSetOperator,
)
from apogee_airflow.assets import TRAINING_SET
from apogee_airflow.params.forms import TrainingSetForm, form_value, params_form
from apogee_airflow.pools import FILES_POOL, TRAINING_POOL
from apogee_airflow.retries import RETRIES
from apogee_labels.apogee.tables.cuts import Cuts
from apogee_labels.core.settings import Settings
from apogee_labels.pipeline.parameters import TrainingSetParameters

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

PARAMS = (
    params_form(TrainingSetForm, defaults={"output": str(SETTINGS.training_set)})
    | params_form(
        TrainingSetParameters, exclude={"normalization", "cuts"}, defaults={"label_names": list(SETTINGS.label_names)}
    )
    | params_form(Cuts)
)
ORDER = ("label_table", "label_names", *Cuts.model_fields, "least_share", "telescope", "use_remote", "output")

with DAG(
    dag_id="cannon_training_set",
    schedule=None,
    start_date=datetime(2011, 4, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    params={name: PARAMS[name] for name in ORDER},
    default_args=RETRIES,
    render_template_as_native_obj=True,
    doc_md=DOC,
    tags=["apogee", "cannon"],
):
    plan = SelectTrainingStarsOperator(
        task_id="select_stars",
        label_table="{{ params.label_table }}",
        label_names="{{ params.label_names }}",
        cuts=form_value(Cuts),
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
