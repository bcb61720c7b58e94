"""Webhooks: what is sent, and where to."""

from __future__ import annotations

import hashlib
import hmac
import json

import pytest

from lts.errors import AdminError
from lts.service.alerting import alertsettings, outbox, webhooks
from lts.service.alerting.smtp import MailSender
from tests.support.alerted import look, use
from tests.support.kit import NOON, Lab, item
from tests.support.postoffice import hook_receiver


def test_a_webhook_is_signed_and_tried_again(server: Lab) -> None:
    server.load(item(quota=100))
    with hook_receiver() as hooks:
        made = alertsettings.add_webhook(server.ctx, "chat", hooks.url, "test", NOON)
        hooks.status = 500
        use(server, 61)
        look(server)
        hooks.status = 204
        server.time.forward(120)
        outbox.deliver(server.ctx, server.time.now, MailSender())
        server.time.forward(7200)
        outbox.deliver(server.ctx, server.time.now, MailSender())
        assert len(hooks.got) == 2
        headers, body = hooks.got[1]
        stamp, mac = (part.partition("=")[2] for part in headers["x-lts-signature"].split(","))
        assert hmac.new(made.secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest() == mac
        told = json.loads(body)
        assert told["events"][0]["params"]["used"] == 61
        assert told["id"] == headers["x-lts-message"] == json.loads(hooks.got[0][1])["id"]
    assert made.secret not in str(alertsettings.describe_webhooks(server.ctx))


def test_a_webhook_follows_no_redirect_and_reaches_no_metadata(server: Lab) -> None:
    with hook_receiver() as hooks:
        made = alertsettings.add_webhook(server.ctx, "chat", hooks.url, "test", NOON)
        hooks.status, hooks.location = 302, "http://169.254.169.254/latest/meta-data/"
        with pytest.raises(webhooks.WebhookError, match="redirects are not followed"):
            outbox.test_webhook(server.ctx, made.id, NOON)
        assert len(hooks.got) == 1
    for url in ("http://169.254.169.254/latest", "http://[fe80::1]/", "http://[::ffff:169.254.169.254]/", "http://0.0.0.0/",
                "http://[fd00:ec2::254]/"):  # fmt: skip
        made = alertsettings.add_webhook(server.ctx, "meta", url, "test", NOON)
        with pytest.raises(webhooks.WebhookError, match="no webhook is"):
            outbox.test_webhook(server.ctx, made.id, NOON)
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
