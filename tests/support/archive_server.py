"""An HTTP server in the place of SDSS's, which can do what servers do: cut off, refuse, redirect."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Remote:
    """What the server has, and how it is to answer.

    ``cut`` lists, answer by answer, after how many bytes of the body the connection is closed; when it is used up, ``send``
    holds.  ``sent`` counts the bytes of good answers.
    """

    base: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    status: int | None = None
    statuses: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    send: int | None = None
    cut: list[int] = field(default_factory=list)
    with_length: bool = True
    delay: float = 0.0
    credentials: str | None = None
    redirect: str | None = None
    heads: bool = True
    asked: list[str] = field(default_factory=list)
    requests: list[dict[str, str]] = field(default_factory=list)
    sent: int = 0
    connections: set[object] = field(default_factory=set)
    at_once: int = 0
    most_at_once: int = 0


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    remote: Remote
    lock: threading.Lock

    def do_GET(self) -> None:
        remote = self.remote
        with self.lock:
            remote.asked.append(self.path)
            remote.requests.append({"method": self.command, **self.headers})
            remote.connections.add(self.client_address)
            remote.at_once += 1
            remote.most_at_once = max(remote.most_at_once, remote.at_once)
        try:
            self._answer(remote)
        finally:
            with self.lock:
                remote.at_once -= 1

    def do_HEAD(self) -> None:
        if self.remote.heads:
            self.do_GET()
        else:
            self.send_error(501)

    def _answer(self, remote: Remote) -> None:
        content = remote.files.get(self.path)
        status = self._status(remote, content)
        body = b"nothing" if content is None or status >= 400 else content
        self.send_response(status)
        if status == 302:
            self.send_header("Location", f"{remote.redirect}{self.path}")
        self._headers(remote, body)
        time.sleep(remote.delay)
        if self.command != "HEAD":
            part = body[: remote.cut.pop(0) if remote.cut and status < 400 else remote.send]
            self.close_connection = self.close_connection or len(part) < len(body) or not remote.with_length
            remote.sent += len(part) if status < 400 else 0
            self.wfile.write(part)

    def _status(self, remote: Remote, content: bytes | None) -> int:
        expected = remote.credentials and f"Basic {base64.b64encode(remote.credentials.encode()).decode()}"
        if expected and self.headers.get("Authorization") != expected:
            return 401
        if remote.statuses:
            return remote.statuses.pop(0)
        if remote.redirect:
            return 302
        return remote.status or (404 if content is None else 200)

    def _headers(self, remote: Remote, body: bytes) -> None:
        if remote.with_length:
            self.send_header("Content-Length", str(len(body)))
        else:
            self.send_header("Connection", "close")
        for name, value in remote.headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True  # a connection that is kept open must not hold up the end of a test

    def handle_error(self, *_: object) -> None:
        """Say nothing of a client that went away."""


@contextmanager
def serve(host: str = "127.0.0.1") -> Iterator[Remote]:
    """Serve until the end of the block."""
    remote = Remote()
    handler = type("Handler", (_Handler,), {"remote": remote, "lock": threading.Lock()})
    with _Server((host, 0), handler) as server:
        remote.base = f"http://{host}:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield remote
        finally:
            server.shutdown()
            thread.join()
