from __future__ import annotations

import pytest

from tests.unit.lifecycle.servers import hooks, mails
from tunewright.errors import InvalidInput
from tunewright.lifecycle.channels import SENDER, SERVER, Notice, addresses, read_channels

NOTICE = Notice("finished", "job a completed\n3 trials", {"job": "a", "completed": 3})


def test_a_webhook_is_posted_json() -> None:
    with hooks() as server:
        (channel,) = read_channels(server.url)
        channel.send(NOTICE, 5.0)
    assert server.received == [{"text": NOTICE.text, "event": "finished", "job": "a", "completed": 3}]
    assert server.headers[0]["Content-Type"] == "application/json"


def test_a_webhook_that_refuses_is_an_error() -> None:
    with hooks() as server:
        server.answer = 500
        (channel,) = read_channels(server.url)
        with pytest.raises(OSError, match="500"):
            channel.send(NOTICE, 5.0)


@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning:aiosmtpd")
def test_a_mail_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SENDER, "tuner@example.com")
    with mails() as server:
        monkeypatch.setenv(SERVER, f"smtp://127.0.0.1:{server.port}")
        (channel,) = read_channels("mailto:ann@example.com,bob@example.com")
        channel.send(NOTICE, 5.0)
    ((sender, recipients, text),) = server.messages
    assert (sender, recipients) == ("tuner@example.com", ["ann@example.com", "bob@example.com"])
    assert "Subject: job a completed\r\n" in text
    assert text.endswith("job a completed\r\n3 trials\r\n")


@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning:aiosmtpd")
@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
def test_a_mail_server_with_a_login(monkeypatch: pytest.MonkeyPatch) -> None:
    with mails(login=True) as server:
        monkeypatch.setenv(SERVER, f"smtp://ann:p%40ss@127.0.0.1:{server.port}")
        read_channels("mailto:ann@example.com")[0].send(NOTICE, 5.0)
        assert server.logins == [(b"ann", b"p@ss")]
        assert len(server.messages) == 1
        monkeypatch.setenv(SERVER, f"smtp://ann:wrong@127.0.0.1:{server.port}")
        with pytest.raises(OSError, match=r"535|Authentication"):
            read_channels("mailto:ann@example.com")[0].send(NOTICE, 5.0)
        assert len(server.messages) == 1


@pytest.mark.parametrize(
    ("notify", "message"),
    [
        (3, "notify must be an address, or a list of them"),
        ([3], "notify must be an address, or a list of them"),
        ("me@example.com", "notify must be https://..., http://... or mailto:..."),
        ("ftp://example.com", "notify must be https://..., http://... or mailto:...; got 'ftp...'"),
        ("https://", "notify must be https://"),
        ("http://[bad", "notify must be an address"),
        ("mailto:", "notify must have a mail address after mailto:; got ''"),
        ("mailto:a@b,c", "notify must have a mail address after mailto:; got 'c'"),
        ("mailto:a@b%0Abcc:c@d", "notify must have a mail address after mailto:"),
    ],
)
def test_addresses_that_mean_nothing(notify: object, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_channels(notify)
    assert message in str(caught.value)


def test_a_mail_servers_address_that_means_nothing_is_refused_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    for address in ("localhost:25", "smtp://ann:s3cr3t@", "smtp://ann:s3cr3t@host:port"):
        monkeypatch.setenv(SERVER, address)
        with pytest.raises(InvalidInput, match=SERVER) as caught:
            read_channels("mailto:a@b")
        assert "s3cr3t" not in str(caught.value)


def test_what_is_shown_of_an_address_holds_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SERVER, "smtps://ann:s3cr3t@mail.example.com")
    shown = [
        str(channel) for channel in read_channels(["https://u:s3cr3t@hooks.example.com/s3cr3t?t=s3cr3t", "mailto:a@b.org"])
    ]
    assert shown == ["https://hooks.example.com/...", "mailto:a@b.org by mail.example.com"]


def test_nobody_is_told_when_nobody_is_named() -> None:
    assert addresses(None) == ()
    assert read_channels(None) == ()
    assert addresses(["a", "b"]) == ("a", "b")
