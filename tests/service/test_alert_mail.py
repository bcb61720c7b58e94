"""Mails of alerts: every kind of mail server, what they hold, and settings that are wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lts.errors import AdminError
from lts.rules.alerting.alert import Alert
from lts.rules.alerting.alertmail import AlertingServer, render
from lts.service.alerting import alertsettings, outbox, smtp
from lts.service.alerting.alertsettings import MailSettings
from lts.service.alerting.smtp import MailError, MailSender, compose
from lts.service.licensing.licenses import Choice
from lts.web.admin.jsonpieces import as_json
from tests.support.alerted import body_of, look, mail_settings, set_mail, use
from tests.support.kit import NOON, Lab, item
from tests.support.postoffice import black_hole, post_office
from tests.support.wait import PATIENCE, in_time

PASSWORD = "geheim é 7"


@pytest.mark.parametrize(
    ("security", "auth"),
    [("none", ""), ("none", "PLAIN"), ("none", "LOGIN"), ("starttls", "PLAIN LOGIN"), ("tls", "LOGIN"), ("tls", "")],
)
def test_every_kind_of_mail_server(server: Lab, tmp_path: Path, security: str, auth: str) -> None:
    with post_office(tmp_path, security=security, auth=auth) as office:
        host = "127.0.0.1" if security == "none" else "localhost"
        ca_file = "" if security == "none" else str(tmp_path / "ca.pem")
        given = mail_settings(office.port, host=host, security=security, caFile=ca_file,
                              **({"user": "lts@x.test", "password": PASSWORD} if auth else {}))  # fmt: skip
        settings = alertsettings.settings_for_test(server.ctx, given)
        assert outbox.send_test(server.ctx, settings, NOON).sent_to == ["ops@x.test"]
        assert office.logins == ([("lts@x.test", PASSWORD)] if auth else [])


def refused(server: Lab, **given: Any) -> str:
    """The sentence that the test button shows."""
    settings = alertsettings.settings_for_test(server.ctx, mail_settings(**given))
    with pytest.raises(MailError) as caught:
        outbox.send_test(server.ctx, settings, NOON)
    return caught.value.detail


def test_wrong_settings_are_reported_in_the_servers_own_words_with_what_to_choose(server: Lab, tmp_path: Path) -> None:
    ca = {"caFile": str(tmp_path / "ca.pem")}
    with post_office(tmp_path, security="starttls", auth="PLAIN") as office:
        assert "Choose STARTTLS" in refused(server, port=office.port, host="localhost", security="tls", **ca)
        assert "530" in refused(server, port=office.port, host="localhost", security="none")
        assert "cannot be trusted" in refused(server, port=office.port, host="localhost", security="starttls")
        words = refused(
            server, port=office.port, host="localhost", security="starttls", user="u", password="wrong", **ca
        )
        assert "535" in words
        assert "wrong" not in words
        named = refused(server, port=office.port, host="127.0.0.1", security="starttls", **ca)
        assert "cannot be trusted" in named
    with post_office() as office:
        assert "STARTTLS" in refused(server, port=office.port, security="starttls")
        assert "no sign-in" in refused(server, port=office.port, user="u", password="p")
        office.data_answer = "554 5.7.1 rejected as spam"
        assert "554 5.7.1 rejected as spam" in refused(server, port=office.port)
    assert "cannot be reached" in refused(server, port=office.port)
    assert "There is no host" in refused(server, port=25, host="no-such-host.invalid")


def test_one_of_several_receivers_refused_for_good_does_not_keep_the_others_from_it(server: Lab) -> None:
    server.load(item(quota=100))
    with post_office() as office:
        set_mail(server, office.port, to="a@x.test; gone@x.test", cc="later@x.test", bcc="hidden@x.test")
        office.refuse = {"gone@x.test": "550 5.1.1 no such user", "later@x.test": "451 4.7.1 greylisted"}
        use(server, 61)
        look(server)
        assert office.receivers == [["a@x.test", "hidden@x.test"]]
        assert "hidden" not in str(office.mails[0])
        office.refuse.pop("later@x.test")
        server.time.forward(120)
        outbox.deliver(server.ctx, server.time.now, MailSender())
        assert office.receivers[1:] == [["later@x.test"]]
        server.time.forward(7200)
        outbox.deliver(server.ctx, server.time.now, MailSender())
        assert len(office.mails) == 2


def test_names_of_any_letters_reach_the_mail_as_they_are(server: Lab) -> None:
    server.load(item("倉庫 📦 é", quota=100), choice=Choice())
    with post_office() as office:
        set_mail(server, office.port, **{"from": "Лицензии <lts@x.test>", "language": "zh"})
        use(server, 61)
        look(server)
        mail = office.mails[0]
        assert "倉庫 📦 é" in str(mail["Subject"])
        assert mail["From"].addresses[0].addr_spec == "lts@x.test"
        assert mail["From"].addresses[0].display_name == "Лицензии"
        html = body_of(mail, "html")
        assert "许可 100 的许可项 倉庫 📦 é 已使用 61 % 的配额" in html


def test_script_and_line_ends_in_names_do_nothing(server: Lab) -> None:
    settings = alertsettings.settings_for_test(server.ctx, mail_settings(25))
    params = {
        "item": "<img src=x onerror=alert(1)>\r\nBcc: evil@x.test",
        "license": "<b>",
        "used": 61,
        "quota": 100,
        "grace": 5,
    }
    mail = render([Alert("quota", 60, params)], "en", AlertingServer("UUID", "https://lts.x.test/"), NOON)
    message = compose(settings, mail, "id", NOON)
    assert message.keys().count("Bcc") == 0
    assert "\n" not in str(message["Subject"])
    assert "<img" not in mail.html
    assert "&lt;img" in mail.html


@pytest.mark.parametrize("words", [b"", b"220 hello\r\n"])
def test_a_silent_server_is_reported_in_time(server: Lab, words: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    assert smtp.STEP_SECONDS < smtp.WHOLE_SECONDS < 20
    monkeypatch.setattr(smtp, "STEP_SECONDS", 0.5)
    monkeypatch.setattr(smtp, "WHOLE_SECONDS", 2 * PATIENCE)
    with black_hole(words) as hole:
        assert "does not answer" in in_time(lambda: refused(server, port=hole.port))


def test_a_server_that_drips_is_cut_off(server: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "STEP_SECONDS", 2 * PATIENCE)
    monkeypatch.setattr(smtp, "WHOLE_SECONDS", 1.0)
    with black_hole(b"220-still\r\n") as hole:
        assert "hung up within" in in_time(lambda: refused(server, port=hole.port))


def test_the_password_is_sealed_and_an_untouched_form_keeps_it(server: Lab, tmp_path: Path) -> None:
    set_mail(server, 25, user="u", password="very s3cret")
    alertsettings.change_mail(server.ctx, mail_settings(587, user="u"), "test", NOON)
    stored = alertsettings.mail_of(server.ctx)
    assert isinstance(stored, MailSettings)
    assert (stored.password, stored.port) == ("very s3cret", 587)
    assert "very s3cret" not in json.dumps(as_json(alertsettings.describe_mail(server.ctx.store.catalog)))
    for file in (tmp_path / "data").glob("lts.db*"):
        assert b"very s3cret" not in file.read_bytes()
    alertsettings.change_mail(server.ctx, mail_settings(587, user="u", password=""), "test", NOON)
    described = alertsettings.describe_mail(server.ctx.store.catalog)
    assert described is not None
    assert described.has_password is False


@pytest.mark.parametrize(
    ("change", "field"),
    [({"port": "25"}, "port"), ({"port": 0}, "port"), ({"host": "a b"}, "host"), ({"host": "https://mail"}, "host"),
     ({"security": "ssl3"}, "security"), ({"from": "nobody"}, "from"), ({"from": "a@x.test\r\nBcc: b@x.test"}, "from"),
     ({"to": ""}, "to"), ({"cc": "x"}, "cc"), ({"language": "de"}, "language"), ({"user": "a\r\nb"}, "user"),
     ({"caFile": "/no/such/file"}, "caFile"), ({"other": 1}, "other")],
)  # fmt: skip
def test_wrong_fields_are_named(server: Lab, change: dict[str, Any], field: str) -> None:
    with pytest.raises(AdminError) as caught:
        set_mail(server, 25, **change)
    assert caught.value.field == field
    assert alertsettings.mail_of(server.ctx) is None
