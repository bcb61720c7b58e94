"""Alerts of a lab: their mail settings, usage that sets them off, and what a post office got."""

from __future__ import annotations

from email.message import EmailMessage
from typing import Any, Literal

from lts.protocol import slot_of
from lts.service.alerting import alerts, alertsettings, outbox
from lts.service.alerting.smtp import MailSender
from lts.service.licensing import itemlist
from tests.support.kit import Lab

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
    outbox.deliver(server.ctx, server.time.now, MailSender())


def use(server: Lab, total: int) -> None:
    """Report until so many units are used in all."""
    got = server.authorize(device=DEVICE)
    used = itemlist.describe(server.ctx, server.time.now)[0].used
    if total > used:
        server.time.forward(180)
        server.report(got.lease, {"QR": total - used}, slot_of(server.time.now))


def body_of(mail: EmailMessage, kind: Literal["plain", "html"]) -> str:
    """One of the two parts of a mail."""
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content())
