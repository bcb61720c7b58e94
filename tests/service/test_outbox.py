"""When a message is tried, tried again and given up, with a mail server that says what the test wants."""

from __future__ import annotations

import functools
from collections.abc import Callable

import pytest

from lts.errors import DeliveryError
from lts.protocol import DAY_SECONDS
from lts.rules.alerting.alert import Alert
from lts.rules.values.paging import Page
from lts.service.alerting import alerts, alertsettings, outbox, smtp, webhooks
from lts.service.alerting.outbox import MailTest
from lts.service.alerting.smtp import Accepted, MailError, MailSender
from lts.store.changes import records
from lts.store.tables.alerts import Message
from lts.store.tables.alerts import attempt as attempt_of
from lts.store.writing.transaction import Transaction
from tests.support.kit import NOON, Lab
from tests.support.postoffice import hook_receiver

MAIL = {"host": "mail.x.test", "port": 25, "from": "lts@x.test", "to": "a@x.test; b@x.test"}


class Scripted(MailSender):
    """A way out that notes the receivers of each try and answers as `answer` says."""

    def __init__(self, answer: Callable[[], Accepted]) -> None:
        super().__init__()
        self.answer = answer
        self.tried: list[tuple[str, ...]] = []

    def send(self, settings: object, message: object, receivers: object) -> Accepted:
        """Instead of a mail server."""
        self.tried.append(tuple(receivers))  # type: ignore[arg-type]
        return self.answer()


def down() -> Accepted:
    raise MailError("mail.x.test:25 cannot be reached", reached=False)


def refuses() -> Accepted:
    raise MailError("554 no")


def taken() -> Accepted:
    return Accepted({}, {})


def tell(server: Lab, *messages: str, at: int = NOON, channels: tuple[str, ...] = ("mail",)) -> None:
    """Messages that wait."""
    for name in messages:
        record = records.AlertChange((), (), name, [alerts.test_event(at)], channels)
        server.ctx.store.write(functools.partial(Transaction.emit, record=record, time=at))


def told(server: Lab) -> dict[str, tuple[str, int]]:
    """Outcome and tries by message."""
    found = outbox.history(server.ctx, Page()).messages
    return {one.id: (one.channels[0].outcome, one.channels[0].tries) for one in found}


@pytest.fixture(autouse=True)
def mail(server: Lab) -> None:
    """Mail is set up."""
    alertsettings.change_mail(server.ctx, MAIL, "test", NOON)


def test_tries_are_one_two_four_minutes_apart_and_never_more_than_half_an_hour(server: Lab) -> None:
    tell(server, "m")
    now, way, waits = NOON, Scripted(refuses), []
    for tries in range(1, 9):
        assert outbox.deliver(server.ctx, now, way) == 0
        with server.ctx.store.reader() as db:
            attempt = attempt_of(db, "m", "mail")
        assert attempt is not None
        assert (attempt.tries, attempt.error) == (tries, "554 no")
        waits.append(attempt.next - now)
        outbox.deliver(server.ctx, attempt.next - 1, way)
        assert len(way.tried) == tries  # not due yet
        now = attempt.next
    assert waits == [60, 120, 240, 480, 960, 1800, 1800, 1800]


@pytest.mark.parametrize(("ahead", "tries"), [(0, 2), (1, 1), (1800, 1), (1801, 2)])
def test_a_try_that_is_farther_off_than_any_wait_is_one_of_a_clock_set_back(
    server: Lab, ahead: int, tries: int
) -> None:
    tell(server, "m")
    way = Scripted(refuses)
    outbox.deliver(server.ctx, NOON, way)
    outbox.deliver(server.ctx, NOON + 60 - ahead, way)
    assert len(way.tried) == tries


def test_where_nothing_gets_through_the_others_wait_as_long_and_count_no_try(server: Lab) -> None:
    tell(server, "a", "b")
    way = Scripted(down)
    assert outbox.deliver(server.ctx, NOON, way) == 0
    assert (len(way.tried), told(server)) == (1, {"a": ("waiting", 1), "b": ("waiting", 0)})
    [_, second] = [one.channels[0] for one in reversed(outbox.history(server.ctx, Page()).messages)]
    assert second.detail == "mail.x.test:25 cannot be reached"
    outbox.deliver(server.ctx, NOON + 59, way)
    assert len(way.tried) == 1
    way.answer = taken
    assert outbox.deliver(server.ctx, NOON + 60, way) == 2
    assert told(server) == {"a": ("sent", 0), "b": ("sent", 0)}
    with server.ctx.store.reader() as db:
        assert [attempt_of(db, name, "mail") for name in "ab"] == [None, None]


def test_a_refused_message_keeps_no_other_from_its_try(server: Lab) -> None:
    tell(server, "a", "b")
    way = Scripted(refuses)
    assert outbox.deliver(server.ctx, NOON, way) == 0
    assert (len(way.tried), told(server)) == (2, {"a": ("waiting", 1), "b": ("waiting", 1)})


def test_what_is_broken_off_by_a_stop_counts_no_try(server: Lab) -> None:
    def stopping() -> Accepted:
        way.cancel()
        raise MailError("The server is stopping.", reached=False)

    tell(server, "a", "b")
    way = Scripted(stopping)
    assert outbox.deliver(server.ctx, NOON, way) == 0
    assert (len(way.tried), told(server)) == (1, {"a": ("waiting", 0), "b": ("waiting", 0)})
    with server.ctx.store.reader() as db:
        assert attempt_of(db, "a", "mail") is None


