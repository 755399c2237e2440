"""Airflow's REST API, as far as a night needs it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx

FINISHED = ("success", "failed")


class AirflowRest:
    """A logged-in client; use it as a context manager.

    A busy embedded database answers some requests with an error that passes; those are repeated for a while.
    """

    def __init__(self, url: str, user: str, password: str, patience: float = 60.0) -> None:
        self._client = httpx.Client(base_url=url, timeout=60.0)
        self._patience = patience
        self._login = {"username": user, "password": password}
        self._authenticate()

    def __enter__(self) -> AirflowRest:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(self, path: str, **params: Any) -> Any:
        """GET below ``/api/v2``; returns the JSON."""
        return self.request("GET", path, params=params)

    def request(self, method: str, path: str, **kwargs: Any) -> Any:
        """Send a request below ``/api/v2``, again while the server answers that it is busy; returns the JSON.

        Raises
        ------
        httpx.HTTPStatusError
            The answer is an error that trying again does not change.
        """
        answer = self._patiently(method, f"/api/v2/{path}", **kwargs)
        if answer.status_code == httpx.codes.UNAUTHORIZED:  # the token has expired
            self._authenticate()
            answer = self._patiently(method, f"/api/v2/{path}", **kwargs)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def _patiently(self, method: str, path: str, **kwargs: Any) -> httpx.Response:
        """Send a request until the answer is not that the server is busy, or patience ends."""
        deadline = time.monotonic() + self._patience
        while True:
            try:
                answer = self._client.request(method, path, **kwargs)
                if answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR or time.monotonic() > deadline:
                    return answer
            except httpx.TransportError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(1.0)

    def unpause(self, dag_id: str) -> None:
        """Let the scheduler make runs of a DAG."""
        self.request("PATCH", f"dags/{dag_id}", json={"is_paused": False})

    def pause(self, dag_id: str) -> None:
        """Keep the scheduler from making or starting runs of a DAG; those that run go on."""
        self.request("PATCH", f"dags/{dag_id}", json={"is_paused": True})

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None, logical_date: str | None = None) -> str:
        """Start a run; returns its id."""
        body = {"logical_date": logical_date, "conf": dict(conf or {})}
        return str(self.request("POST", f"dags/{dag_id}/dagRuns", json=body)["dag_run_id"])

    def backfill(
        self,
        dag_id: str,
        first: str,
        last: str,
        *,
        conf: Mapping[str, Any] | None = None,
        reprocess: str = "none",
        max_active_runs: int = 2,
    ) -> None:
        """Start a backfill over the logical dates from `first` to `last` (ISO, UTC); one that is under way is left alone."""
        body = {
            "dag_id": dag_id, "from_date": first, "to_date": last, "reprocess_behavior": reprocess,
            "max_active_runs": max_active_runs, "run_backwards": False, "dag_run_conf": dict(conf or {}),
        }  # fmt: skip
        try:
            self.request("POST", "backfills", json=body)
        except httpx.HTTPStatusError as error:
            if error.response.status_code != httpx.codes.CONFLICT:
                raise

    def runs(self, dag_id: str, **params: Any) -> list[dict[str, Any]]:
        """Return the runs of a DAG."""
        return self._all(f"dags/{dag_id}/dagRuns", "dag_runs", **params)

    def task_instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Return the task instances of a run."""
        return self._all(f"dags/{dag_id}/dagRuns/{run_id}/taskInstances", "task_instances")

    def wait_for_runs(
        self, dag_id: str, wanted: Callable[[dict[str, Any]], bool], count: int, timeout: float = 600.0
    ) -> list[dict[str, Any]]:
        """Wait until `count` runs that `wanted` picks have finished, and return them.

        Raises
        ------
        TimeoutError
            They have not; the message tells the states.
        """
        deadline = time.monotonic() + timeout
        while True:
            runs = [run for run in self.runs(dag_id) if wanted(run)]
            if sum(run["state"] in FINISHED for run in runs) >= count:
                return runs
            if time.monotonic() > deadline:
                states = ", ".join(f"{run['dag_run_id']}: {run['state']}" for run in runs) or "none"
                raise TimeoutError(
                    f"{dag_id}: {count} finished runs expected after {timeout:.0f} s, there are: {states}."
                )
            time.sleep(1.0)

    def _all(self, path: str, key: str, **params: Any) -> list[dict[str, Any]]:
        """Return every row of a list, page by page: an answer holds 100 at most (``[api] maximum_page_limit``)."""
        rows: list[dict[str, Any]] = []
        while True:
            page = self.get(path, limit=100, offset=len(rows), **params)
            rows += page[key]
            if not page[key] or len(rows) >= page["total_entries"]:
                return rows

    def _authenticate(self) -> None:
        answer = self._patiently("POST", "/auth/token", json=self._login)
        answer.raise_for_status()
        self._client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
