"""Alerts over a real server with a stepped clock, a real mail server, a real webhook receiver."""

from __future__ import annotations

import functools
import hashlib
import hmac
import json
import logging
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Literal

import pytest

from lts.background.courier import Courier
from lts.errors import AdminError, Refusal
from lts.protocol import DAY_SECONDS, iso, slot_of
from lts.rules import alerts as rules
from lts.rules import licensefile
from lts.rules.alertmail import Server, render
from lts.rules.licensefile import License
from lts.rules.paging import Page
from lts.service.alerting import alerts, alertsettings, outbox, smtp, webhooks
from lts.service.alerting.alertsettings import MailSettings
from lts.service.alerting.smtp import MailError, Sender, compose
from lts.service.licensing import handshakes, licenses
from lts.service.licensing.licenses import Choice
from lts.service.maintenance import attention, upkeep
from lts.store import records, sql
from lts.store.transaction import Transaction
from lts.vendor import issuing
from tests.support.kit import NOON, FakeTime, Lab, Vendor, item, lab
from tests.support.postoffice import PostOffice, black_hole, hook_receiver, post_office
from tests.support.wait import PATIENCE, ended, in_time, wait_until

PASSWORD = "geheim é 7"
DEVICE = "6F1C2B7E-8C1D-4A0E-9A57-0C6A2F7A1B11"


def mail_settings(port: int, **more: Any) -> dict[str, Any]:
    """Mail as the portal sends it."""
    return {
        "host": "127.0.0.1",
        "port": port,
        "security": "none",
        "from": "LTS <lts@x.test>",
        "to": "ops@x.test",
        **more,
    }


def set_mail(server: Lab, at: int, **more: Any) -> None:
    alertsettings.change_mail(server.ctx, {**mail_settings(at), **more}, "test", server.time.now)


def look(server: Lab) -> None:
    """Ten minutes later: the job, then the courier."""
    server.time.forward(600)
    alerts.check(server.ctx, server.time.now)
    outbox.deliver(server.ctx, server.time.now, Sender())


def use(server: Lab, total: int) -> None:
    """Report until so many units are used in all."""
    got = server.authorize(device=DEVICE)
    used = licenses.describe(server.ctx, server.time.now)[0]["used"]
    if total > used:
        server.time.forward(180)
        server.report(got.lease, {"QR": total - used}, slot_of(server.time.now))


def subjects(office: PostOffice) -> list[str]:
    return [str(mail["Subject"]).strip() for mail in office.mails]


def body_of(mail: EmailMessage, kind: Literal["plain", "html"]) -> str:
    """One of the two parts of a mail."""
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content())


def bring(server: Lab, file: License) -> None:
    """Import a file."""
    licenses.import_license(server.ctx, licensefile.render(file).encode(), Choice(), "test", server.time.now)


def test_one_run_gives_exactly_the_mails_that_the_rules_say(tmp_path: Path) -> None:
    clock, vendor = FakeTime(), Vendor()
    with post_office() as office:
        with lab(tmp_path, clock, vendor) as server:
            first = vendor.activate(vendor.issue(item(quota=100)), server.ctx)
            bring(server, first)
            set_mail(server, office.port)
            use(server, 59)
            look(server)
            assert subjects(office) == []
            use(server, 61)
            look(server)
            assert subjects(office) == ["[LTS] License item one of license 100 has used 61 % of its quota (61 of 100)."]
            look(server)
        with lab(tmp_path, clock, vendor) as server:  # after a restart
            look(server)
            assert len(office.mails) == 1
            use(server, 101)
            look(server)
            assert subjects(office)[1:] == [
                "[LTS] License item one of license 100 has used 101 % of its quota (101 of 100)."
            ]
            look(server)
            bring(server, issuing.amend(first, {"items": [{"itemId": "one", "quota": 200}]}, vendor.key, "Vendor"))
            look(server)
            assert len(office.mails) == 2
            use(server, 122)
            look(server)
            look(server)
            assert subjects(office)[2:] == [
                "[LTS] License item one of license 100 has used 61 % of its quota (122 of 200)."
            ]
            assert upkeep.verify(tmp_path / "data", server.ctx.trust) == []


