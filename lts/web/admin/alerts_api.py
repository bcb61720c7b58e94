"""Calls about usage alerts: mail, levels, webhooks, history, calendar; part of the administrators' API."""

from __future__ import annotations

from flask import g

from lts.rules.values.meanwhile import WAS
from lts.service.alerting import alertsettings, outbox
from lts.service.alerting.alertsettings import MadeWebhook
from lts.service.alerting.outbox import AlertHistory, MailTest
from lts.service.core.context import Context
from lts.web.admin import answers
from lts.web.admin.calls import Calls
from lts.web.admin.jsonbody import body_fields, body_text, body_yes, json_body
from lts.web.admin.listing import asked_page


def add_calls(api: Calls, ctx: Context) -> None:
    _mail_calls(api, ctx)
    _webhook_calls(api, ctx)

    @api.get("/alerts")
    def alerts() -> answers.AlertSettings:
        catalog = ctx.store.catalog
        mail, levels = alertsettings.describe_mail(catalog), alertsettings.levels_of(catalog)
        return answers.AlertSettings(mail, levels, alertsettings.describe_webhooks(ctx))

    @api.get("/alerts/history")
    def alert_history() -> AlertHistory:
        return outbox.history(ctx, asked_page())

    @api.put("/alerts/levels")
    def set_levels() -> answers.AlertLevels:
        body = body_fields(json_body(), "levels", WAS)
        alertsettings.change_levels(ctx, body.get("levels"), g.actor, ctx.clock.now(), body.get(WAS))
        return answers.AlertLevels(alertsettings.levels_of(ctx.store.catalog))

    @api.post("/alerts/calendar")
    def calendar_address() -> answers.CalendarAddress:
        renew = body_yes(body_fields(json_body(), "renew"), "renew")
        key = alertsettings.calendar_key(ctx, g.actor, ctx.clock.now(), renew=renew)
        return answers.CalendarAddress(f"calendar/{key}.ics")


def _mail_calls(api: Calls, ctx: Context) -> None:
    @api.put("/alerts/mail")
    def set_mail() -> answers.MailAnswer:
        alertsettings.change_mail(ctx, json_body(), g.actor, ctx.clock.now())
        return answers.MailAnswer(alertsettings.describe_mail(ctx.store.catalog))

    @api.delete("/alerts/mail")
    def remove_mail() -> answers.MailAnswer:
        alertsettings.change_mail(ctx, None, g.actor, ctx.clock.now())
        return answers.MailAnswer(None)

    @api.post("/alerts/test")
    def test_mail() -> MailTest:
        settings = alertsettings.settings_for_test(ctx, json_body() or None)
        return outbox.send_test(ctx, settings, ctx.clock.now())


def _webhook_calls(api: Calls, ctx: Context) -> None:
    @api.post("/alerts/webhooks")
    def add_webhook() -> MadeWebhook:
        body = body_fields(json_body(), "name", "url")
        return alertsettings.add_webhook(ctx, body_text(body, "name"), body.get("url"), g.actor, ctx.clock.now())

    @api.delete("/alerts/webhooks/<key>")
    def remove_webhook(key: str) -> answers.Removed:
        alertsettings.remove_webhook(ctx, key, g.actor, ctx.clock.now())
        return answers.Removed(key)

    @api.post("/alerts/webhooks/<key>/test")
    def test_webhook(key: str) -> answers.ToldWebhook:
        outbox.test_webhook(ctx, key, ctx.clock.now())
        return answers.ToldWebhook(key)
