"""The table of the whole catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from apogee_airflow.assets import LABEL_CATALOG
from apogee_airflow.events import tell, tell_nothing
from apogee_airflow.templated import Templated, rendered_flag

if TYPE_CHECKING:
    from airflow.sdk import Context


class PublishSummaryOperator(BaseOperator):
    """Write the current labels of all stars by one model as a table, if its content changed; and that of the visits.

    Parameters
    ----------
    continuum_regions_path
        As the normalising tasks of the nightly DAGs have it (templated): only results with their parameters count.
    model_id
        A model's identity, the first 12 characters of it, or the name under which one is in force (templated); empty: the
        model that is in force.
    visits
        Write the table of visits as well, if visits were analysed one by one (templated).

    Returns
    -------
    list of dict
        For each table its path, the numbers of rows, stars and flagged rows, and whether it was written.  Without a model in
        force the task is skipped.
    """

    template_fields: Sequence[str] = ("continuum_regions_path", "model_id", "visits")
    ui_color = "#e8daef"

    def __init__(
        self,
        *,
        continuum_regions_path: Templated,
        model_id: Templated = None,
        visits: Templated = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.continuum_regions_path = continuum_regions_path
        self.model_id = model_id
        self.visits = visits

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Publish, and say what is in the tables."""
        from dataclasses import asdict
        from pathlib import Path

        from apogee_labels.pipeline.products.summary import publish_summary
        from apogee_labels.pipeline.workspace import Workspace

        model = None if self.model_id in (None, "", "None") else str(self.model_id)
        regions, visits = Path(self.continuum_regions_path), rendered_flag(self.visits)
        with Workspace.open() as workspace:
            products = publish_summary(workspace, model, regions=regions, visits=visits)
        if not products:
            raise AirflowSkipException("no model is in force, so there are no labels to summarise: train one first")
        if any(product.written for product in products):
            tables = [
                {"path": str(each.path), "content": each.content, "rows": each.n_rows, "stars": each.n_stars}
                for each in products
            ]
            tell(self, context, LABEL_CATALOG, tables=tables)
        else:
            tell_nothing(self, LABEL_CATALOG)
        return [asdict(product) | {"path": str(product.path)} for product in products]
