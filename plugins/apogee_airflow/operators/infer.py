"""Infer stellar labels with The Cannon."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from apogee_airflow.outcomes import bad_input_fails, finish, gather, set_label
from apogee_airflow.subjects import subject_of
from apogee_airflow.templated import Templated, is_on

if TYPE_CHECKING:
    from airflow.sdk import Context


class InferLabelsOperator(BaseOperator):
    """Infer the labels of normalised spectra with one model.

    Parameters
    ----------
    normalizations
        Identities of normalisations, as :class:`ContinuumNormalizeOperator` returns them (templated).
    model_id
        Identity of the model (templated); None or empty: no model is in force, and the task is skipped with that reason.
    n_initialisations
        Starting points of the optimiser; the best chi-square wins.
    use_derivatives
        Analytic derivatives (default) or numerical ones.
    reprocess
        Infer what has a result already once more (templated; default: no).

    Returns
    -------
    list of str
        Identities of the results, in the order of the normalisations, without those that were rejected.
    """

    template_fields: Sequence[str] = ("normalizations", "model_id", "reprocess")
    ui_color = "#dff0d8"

    def __init__(
        self,
        *,
        normalizations: Templated,
        model_id: Templated,
        n_initialisations: int = 10,
        use_derivatives: bool = True,
        reprocess: Templated = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.normalizations = normalizations
        self.model_id = model_id
        self.n_initialisations = n_initialisations
        self.use_derivatives = use_derivatives
        self.reprocess = reprocess

    def execute(self, context: Context) -> list[str]:
        """Infer what has no result by this model yet."""
        from apogee_labels.pipeline.analysis.infer import infer_files, stars_of
        from apogee_labels.pipeline.identities import InferenceParameters
        from apogee_labels.pipeline.workspace import Workspace

        items = [self.normalizations] if isinstance(self.normalizations, str) else list(self.normalizations)
        parameters = InferenceParameters(n_initialisations=self.n_initialisations, use_derivatives=self.use_derivatives)
        with Workspace.open() as workspace:
            subject = subject_of(stars_of(workspace, items))
            set_label(context, subject)
            if not self.model_id:
                set_label(context, f"{subject}: no model in force")
                raise AirflowSkipException(f"{subject}: no model is in force; train one with the DAG cannon_training")
            with bad_input_fails(context, subject):
                again = is_on(self.reprocess)
                batch = gather(infer_files(workspace, items, self.model_id, parameters, again=again))
        return [item.result_id for item in finish(batch, context, subject)]
