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
)
from apogee_airflow.events import tell, tell_nothing
from apogee_airflow.links import NightLink
from apogee_airflow.observing_night import is_backfill, is_scheduled, observing_mjd, scan_since
from apogee_airflow.templated import Templated, rendered_flag

if TYPE_CHECKING:
    from airflow.sdk import Context

    from apogee_labels.pipeline.identities import ResultIdentities
    from apogee_labels.pipeline.nights.night import NightKey, Scope
    from apogee_labels.pipeline.nights.publish import NightSummary


class _NightOperator(BaseOperator):
    """What the two have in common: a night, a model, and the parameters that its mapped tasks use.

    Parameters
    ----------
    telescope
        ``apo25m`` or ``lco25m``.
    model_id
        Identity of the model that the run is pinned to (templated); None: no model is in force.
    continuum_regions_path
        As the normalising tasks of the same DAG have it (templated): it is part of what decides whether a file is done.
    visits
        Whether the run is about labels a visit, as normalising with ``sum_axis=None`` makes them, in the place of labels a
        star (templated); they have a table of their own.
    """

    template_fields: Sequence[str] = ("telescope", "model_id", "continuum_regions_path", "visits")
    ui_color = "#e8daef"

    def __init__(
        self,
        *,
        telescope: Templated,
        model_id: Templated,
        continuum_regions_path: Templated,
        visits: Templated = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.telescope = telescope
        self.model_id = model_id
        self.continuum_regions_path = continuum_regions_path
        self.visits = visits

    def night(self, context: Context) -> NightKey:
        """Return the night of this run."""
        from apogee_labels.pipeline.nights.night import NightKey

        return NightKey(self.telescope, observing_mjd(context, self.telescope), context["dag_run"].run_id)

    def identities(self) -> ResultIdentities:
        """Return what identifies the night's products: of stacked visits, or of visits one by one."""
        from pathlib import Path

        from apogee_labels.pipeline.identities import ResultIdentities

        return ResultIdentities.nightly(Path(self.continuum_regions_path), visits=rendered_flag(self.visits))


class ListApStarsOperator(_NightOperator):
    """Scan the archive and return the paths of the files that are due, in batches: one mapped instance each.

    A scheduled run also takes what came late, or was rewritten, for the nights before it; a backfill run takes its own
    night only, and always several files an instance.  What is still being written is left for a later run.

    Parameters
    ----------
    late_nights
        How many nights before its own a scheduled run looks at (templated).
    max_instances
        Up to so many files, an instance is one file; above, each takes as many files as keep the number of instances
        below it (templated).
    backfill_batch
        Files an instance, at least, in a backfill (templated).
    reprocess
        List all files of the night as due, also those that are complete or rejected (templated).
    settle_time
        Seconds after its last change for which a file that is not whole may still be growing (templated).
    scanned_since
        The run's own wait began to scan the archive then (ISO 8601, templated): if that is not a minute ago, it serves.
    """

    template_fields: Sequence[str] = (
        *_NightOperator.template_fields,
        "late_nights",
        "max_instances",
        "backfill_batch",
        "reprocess",
        "settle_time",
        "scanned_since",
    )

    def __init__(
        self,
        *,
        late_nights: Templated = 14,
        max_instances: Templated = 300,
        backfill_batch: Templated = 64,
        reprocess: Templated = False,
        settle_time: Templated = 600.0,
        scanned_since: Templated = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.late_nights = late_nights
        self.max_instances = max_instances
        self.backfill_batch = backfill_batch
        self.reprocess = reprocess
        self.settle_time = settle_time
        self.scanned_since = scanned_since

    def execute(self, context: Context) -> list[list[str]]:
        """List the night and put the listing on record."""
        from apogee_labels.pipeline.nights.night import batches, list_night
        from apogee_labels.pipeline.workspace import Workspace

        with Workspace.open() as workspace:
            due = list_night(
                workspace,
                self.night(context),
                self.identities(),
                self.model_id or None,
                self._scope(context, workspace.settings.start_date),
                since=scan_since(self.scanned_since),
                settle_time=float(self.settle_time),
            )
        at_least = int(self.backfill_batch) if is_backfill(context) else 1
        return batches(due, max_batches=int(self.max_instances), at_least=at_least)

    def _scope(self, context: Context, start_date: date | None) -> Scope:
        from apogee_labels.apogee.archive.nights import observatory
        from apogee_labels.pipeline.nights.night import Scope

        return Scope(
            late_nights=int(self.late_nights) if is_scheduled(context) else 0,
            first_night=observatory(self.telescope).mjd_of_local_date(start_date) if start_date else None,
            reprocess=rendered_flag(self.reprocess),
        )


class PublishNightOperator(_NightOperator):
    """Write the night's table and say what became of every file, from the catalogue and not from XComs.

    Fails when something that was listed has neither a result nor a rejection, or when too much was rejected.  With the alias
    ``apogee_outdated_results_found`` among its outlets, a night that was pinned to another model than the one in force now
    says so by an event of the asset ``apogee_outdated_results``.

    Parameters
    ----------
    max_rejected_share
        Share of rejected files, of those listed, above which the task fails (templated).
    """

    template_fields: Sequence[str] = (*_NightOperator.template_fields, "max_rejected_share")
    operator_extra_links = (NightLink(),)

    def __init__(self, *, max_rejected_share: Templated = 0.5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.max_rejected_share = max_rejected_share

    def execute(self, context: Context) -> dict[str, Any]:
        """Publish, log the summary and return its counts."""
        from apogee_labels.pipeline.analysis.reanalysis import overtaken_by
        from apogee_labels.pipeline.nights.publish import publish_night
        from apogee_labels.pipeline.workspace import Workspace

        with Workspace.open() as workspace:
            summary = publish_night(workspace, self.night(context), self.identities())
            newer = overtaken_by(workspace, summary.outcome)
        for line in summary.lines():
            self.log.info("%s", line)
        if fault := summary.fault(max_rejected_share=float(self.max_rejected_share)):
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
                tell(self, context, asset, **night, **extra)
            else:
                tell_nothing(self, asset)
