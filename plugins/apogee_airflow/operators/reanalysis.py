"""What has no result by the model in force is inferred again, and the tables follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from apogee_airflow.assets import LABEL_CATALOG, NIGHT_TABLES, describe_event, suppress_events
from apogee_airflow.outcomes import bad_input_fails, set_label
from apogee_airflow.templated import Templated

if TYPE_CHECKING:
    from airflow.sdk import Context

NO_MODEL = "no model is in force; train one with the DAG cannon_training"


class _ReanalysisOperator(BaseOperator):
    """What the three have in common: a model.  Spectra count that were normalised as the nightly DAGs do.

    Parameters
    ----------
    model_id
        Identity of the model that the run is pinned to (templated); None or empty: no model is in force, and the task is
        skipped with that reason.
    """

    template_fields: Sequence[str] = ("model_id",)
    ui_color = "#dff0d8"

    def __init__(self, *, model_id: Templated, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model_id = model_id

    def model(self) -> str:
        """Return the model.

        Raises
        ------
        AirflowSkipException
            No model is in force.
        """
        if not self.model_id:
            raise AirflowSkipException(NO_MODEL)
        return str(self.model_id)


class PlanReanalysisOperator(_ReanalysisOperator):
    """Divide the stars that have no result by a model into batches: one mapped instance each.

    Parameters
    ----------
    parameters
        Fields of :class:`apogee_airflow.params.forms.ReanalysisParameters` (templated): ``batch_size``, about so many
        spectra a batch, and ``max_batches``, at most so many, and no more than Airflow maps; then they are larger.

    Returns
    -------
    list of dict
        The batches; empty when nothing is to do.
    """

    template_fields: Sequence[str] = (*_ReanalysisOperator.template_fields, "parameters")

    def __init__(self, *, parameters: Templated = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.parameters = parameters

    def execute(self, context: Context) -> list[dict[str, str | int]]:
        """Count, and divide."""
        from airflow.sdk.configuration import conf

        from apogee_airflow.params.forms import ReanalysisParameters
        from apogee_labels.pipeline.analysis.reanalysis import plan_reanalysis
        from apogee_labels.pipeline.workspace import Workspace

        model_id = self.model()
        asked = ReanalysisParameters(**self.parameters or {})
        at_most = min(asked.max_batches, conf.getint("core", "max_map_length"))
        with Workspace.open() as workspace:
            regions = workspace.settings.continuum_regions
            batches = plan_reanalysis(workspace, model_id, regions, batch_size=asked.batch_size, max_batches=at_most)
        return [batch.as_json() for batch in batches]


class ReanalyseOperator(_ReanalysisOperator):
    """Infer the labels of one batch from its stored normalised spectra; those that are lost are made anew.

    An instance that was killed goes on where it was: what is on record is not inferred again.

    Parameters
    ----------
    batch
        One of what :class:`PlanReanalysisOperator` returns (templated).

    Returns
    -------
    dict
        How many spectra were due, inferred and rejected.  Where others failed, the first error is raised after all were
        tried.
    """

    template_fields: Sequence[str] = (*_ReanalysisOperator.template_fields, "batch")

    def __init__(self, *, batch: Templated, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.batch = batch

    def execute(self, context: Context) -> dict[str, int]:
        """Infer what has no result by this model yet."""
        from apogee_labels.pipeline.analysis.reanalysis import Batch, reanalyse
        from apogee_labels.pipeline.workspace import Workspace

        model_id = self.model()
        batch = Batch(**self.batch)
        set_label(context, str(batch))
        with Workspace.open() as workspace, bad_input_fails(context, str(batch)):
            done = reanalyse(workspace, model_id, batch, workspace.settings.continuum_regions)
        set_label(context, f"{batch}: {done.n_inferred} spectra")
        if done.faults:
            set_label(context, f"{batch}: {len(done.faults)} failed")
            for fault in done.faults[1:]:
                self.log.error("%s: %s %s", type(fault).__name__, fault, "; ".join(fault.__notes__))
            raise done.faults[0]
        return {"due": done.n_due, "inferred": done.n_inferred, "rejected": done.n_rejected}


class PublishReanalysisOperator(_ReanalysisOperator):
    """Bring the table of all stars and those of the nights up to date, and say whether every star has its result.

    Decides by the catalogue and not by XComs.  Fails when something that was normalised before the run began has neither a
    result by the model nor a rejection.

    Returns
    -------
    dict
        The tables that were looked at and written, and the spectra that are left.
    """

    def execute(self, context: Context) -> Mapping[str, int]:
        """Publish, and count what is left."""
        from apogee_labels.catalog.records import utc_now
        from apogee_labels.pipeline.analysis.reanalysis import count_outdated
        from apogee_labels.pipeline.products.republish import republish
        from apogee_labels.pipeline.workspace import Workspace

        model_id = self.model()
        began = context["dag_run"].start_date or utc_now()
        with Workspace.open() as workspace:
            regions = workspace.settings.continuum_regions
            tables = republish(workspace, model_id, regions, since=began)
            n_left = count_outdated(workspace, model_id, regions, before=began)
        self.log.info(
            "%d table(s) of all stars and %d of nights looked at, %d written; %d spectra left without a result",
            *tables, n_left,
        )  # fmt: skip
        if n_left:
            raise AirflowFailException(
                f"{n_left} spectra have neither a result by model {model_id[:12]} nor a rejection: clear the failed tasks "
                "of this run, or see their logs."
            )
        counts = tables._asdict() | {"n_left": n_left}
        if tables.n_written:
            describe_event(self, context, LABEL_CATALOG, model_id=model_id, **counts)
            describe_event(self, context, NIGHT_TABLES, model_id=model_id, **counts)
        else:
            suppress_events(self, LABEL_CATALOG, NIGHT_TABLES)
        return counts