def test_a_fault_of_the_program_is_kept_like_a_refusal(server: Lab) -> None:
    def broken() -> Accepted:
        raise ZeroDivisionError("x" * 300)

    tell(server, "a", "b")
    way = Scripted(broken)
    outbox.deliver(server.ctx, NOON, way)
    detail = outbox.history(server.ctx, Page()).messages[0].channels[0].detail
    assert (len(way.tried), detail[:18], len(detail)) == (2, "ZeroDivisionError:", 200)


@pytest.mark.parametrize(("age", "outcome"), [(7 * DAY_SECONDS - 1, "waiting"), (7 * DAY_SECONDS, "given up")])
def test_a_message_is_given_up_after_seven_days(server: Lab, age: int, outcome: str) -> None:
    tell(server, "m")
    assert outbox.deliver(server.ctx, NOON + age, Scripted(refuses)) == (outcome == "given up")
    assert told(server)["m"][0] == outcome


def test_only_receivers_that_may_take_it_later_are_tried_again(server: Lab) -> None:
    tell(server, "m")
    way = Scripted(lambda: Accepted({}, {"b@x.test": "451 later"}))
    assert outbox.deliver(server.ctx, NOON, way) == 0
    way.answer = lambda: Accepted({"b@x.test": "550 gone"}, {})
    assert outbox.deliver(server.ctx, NOON + 60, way) == 0
    assert way.tried == [("a@x.test", "b@x.test"), ("b@x.test",)]
    [channel] = outbox.history(server.ctx, Page()).messages[0].channels
    assert channel.detail == "Every receiver was refused: b@x.test: 550 gone"


def test_a_receiver_that_is_refused_for_good_is_shown_with_the_message_that_was_sent(server: Lab) -> None:
    tell(server, "m")
    assert outbox.deliver(server.ctx, NOON, Scripted(lambda: Accepted({"b@x.test": "550 gone"}, {}))) == 1
    [channel] = outbox.history(server.ctx, Page()).messages[0].channels
    assert (channel.outcome, channel.detail) == ("sent", "b@x.test: 550 gone")


@pytest.mark.parametrize(
    ("messages", "age", "sentence"),
    [
        (["a"], 1800, None),
        (["a"], 1801, "1 alert message waits since 2026-11-25T12:17:43Z: not tried yet"),
        (["a", "b"], 1801, "2 alert messages wait since 2026-11-25T12:17:43Z: not tried yet"),
    ],
)
def test_messages_that_wait_for_more_than_half_an_hour_are_noticed(
    server: Lab, messages: list[str], age: int, sentence: str | None
) -> None:
    tell(server, *messages)
    assert [one.detail for one in outbox.notices(server.ctx, NOON + age)] == ([sentence] if sentence else [])


def test_the_history_shows_25_messages_at_once_the_newest_first(server: Lab) -> None:
    for number in range(26):
        tell(server, f"m{number:02}", at=NOON + number)
    found = outbox.history(server.ctx, Page())
    assert [one.id for one in found.messages] == [f"m{number:02}" for number in range(25, 0, -1)]
    assert found.found == 26
    assert [one.id for one in outbox.history(server.ctx, Page(number=2, size=20)).messages] == [
        f"m{number:02}" for number in range(5, -1, -1)
    ]


def test_a_test_mail_says_whom_it_reached(server: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = alertsettings.settings_for_test(server.ctx, None)
    way = Scripted(lambda: Accepted({"a@x.test": "550 gone"}, {}))
    monkeypatch.setattr(outbox, "MailSender", lambda: way)
    assert outbox.send_test(server.ctx, settings, NOON) == MailTest(["b@x.test"], {"a@x.test": "550 gone"})
    way.answer = lambda: Accepted({"a@x.test": "550 gone"}, {"b@x.test": "451 later"})
    with pytest.raises(MailError, match=r"a@x\.test: 550 gone; b@x\.test: 451 later"):
        outbox.send_test(server.ctx, settings, NOON)


@pytest.mark.parametrize(
    ("status", "sentence"),
    [(200, None), (299, None), (300, "redirects are not followed"), (399, "redirects are not followed"),
     (400, "answered 400$"), (500, "answered 500$")],
)  # fmt: skip
def test_a_webhook_takes_a_message_by_any_status_of_success(server: Lab, status: int, sentence: str | None) -> None:
    with hook_receiver() as hooks:
        hooks.status = status
        made = alertsettings.add_webhook(server.ctx, "chat", hooks.url, "test", NOON)
        if sentence is None:
            outbox.test_webhook(server.ctx, made.id, NOON)
            return
        with pytest.raises(webhooks.WebhookError, match=sentence):
            outbox.test_webhook(server.ctx, made.id, NOON)


@pytest.mark.parametrize(
    ("code", "later"), [(399, False), (400, True), (421, True), (499, True), (500, False), (550, False)]
)
def test_a_receiver_refused_with_a_code_from_400_to_499_is_tried_again(code: int, *, later: bool) -> None:
    accepted = smtp._refusals({"a@x.test": (code, b"some  words\r\nmore")})
    words = {"a@x.test": f"{code} some words more"}
    assert (accepted.refused, accepted.later) == (({}, words) if later else (words, {}))


def test_the_words_of_a_message_are_one_text_in_any_letters() -> None:
    message = Message("m", NOON, [Alert("test", params={"item": "倉庫"})], ("webhook:1",))
    body = webhooks.body_of(message, "UUID")
    assert "倉庫".encode() in body
    assert issubclass(webhooks.WebhookError, DeliveryError)
