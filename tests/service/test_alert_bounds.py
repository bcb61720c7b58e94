"""What goes out, to the letter: ports, limits and words of webhooks and mails, and what an administrator is shown."""

from __future__ import annotations

import json
import smtplib
from typing import Any

import msgspec
import pytest

from lts import reach
from lts.rules.alerting.alertmail import Mail
from lts.service.alerting import alerts, alertsettings, mailserver, outbox, smtp, webhooks
from lts.service.alerting.alertsettings import Webhook
from lts.store.changes import records
from lts.store.tables.alerts import Attempt, keep_attempt
from lts.store.writing.transaction import Transaction
from tests.support.kit import NOON, Lab

MAIL = {"host": "x.test", "port": 25, "from": "lts@x.test", "to": "a@x.test"}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """In place of telling a webhook. The test puts the status and body of the answer in, or an error; after it come
    scheme, host, port and seconds of the connection, then method, target, most bytes of the answer and message."""
    found: list[Any] = []

    def connection(scheme: str, host: str, port: int, deadline: reach.Deadline) -> Any:
        found[1:] = [(scheme, host, port, round(deadline.left()))]
        if isinstance(found[0], Exception):
            raise found[0]
        return Closable()

    def ask(_: object, method: str, target: str, body: bytes, headers: dict[str, str], most: int) -> reach.Answer:
        found.append((method, target, most, headers["X-LTS-Message"]))
        return reach.Answer(found[0][0], {}, found[0][1], whole=True)

    monkeypatch.setattr(webhooks, "_connection", connection)
    monkeypatch.setattr(reach, "ask", ask)
    return found


class Closable:
    """A connection that is only closed."""

    def close(self) -> None:
        """Nothing is open."""


def post(url: str) -> None:
    webhooks.post(Webhook("1", "chat", url, "secret"), "m", b"{}", NOON)


@pytest.mark.parametrize(
    ("url", "place", "target"),
    [
        ("http://x.test", ("http", "x.test", 80), "/"),
        ("https://x.test/", ("https", "x.test", 443), "/"),
        ("https://x.test:8443/a/b?c=d&e", ("https", "x.test", 8443), "/a/b?c=d&e"),
        ("http://[::1]:81?q", ("http", "::1", 81), "/?q"),
    ],
)
def test_a_webhook_goes_where_its_url_says(
    asked: list[Any], url: str, place: tuple[str, str, int], target: str
) -> None:
    asked.append((204, b""))
    post(url)
    assert asked[1:] == [(*place, 10), ("POST", target, 300, "m")]


@pytest.mark.parametrize(
    ("answer", "reached", "words"),
    [
        ((302, b""), True, "x.test:443 answered 302: redirects are not followed; give the final URL."),
        ((199, b""), True, "x.test:443 answered 199"),
        ((500, b" no \r\n room"), True, "x.test:443 answered 500 no room"),
        ((500, b"x" * 250), True, "x.test:443 answered 500 " + "x" * 200),
        (OSError("not   there"), False, "x.test:443 cannot be reached: not there"),
        (OSError("x" * 250), False, "x.test:443 cannot be reached: " + "x" * 200),
    ],
)
def test_why_a_webhook_failed_is_kept_in_a_line(asked: list[Any], answer: Any, reached: bool, words: str) -> None:
    asked.append(answer)
    with pytest.raises(webhooks.WebhookError) as caught:
        post("https://x.test")
    assert (caught.value.detail, caught.value.reached) == (words, reached)


def test_the_oldest_message_that_waits_says_why(server: Lab) -> None:
    def wait(tx: Transaction) -> None:
        for number, name in enumerate(("old", "new")):
            tx.emit(records.AlertChange((), (), name, [alerts.test_event(NOON)], ("mail",)), NOON + number)
            keep_attempt(tx, name, "mail", Attempt(1, NOON, f"{name} reason", ()))

    server.ctx.store.write(wait)
    [told] = outbox.notices(server.ctx, NOON + 1802)
    assert told.params == {"n": 2, "time": "2026-11-25T12:17:43Z", "reason": "old reason"}
    assert told.detail == "2 alert messages wait since 2026-11-25T12:17:43Z: old reason"
    [told] = outbox.notices(server.ctx, NOON + 1801)
    assert (told.params["n"], told.params["reason"]) == (1, "old reason")


def test_of_a_mail_servers_words_300_characters_are_kept(server: Lab) -> None:
    settings = alertsettings.settings_for_test(server.ctx, MAIL)
    told = smtp._words(smtplib.SMTPResponseException(554, b"x" * 301), settings)
    assert told == "x.test:25 answered: 554 " + "x" * 300


def test_a_reply_of_a_mail_server_has_64_kib_and_100_lines_and_a_mail_14_seconds() -> None:
    """See docs/design/administering.md, Usage alerts."""
    assert (mailserver.REPLY_BYTES, mailserver.REPLY_LINES, smtp.WHOLE_SECONDS) == (65_536, 100, 14)


@pytest.mark.parametrize(("hosts", "channels"), [(0, ("mail",)), (2, ("mail", "webhook:", "webhook:"))])
def test_messages_go_to_mail_and_then_to_each_webhook(server: Lab, hosts: int, channels: tuple[str, ...]) -> None:
    assert alerts.channels_of(server.ctx) == ()
    made = [alertsettings.add_webhook(server.ctx, "n", "https://x.test/", "test", NOON + n) for n in range(hosts)]
    alertsettings.change_mail(server.ctx, MAIL, "test", NOON)
    ids = ["", *(one.id for one in made)]
    assert alerts.channels_of(server.ctx) == tuple(map("".join, zip(channels, ids, strict=True)))


@pytest.mark.parametrize(
    ("receivers", "headers"),
    [
        ({"to": "a@x.test; Bo <b@x.test>"}, ("a@x.test, Bo <b@x.test>", None)),
        ({"to": "a@x.test", "cc": "c@x.test", "bcc": "d@x.test"}, ("a@x.test", "c@x.test")),
        ({"to": "", "cc": "c@x.test", "bcc": "d@x.test"}, (None, "c@x.test")),
        ({"to": "", "bcc": "d@x.test"}, ("undisclosed-recipients:;", None)),
    ],
)
def test_a_mail_names_its_receivers_but_for_the_blind_ones(
    server: Lab, receivers: dict[str, str], headers: tuple[str | None, str | None]
) -> None:
    settings = alertsettings.settings_for_test(server.ctx, {**MAIL, **receivers})
    message = smtp.compose(settings, Mail("subject", "text", "<p>html</p>"), "id", NOON)
    assert (message["To"], message["Cc"], message["Bcc"]) == (*headers, None)
    assert (message["From"], message["Subject"], message["Message-ID"]) == ("lts@x.test", "subject", "<id@x.test>")
    assert (message["Date"], message["Auto-Submitted"]) == ("Wed, 25 Nov 2026 12:17:43 +0000", "auto-generated")


def test_what_happens_to_the_server_has_no_level_and_the_time_when_it_happened(server: Lab) -> None:
    test = alerts.test_event(NOON)
    stored = {"kind": "test", "level": 0, "params": {"time": NOON}}
    assert msgspec.msgpack.encode(test) == msgspec.msgpack.encode(stored), "in the feed"
    assert alerts.check(server.ctx, NOON) is None, "the past is no news"
    server.ctx.note_event("clock-back", {"by": 7})
    assert alerts.check(server.ctx, NOON + 600) is not None
    [(told,)] = server.rows("SELECT events FROM messages")
    assert json.loads(told) == [{"kind": "clock-back", "level": 0, "params": {"by": 7, "time": NOON}}]
