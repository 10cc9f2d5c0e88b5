"""The ways on which people are told about a job: a webhook, or mail.

    https://hooks.example.com/...            POST of a JSON object: "text", as Slack and Mattermost take it, and details
    mailto:ann@example.com,bob@example.com   a mail by the server in $TUNEWRIGHT_SMTP

$TUNEWRIGHT_SMTP is smtp://user:password@host:port (STARTTLS when the server offers it) or smtps://..., without it localhost;
$TUNEWRIGHT_MAIL_FROM is the sender. Secrets in addresses are never shown.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import SplitResult, unquote, urlsplit

from tunewright.errors import InvalidInput

SERVER, SENDER = "TUNEWRIGHT_SMTP", "TUNEWRIGHT_MAIL_FROM"
_PORTS = {"smtp": 25, "smtps": 465}


@dataclass(frozen=True, slots=True)
class Notice:
    """What is told: an event's name, a line for people, and details for programs as JSON data."""

    event: str
    text: str
    details: Mapping[str, Any] = field(default_factory=dict)


class Channel(Protocol):
    """A way to tell. Its text is what may be shown of its address."""

    def send(self, notice: Notice, timeout: float) -> None:
        """Tells it. Raises OSError, or an exception of its protocol, within some `timeout` seconds."""
        ...


class Webhook:
    """Posts JSON to an address."""

    def __init__(self, url: str, shown: str) -> None:
        self._url, self._shown = url, shown

    def __str__(self) -> str:
        return self._shown

    def send(self, notice: Notice, timeout: float) -> None:
        import json
        from urllib.request import Request, urlopen

        body = json.dumps({"text": notice.text, "event": notice.event, **notice.details}).encode()
        headers = {"Content-Type": "application/json", "User-Agent": "tunewright"}
        with urlopen(Request(self._url, body, headers), timeout=timeout) as answer:
            answer.read(1000)


class Mail:
    """Sends a mail.

    Args:
        server: the address of the SMTP server.
    """

    def __init__(self, recipients: Sequence[str], server: SplitResult) -> None:
        self._recipients, self._server = tuple(recipients), server

    def __str__(self) -> str:
        return f"mailto:{','.join(self._recipients)} by {self._server.hostname}"

    def send(self, notice: Notice, timeout: float) -> None:
        import smtplib
        import ssl
        from email.message import EmailMessage

        message = EmailMessage()
        message["Subject"] = notice.text.splitlines()[0]
        message["From"] = os.environ.get(SENDER) or f"tunewright@{socket.gethostname()}"
        message["To"] = ", ".join(self._recipients)
        message.set_content(notice.text + "\n")
        server, secure = self._server, self._server.scheme == "smtps"
        host, port = server.hostname or "localhost", server.port or _PORTS[server.scheme]
        context = ssl.create_default_context()
        made = (
            smtplib.SMTP_SSL(host, port, timeout=timeout, context=context)
            if secure
            else smtplib.SMTP(host, port, timeout=timeout)
        )
        with made as client:
            if not secure:
                client.ehlo_or_helo_if_needed()
                if client.has_extn("starttls"):
                    client.starttls(context=context)
            if server.username:
                client.login(unquote(server.username), unquote(server.password or ""))
            client.send_message(message)


def read_channels(notify: object) -> tuple[Channel, ...]:
    """The channels that `notify=` names: an address, or a list of them. Raises InvalidInput."""
    return tuple(_channel(address) for address in addresses(notify))


def addresses(notify: object) -> tuple[str, ...]:
    """The addresses of `notify=`, not looked into. Raises InvalidInput."""
    if notify is None:
        return ()
    found = (notify,) if isinstance(notify, str) else tuple(notify) if isinstance(notify, list | tuple) else None
    if found is None or not all(isinstance(address, str) for address in found):
        raise InvalidInput("notify", "must be an address, or a list of them: https://... or mailto:...", notify)
    return found


def _channel(address: str) -> Channel:
    parts = _split("notify", address)
    if parts.scheme in ("http", "https") and parts.hostname:
        return Webhook(address, f"{parts.scheme}://{parts.hostname}/...")
    if parts.scheme == "mailto":
        recipients = [unquote(recipient).strip() for recipient in parts.path.split(",")]
        for recipient in recipients:
            if not re.fullmatch(r"[^@\s<>,;\"]+@[^@\s<>,;\"]+", recipient) or not recipient.isprintable():
                raise InvalidInput("notify", "must have a mail address after mailto:", recipient)
        return Mail(recipients, _server())
    raise InvalidInput("notify", "must be https://..., http://... or mailto:...", f"{parts.scheme or address[:8]}...")


def _server() -> SplitResult:
    address = os.environ.get(SERVER) or "smtp://localhost"
    parts = _split(SERVER, address)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise InvalidInput(SERVER, "must be smtp://user:password@host:port or smtps://...")
    return parts


def _split(name: str, address: str) -> SplitResult:
    try:
        parts = urlsplit(address)
        _ = parts.port  # which is read, and may be none, only now
    except ValueError as error:
        raise InvalidInput(name, f"must be an address ({error})") from None
    return parts
