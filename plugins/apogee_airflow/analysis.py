"""What every DAG does with a file that is there: normalise it, then infer its labels."""

from __future__ import annotations

from apogee_airflow.operators.infer import InferLabelsOperator
from apogee_airflow.operators.normalize import ContinuumNormalizeOperator
from apogee_airflow.pools import FILES_POOL
from apogee_airflow.templated import Templated


def normalize_and_infer(
    apstar_paths: Templated,
    model_id: Templated,
    *,
    continuum_regions_path: Templated,
    sum_axis: Templated,
    reprocess: Templated = False,
) -> None:
    """Wire the two tasks of a file, ``normalize`` and ``infer``, for use inside a mapped task group."""
    normalized = ContinuumNormalizeOperator(
        task_id="normalize",
        apstar_paths=apstar_paths,
        continuum_regions_path=continuum_regions_path,
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
