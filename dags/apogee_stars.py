"""The tutorial: one star, or a list of them, from the archive or the SDSS server to stellar labels."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG, Param, TriggerRule, task_group

from apogee_cannon import (
    ApStarSensor,
    FetchApStarOperator,
    ListStarsOperator,
    ReportStarsOperator,
    TrainCannonOperator,
)
from apogee_cannon.analysis import normalize_and_infer
from apogee_cannon.forms import TRAINING_ARGUMENTS, training_form
from apogee_cannon.pools import FILES_POOL, TRAINING_POOL
from apogee_cannon.retries import RETRIES
from include.settings import Settings

SETTINGS = Settings()

DOC = """
### One star, or a list

Give the keys of one star, or a list of stars.  Each is waited for (`wait_hours`), fetched if that is asked (`use_remote`),
normalised and inferred; the model is trained first, if there is none with these parameters.  What is done already is not
done again.  `report` shows the labels; a star that did not come, or was rejected, is listed there with its reason.
"""


def _text(title: str, default: str | None, description: str = "") -> Param:
    return Param(default, type=["null", "string"], title=title, description=description)


PARAMS = {
    "obj": _text("Star", None, "Name as in the file, e.g. 2M16505794-2118004"),
    "telescope": Param("apo25m", type="string", enum=["apo25m", "lco25m", "apo1m"], title="Telescope"),
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
    train = TrainCannonOperator(task_id="train", pool=TRAINING_POOL, **TRAINING_ARGUMENTS)

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
        trigger_rule=TriggerRule.ALL_DONE,
    )
    analyse.partial(model_id=train.output).expand(star=stars.output) >> report
