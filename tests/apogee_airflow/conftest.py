"""An installation of its own for each test, and what `execute` is given without a run of Airflow's."""

from __future__ import annotations

import http.server
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from apogee_labels.core.settings import Settings
from apogee_labels.pipeline.workspace import Workspace
from apogee_labels.simulation.survey import SyntheticSurvey

MakeContext = Callable[..., dict[str, Any]]


@pytest.fixture
def installation(tmp_path: Path, survey_data: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings from the environment, as an operator finds them."""
    shutil.copytree(survey_data, tmp_path / "data")
    monkeypatch.setenv("APOGEE_LABELS_DATA_DIR", str(tmp_path / "data"))
    return Settings()


@pytest.fixture
def survey(installation: Settings) -> SyntheticSurvey:
    """The survey as it lies in this test's archive."""
    return SyntheticSurvey(installation.sas_base_dir, n_stars=12, nights=2)


@pytest.fixture
def workspace(installation: Settings) -> Iterator[Workspace]:
    """The same installation, for a look at what an operator did."""
    with Workspace.open(installation) as workspace:
        yield workspace


@pytest.fixture
def model_id(workspace: Workspace, put_model: Callable[[Workspace], str]) -> str:
    """A trained model; it is not in force."""
    return put_model(workspace)


@pytest.fixture
def make_context() -> MakeContext:
    """``make_context(run_type="manual", mjd=None, **params)``: a context with what the operators use of it."""

    def make(run_type: str = "manual", mjd: int | None = 59280, **params: Any) -> dict[str, Any]:
        run = SimpleNamespace(
            run_type=run_type,
            run_id=f"{run_type}__test",
            dag_id="a_dag",
            logical_date=None,
            data_interval_start=datetime(2021, 3, 7, 16, 48, tzinfo=UTC),
            data_interval_end=datetime(2021, 3, 8, 16, 48, tzinfo=UTC),
        )
        instance = SimpleNamespace(try_number=1, max_tries=3)
        return {"params": {"mjd": mjd, **params}, "dag_run": run, "ti": instance}

    return make


@dataclass
class Server:
    """An HTTP server in the place of another: answers by method and path, and keeps what it was asked.

    An answer is a status and a body, or a list of them to be given in turn, the last again and again.  ``cut`` sends only
    half of each body.
    """

    base: str = ""
    answers: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    cut: bool = False

    def answer(self, request: str) -> tuple[int, bytes]:
        """Return the next answer to a request."""
        self.asked.append(request)
        found = self.answers.get(request, (404, b"{}"))
        if isinstance(found, list):
            found = found.pop(0) if len(found) > 1 else found[0]
        return found


def _handler(server: Server) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def _serve(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            server.headers.append(dict(self.headers))
            status, body = server.answer(f"{self.command} {self.path.partition('?')[0]}")
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if server.cut else body)

        do_GET = do_HEAD = do_POST = do_PATCH = _serve  # noqa: N815 - http.server's names

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    """A server on 127.0.0.1 that has no file yet; whoever asks has no credentials."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = Server()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(server)) as listening:
        server.base = f"http://127.0.0.1:{listening.server_address[1]}"
        thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
        thread.start()
        yield server
        listening.shutdown()
        thread.join()
