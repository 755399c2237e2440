"""The table of the whole catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from apogee_airflow.assets import LABEL_CATALOG, describe_event, suppress_events
from apogee_airflow.templated import Templated

if TYPE_CHECKING:
    from airflow.sdk import Context


class PublishSummaryOperator(BaseOperator):
    """Write the current labels of all stars by one model as a table, if its content changed; and that of the visits.

    Parameters
    ----------
    parameters
        Fields of :class:`apogee_airflow.params.forms.SummaryParameters` (templated): ``model``, its identity, the first 12
        characters of it, or the name under which one is in force, empty for the model that is in force; ``visits``, whether
        the table of visits is written as well, if visits were analysed one by one.

    Returns
    -------
    list of dict
        For each table its path, the numbers of rows, stars and flagged rows, and whether it was written.  Without a model in
        force the task is skipped.
    """

    template_fields: Sequence[str] = ("parameters",)
    ui_color = "#e8daef"

    def __init__(self, *, parameters: Templated = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.parameters = parameters

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Publish, and say what is in the tables."""
        from dataclasses import asdict

        from apogee_airflow.params.forms import SummaryParameters
        from apogee_labels.pipeline.products.summary import publish_summary
        from apogee_labels.pipeline.workspace import Workspace

        asked = SummaryParameters(**self.parameters or {})
        with Workspace.open() as workspace:
            regions = workspace.settings.continuum_regions
            products = publish_summary(workspace, asked.model, regions=regions, visits=asked.visits)
        if not products:
            raise AirflowSkipException("no model is in force, so there are no labels to summarise: train one first")
        if any(product.written for product in products):
            tables = [
                {"path": str(each.path), "content": each.content, "rows": each.n_rows, "stars": each.n_stars}
                for each in products
            ]
            describe_event(self, context, LABEL_CATALOG, tables=tables)
        else:
            suppress_events(self, LABEL_CATALOG)
        return [asdict(product) | {"path": str(product.path)} for product in products]
