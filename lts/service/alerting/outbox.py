"""Delivering messages: each on its channels, retried until accepted, by the server that serves.

A message is marked as sent once the mail server or webhook accepted it. If the server is killed between the two it is
sent again, with the same Message-ID.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from lts.errors import DeliveryError, words_of
from lts.protocol import DAY_SECONDS, iso
from lts.rules.alerting.alert import Alert
from lts.rules.alerting.alertmail import AlertingServer, render, title_of
from lts.rules.alerting.notices import WARNING, Notice
from lts.rules.licensing.serverurls import is_local
from lts.rules.values.paging import Page
from lts.rules.values.plural import counted
from lts.rules.values.readmodel import ReadModel
from lts.service.alerting import alerts, alertsettings, smtp, webhooks
from lts.service.alerting.alertsettings import MailSettings
from lts.service.alerting.smtp import MailSender
from lts.service.core.context import Context
from lts.service.licensing import serverurls
from lts.store.changes import records
from lts.store.tables import alerts as stored
from lts.store.tables.alerts import GIVEN_UP, SENT, Attempt, Message
from lts.store.writing.transaction import Transaction

log = logging.getLogger("lts.outbox")
FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS = 60, 1800
LATE_SECONDS = 1800
"""How long a message may wait before the portal says so."""
GIVE_UP_SECONDS = 7 * DAY_SECONDS
SHOWN = 25


class MailTest(ReadModel, frozen=True):
    """The receivers of a test mail, and those refused with the server's reason."""

    sent_to: list[str]
    refused: dict[str, str]


class AlertEvent(ReadModel, frozen=True):
    """What a message reported, with its sentence in both languages."""

    kind: str
    level: int
    params: dict[str, Any]
    text: str
    text_zh: str


class AlertChannel(ReadModel, frozen=True):
    """The outcome of a message by mail or a webhook: when it was settled, or how often it was tried and when it is
    tried next; times as RFC 3339."""

    channel: str
    name: str | None
    outcome: str
    time: str | None
    detail: str
    tries: int
    next: str | None


class AlertMessage(ReadModel, frozen=True):
    """A message that was made."""

    id: str
    time: str
    events: list[AlertEvent]
    channels: list[AlertChannel]


class AlertHistory(ReadModel, frozen=True):
    """A page of messages, newest first; `found` counts those of all pages."""

    messages: list[AlertMessage]
    found: int


class _ChannelGone(DeliveryError):
    """The channel no longer exists: another try cannot help."""


def deliver(ctx: Context, now: int, sender: MailSender) -> int:
    """Try every message that is due once; returns how many were delivered or given up. If a channel is unreachable, its
    other messages wait too, without a try of their own."""
    with ctx.store.reader() as db:
        waiting = [
            (message, channel, stored.attempt(db, message.id, channel) or Attempt(0, 0, "", ()))
            for message, channel in stored.waiting(db)
        ]
    settled = 0
    closed: dict[str, str] = {}
    for message, channel, attempt in waiting:
        if now < attempt.next <= now + LONGEST_RETRY_SECONDS or sender.canceled:
            continue
        if channel in closed:
            _wait(ctx, message, channel, replace(attempt, error=closed[channel]), now)
            continue
        failure = _try(ctx, message, channel, attempt, now, sender)
        settled += failure is None
        if failure is not None and not failure.reached:
            closed[channel] = failure.detail
    return settled


def _try(
    ctx: Context, message: Message, channel: str, attempt: Attempt, now: int, sender: MailSender
) -> DeliveryError | None:
    """One try; why another one is needed, None if the message is settled."""
    refused = ""
    failure: DeliveryError | None = None
    try:
        refused, rest, later = _send(ctx, message, channel, attempt, sender)
        failure = smtp.MailError(later) if later else None
        attempt = replace(attempt, rest=rest)
    except DeliveryError as error:
        failure = error
    except Exception as error:  # a fault of this program must not stop other messages and channels
        log.exception("message %s could not be delivered by %s", message.id, channel)
        failure = DeliveryError("fault", f"{type(error).__name__}: {words_of(error)}"[:200], reached=True)
    if failure is not None and sender.canceled:
        return failure
    hopeless = isinstance(failure, _ChannelGone) or now - message.time >= GIVE_UP_SECONDS
    if failure is not None and not hopeless:
        _wait(ctx, message, channel, replace(attempt, tries=attempt.tries + 1, error=failure.detail), now)
        log.warning("message %s was not delivered by %s: %s", message.id, channel, failure.detail)
        return failure
    outcome, detail = (GIVEN_UP, failure.detail) if failure else (SENT, refused)

    def operation(tx: Transaction) -> None:
        tx.emit(records.DeliveryChange(message.id, channel, outcome, detail), now)
        stored.keep_attempt(tx, message.id, channel, None)

    ctx.store.write(operation)
    log.info("message %s: %s by %s %s", message.id, outcome, channel, detail)
    return None


def _wait(ctx: Context, message: Message, channel: str, attempt: Attempt, now: int) -> None:
    wait = min(FIRST_RETRY_SECONDS << max(0, attempt.tries - 1), LONGEST_RETRY_SECONDS)
    kept = replace(attempt, next=now + wait)
    ctx.store.write(lambda tx: stored.keep_attempt(tx, message.id, channel, kept))


