"""The first and the last task of a watched folder: which of its files are due, and what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from apogee_airflow.templated import Templated, rendered_axis

if TYPE_CHECKING:
    from airflow.sdk import Context

    from apogee_labels.pipeline.identities import ResultIdentities


class _FolderOperator(BaseOperator):
    """What the two have in common: a folder, a model, and the parameters that the mapped tasks use.

    Parameters
    ----------
    folder
        Below the archive or the data folder (templated).
    model_id
        Identity of the model that the run is pinned to (templated); empty: no model is in force.
    continuum_regions_path, sum_axis
        As the normalising tasks of the same DAG have them (templated).
    """

    template_fields: Sequence[str] = ("folder", "model_id", "continuum_regions_path", "sum_axis")
    ui_color = "#e8daef"

    def __init__(
        self,
        *,
        folder: Templated,
        model_id: Templated,
        continuum_regions_path: Templated,
        sum_axis: Templated = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.folder = folder
        self.model_id = model_id
        self.continuum_regions_path = continuum_regions_path
        self.sum_axis = sum_axis

    def identities(self) -> ResultIdentities:
        """Return what identifies the files' products."""
        from pathlib import Path

        from apogee_labels.pipeline.identities import InferenceParameters, NormalizationParameters, ResultIdentities

        parameters = NormalizationParameters(
            regions=Path(self.continuum_regions_path), sum_axis=rendered_axis(self.sum_axis)
        )
        return ResultIdentities.of(parameters, InferenceParameters())


class ListFolderOperator(_FolderOperator):
    """Put a folder's new files on record and return the paths of those that are due, in batches: an instance each.

    Parameters
    ----------
    settle_time
        Seconds for which a file must not have changed (templated).
    max_instances
        Up to so many files, an instance is one file; above, each takes several (templated).
    """

    template_fields: Sequence[str] = (*_FolderOperator.template_fields, "settle_time", "max_instances")

    def __init__(self, *, settle_time: Templated = 60.0, max_instances: Templated = 300, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.settle_time = settle_time
        self.max_instances = max_instances

    def execute(self, context: Context) -> list[list[str]]:
        """List the folder."""
        from apogee_labels.pipeline.ingest.folder import list_folder
        from apogee_labels.pipeline.nights.night import batches
        from apogee_labels.pipeline.workspace import Workspace

        with Workspace.open() as workspace:
            due = list_folder(
                workspace,
                self.folder,
                self.identities(),
                self.model_id or None,
                settle_time=float(self.settle_time),
            )
        return batches(due, max_batches=int(self.max_instances))


class ReportFolderOperator(_FolderOperator):
    """Log what became of the files that a run took from a folder; fail when one is unfinished.

    Parameters
    ----------
    listed
        As :class:`ListFolderOperator` returned it (templated).
    """

    template_fields: Sequence[str] = (*_FolderOperator.template_fields, "listed")

    def __init__(self, *, listed: Templated, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.listed = listed

    def execute(self, context: Context) -> dict[str, int]:
        """Report a line a spectrum, and return how many files have labels, were rejected, or wait for a model."""
        from collections import Counter

        from apogee_labels.pipeline.stars.stars import file_outcomes
        from apogee_labels.pipeline.workspace import Workspace

        paths = [path for batch in self.listed or [] for path in batch]
        with Workspace.open() as workspace:
            outcomes = file_outcomes(workspace, paths, self.identities(), self.model_id or None)
        for outcome in outcomes:
            for line in outcome.lines():
                self.log.info("%s", line)
        unfinished = [outcome.obj for outcome in outcomes if outcome.result is None and outcome.reason is None]
        if unfinished:
            raise AirflowFailException(f"unfinished: {', '.join(unfinished)}; clear the failed tasks of this run.")
        return dict(Counter("labels" if outcome.result else str(outcome.reason) for outcome in outcomes))
