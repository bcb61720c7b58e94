"""Sixty days of the demo's company, played through the services of an open server: nothing is written by hand.

One day after another (lts.cli.develop.demo.pastclock): reports arrive when they would, leases and seats are granted,
renewed and end, alerts are checked, and the daily jobs run.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from lts.background import jobs
from lts.cli.develop.demo import company
from lts.cli.develop.demo.company import DAYS, DEVICES, MISHAPS, SATURDAY, Machine
from lts.cli.develop.demo.pastclock import PastClock, begin_of
from lts.cli.develop.demo.purchases import Purchases
from lts.crypto import SigningKey
from lts.errors import Refusal
from lts.protocol import DAY_SECONDS, SLOT_SECONDS, iso, slot_of
from lts.rules.metering.checks import Request
from lts.rules.metering.usage import Entry
from lts.service.core.context import Context, request_id
from lts.service.metering import authorize, report
from lts.web.wire.problems import new_id

Json = dict[str, Any]
HOUR = 3600
OPENS = 5
"""Hour of a day, before anybody works, at which licenses are imported."""
ROUNDS = (6, 13, 20)
"""Hours of a day in which devices call. Two reports a day instead of hundreds: the counts come out the same."""
AUTHORIZE, REPORT_AND_ERR, REPORT = range(len(ROUNDS))
"""What happens in each round; the present day's last one, whenever it is, is a report."""
SLOTS_AN_HOUR = HOUR // SLOT_SECONDS


@dataclass
class Player:
    """A device during the story: its lease, and what it has reported so far."""

    device: Machine
    uuid: UUID
    lease: str | None = None
    clone_token: str | None = None
    reported: Counter[str] = field(default_factory=Counter)


class Past:
    """The story over an open server with its clock, up to `until` (UTC seconds)."""

    def __init__(self, ctx: Context, clock: PastClock, vendor: SigningKey, until: int) -> None:
        self._ctx = ctx
        self._clock = clock
        self._purchases = Purchases(ctx, vendor, begin_of(until))
        self._until = until
        self._dice = random.Random(28117)  # noqa: S311 - the same story every time
        self.players = {device.name: Player(device, _uuid(self._dice)) for device in DEVICES}

    def days(self) -> Iterator[int]:
        """Play one day after the other, the last one as far as it has come; each is announced before it is played."""
        for day in range(DAYS + 1):
            yield day
            self._day(day)
        self._clock.move(self._until)
        for job in (jobs.watch_clock, jobs.close_days, jobs.check_alerts):
            job(self._ctx)

    def _day(self, day: int) -> None:
        midnight, now = begin_of(self._until) + day * DAY_SECONDS, self._until
        self._clock.move(max(self._ctx.clock.now(), min(now, midnight + OPENS * HOUR)))
        self._purchases.day(day)
        since = midnight
        for number, hour in enumerate(ROUNDS):
            at = min(midnight + hour * HOUR + self._dice.randrange(50 * 60), now)
            self._clock.move(at)
            self._round(number if at < now else REPORT, day, since, at)
            if at == now:
                break
            since = at
        jobs.watch_clock(self._ctx)
        jobs.sign_head(self._ctx)

    def _round(self, number: int, day: int, since: int, at: int) -> None:
        weekday = (at // DAY_SECONDS + 3) % 7
        loads = {name: company.load(player.device, day, weekday) for name, player in self.players.items()}
        working = [(player, loads[name]) for name, player in self.players.items() if loads[name]]
        if number == AUTHORIZE:
            self._authorize([player for player, _ in working], at)
        else:
            self._report(working, since, at)
        if number == REPORT_AND_ERR and weekday < SATURDAY:
            self._refuse(day, weekday, at)
        jobs.flush_refusals(self._ctx)
        jobs.check_alerts(self._ctx)

    def _authorize(self, players: list[Player], at: int) -> None:
        """All at once, as in the morning; a device that is refused does nothing that day."""
        asked = []
        for player in players:
            request = _request(player)
            token = authorize.token_of(self._ctx, request.device, request.clone_token)
            asked.append((player, authorize.begin(self._ctx, request, token, at)))
        for player, begun in asked:
            request_id.set(new_id())
            try:
                done = begun.finish()
            except Refusal:
                player.lease = None
            else:
                player.lease, player.clone_token = done.lease, done.clone_token

    def _report(self, working: list[tuple[Player, float]], since: int, at: int) -> None:
        sent = []
        for player, load in working:
            entries = list(self._entries(player.device, load, since, at)) if player.lease is not None else []
            if entries and player.lease is not None:
                lease = self._ctx.leases.verify(player.lease)
                sent.append((player, entries, report.begin(self._ctx, lease, player.clone_token, list(entries), at)))
        for player, entries, begun in sent:
            done = begun.finish()
            player.lease, player.clone_token = done.lease or player.lease, done.clone_token
            for entry, result in zip(entries, done.results, strict=True):
                if result.status == "counted":
                    player.reported.update(entry.usage)

    def _entries(self, device: Machine, load: float, since: int, at: int) -> Iterator[Entry]:
        """What the device did in the slots that have ended since the last round."""
        opens, closes = device.hours
        midnight = at - at % DAY_SECONDS
        for hour in range(max(opens, (since - midnight) // HOUR), min(closes, (at - midnight) // HOUR + 1)):
            first = slot_of(midnight + hour * HOUR)
            for slot in sorted(self._dice.sample(range(first, first + SLOTS_AN_HOUR), device.busy)):
                if slot_of(since) <= slot < slot_of(at):
                    usage = {name: round(self._dice.randint(1, most) * load) for name, most in device.types.items()}
                    yield Entry(slot, iso(slot * SLOT_SECONDS), {name: n for name, n in usage.items() if n})

    def _refuse(self, day: int, weekday: int, at: int) -> None:
        for mishap in MISHAPS:
            for _ in range(mishap.times if mishap.on(day, weekday) else 0):
                request_id.set(new_id())
                try:
                    authorize.authorize(self._ctx, _request(self.players[mishap.device], mishap.changes), at)
                except Refusal:
                    continue


def _request(player: Player, changes: Json | None = None) -> Request:
    device = player.device
    asked: Json = {
        "product": device.product, "version": device.version, "deployment_type": "desktop", "charge_way": device.way,
        "handshake_code": device.code, "modules": device.modules, "client_name": device.name, **(changes or {}),
    }  # fmt: skip
    return Request(device=player.uuid.bytes, clone_token=player.clone_token, **asked)


def _uuid(dice: random.Random) -> UUID:
    return UUID(bytes=dice.randbytes(16), version=4)
