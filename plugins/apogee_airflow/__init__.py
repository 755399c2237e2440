"""APOGEE spectra and The Cannon in Airflow: operators, sensors, triggers and the timetable of observing nights.

The classes below are imported when they are first used: the scheduler loads this package for its timetable alone.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from apogee_airflow.operators.approval import ApproveModelOperator
    from apogee_airflow.operators.fetch import FetchApStarOperator, FetchNightOperator
    from apogee_airflow.operators.folder import ListFolderOperator, ReportFolderOperator
    from apogee_airflow.operators.infer import InferLabelsOperator
    from apogee_airflow.operators.models import AcceptModelOperator, PinModelOperator, PutModelInForceOperator
    from apogee_airflow.operators.nights import ListApStarsOperator, PublishNightOperator
    from apogee_airflow.operators.normalize import ContinuumNormalizeOperator
    from apogee_airflow.operators.reanalysis import PlanReanalysisOperator, PublishReanalysisOperator, ReanalyseOperator
    from apogee_airflow.operators.retention import RetainProductsOperator
    from apogee_airflow.operators.stars import ListStarsOperator, ReportStarsOperator
    from apogee_airflow.operators.summary import PublishSummaryOperator
    from apogee_airflow.operators.train import TrainCannonOperator
    from apogee_airflow.operators.training_set import (
        FindTrainingSpectraOperator,
        SelectTrainingStarsOperator,
        WriteTrainingSetOperator,
    )
    from apogee_airflow.operators.validate import ValidateModelOperator
    from apogee_airflow.sensors.apstar import ApStarSensor
    from apogee_airflow.sensors.training_set import TrainingSetSensor
    from apogee_airflow.timetables.observing_night import ObservingNightTimetable

_MODULE_OF = {
    "AcceptModelOperator": "apogee_airflow.operators.models",
    "ApproveModelOperator": "apogee_airflow.operators.approval",
    "ApStarSensor": "apogee_airflow.sensors.apstar",
    "ContinuumNormalizeOperator": "apogee_airflow.operators.normalize",
    "FetchApStarOperator": "apogee_airflow.operators.fetch",
    "FetchNightOperator": "apogee_airflow.operators.fetch",
    "FindTrainingSpectraOperator": "apogee_airflow.operators.training_set",
    "InferLabelsOperator": "apogee_airflow.operators.infer",
    "ListApStarsOperator": "apogee_airflow.operators.nights",
    "ListFolderOperator": "apogee_airflow.operators.folder",
    "ListStarsOperator": "apogee_airflow.operators.stars",
    "ObservingNightTimetable": "apogee_airflow.timetables.observing_night",
    "PinModelOperator": "apogee_airflow.operators.models",
    "PlanReanalysisOperator": "apogee_airflow.operators.reanalysis",
    "PublishNightOperator": "apogee_airflow.operators.nights",
    "PublishReanalysisOperator": "apogee_airflow.operators.reanalysis",
    "ReanalyseOperator": "apogee_airflow.operators.reanalysis",
    "PutModelInForceOperator": "apogee_airflow.operators.models",
    "ReportFolderOperator": "apogee_airflow.operators.folder",
    "PublishSummaryOperator": "apogee_airflow.operators.summary",
    "ReportStarsOperator": "apogee_airflow.operators.stars",
    "RetainProductsOperator": "apogee_airflow.operators.retention",
    "SelectTrainingStarsOperator": "apogee_airflow.operators.training_set",
    "TrainCannonOperator": "apogee_airflow.operators.train",
    "TrainingSetSensor": "apogee_airflow.sensors.training_set",
    "ValidateModelOperator": "apogee_airflow.operators.validate",
    "WriteTrainingSetOperator": "apogee_airflow.operators.training_set",
}

__all__ = [
    "AcceptModelOperator",
    "ApStarSensor",
    "ApproveModelOperator",
    "ContinuumNormalizeOperator",
    "FetchApStarOperator",
    "FetchNightOperator",
    "FindTrainingSpectraOperator",
    "InferLabelsOperator",
    "ListApStarsOperator",
    "ListFolderOperator",
    "ListStarsOperator",
    "ObservingNightTimetable",
    "PinModelOperator",
    "PlanReanalysisOperator",
    "PublishNightOperator",
    "PublishReanalysisOperator",
    "PublishSummaryOperator",
    "PutModelInForceOperator",
    "ReanalyseOperator",
    "ReportFolderOperator",
    "ReportStarsOperator",
    "RetainProductsOperator",
    "SelectTrainingStarsOperator",
    "TrainCannonOperator",
    "TrainingSetSensor",
    "ValidateModelOperator",
    "WriteTrainingSetOperator",
]


def __getattr__(name: str) -> object:
    """Import the module of a public class on first use."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULE_OF[name]), name)
