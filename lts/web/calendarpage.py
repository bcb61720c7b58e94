"""The calendar of ends and forecasts, for whoever knows its address (docs/design/surface.md, Limits)."""

from __future__ import annotations

import hmac
import threading

from flask import Blueprint, Response, request
from werkzeug.exceptions import NotFound

from lts.errors import AdminError
from lts.rules.alerting.calendar import calendar
from lts.service.alerting import alertsettings
from lts.service.core.context import Context
from lts.service.licensing import itemlist
from lts.service.statistics import forecasts
from lts.web.wire.addresses import Addresses
from lts.web.wire.ratelimit import Limiter

KEPT_SECONDS = 60
"""How long a calendar is cached: calendar programs request it every few hours."""
A_MINUTE, AT_ONCE = 60, 60
"""Requests of an address, with the right key or a wrong one."""


def blueprint(ctx: Context, addresses: Addresses) -> Blueprint:
    """`/calendar/KEY.ics`."""
    pages = Blueprint("calendar", __name__)
    made = Made(ctx)
    limiter = Limiter(A_MINUTE, AT_ONCE)

    @pages.get("/calendar/<key>.ics")
    def calendar_page(key: str) -> Response:
        if wait := limiter.take(addresses.client(request.environ)):
            seconds = int(wait) + 1
            raise AdminError("slow-down", f"Too many requests; wait {seconds} s.", status=429, retry_after=seconds)
        if not _is_known(ctx, key):
            raise NotFound
        return Response(made.calendar(), content_type="text/calendar; charset=utf-8")

    return pages


def _is_known(ctx: Context, key: str) -> bool:
    stored = ctx.store.catalog.settings.get(alertsettings.CALENDAR)
    known = str(stored["key"]) if isinstance(stored, dict) else ""
    return bool(known) and hmac.compare_digest(known.encode(), key.encode("utf-8", "replace"))


class Made:
    """The calendar, made at most once a minute."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._lock = threading.Lock()
        self._made: tuple[int, bytes] | None = None

    def calendar(self) -> bytes:
        now = self._ctx.clock.now()
        with self._lock:
            if self._made is None or not 0 <= now - self._made[0] < KEPT_SECONDS:
                items = itemlist.describe(self._ctx, now)
                last_days = forecasts.last_days(self._ctx, items, now)
                self._made = now, calendar(items, last_days, self._ctx.identity.uuid, now).encode("utf-8")
            return self._made[1]
