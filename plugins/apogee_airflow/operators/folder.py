"""The first and the last task of a watched folder: which of its files are due, and what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from apogee_airflow.templated import Templated

if TYPE_CHECKING:
    from airflow.sdk import Context

    from apogee_airflow.params.forms import FolderParameters
    from apogee_labels.pipeline.identities import ResultIdentities
    from apogee_labels.pipeline.workspace import Workspace


class _FolderOperator(BaseOperator):
    """What the two have in common: a model, and what the form asks for.

    Parameters
    ----------
    model_id
        Identity of the model that the run is pinned to (templated); empty: no model is in force.
    parameters
        Fields of :class:`apogee_airflow.params.forms.FolderParameters` (templated): ``folder``, below the archive or the
        data folder; ``settle_seconds``, for which a file must not have changed; ``sum_axis``, as the normalising
        tasks have it.
    """

    template_fields: Sequence[str] = ("model_id", "parameters")
    ui_color = "#e8daef"

    def __init__(self, *, model_id: Templated, parameters: Templated, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model_id = model_id
        self.parameters = parameters

    def asked(self) -> FolderParameters:
        """Return what the form asks for."""
        from apogee_airflow.params.forms import FolderParameters

        return FolderParameters(**self.parameters)

    def identities(self, workspace: Workspace) -> ResultIdentities:
        """Return what identifies the files' products."""
        from apogee_labels.pipeline.identities import ResultIdentities

        return ResultIdentities.nightly(workspace.settings.continuum_regions, visits=self.asked().sum_axis is None)


class ListFolderOperator(_FolderOperator):
    """Put a folder's new files on record and return the paths of those that are due, in batches: an instance each.

    Parameters
    ----------
    max_instances
        Up to so many files, an instance is one file; above, each takes several.
    """

    def __init__(self, *, max_instances: int = 300, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.max_instances = max_instances

    def execute(self, context: Context) -> list[list[str]]:
        """List the folder."""
        from apogee_labels.pipeline.ingest.folder import list_folder
        from apogee_labels.pipeline.nights.night import batches
        from apogee_labels.pipeline.workspace import Workspace

        asked = self.asked()
        with Workspace.open() as workspace:
            due = list_folder(
                workspace,
                asked.folder,
                self.identities(workspace),
                self.model_id or None,
                settle_time=asked.settle_seconds,
            )
        return batches(due, max_batches=self.max_instances)


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
            outcomes = file_outcomes(workspace, paths, self.identities(workspace), self.model_id or None)
        for outcome in outcomes:
            for line in outcome.lines():
                self.log.info("%s", line)
        unfinished = [outcome.obj for outcome in outcomes if outcome.result is None and outcome.reason is None]
        if unfinished:
            raise AirflowFailException(f"unfinished: {', '.join(unfinished)}; clear the failed tasks of this run.")
        return dict(Counter("labels" if outcome.result else str(outcome.reason) for outcome in outcomes))