def _send(
    ctx: Context, message: Message, channel: str, attempt: Attempt, sender: MailSender
) -> tuple[str, tuple[str, ...], str]:
    """(receivers refused permanently, receivers to be tried again, reason). Raises DeliveryError."""
    if channel != alerts.MAIL:
        hook = next((one for one in alertsettings.webhooks_of(ctx) if alerts.WEBHOOK + one.id == channel), None)
        if hook is None:
            raise _ChannelGone("channel-gone", "The webhook was removed.", reached=True)
        webhooks.post(hook, message.id, webhooks.body_of(message, ctx.identity.uuid), ctx.clock.now())
        return "", (), ""
    settings = alertsettings.mail_of(ctx)
    if settings is None:
        raise _ChannelGone("channel-gone", "Mail was switched off.", reached=True)
    receivers = attempt.rest or settings.receivers
    accepted = _mail(ctx, settings, message, receivers, sender)
    refused = "; ".join(f"{address}: {words}" for address, words in accepted.refused.items())
    if len(accepted.refused) == len(receivers):
        raise smtp.MailError(f"Every receiver was refused: {refused}")
    later = "; ".join(f"{address}: {words}" for address, words in accepted.later.items())
    return refused, tuple(accepted.later), later


def _mail(
    ctx: Context, settings: MailSettings, message: Message, receivers: tuple[str, ...], sender: MailSender
) -> smtp.Accepted:
    mail = render(message.events, settings.language, AlertingServer(ctx.identity.uuid, portal_of(ctx)), message.time)
    composed = smtp.compose(settings, mail, message.id, message.time)
    return sender.send(settings, composed, receivers)


def portal_of(ctx: Context) -> str:
    """The URL under which others find the portal, "" when only this machine does."""
    url = serverurls.server_urls(ctx)[0]
    return "" if is_local(url) or not urlsplit(url).hostname else url


def send_test(ctx: Context, settings: MailSettings, now: int) -> MailTest:
    """A test mail at once. Raises MailError with the server's own words."""
    message = Message(f"test-{now:x}", now, [alerts.test_event(now)], (alerts.MAIL,))
    accepted = _mail(ctx, settings, message, settings.receivers, MailSender())
    refused = {**accepted.refused, **accepted.later}
    if len(refused) == len(settings.receivers):
        raise smtp.MailError("; ".join(f"{address}: {words}" for address, words in refused.items()))
    return MailTest([one for one in settings.receivers if one not in refused], refused)


def test_webhook(ctx: Context, key: str, now: int) -> None:
    """A test message to a webhook at once. Raises AdminError, WebhookError."""
    hook = alertsettings.webhook(ctx, key)
    message = Message(f"test-{now:x}", now, [alerts.test_event(now)], (alerts.WEBHOOK + key,))
    webhooks.post(hook, message.id, webhooks.body_of(message, ctx.identity.uuid), now)


def notices(ctx: Context, now: int) -> list[Notice]:
    """Messages that wait for long: an administrator who gets no alerts should at least see that."""
    with ctx.store.reader() as db:
        waiting = [(message, channel) for message, channel in stored.waiting(db) if now - message.time > LATE_SECONDS]
        if not waiting:
            return []
        attempt = stored.attempt(db, waiting[0][0].id, waiting[0][1])
    why = attempt.error if attempt else "not tried yet"
    sentence = (
        f"{counted(len(waiting), 'alert message waits', 'alert messages wait')} since {iso(waiting[0][0].time)}: {why}"
    )
    params: dict[str, str | int] = {"n": len(waiting), "time": iso(waiting[0][0].time), "reason": why}
    return [Notice("alert-undelivered", sentence, WARNING, params)]


def history(ctx: Context, page: Page) -> AlertHistory:
    """What was sent, newest first, and the outcome on each channel."""
    names = {alerts.WEBHOOK + hook.id: hook.name for hook in alertsettings.webhooks_of(ctx)}
    with ctx.store.reader() as db:
        messages = stored.messages(db, page.offset, page.size or SHOWN)
        found = []
        for message in messages:
            outcomes = stored.outcomes(db, message.id)
            tries = {channel: stored.attempt(db, message.id, channel) for channel in message.channels}
            channels = [
                _channel(channel, names.get(channel), outcomes.get(channel), tries[channel])
                for channel in message.channels
            ]
            events = [_event(event) for event in message.events]
            found.append(AlertMessage(message.id, iso(message.time), events, channels))
        return AlertHistory(found, stored.count(db))


def _event(event: Alert) -> AlertEvent:
    texts = title_of(event, "en"), title_of(event, "zh")
    return AlertEvent(event.kind, event.level, event.params, *texts)


def _channel(
    channel: str, name: str | None, outcome: tuple[str, int, str] | None, attempt: Attempt | None
) -> AlertChannel:
    if outcome is not None:
        what, time, detail = outcome
        return AlertChannel(channel, name, what, iso(time), detail, 0, None)
    if attempt is not None:
        return AlertChannel(channel, name, "waiting", None, attempt.error, attempt.tries, iso(attempt.next))
    return AlertChannel(channel, name, "waiting", None, "", 0, None)
