"""Delete normalised products that need not be kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from apogee_airflow.templated import Templated, is_on

if TYPE_CHECKING:
    from airflow.sdk import Context


class RetainProductsOperator(BaseOperator):
    """Look at every normalised product on disk, and delete what is old enough of its kind; results are never touched.

    Parameters
    ----------
    policy
        From which age on products are deleted: fields of :class:`apogee_labels.pipeline.parameters.RetentionPolicy`
        (templated); what is not named has its default.
    delete
        Delete (templated); by default the report only tells what would be.

    Returns
    -------
    dict
        Files and bytes of each kind, and the bytes before and after.
    """

    template_fields: Sequence[str] = ("policy", "delete")
    ui_color = "#e5e8e8"

    def __init__(self, *, policy: Templated = None, delete: Templated = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.policy = policy
        self.delete = delete

    def execute(self, context: Context) -> dict[str, Any]:
        """Apply the policy, log the report and return its counts."""
        from apogee_labels.pipeline.parameters import RetentionPolicy
        from apogee_labels.pipeline.products.retention import retain
        from apogee_labels.pipeline.workspace import Workspace

        policy = RetentionPolicy(**self.policy or {})
        with Workspace.open() as workspace:
            report = retain(workspace, policy, delete=is_on(self.delete))
        for line in report.lines():
            self.log.info("%s", line)
        return report.as_json()
