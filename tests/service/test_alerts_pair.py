"""Alerts of a pair: what one server sent the other does not send again, and what one could not send the other sends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lts.service.alerting import alerts, alertsettings, outbox
from lts.service.alerting.smtp import MailSender
from tests.support.duet import Duet, Player, in_step, template
from tests.support.kit import item
from tests.support.postoffice import PostOffice, post_office


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Duet]:
    """A pair in step, with an item of 100 units."""
    with in_step(template(tmp_path, item(quota=100))) as made:
        yield made


def set_mail(player: Player, port: int) -> None:
    given: dict[str, Any] = {"host": "127.0.0.1", "port": port, "security": "none", "from": "lts@x.test",
                             "to": "ops@x.test", "user": "", "password": "s3cret"}  # fmt: skip
    alertsettings.change_mail(player.server.ctx, given, "test", player.server.time.now)


def look(player: Player) -> None:
    alerts.check(player.server.ctx, player.server.time.now)


def deliver(player: Player) -> None:
    outbox.deliver(player.server.ctx, player.server.time.now, MailSender())


def use_61(pair: Duet) -> None:
    lab = pair.main.server
    lab.report(lab.authorize("216998-100").lease, {"QR": 61})


def subjects(office: PostOffice) -> list[str]:
    return [str(mail["Subject"]).strip() for mail in office.mails]


def test_what_the_main_alerted_the_standby_does_not_alert_again_after_a_take_over(pair: Duet) -> None:
    with post_office() as office:
        set_mail(pair.main, office.port)
        look(pair.main)
        use_61(pair)
        look(pair.main)
        deliver(pair.main)
        assert subjects(office) == ["[LTS] License item one of license 100 has used 61 % of its quota (61 of 100)."]
        pair.settle()
        pair.main.close()
        pair.run(60)
        assert pair.standby.answers()
        look(pair.standby)
        deliver(pair.standby)
        assert len(office.mails) == 2
        assert "has taken over" in subjects(office)[1]
        assert "61 %" not in subjects(office)[1]
        pair.open()
        pair.settle()
        look(pair.main)
        deliver(pair.main)
        assert len(office.mails) == 3
        assert "The main server serves again" in subjects(office)[2]
        for player in pair.players:
            assert player.faults() == []


def test_what_the_main_could_not_send_the_standby_sends_once(pair: Duet) -> None:
    with post_office() as office:
        port = office.port
    set_mail(pair.main, port)
    look(pair.main)
    use_61(pair)
    look(pair.main)
    deliver(pair.main)
    pair.settle()
    pair.main.close()
    pair.run(60)
    with post_office(port=port) as office:
        deliver(pair.standby)
        deliver(pair.standby)
        assert len(office.mails) == 1
        assert "61 %" in subjects(office)[0]
        pair.open()
        pair.settle()
        deliver(pair.main)
        assert len(office.mails) == 1
