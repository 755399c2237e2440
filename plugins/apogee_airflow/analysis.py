"""What every DAG does with a file that is there: normalise it, then infer its labels."""

from __future__ import annotations

from apogee_airflow.operators.infer import InferLabelsOperator
from apogee_airflow.operators.normalize import ContinuumNormalizeOperator
from apogee_airflow.pools import FILES_POOL
from apogee_airflow.templated import Templated
from apogee_labels.core.settings import Settings


def normalize_and_infer(
    apstar_paths: Templated, model_id: Templated, *, sum_axis: Templated, reprocess: Templated = False
) -> None:
    """Wire the two tasks of a file, ``normalize`` and ``infer``, for use inside a mapped task group.

    Continua are fitted in the regions of the settings, as all that asks what is done takes for granted.
    """
    normalized = ContinuumNormalizeOperator(
        task_id="normalize",
        apstar_paths=apstar_paths,
        continuum_regions_path=str(Settings().continuum_regions),
        sum_axis=sum_axis,
        reprocess=reprocess,
        pool=FILES_POOL,
        map_index_template="{{ label }}",
    )
    InferLabelsOperator(
        task_id="infer",
        normalizations=normalized.output,
        model_id=model_id,
        reprocess=reprocess,
        pool=FILES_POOL,
        map_index_template="{{ label }}",
    )
