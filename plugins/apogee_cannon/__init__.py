"""APOGEE spectra and The Cannon in Airflow: operators, sensors, triggers and the timetable of observing nights.

The classes below are imported when they are first used: the scheduler loads this package for its timetable alone.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from apogee_cannon.operators.approval import ApproveModelOperator
    from apogee_cannon.operators.fetch import FetchApStarOperator
    from apogee_cannon.operators.fetch_night import FetchNightOperator
    from apogee_cannon.operators.folder import ListFolderOperator, ReportFolderOperator
    from apogee_cannon.operators.infer import InferLabelsOperator
    from apogee_cannon.operators.models import AcceptModelOperator, PinModelOperator, PutModelInForceOperator
    from apogee_cannon.operators.nights import ListApStarsOperator, PublishNightOperator
    from apogee_cannon.operators.normalize import ContinuumNormalizeOperator
    from apogee_cannon.operators.reanalysis import PlanReanalysisOperator, PublishReanalysisOperator, ReanalyseOperator
    from apogee_cannon.operators.retention import RetainProductsOperator
    from apogee_cannon.operators.stars import ListStarsOperator, ReportStarsOperator
    from apogee_cannon.operators.summary import PublishSummaryOperator
    from apogee_cannon.operators.train import TrainCannonOperator
    from apogee_cannon.operators.training_set import (
        FindTrainingSpectraOperator,
        SelectTrainingStarsOperator,
        WriteTrainingSetOperator,
    )
    from apogee_cannon.operators.validate import ValidateModelOperator
    from apogee_cannon.sensors.apstar import ApStarSensor
    from apogee_cannon.sensors.training_set import TrainingSetSensor
    from apogee_cannon.timetable import ObservingNightTimetable

_MODULE_OF = {
    "AcceptModelOperator": "apogee_cannon.operators.models",
    "ApproveModelOperator": "apogee_cannon.operators.approval",
    "ApStarSensor": "apogee_cannon.sensors.apstar",
    "ContinuumNormalizeOperator": "apogee_cannon.operators.normalize",
    "FetchApStarOperator": "apogee_cannon.operators.fetch",
    "FetchNightOperator": "apogee_cannon.operators.fetch_night",
    "FindTrainingSpectraOperator": "apogee_cannon.operators.training_set",
    "InferLabelsOperator": "apogee_cannon.operators.infer",
    "ListApStarsOperator": "apogee_cannon.operators.nights",
    "ListFolderOperator": "apogee_cannon.operators.folder",
    "ListStarsOperator": "apogee_cannon.operators.stars",
    "ObservingNightTimetable": "apogee_cannon.timetable",
    "PinModelOperator": "apogee_cannon.operators.models",
    "PlanReanalysisOperator": "apogee_cannon.operators.reanalysis",
    "PublishNightOperator": "apogee_cannon.operators.nights",
    "PublishReanalysisOperator": "apogee_cannon.operators.reanalysis",
    "ReanalyseOperator": "apogee_cannon.operators.reanalysis",
    "PutModelInForceOperator": "apogee_cannon.operators.models",
    "ReportFolderOperator": "apogee_cannon.operators.folder",
    "PublishSummaryOperator": "apogee_cannon.operators.summary",
    "ReportStarsOperator": "apogee_cannon.operators.stars",
    "RetainProductsOperator": "apogee_cannon.operators.retention",
    "SelectTrainingStarsOperator": "apogee_cannon.operators.training_set",
    "TrainCannonOperator": "apogee_cannon.operators.train",
    "TrainingSetSensor": "apogee_cannon.sensors.training_set",
    "ValidateModelOperator": "apogee_cannon.operators.validate",
    "WriteTrainingSetOperator": "apogee_cannon.operators.training_set",
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
