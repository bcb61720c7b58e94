"""Bounds of what an administrator sets up for alerts: mail, webhooks, the calendar's address."""

from __future__ import annotations

import smtplib
import socket
from typing import Any

import pytest

from lts.errors import AdminError
from lts.rules.alerting.alerts import DEFAULT_LEVELS
from lts.service.alerting import alertsettings, smtp
from lts.web.admin.jsonpieces import as_json
from tests.support.kit import NOON, Lab

MAIL = {"host": "mail.x.test", "port": 25, "from": "lts@x.test", "to": "a@x.test"}
LATE = "x.test:465 does not answer, or hung up within 14 s (timeout)."
URL = "https://hooks.x.test/"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"port": 1}, None),
        ({"port": 65535}, None),
        ({"port": 0}, "port"),
        ({"port": 65536}, "port"),
        ({"port": True}, "port"),
        ({"host": "h" * 253}, None),
        ({"host": "a@b"}, "host"),
        ({"host": "a\\b"}, "host"),
        ({"host": 7}, "host"),
        ({"user": "u" * 256}, None),
        ({"user": "u" * 257}, "user"),
        ({"user": "a\x1fb"}, "user"),
        ({"user": "a\x7fb"}, "user"),
        ({"user": "a b"}, None),
        ({"password": "p" * 256}, None),
        ({"password": "p" * 257}, "password"),
        ({"language": "zh"}, None),
        ({"language": None}, "language"),
        ({"security": "tls"}, None),
        ({"security": "ssl"}, "security"),
        ({"security": "none"}, None),
        ({"to": ""}, "to"),
        ({"to": "", "cc": "a@x.test"}, None),
        ({"caFile": "/nowhere/ca.pem"}, "caFile"),
        ({"caFile": "x" * 256}, "caFile"),
        ({"caFile": "/x" * 5000}, "caFile"),
        ({"caFile": "a\0b"}, "caFile"),
        ({"to": "", "bcc": "a@x.test"}, None),
        ({"zeta": 1, "alpha": 1}, "alpha"),
    ],
)
def test_mail_settings_are_taken_up_to_their_bounds(server: Lab, change: dict[str, Any], field: str | None) -> None:
    if field is None:
        alertsettings.change_mail(server.ctx, {**MAIL, **change}, "test", NOON)
        found = as_json(alertsettings.describe_mail(server.ctx.store.catalog))
        assert {name: found[name] for name in change if name != "password"} == {
            name: value for name, value in change.items() if name != "password"
        }
        return
    with pytest.raises(AdminError) as caught:
        alertsettings.change_mail(server.ctx, {**MAIL, **change}, "test", NOON)
    assert (caught.value.field, caught.value.status) == (field, 400)
    assert len(caught.value.detail) < 1000
    assert alertsettings.describe_mail(server.ctx.store.catalog) is None


def test_the_name_of_a_mail_server_has_253_characters(server: Lab) -> None:
    with pytest.raises(AdminError, match="The mail server's name is longer than 253 characters"):
        alertsettings.change_mail(server.ctx, {**MAIL, "host": "h" * 254}, "test", NOON)


def test_what_is_not_given_is_starttls_in_english_without_a_user(server: Lab) -> None:
    alertsettings.change_mail(server.ctx, MAIL, "test", NOON)
    assert as_json(alertsettings.describe_mail(server.ctx.store.catalog)) == {
        **MAIL, "security": "starttls", "caFile": "", "user": "", "cc": "", "bcc": "", "language": "en",
        "hasPassword": False,
    }  # fmt: skip


def test_an_address_in_several_lists_gets_one_mail(server: Lab) -> None:
    given = {**MAIL, "to": "a@x.test", "cc": "b@x.test; a@x.test", "bcc": "c@x.test"}
    assert alertsettings.settings_for_test(server.ctx, given).receivers == ("a@x.test", "b@x.test", "c@x.test")