def of_another_vendor(server: Lab) -> None:
    """The item "one" of license 100 again, of another vendor and organization."""
    stranger = Vendor("Stranger")
    server.ctx.trust.add(stranger.pub)
    data = stranger.file(server.ctx, item(quota=100), organization="7")
    licenses.import_license(server.ctx, data, Choice(), "test", server.time.now)


def told(server: Lab) -> dict[str, tuple[int, int]]:
    return {key: (level, base) for key, level, base in server.rows("SELECT * FROM alert_levels")}


def fail(server: Lab, code: str, times: int) -> None:
    for _ in range(times):
        with pytest.raises(Refusal):
            server.authorize(code, product="nothing")


def test_a_renamed_code_is_not_told_again_and_two_items_of_one_id_are_told_apart(server: Lab) -> None:
    code = server.load(item(quota=100))
    of_another_vendor(server)
    for name in (code, "7-100"):
        server.report(server.authorize(name).lease, {"QR": 85})
        assert alerts.check(server.ctx, server.time.now) is not None, name
    fail(server, code, 40)
    assert alerts.check(server.ctx, server.time.now) is not None
    handshakes.edit(server.ctx, code, {"custom": "new"}, "test", server.time.now)
    assert alerts.check(server.ctx, server.time.now) is None
    assert told(server) == {"quota:#1": (80, 100), "quota:#2": (80, 100), "failures:#1": (80, 0)}
    events = [event for (text,) in server.rows("SELECT events FROM messages") for event in json.loads(text)]
    assert sorted((event["kind"], event["params"]["id"]) for event in events) == [
        ("failures", 1), ("quota", 1), ("quota", 2),
    ]  # fmt: skip


def test_what_the_version_before_told_is_not_told_again(server: Lab) -> None:
    code = server.load(item(quota=100))
    of_another_vendor(server)
    server.report(server.authorize(code).lease, {"QR": 85})
    server.report(server.authorize("7-100").lease, {"QR": 65})
    fail(server, code, 40)
    levels = (("quota:100:one", 80, 100), (f"failures:{code}", 80, 41), ("ends:gone:item", 1, 100))
    server.ctx.store.write(lambda tx: tx.emit(records.Alerted(levels, ()), NOON))
    assert alerts.check(server.ctx, server.time.now) is None
    assert told(server) == {
        "quota:#1": (80, 100), "quota:#2": (60, 100), "failures:#1": (80, 41), "ends:gone:item": (1, 100),
    }  # fmt: skip
    serial = server.ctx.store.serial
    assert alerts.check(server.ctx, server.time.now) is None
    assert server.ctx.store.serial == serial
    server.report(server.authorize(code).lease, {"QR": 20}, slot_of(NOON) - 1)
    assert alerts.check(server.ctx, server.time.now) is not None


def test_a_mail_server_down_for_an_hour_gets_it_afterwards_once(server: Lab) -> None:
    server.load(item(quota=100))
    with post_office() as office:
        port = office.port
    set_mail(server, port)
    use(server, 61)
    alerts.check(server.ctx, server.time.now)
    for _ in range(60):
        outbox.deliver(server.ctx, server.time.now, Sender())
        server.time.forward(60)
    [told] = outbox.history(server.ctx, Page())["messages"]
    assert told["channels"][0]["outcome"] == "waiting"
    assert "cannot be reached" in told["channels"][0]["detail"]
    with post_office(port=port) as office:
        for _ in range(40):
            outbox.deliver(server.ctx, server.time.now, Sender())
            server.time.forward(60)
        assert subjects(office) == ["[LTS] License item one of license 100 has used 61 % of its quota (61 of 100)."]
    assert outbox.history(server.ctx, Page())["messages"][0]["channels"][0]["outcome"] == "sent"
    with server.ctx.store.reader() as db:
        assert sql.value(db, "SELECT count(*) FROM attempts") == 0


