"""Calls about devices, refused requests and the audit log; part of the administrators' API."""

from __future__ import annotations

import json
from itertools import zip_longest
from typing import Any
from uuid import UUID, uuid4

from flask import Response, g, request

from lts.errors import AdminError
from lts.protocol import DAY_SECONDS, iso
from lts.rules.metering.checks import Request
from lts.rules.values.paging import page_of
from lts.rules.values.spreadsheet import csv_text
from lts.service.access import auditlog
from lts.service.access.auditlog import AuditPage
from lts.service.core.context import Context
from lts.service.core.refusals import RefusedRequest
from lts.service.metering import clones, explain, release
from lts.service.metering.explain import CapStatus, Explanation
from lts.service.statistics import devicelist
from lts.service.statistics.devicelist import DevicePage, DeviceStatus
from lts.service.statistics.usage import day_number
from lts.store.tables.audit import Line
from lts.web.admin import answers
from lts.web.admin.calls import Calls
from lts.web.admin.dearcalls import DearCalls
from lts.web.admin.jsonbody import body_fields, body_text, json_body
from lts.web.admin.jsonpieces import as_json
from lts.web.admin.listing import asked_page, csv_file, number, wants_csv, yes
from lts.web.wire.messages import AuthorizeMessage, device_of, read_authorize

Json = dict[str, Any]
FOR_EVER = 1 << 62


def add_calls(api: Calls, ctx: Context, dear: DearCalls) -> None:
    _device_calls(api, ctx)
    _why_calls(api, ctx, dear)

    @api.get("/audit")
    def audit() -> AuditPage | Response:
        page = asked_page()
        actions = tuple(request.args.getlist("action"))
        since, until = _day("from", 0), _day("to", FOR_EVER - DAY_SECONDS) + DAY_SECONDS
        if wants_csv():
            lines = auditlog.export(ctx, page.text, actions, since, until)
            return csv_file("audit-log", csv_text(_AUDIT_HEAD, map(_audit_row, lines)))
        return auditlog.search(ctx, page, actions, since, until)


_AUDIT_HEAD = ("time (UTC)", "who", "what", "subject", "detail", "overruled", "server")


def _audit_row(line: Line) -> tuple[str, ...]:
    detail = json.dumps(line.detail, ensure_ascii=False, sort_keys=True)
    overruled = "yes" if line.overruled else ""
    return iso(line.time), line.actor, line.action, line.subject, detail, overruled, line.server


def _day(name: str, default: int) -> int:
    """UTC second at which a day of the query begins."""
    text = request.args.get(name)
    if not text:
        return default
    return day_number(text, name) * DAY_SECONDS


def _device_calls(api: Calls, ctx: Context) -> None:
    @api.get("/devices")
    def list_devices() -> DevicePage:
        item = None if request.args.get("item") is None else number("item", 0, 1 << 62)
        live, forked = yes("live"), yes("flagged")
        like = request.args.get("alike")
        alike = UUID(bytes=device_of(like)) if like else None
        return devicelist.find(ctx, asked_page(), item, live, forked, ctx.clock.now(), alike)

    @api.get("/devices/<uuid>")
    def show_device(uuid: str) -> DeviceStatus:
        return devicelist.one(ctx, UUID(bytes=device_of(uuid)), ctx.clock.now())

    @api.post("/devices/clear")
    def clear_device() -> DeviceStatus:
        uuid = UUID(bytes=device_of(body_text(json_body(), "deviceId")))
        clones.clear(ctx, uuid, g.actor, ctx.clock.now())
        return devicelist.one(ctx, uuid, ctx.clock.now())

    @api.post("/seats/release")
    def release_seat() -> answers.ReleasedSeat:
        body = body_fields(json_body(), "deviceId", "item")
        item = body.get("item")
        if type(item) is not int:
            raise AdminError("bad-field", "item must be the item's number.", field="item")
        device = str(UUID(bytes=device_of(body_text(body, "deviceId"))))
        end = release.release_seat(ctx, device, item, g.actor, ctx.clock.now())
        return answers.ReleasedSeat(iso(end))


def _why_calls(api: Calls, ctx: Context, dear: DearCalls) -> None:
    @api.post("/explain")
    def explain_request() -> Explanation:
        with dear.of(g.account):
            asked = body_fields(json_body(), *AuthorizeMessage.__struct_encode_fields__)
            return explain.explain(ctx, _request(asked), ctx.clock.now())

    @api.get("/why")
    def why() -> answers.RefusedPage:
        wanted = number("code", 0, 999) if request.args.get("code") else None
        every = [one for one in ctx.refusals.latest() if wanted in (None, one.code)]
        shown, found = page_of(every, asked_page(), _text_of, {"time": lambda one: one.time})
        return answers.RefusedPage([_refused(one) for one in shown], found)


def _text_of(one: RefusedRequest) -> str:
    asked = json.dumps(as_json(one.asked), ensure_ascii=False)
    return f"{one.request_id}\n{one.code}\n{one.handshake_code or ''}\n{one.detail}\n{asked}"


def _refused(one: RefusedRequest) -> answers.RefusedAnswer:
    tried = len(one.tried)
    return answers.RefusedAnswer(
        time=iso(one.time),
        request_id=one.request_id,
        code=one.code,
        detail=one.detail,
        handshake_code=one.handshake_code,
        asked=one.asked,
        items=[
            answers.ItemVerdict(item, verdict, way, cap and CapStatus(*cap))
            for (item, verdict), way, cap in zip_longest(one.tried, one.ways[:tried], one.caps[:tried])
        ],
        more_items=one.more,
    )


def _request(body: Json) -> Request:
    """An authorization request for a dry run; fields that are absent are as a new desktop device would send them."""
    given = {"deviceId": str(uuid4()), "deploymentType": "desktop", **{k: v for k, v in body.items() if v is not None}}
    return read_authorize(json.dumps(given).encode("utf-8", "surrogatepass"))