@pytest.mark.parametrize(
    ("error", "changes", "words"),
    [
        (smtplib.SMTPResponseException(530, b"Sign  in\r\nfirst"), {}, "x.test:25 answered: 530 Sign in first Choose"),
        (smtplib.SMTPResponseException(530, b"No"), {"security": "tls"}, "x.test:25 answered: 530 No"),
        (smtplib.SMTPResponseException(531, b"No"), {}, "x.test:25 answered: 531 No"),
        (smtplib.SMTPAuthenticationError(535, b"No"), {}, "x.test:25 refused user and password: 535 No"),
        (smtplib.SMTPServerDisconnected("bye"), {}, "x.test:25 does not answer, or hung up within 14 s (bye)."),
        (
            TimeoutError(),
            {"port": 465},
            "x.test:465 does not answer, or hung up within 14 s (timeout). Port 465 wants TLS.",
        ),
        (
            TimeoutError(),
            {"port": 465, "security": "tls"},
            "x.test:465 does not answer, or hung up within 14 s (timeout).",
        ),
        (smtplib.SMTPNotSupportedError("no STARTTLS"), {}, "x.test:25: no STARTTLS"),
        (smtplib.SMTPNotSupportedError("no STARTTLS"), {"security": "starttls"}, "x.test:25: no STARTTLS Choose TLS"),
        (socket.gaierror(-2, "Name or service not known"), {}, "There is no host 'x.test': Name or service not known."),
        (OSError("refused"), {}, "x.test:25 cannot be reached: refused"),
    ],
)
def test_what_a_mail_server_said_is_shown_with_what_to_choose(
    server: Lab, error: Exception, changes: dict[str, Any], words: str
) -> None:
    given = {**MAIL, "host": "x.test", "security": "none", **changes}
    told = smtp._words(error, alertsettings.settings_for_test(server.ctx, given))
    assert told == words or ("Choose" in words and told.startswith(words))


def test_without_settings_there_is_no_test_mail(server: Lab) -> None:
    with pytest.raises(AdminError, match="Mail is not set up") as caught:
        alertsettings.settings_for_test(server.ctx, None)
    assert caught.value.status == 404


def test_there_may_be_ten_webhooks(server: Lab) -> None:
    made = [alertsettings.add_webhook(server.ctx, f"hook {n}", URL, "test", NOON + n) for n in range(10)]
    with pytest.raises(AdminError, match="There are 10 webhooks already") as caught:
        alertsettings.add_webhook(server.ctx, "one more", URL, "test", NOON)
    assert (caught.value.code, caught.value.status) == ("too-many-webhooks", 409)
    assert [hook.name for hook in alertsettings.describe_webhooks(server.ctx)] == [f"hook {n}" for n in range(10)]
    assert (len(made[0].id), len(made[0].secret)) == (8, 43)
    alertsettings.remove_webhook(server.ctx, made[3].id, "test", NOON)
    for call in (
        lambda: alertsettings.remove_webhook(server.ctx, made[3].id, "test", NOON),
        lambda: alertsettings.webhook(server.ctx, made[3].id),
    ):
        with pytest.raises(AdminError, match="There is no such webhook") as caught:
            call()
        assert caught.value.status == 404
    assert alertsettings.webhook(server.ctx, made[4].id).name == "hook 4"


def test_webhooks_of_one_second_are_listed_by_their_id(server: Lab) -> None:
    made = [alertsettings.add_webhook(server.ctx, "hook", URL, "test", NOON).id for _ in range(3)]
    assert [hook.id for hook in alertsettings.webhooks_of(server.ctx)] == sorted(made)


def test_levels_that_are_not_given_stay_as_they_are(server: Lab) -> None:
    before = alertsettings.levels_of(server.ctx.store.catalog)
    assert before == DEFAULT_LEVELS
    for name, levels in (("scan", [50, 75]), ("failures", [10])):
        alertsettings.change_levels(server.ctx, {name: levels}, "test", NOON)
    after = alertsettings.levels_of(server.ctx.store.catalog)
    assert after == {**DEFAULT_LEVELS, "scan": (50, 75), "failures": (10,)}


@pytest.mark.parametrize(
    ("name", "url", "good"),
    [
        ("n" * 64, URL, True),
        ("n" * 65, URL, False),
        ("n", URL + "x" * (1000 - len(URL)), True),
        ("n", URL + "x" * (1001 - len(URL)), False),
        ("n", "http://x.test:8080/a?b=c", True),
        ("n", "http://x.test:99999/", False),
        ("n", "http://[::1/", False),
        ("n", "http:///path", False),
        ("n", "http://x.test/#part", False),
        ("n", "http://x.test/a b", False),
        ("n", "http://x.test/\x7f", False),
        ("n", "http://x.test/?ü", False),
    ],
)
def test_names_and_urls_of_webhooks(server: Lab, name: str, url: str, *, good: bool) -> None:
    if good:
        assert alertsettings.add_webhook(server.ctx, name, url, "test", NOON).url == url
        return
    with pytest.raises(AdminError):
        alertsettings.add_webhook(server.ctx, name, url, "test", NOON)


def test_the_address_of_the_calendar_stays_until_it_is_renewed(server: Lab) -> None:
    first = alertsettings.calendar_key(server.ctx, "test", NOON)
    assert (len(first), alertsettings.calendar_key(server.ctx, "test", NOON)) == (32, first)
    second = alertsettings.calendar_key(server.ctx, "test", NOON, renew=True)
    assert second != first
    assert alertsettings.calendar_key(server.ctx, "test", NOON) == second
