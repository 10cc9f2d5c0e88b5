"""Real servers that keep what they are sent: one for webhooks, one for mail."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Hooks:
    """What a webhook was sent.

    Attributes:
        url: where it listens.
        answer, delay: the status of its answers, and the seconds before them.
        received: the bodies, decoded.
    """

    def __init__(self) -> None:
        self.received: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.answer, self.delay = 200, 0.0
        self.url = ""

    @property
    def events(self) -> list[str]:
        return [body["event"] for body in self.received]


@contextmanager
def hooks() -> Iterator[Hooks]:
    """A webhook on this machine."""
    kept = Hooks()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kept.received.append(json.loads(body))
            kept.headers.append(dict(self.headers))
            time.sleep(kept.delay)
            try:
                self.send_response(kept.answer)
                self.end_headers()
            except OSError:  # who asked has gone
                pass

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    kept.url = f"http://127.0.0.1:{server.server_address[1]}/hook?secret=s3cr3t"
    try:
        yield kept
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Mails:
    """What a mail server was given: envelopes' senders and recipients, and the messages as text."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, list[str], str]] = []
        self.logins: list[tuple[bytes, bytes]] = []
        self.port = 0

    async def handle_DATA(self, server: object, session: object, envelope: Any) -> str:  # noqa: N802  # aiosmtpd's name
        self.messages.append((envelope.mail_from, envelope.rcpt_tos, envelope.content.decode()))
        return "250 kept"


@contextmanager
def mails(*, login: bool = False) -> Iterator[Mails]:
    """A mail server on this machine; with `login` one that takes mail only from ann, whose password is p@ss."""
    from aiosmtpd.controller import Controller
    from aiosmtpd.smtp import AuthResult, LoginPassword

    kept = Mails()

    def authenticate(server: object, session: object, envelope: object, mechanism: str, data: Any) -> Any:
        assert isinstance(data, LoginPassword)
        kept.logins.append((data.login, data.password))
        return AuthResult(success=(data.login, data.password) == (b"ann", b"p@ss"), handled=False)

    options = {"authenticator": authenticate, "auth_required": True, "auth_require_tls": False} if login else {}
    with socket.socket() as probe:  # aiosmtpd takes no port 0
        probe.bind(("127.0.0.1", 0))
        kept.port = probe.getsockname()[1]
    controller = Controller(kept, hostname="127.0.0.1", port=kept.port, **options)
    controller.start()
    try:
        yield kept
    finally:
        controller.stop()
