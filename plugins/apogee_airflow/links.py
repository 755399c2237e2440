"""Links from a task to the project's own pages."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from airflow.configuration import conf
from airflow.sdk import BaseOperatorLink

from apogee_airflow.web import URL_PREFIX

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey


class NightLink(BaseOperatorLink):
    """The page of the night that a run is for.

    It goes by the run, whose night the page looks up: the id of a run does not always tell it.  It has no host, so that it
    leads to the server on which the reader is, whatever name that has for a worker.
    """

    name = "Night"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the path of the page; Airflow keeps it when the task has ended."""
        telescope = quote(str(getattr(operator, "telescope", "")), safe="")
        return f"{pages_root()}/nights/{telescope}/runs/{quote(ti_key.run_id, safe='')}"


class ModelReportLink(BaseOperatorLink):
    """The page of the model that a task is about, with the report that is kept with it."""

    name = "Model report"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the path of the page; Airflow keeps it when the task has ended."""
        return model_page(str(getattr(operator, "model_id", "")))


def model_page(model_id: str) -> str:
    """Return the path of the page of a model."""
    return f"{pages_root()}/models/{quote(model_id, safe='')}"


def pages_root() -> str:
    """Return the path below which our pages are, with whatever a proxy puts before it."""
    return urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/") + URL_PREFIX
