"""The first and the last task of a night: which files are due, and what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from apogee_airflow.assets import (
    LABEL_CATALOG,
    NIGHT_TABLES,
    NORMALIZED_SPECTRA,
    OUTDATED_RESULTS,
    OUTDATED_RESULTS_ALIAS,
    describe_event,
    suppress_events,
)
from apogee_airflow.links import NightLink
from apogee_airflow.observing_night import is_backfill, is_scheduled, observing_mjd, scan_since
from apogee_airflow.templated import Templated

if TYPE_CHECKING:
    from airflow.sdk import Context

    from apogee_airflow.params.forms import NightParameters
    from apogee_labels.pipeline.identities import ResultIdentities
    from apogee_labels.pipeline.nights.night import NightKey, Scope
    from apogee_labels.pipeline.nights.publish import NightSummary
    from apogee_labels.pipeline.workspace import Workspace


class _NightOperator(BaseOperator):
    """What the two have in common: a night, a model, and what the form asks for.

    Parameters
    ----------
    telescope
        ``apo25m`` or ``lco25m``.
    model_id
        Identity of the model that the run is pinned to (templated); None: no model is in force.
    parameters
        Fields of :class:`apogee_airflow.params.forms.NightParameters` (templated); what is not named has its default.  With
        ``visits`` the run is about labels a visit, as normalising with ``sum_axis=None`` makes them, in the place of labels
        a star; they have a table of their own.
    """

    template_fields: Sequence[str] = ("telescope", "model_id", "parameters")
    ui_color = "#e8daef"

    def __init__(
        self, *, telescope: Templated, model_id: Templated, parameters: Templated = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.telescope = telescope
        self.model_id = model_id
        self.parameters = parameters

    def asked(self) -> NightParameters:
        """Return what the form asks for."""
        from apogee_airflow.params.forms import NightParameters

        return NightParameters(**self.parameters or {})

    def night(self, context: Context) -> NightKey:
        """Return the night of this run."""
        from apogee_labels.pipeline.nights.night import NightKey

        return NightKey(self.telescope, observing_mjd(context, self.telescope), context["dag_run"].run_id)

    def identities(self, workspace: Workspace) -> ResultIdentities:
        """Return what identifies the night's products: of stacked visits, or of visits one by one."""
        from apogee_labels.pipeline.identities import ResultIdentities

        return ResultIdentities.nightly(workspace.settings.continuum_regions, visits=self.asked().visits)


class ListApStarsOperator(_NightOperator):
    """Scan the archive and return the paths of the files that are due, in batches: one mapped instance each.

    A scheduled run also takes what came late, or was rewritten, for the nights before it; a backfill run takes its own
    night only, and always several files an instance.  What is still being written is left for a later run.

    Parameters
    ----------
    scanned_since
        The run's own wait began to scan the archive then (ISO 8601, templated): if that is not a minute ago, it serves.
    """

    template_fields: Sequence[str] = (*_NightOperator.template_fields, "scanned_since")

    def __init__(self, *, scanned_since: Templated = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scanned_since = scanned_since

    def execute(self, context: Context) -> list[list[str]]:
        """List the night and put the listing on record."""
        from apogee_labels.pipeline.nights.night import batches, list_night
        from apogee_labels.pipeline.workspace import Workspace

        asked = self.asked()
        with Workspace.open() as workspace:
            due = list_night(
                workspace,
                self.night(context),
                self.identities(workspace),
                self.model_id or None,
                self._scope(context, asked, workspace.settings.start_date),
                since=scan_since(self.scanned_since),
                settle_time=asked.settle_seconds,
            )
        at_least = asked.backfill_batch if is_backfill(context) else 1
        return batches(due, max_batches=asked.max_instances, at_least=at_least)

    def _scope(self, context: Context, asked: NightParameters, start_date: date | None) -> Scope:
        from apogee_labels.apogee.archive.nights import observatory
        from apogee_labels.pipeline.nights.night import Scope

        return Scope(
            late_nights=asked.late_nights if is_scheduled(context) else 0,
            first_night=observatory(self.telescope).mjd_of_local_date(start_date) if start_date else None,
            reprocess=asked.reprocess,
        )


class PublishNightOperator(_NightOperator):
    """Write the night's table and say what became of every file, from the catalogue and not from XComs.

    Fails when something that was listed has neither a result nor a rejection, or when a share of more than
    ``max_rejected_share`` was rejected.  With the alias
    ``apogee_outdated_results_found`` among its outlets, a night that was pinned to another model than the one in force now
    says so by an event of the asset ``apogee_outdated_results``.
    """

    operator_extra_links = (NightLink(),)

    def execute(self, context: Context) -> dict[str, Any]:
        """Publish, log the summary and return its counts."""
        from apogee_labels.pipeline.analysis.reanalysis import overtaken_by
        from apogee_labels.pipeline.nights.publish import publish_night
        from apogee_labels.pipeline.workspace import Workspace

        with Workspace.open() as workspace:
            summary = publish_night(workspace, self.night(context), self.identities(workspace))
            newer = overtaken_by(workspace, summary.outcome)
        for line in summary.lines():
            self.log.info("%s", line)
        if fault := summary.fault(max_rejected_share=self.asked().max_rejected_share):
            raise AirflowFailException(fault)
        self._tell(context, summary)
        if newer is not None:
            self.log.info("model %s came into force meanwhile: its labels of this night follow", newer.id[:12])
            about: dict[str, Any] = {
                "telescope": summary.outcome.telescope,
                "mjd": summary.outcome.mjd,
                "model": newer.id,
            }
            context["outlet_events"][OUTDATED_RESULTS_ALIAS].add(OUTDATED_RESULTS, extra=about)
        return summary.as_json()

    def _tell(self, context: Context, summary: NightSummary) -> None:
        """Say beside the events of the assets what the night gave; a night that gave nothing has none."""
        from apogee_labels.catalog.records import FileStatus

        counts = summary.outcome.counts
        done, normalised = counts[FileStatus.DONE], counts[FileStatus.DONE] + counts[FileStatus.NORMALIZED]
        night = {
            "telescope": summary.outcome.telescope,
            "mjd": summary.outcome.mjd,
            "model_id": summary.outcome.model_id,
        }
        table = {"path": str(summary.table), "content": summary.content, "stars": summary.n_stars}
        for asset, is_new, extra in (
            (NORMALIZED_SPECTRA, normalised, {"spectra": normalised}),
            (LABEL_CATALOG, done, {"results": done}),
            (NIGHT_TABLES, summary.written, table),
        ):
            if is_new:
                describe_event(self, context, asset, **night, **extra)
            else:
                suppress_events(self, asset)
