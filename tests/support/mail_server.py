"""A mail server of a test's own: it takes every message, and keeps them."""

from __future__ import annotations

import email
import email.policy
import json
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage

import pytest

NIGHT_WATCH = "night@example.org"


class MailServer(socketserver.ThreadingTCPServer):
    """An SMTP server on 127.0.0.1, without encryption; it knows the commands of a plain delivery."""

    allow_reuse_address = daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Delivery)
        self.messages: list[EmailMessage] = []
        self.recipients: list[list[str]] = []

    @property
    def connection(self) -> str:
        """The value of AIRFLOW_CONN_SMTP_DEFAULT."""
        return connection_to(self.server_address[1])

    def wait_for(self, count: int, timeout: float = 120.0) -> list[str]:
        """Wait until so many messages have come; returns all subjects, in the order of their arrival."""
        deadline = time.monotonic() + timeout
        while len(self.messages) < count and time.monotonic() < deadline:
            time.sleep(0.2)
        return [str(message["Subject"]) for message in self.messages]

    def text(self, index: int) -> str:
        """The text of a message, as it is written."""
        part = self.messages[index].get_body(("html", "plain"))
        assert part is not None
        return str(part.get_content())


class _Delivery(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        self._say("220 mail server of a test")
        recipients: list[str] = []
        while line := self.rfile.readline().decode().strip():
            verb = line[:4].upper()
            if verb == "RCPT":
                recipients.append(line.partition("<")[2].rstrip(">"))
            if verb == "DATA":
                self._say("354 go on")
                self._keep(recipients)
            self._say("221 bye" if verb == "QUIT" else "250 ok")

    def _keep(self, recipients: list[str]) -> None:
        lines = iter(self.rfile.readline, b".\r\n")
        content = b"".join(line.removeprefix(b".") for line in lines)
        self.server.recipients.append(recipients)
        self.server.messages.append(email.message_from_bytes(content, policy=email.policy.default))  # type: ignore[arg-type]

    def _say(self, answer: str) -> None:
        self.wfile.write(f"{answer}\r\n".encode())


def connection_to(port: int) -> str:
    """An Airflow connection to a mail server on this machine, as the environment has it."""
    extra = {"disable_ssl": True, "disable_tls": True, "from_email": "airflow@example.org", "timeout": 2}
    return json.dumps({"conn_type": "smtp", "host": "127.0.0.1", "port": port, "extra": extra})


@contextmanager
def mail_server() -> Iterator[MailServer]:
    """Run a mail server for the length of a block."""
    with MailServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def told_by_mail(monkeypatch: pytest.MonkeyPatch, **settings: str) -> Iterator[MailServer]:
    """A mail server that the settings and Airflow's connection name."""
    with mail_server() as server:
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", server.connection)
        monkeypatch.setenv("APOGEE_LABELS_NOTIFY", NIGHT_WATCH)
        for name, value in settings.items():
            monkeypatch.setenv(f"APOGEE_LABELS_{name.upper()}", value)
        yield server
