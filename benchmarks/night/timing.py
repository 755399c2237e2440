"""How long a run took, from its task instances as Airflow's REST API gives them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Any

MAPPED = ("normalize", "infer")
"""The two tasks of a file."""


class RunFailedError(RuntimeError):
    """A run that was to be measured did not end well; the message says which task instances did not."""


@dataclass(frozen=True)
class RunTimes:
    """Wall-clock times of a run, seconds.

    Parameters
    ----------
    mapped
        From the start of the first mapped task instance to the end of the last.
    whole
        From the start of the run to its end.
    instance
        Median length of a mapped instance, from the start of its process to its end; by task.
    n_mapped
        Mapped instances that ran.
    cpu
        CPU seconds of all of Airflow's processes during the run.
    """

    mapped: float
    whole: float
    instance: Mapping[str, float]
    n_mapped: int
    cpu: float

    @property
    def rate(self) -> float:
        """Mapped instances a second."""
        return self.n_mapped / self.mapped


def run_times(run: Mapping[str, Any], instances: Iterable[Mapping[str, Any]], cpu: float) -> RunTimes:
    """Measure a run that has ended.

    Parameters
    ----------
    run, instances
        A run and all its task instances, as ``GET dagRuns/{id}`` and ``.../taskInstances`` answer.
    cpu
        CPU seconds of Airflow's processes meanwhile.

    Raises
    ------
    RunFailedError
        The run, or an instance of it, was no success: there is nothing to compare.
    """
    instances = list(instances)
    unwell = [_name(each) for each in instances if each["state"] != "success"]
    if run["state"] != "success" or unwell:
        raise RunFailedError(
            f"run {run['dag_run_id']} is {run['state']}; not a success: {', '.join(unwell) or 'none'}."
        )
    mapped = [each for each in instances if each["task_id"] in MAPPED]
    return RunTimes(
        mapped=_length(mapped),
        whole=_length([run]),
        instance={task: median(_length([each]) for each in mapped if each["task_id"] == task) for task in MAPPED},
        n_mapped=len(mapped),
        cpu=cpu,
    )


def quickest(times: Sequence[RunTimes]) -> RunTimes:
    """Return the run whose mapped part was the shortest: the others were disturbed."""
    return min(times, key=lambda each: each.mapped)


def _length(intervals: Sequence[Mapping[str, Any]]) -> float:
    """Seconds from the first start to the last end."""
    starts = [datetime.fromisoformat(each["start_date"]) for each in intervals]
    ends = [datetime.fromisoformat(each["end_date"]) for each in intervals]
    return (max(ends) - min(starts)).total_seconds()


def _name(instance: Mapping[str, Any]) -> str:
    return f"{instance['task_id']}[{instance['map_index']}] {instance['state']}"