def test_all_that_is_new_goes_into_one_mail_and_a_failing_rule_stops_no_other(
    server: Lab, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    code = server.load(item(quota=100), item("two", quota=10, expiresAt="2026-12-01T12:00:00Z", modules=["X"]))
    server.load(item("three", quota=10, modules=["Y"]), license_id="200")

    def broken(*_: object) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(rules, "failure_measures", broken)
    with post_office() as office:
        set_mail(server, office.port)
        got = server.authorize(code, modules=("QR",))
        server.report(got.lease, {"QR": 80})
        with caplog.at_level(logging.ERROR, "lts.alerts"):
            look(server)
        assert len(office.mails) == 1
        assert subjects(office)[0].endswith("of its quota (80 of 100) (and 1 more)")
        text = body_of(office.mails[0], "plain")
        assert "used 80 %" in text
        assert "License item two of license 100 ends in 6 days" in text
    assert "failures failed" in caplog.text
    [told] = [one for one in attention.notices(server.ctx, server.time.now) if one.code == "alert-rule-failed"]
    assert "failures" in told.detail
    monkeypatch.undo()
    alerts.check(server.ctx, server.time.now)
    assert "alert-rule-failed" not in [notice.code for notice in attention.notices(server.ctx, server.time.now)]


def test_what_is_told_of_each_kind_of_item_has_its_own_numbers(server: Lab) -> None:
    """Several items side by side: a number of one must not stand in a sentence of another."""
    end = iso(server.time.now + 6 * DAY_SECONDS + 3_611)
    server.load(
        item("scans", "scan", 200, product="scans"),
        item("seats", "device", 4, product="seats", expiresAt=end),
        item("daily", "device", 2, product="daily", activePeriod="daily"),
        item("many", "concurrentDevice", 1, product="many", overdraft=5, maxOfflineDays=1),
        item("idle", "page", 70, product="idle"),
    )
    with post_office() as office:
        set_mail(server, office.port)
        server.report(server.authorize(product="scans").lease, {"QR": 163})
        for product, devices in (("seats", 3), ("daily", 2), ("many", 4)):
            for lease in [server.authorize(product=product).lease for _ in range(devices)]:
                server.report(lease, {})
        look(server)
        [mail] = office.mails
        told = [line for line in body_of(mail, "plain").splitlines() if line.startswith("License item")]
        assert sorted(told) == [
            "License item daily of license 100 has used 100 % of its quota (2 of 2).",
            "License item many of license 100 has spent 60 % of its overdraft (3 of 5).",
            "License item scans of license 100 has used 81 % of its quota (163 of 200).",
            "License item seats of license 100 ends in 6 days, on 2026-12-01, 13:17 UTC.",
            "License item seats of license 100 has used 75 % of its quota (3 of 4).",
        ]
        history = outbox.history(server.ctx, Page())["messages"]
        assert len(history) == 1


def test_failed_authorizations_of_the_last_hour_are_told(server: Lab) -> None:
    code = server.load(item())
    with post_office() as office:
        set_mail(server, office.port)
        look(server)
        for number in range(30):
            if number % 2:
                server.authorize(code)
            else:
                with pytest.raises(Refusal):
                    server.authorize(code, product="another")
        look(server)
        assert "50 % of the authorizations of handshake code 216998-100 failed" in subjects(office)[0]
        server.time.forward(3700)
        look(server)
        look(server)
        assert len(office.mails) == 1


def test_what_happens_to_the_server_is_told_once_and_the_past_is_no_news(server: Lab) -> None:
    server.ctx.note_event("clock-back", {"seconds": 9000})
    with post_office() as office:
        set_mail(server, office.port)
        look(server)
        assert office.mails == []
        server.ctx.note_event("pair-lost", {"url": "https://other.example.com/"})
        server.ctx.note_event("clock-back", {"seconds": 7300})
        look(server)
        look(server)
        assert len(office.mails) == 1
        text = body_of(office.mails[0], "plain")
        assert "lost sight of each other" in text
        assert "set back by 7,300 seconds" in text


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
        assert outbox.send_test(server.ctx, settings, NOON)["sentTo"] == ["ops@x.test"]
        assert office.logins == ([("lts@x.test", PASSWORD)] if auth else [])


def refused(server: Lab, **given: Any) -> str:
    """The sentence that the test button shows."""
    settings = alertsettings.settings_for_test(server.ctx, mail_settings(**given))
    with pytest.raises(MailError) as caught:
        outbox.send_test(server.ctx, settings, NOON)
    return caught.value.detail


def test_wrong_settings_are_told_in_the_servers_own_words_and_what_to_choose(server: Lab, tmp_path: Path) -> None:
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
        outbox.deliver(server.ctx, server.time.now, Sender())
        assert office.receivers[1:] == [["later@x.test"]]
        server.time.forward(7200)
        outbox.deliver(server.ctx, server.time.now, Sender())
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
    mail = render([{"kind": "quota", "level": 60, "params": params}], "en", Server("UUID", "https://lts.x.test/"), NOON)
    message = compose(settings, mail, "id", NOON)
    assert message.keys().count("Bcc") == 0
    assert "\n" not in str(message["Subject"])
    assert "<img" not in mail.html
    assert "&lt;img" in mail.html


@pytest.mark.parametrize("words", [b"", b"220 hello\r\n"])
def test_a_silent_server_is_told_of_in_time(server: Lab, words: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
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
    assert "very s3cret" not in json.dumps(alertsettings.describe_mail(server.ctx))
    for file in (tmp_path / "data").glob("lts.db*"):
        assert b"very s3cret" not in file.read_bytes()
    alertsettings.change_mail(server.ctx, mail_settings(587, user="u", password=""), "test", NOON)
    described = alertsettings.describe_mail(server.ctx)
    assert described is not None
    assert described["hasPassword"] is False


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


def test_a_webhook_is_signed_and_tried_again(server: Lab) -> None:
    server.load(item(quota=100))
    with hook_receiver() as hooks:
        made = alertsettings.add_webhook(server.ctx, "chat", hooks.url, "test", NOON)
        hooks.status = 500
        use(server, 61)
        look(server)
        hooks.status = 204
        server.time.forward(120)
        outbox.deliver(server.ctx, server.time.now, Sender())
        server.time.forward(7200)
        outbox.deliver(server.ctx, server.time.now, Sender())
        assert len(hooks.got) == 2
        headers, body = hooks.got[1]
        stamp, mac = (part.partition("=")[2] for part in headers["x-lts-signature"].split(","))
        assert hmac.new(made["secret"].encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest() == mac
        told = json.loads(body)
        assert told["events"][0]["params"]["used"] == 61
        assert told["id"] == headers["x-lts-message"] == json.loads(hooks.got[0][1])["id"]
    assert made["secret"] not in json.dumps(alertsettings.describe_webhooks(server.ctx))


def test_a_webhook_follows_no_redirect_and_reaches_no_metadata(server: Lab) -> None:
    with hook_receiver() as hooks:
        made = alertsettings.add_webhook(server.ctx, "chat", hooks.url, "test", NOON)
        hooks.status, hooks.location = 302, "http://169.254.169.254/latest/meta-data/"
        with pytest.raises(webhooks.WebhookError, match="redirects are not followed"):
            outbox.test_webhook(server.ctx, made["id"], NOON)
        assert len(hooks.got) == 1
    for url in ("http://169.254.169.254/latest", "http://[fe80::1]/", "http://[::ffff:169.254.169.254]/", "http://0.0.0.0/",
                "http://[fd00:ec2::254]/"):  # fmt: skip
        made = alertsettings.add_webhook(server.ctx, "meta", url, "test", NOON)
        with pytest.raises(webhooks.WebhookError, match="no webhook is"):
            outbox.test_webhook(server.ctx, made["id"], NOON)
    for wrong in (
        "file:///etc/passwd",
        "ftp://x.test/",
        "https://u:p@x.test/",
        "x.test",
        "http://x.test/\r\nHost: y",
        "http://x.test/ü",
        None,
    ):
        with pytest.raises(AdminError):
            alertsettings.add_webhook(server.ctx, "wrong", wrong, "test", NOON)


def test_a_message_that_nobody_takes_is_given_up_after_a_week(server: Lab) -> None:
    server.load(item(quota=100))
    set_mail(server, 1)
    use(server, 61)
    alerts.check(server.ctx, server.time.now)
    server.time.forward(7 * DAY_SECONDS - 60)
    outbox.deliver(server.ctx, server.time.now, Sender())
    assert outbox.history(server.ctx, Page())["messages"][0]["channels"][0]["outcome"] == "waiting"
    server.time.forward(3600)
    outbox.deliver(server.ctx, server.time.now, Sender())
    channel = outbox.history(server.ctx, Page())["messages"][0]["channels"][0]
    assert channel["outcome"] == "given up"
    assert "cannot be reached" in channel["detail"]


def test_a_message_for_a_channel_that_is_gone_is_given_up_and_not_told_as_sent(server: Lab) -> None:
    server.load(item(quota=100))
    set_mail(server, 1)
    made = alertsettings.add_webhook(server.ctx, "chat", "http://127.0.0.1:1/", "test", NOON)
    use(server, 61)
    alerts.check(server.ctx, server.time.now)
    alertsettings.change_mail(server.ctx, None, "test", NOON)
    alertsettings.remove_webhook(server.ctx, made["id"], "test", NOON)
    outbox.deliver(server.ctx, server.time.now, Sender())
    channels = outbox.history(server.ctx, Page())["messages"][0]["channels"]
    assert {(one["outcome"], one["detail"]) for one in channels} == {
        ("given up", "Mail was switched off."), ("given up", "The webhook was removed."),
    }  # fmt: skip


def test_what_waits_for_long_needs_attention(server: Lab) -> None:
    server.load(item(quota=100))
    set_mail(server, 1)
    use(server, 61)
    look(server)

    def codes() -> list[str]:
        return [notice.code for notice in attention.notices(server.ctx, server.time.now)]

    assert "alert-undelivered" not in codes()
    server.time.forward(3600)
    assert "alert-undelivered" in codes()


def test_a_closed_door_is_tried_once_and_a_refused_mail_keeps_no_other_from_it(
    server: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = server.time.now
    events = [alerts.test_event(now)]
    for number in range(5):
        alerted = records.Alerted((), (), f"m{number}", events, ("mail",))
        server.ctx.store.write(functools.partial(Transaction.emit, record=alerted, time=now))
    with black_hole() as hole, monkeypatch.context() as patch:
        patch.setattr(smtp, "STEP_SECONDS", 0.5)
        set_mail(server, hole.port)
        assert outbox.deliver(server.ctx, now, Sender()) == 0
        assert len(hole.taken) == 1
    with post_office() as office:
        set_mail(server, office.port)
        office.data_answer = "554 no"
        server.time.forward(120)
        assert outbox.deliver(server.ctx, server.time.now, Sender()) == 0
        office.data_answer = None
        server.time.forward(3600)
        assert outbox.deliver(server.ctx, server.time.now, Sender()) == 5
        assert len(office.mails) == 5


def test_a_stopping_server_breaks_a_mail_off_and_counts_no_try(server: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    server.load(item(quota=100))
    use(server, 61)
    monkeypatch.setattr(smtp, "STEP_SECONDS", 2 * PATIENCE)
    monkeypatch.setattr(smtp, "WHOLE_SECONDS", 2 * PATIENCE)
    with black_hole() as hole:
        set_mail(server, hole.port)
        alerts.check(server.ctx, server.time.now)
        courier = Courier(server.ctx, look_seconds=0.01)
        wait_until(lambda: hole.taken, "a mail is under way")
        courier.stop()
        ended(courier._thread)
    with server.ctx.store.reader() as db:
        assert sql.value(db, "SELECT count(*) FROM attempts") == 0


def test_without_receivers_it_stands_in_the_history_alone(server: Lab) -> None:
    server.load(item(quota=100))
    use(server, 61)
    look(server)
    [told] = outbox.history(server.ctx, Page())["messages"]
    assert told["channels"] == []
    assert "61 %" in told["events"][0]["text"]
