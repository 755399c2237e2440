"""The tutorial: one star, or a list of them, from the archive or the SDSS server to stellar labels."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG, Param, TriggerRule, task_group

from apogee_airflow import (
    ApStarSensor,
    FetchApStarOperator,
    ListStarsOperator,
    ReportStarsOperator,
    TrainCannonOperator,
)
from apogee_airflow.analysis import normalize_and_infer
from apogee_airflow.assets import MODEL, TRAINING_SET
from apogee_airflow.params.forms import TRAINING_ARGUMENTS, training_form
from apogee_airflow.pools import FILES_POOL, TRAINING_POOL
from apogee_airflow.retries import RETRIES
from apogee_labels.apogee.archive.nights import DEFAULT_TELESCOPE, telescopes
from apogee_labels.core.settings import Settings

SETTINGS = Settings()

DOC = """
### One star, or a list

Give the keys of one star, or a list of scheduled observations: as JSON, as a table that is pasted, or as a CSV file.
Each star is waited for on its own (`wait_hours`), fetched if that is asked (`use_remote`), normalised and inferred; the
model is trained first, if there is none with these parameters.  What is done already is not done again.  `report` shows
the labels; a star that did not come, or was rejected, is listed there with its reason, and the run is green: that is a
result.  It is red when something is left unfinished.  Nothing is started with a list that has a fault: the log of
`list_stars` says in which lines.

A table has a header, with any of these columns: `obj` (or `APOGEE_ID`), `telescope`, `field`, `healpix`, `release`,
`apred`, `apstar`, `prefix`.  Blank lines and those that begin with `#` do not count:

    obj,telescope,field
    2M16505794-2118004,apo25m,000+14
"""


def _text(title: str, default: str | None, description: str = "") -> Param:
    return Param(default, type=["null", "string"], title=title, description=description)


PARAMS = {
    "obj": _text("Star", None, "Name as in the file, e.g. 2M16505794-2118004"),
    "telescope": Param(DEFAULT_TELESCOPE, type="string", enum=telescopes(), title="Telescope"),
    "field": _text("Field", None, "Up to DR17, e.g. 000+14"),
    "healpix": Param(None, type=["null", "integer"], title="HEALPix", description="DR19 and later, instead of the field"),
    "release": _text("Release", SETTINGS.release),
    "apred": _text("Reduction", None, "Version of the reduction; empty: the release's own"),
    "apstar": _text("Combination", "stars"),
    "prefix": _text("Prefix", None, "ap or as; empty: the telescope's"),
    "stars": Param(
        [], type="array", items={"type": "object"}, title="Or a list of stars",
        description='Objects with the keys above, e.g. [{"obj": "2M16505794-2118004", "field": "000+14"}]; '
        "what one does not say is taken from the fields above.",
    ),
    "stars_csv": Param(
        None, type=["null", "string"], format="multiline", title="Or a table of stars",
        description="Paste CSV with a header, e.g. obj,telescope,field; what a row does not say is taken from the fields "
        "above.",
    ),
    "stars_file": _text(
        "Or a file with such a table", None, "Path of a CSV file below the data folder or the archive (SAS_BASE_DIR)"
    ),
    "use_remote": Param(False, type="boolean", title="Fetch what is not here from the SDSS"),
    "wait_hours": Param(0, type="number", minimum=0, maximum=8760, title="Wait for files (hours)"),
    "sum_axis": Param(
        0, type=["null", "integer"], enum=[0, None], title="Stack the visits (0), or labels a visit (empty)"
    ),
    **training_form(SETTINGS),
}  # fmt: skip

with DAG(
    dag_id="apogee_stars",
    schedule=None,
    start_date=datetime(2011, 4, 1, tzinfo=UTC),
    catchup=False,
    params=PARAMS,
    default_args=RETRIES,
    render_template_as_native_obj=True,
    doc_md=DOC,
    tags=["apogee", "tutorial"],
):
    stars = ListStarsOperator(task_id="list_stars")
    train = TrainCannonOperator(
        task_id="train", pool=TRAINING_POOL, inlets=[TRAINING_SET], outlets=[MODEL], **TRAINING_ARGUMENTS
    )

    @task_group(group_id="star", prefix_group_id=False)
    def analyse(star: dict[str, object], model_id: str) -> None:
        """The way of one star."""
        wait = ApStarSensor(
            task_id="wait_for_apstar",
            star=star,
            wait="{{ params.wait_hours }}",
            settle_time=0,
            use_remote="{{ params.use_remote }}",
            poke_interval=10,
            map_index_template="{{ label }}",
        )
        fetch = FetchApStarOperator(
            task_id="fetch_apstar",
            star=star,
            use_remote="{{ params.use_remote }}",
            pool=FILES_POOL,
            map_index_template="{{ label }}",
        )
        normalize_and_infer(
            fetch.output,
            model_id,
            continuum_regions_path=str(SETTINGS.continuum_regions),
            sum_axis="{{ params.sum_axis }}",
        )
        wait >> fetch

    report = ReportStarsOperator(
        task_id="report",
        stars=stars.output,
        model_id=train.output,
        continuum_regions_path=str(SETTINGS.continuum_regions),
        sum_axis="{{ params.sum_axis }}",
        fetch_task_id="fetch_apstar",
        trigger_rule=TriggerRule.ALL_DONE,
    )
    stars >> train  # nothing is started with a list that has a fault
    analyse.partial(model_id=train.output).expand(star=stars.output) >> report
