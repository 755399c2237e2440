"""Delete normalised products that need not be kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from apogee_airflow.templated import Templated, rendered_days, rendered_flag

if TYPE_CHECKING:
    from airflow.sdk import Context


class RetainProductsOperator(BaseOperator):
    """Look at every normalised product on disk, and delete what is old enough of its kind; results are never touched.

    Parameters
    ----------
    superseded_days
        Age in days from which products are deleted that are no star's current one (templated); None: they stay.
    rebuildable_days
        Age in days from which products are deleted that can be made anew from the archive (templated); None: they stay.
    leftover_days
        Age in days from which a crash's leftovers are deleted (templated); None: they stay.
    delete
        Delete (templated); by default the report only tells what would be.

    Returns
    -------
    dict
        Files and bytes of each kind, and the bytes before and after.
    """

    template_fields: Sequence[str] = ("superseded_days", "rebuildable_days", "leftover_days", "delete")
    ui_color = "#e5e8e8"

    def __init__(
        self,
        *,
        superseded_days: Templated = 30,
        rebuildable_days: Templated = None,
        leftover_days: Templated = 1,
        delete: Templated = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.superseded_days = superseded_days
        self.rebuildable_days = rebuildable_days
        self.leftover_days = leftover_days
        self.delete = delete

    def execute(self, context: Context) -> dict[str, Any]:
        """Apply the policy, log the report and return its counts."""
        from apogee_labels.pipeline.products.retention import RetentionPolicy, retain
        from apogee_labels.pipeline.workspace import Workspace

        policy = RetentionPolicy(
            superseded_days=rendered_days(self.superseded_days),
            rebuildable_days=rendered_days(self.rebuildable_days),
            leftover_days=rendered_days(self.leftover_days),
        )
        with Workspace.open() as workspace:
            report = retain(workspace, policy, delete=rendered_flag(self.delete))
        for line in report.lines():
            self.log.info("%s", line)
        return report.as_json()
