"""Alerts over a real server with a stepped clock, a real mail server, a real webhook receiver."""

from __future__ import annotations

import functools
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from lts.background.courier import Courier
from lts.errors import Refusal
from lts.protocol import DAY_SECONDS, iso, slot_of
from lts.rules.alerting import alerts as rules
from lts.rules.licensing import licensefile
from lts.rules.licensing.licensefile import License
from lts.rules.values.paging import Page
from lts.service.alerting import alerts, alertsettings, outbox, smtp
from lts.service.alerting.smtp import MailSender
from lts.service.licensing import handshakes, licenses
from lts.service.licensing.licenses import Choice
from lts.service.maintenance import attention, verify
from lts.store import sql
from lts.store.changes import records
from lts.store.writing.transaction import Transaction
from lts.vendor import issuing
from tests.support.alerted import body_of, look, set_mail, use
from tests.support.kit import NOON, FakeTime, Lab, Vendor, item, lab
from tests.support.postoffice import PostOffice, black_hole, post_office
from tests.support.wait import PATIENCE, ended, wait_until


def subjects(office: PostOffice) -> list[str]:
    return [str(mail["Subject"]).strip() for mail in office.mails]


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
            assert verify.verify(tmp_path / "data", server.ctx.trust) == []


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


def test_a_renamed_code_is_not_reported_again_and_two_items_of_one_id_are_distinguished(server: Lab) -> None:
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


def test_failures_are_not_reported_again_after_a_restart(tmp_path: Path) -> None:
    clock, vendor = FakeTime(), Vendor()
    with lab(tmp_path, clock, vendor) as server:
        code = server.load(item())
        fail(server, code, 40)
        assert alerts.check(server.ctx, clock.now) is not None
    with lab(tmp_path, clock, vendor) as server:
        assert alerts.check(server.ctx, clock.now) is None
        fail(server, code, 40)
        assert alerts.check(server.ctx, clock.now) is None
        assert told(server) == {"failures:#1": (100, 0)}


def test_what_the_version_before_alerted_is_not_alerted_again(server: Lab) -> None:
    code = server.load(item(quota=100))
    of_another_vendor(server)
    server.report(server.authorize(code).lease, {"QR": 85})
    server.report(server.authorize("7-100").lease, {"QR": 65})
    fail(server, code, 40)
    levels = (("quota:100:one", 80, 100), (f"failures:{code}", 80, 41), ("ends:gone:item", 1, 100))
    server.ctx.store.write(lambda tx: tx.emit(records.AlertChange(levels, ()), NOON))
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
        outbox.deliver(server.ctx, server.time.now, MailSender())
        server.time.forward(60)
    [told] = outbox.history(server.ctx, Page()).messages
    assert told.channels[0].outcome == "waiting"
    assert "cannot be reached" in told.channels[0].detail
    with post_office(port=port) as office:
        for _ in range(40):
            outbox.deliver(server.ctx, server.time.now, MailSender())
            server.time.forward(60)
        assert subjects(office) == ["[LTS] License item one of license 100 has used 61 % of its quota (61 of 100)."]
    assert outbox.history(server.ctx, Page()).messages[0].channels[0].outcome == "sent"
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


def test_what_is_shown_of_each_kind_of_item_has_its_own_numbers(server: Lab) -> None:
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
        history = outbox.history(server.ctx, Page()).messages
        assert len(history) == 1


def test_failed_authorizations_of_the_last_hour_are_reported(server: Lab) -> None:
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


def test_what_happens_to_the_server_is_alerted_once_and_the_past_is_no_news(server: Lab) -> None:
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
        assert "have lost contact" in text
        assert "set back by 7,300 seconds" in text


def test_a_message_that_nobody_takes_is_given_up_after_a_week(server: Lab) -> None:
    server.load(item(quota=100))
    set_mail(server, 1)
    use(server, 61)
    alerts.check(server.ctx, server.time.now)
    server.time.forward(7 * DAY_SECONDS - 60)
    outbox.deliver(server.ctx, server.time.now, MailSender())
    assert outbox.history(server.ctx, Page()).messages[0].channels[0].outcome == "waiting"
    server.time.forward(3600)
    outbox.deliver(server.ctx, server.time.now, MailSender())
    channel = outbox.history(server.ctx, Page()).messages[0].channels[0]
    assert channel.outcome == "given up"
    assert "cannot be reached" in channel.detail


def test_a_message_for_a_channel_that_is_gone_is_given_up_and_not_shown_as_sent(server: Lab) -> None:
    server.load(item(quota=100))
    set_mail(server, 1)
    made = alertsettings.add_webhook(server.ctx, "chat", "http://127.0.0.1:1/", "test", NOON)
    use(server, 61)
    alerts.check(server.ctx, server.time.now)
    alertsettings.change_mail(server.ctx, None, "test", NOON)
    alertsettings.remove_webhook(server.ctx, made.id, "test", NOON)
    outbox.deliver(server.ctx, server.time.now, MailSender())
    channels = outbox.history(server.ctx, Page()).messages[0].channels
    assert {(one.outcome, one.detail) for one in channels} == {
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
        alerted = records.AlertChange((), (), f"m{number}", events, ("mail",))
        server.ctx.store.write(functools.partial(Transaction.emit, record=alerted, time=now))
    with black_hole() as hole, monkeypatch.context() as patch:
        patch.setattr(smtp, "STEP_SECONDS", 2.0)
        set_mail(server, hole.port)
        assert outbox.deliver(server.ctx, now, MailSender()) == 0
        assert hole.count() == 1
    with post_office() as office:
        set_mail(server, office.port)
        office.data_answer = "554 no"
        server.time.forward(120)
        assert outbox.deliver(server.ctx, server.time.now, MailSender()) == 0
        office.data_answer = None
        server.time.forward(3600)
        assert outbox.deliver(server.ctx, server.time.now, MailSender()) == 5
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
        courier.start()
        wait_until(lambda: hole.taken, "a mail is under way")
        courier.stop()
        ended(courier._thread)
    with server.ctx.store.reader() as db:
        assert sql.value(db, "SELECT count(*) FROM attempts") == 0


def test_without_receivers_it_is_in_the_history_alone(server: Lab) -> None:
    server.load(item(quota=100))
    use(server, 61)
    look(server)
    [told] = outbox.history(server.ctx, Page()).messages
    assert told.channels == []
    assert "61 %" in told.events[0].text
