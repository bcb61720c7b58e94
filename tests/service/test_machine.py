"""A state machine of authorize, report, release, import, expire and clock steps against a plain model.

`python3 -m tests.soak.machine` runs 2,000 examples; here it is a short run.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from lts.errors import Refusal
from lts.protocol import DAY_SECONDS, SLOTS_PER_DAY, iso, slot_of
from lts.rules import licensefile
from lts.service import licenses, release, upkeep, usage
from lts.service.licenses import Choice
from lts.vendor import issuing
from tests.support.kit import NOON, Vendor, entry, item, lab

DEVICES = [str(UUID(int=n + 1)) for n in range(6)]
SEATS, SCANS = 1, 2
QUOTA = {SEATS: 2, SCANS: 30}
GRACE = {SEATS: 0, SCANS: 2}
END = NOON + 20 * DAY_SECONDS


class Model:
    """The rules (docs/design/charging.md, Charge ways) as plainly as can be: dictionaries and no database."""

    def __init__(self) -> None:
        self.now = NOON
        self.highest = NOON
        self.quota = dict(QUOTA)
        self.end = END
        self.seats: dict[str, tuple[int, int, bool]] = {}
        self.counts: dict[tuple[str, int, int, str], int] = {}

    @property
    def item_now(self) -> int:
        return max(self.now, self.highest - 7200)

    def live(self, device: str) -> bool:
        grant = self.seats.get(device)
        return grant is not None and not grant[2] and grant[1] > self.now

    def live_seats(self) -> int:
        return sum(self.live(device) for device in DEVICES)

    def used(self) -> int:
        return sum(count for (_, item_key, _, _), count in self.counts.items() if item_key == SCANS)

    def expired(self) -> bool:
        return self.item_now >= self.end + 7 * DAY_SECONDS

    def end_of_item(self) -> int:
        return self.end + 7 * DAY_SECONDS if self.item_now >= self.end else self.end

    def grants_seat(self, device: str) -> bool:
        return not self.expired() and (self.live(device) or self.live_seats() < self.quota[SEATS] + GRACE[SEATS])

    def grants_scans(self) -> bool:
        return not self.expired() and self.used() < self.quota[SCANS] + GRACE[SCANS]

    def take_seat(self, device: str) -> int:
        grant, end, _ = self.seats.get(device, (0, 0, True))
        held = self.live(device)
        new_end = min(self.now + DAY_SECONDS, self.end_of_item())
        self.seats[device] = (grant if held else grant + 1, max(new_end, end) if held else new_end, False)
        return self.seats[device][0]


class Machine(RuleBasedStateMachine):
    """Each rule does the same to the server and to the model, and compares the outcome."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        self.vendor = Vendor()
        self.model = Model()
        self.leases: list[tuple[str, int, int, str]] = []
        self.chains: dict[str, str] = {}
        self.server = self.stack.enter_context(lab(self.folder, vendor=self.vendor))

    @initialize()
    def first_import(self) -> None:
        seats = item("seats", "device", QUOTA[SEATS], graceQuota=0, activePeriod="daily", product="seats",
                     expiresAt=iso(END))  # fmt: skip
        scans = item("scans", "scan", QUOTA[SCANS], graceQuota=5, expiresAt=iso(END))
        self.license = self.vendor.activate(self.vendor.issue(seats, scans), self.server.ctx)
        self._import()

    def _import(self) -> None:
        data = licensefile.render(self.license).encode()
        licenses.import_license(self.server.ctx, data, Choice(), "test", self.server.time.now)

    def teardown(self) -> None:
        try:
            assert upkeep.verify(self.folder / "data", self.server.ctx.trust) == []
        finally:
            self.stack.close()

    def _authorize(self, device: str, product: str, item_key: int, expected: bool) -> None:
        try:
            done = self.server.authorize(None, device, product=product, chain=self.chains.get(device))
        except Refusal as refusal:
            assert not expected, f"refused with {refusal.code}"
            assert refusal.code == (111 if self.model.expired() else 120)
            return
        assert expected, "granted"
        self.chains[device] = done.chain
        grant = self.model.take_seat(device) if item_key == SEATS else 0
        assert done.items[0].grant == grant
        self.leases.append((done.lease, item_key, grant, device))

    @rule(device=st.sampled_from(DEVICES))
    def authorize_seat(self, device: str) -> None:
        self._authorize(device, "seats", SEATS, self.model.grants_seat(device))

    @rule(device=st.sampled_from(DEVICES))
    def authorize_scans(self, device: str) -> None:
        self._authorize(device, "reader", SCANS, self.model.grants_scans())

    @precondition(lambda self: self.leases)
    @rule(
        data=st.data(),
        back=st.integers(0, 40),
        counts=st.dictionaries(st.sampled_from(["QR", "OCR"]), st.integers(0, 9)),
        times=st.integers(1, 2),
    )
    def report(self, data: st.DataObject, back: int, counts: dict[str, int], times: int) -> None:
        lease, item_key, grant, device = data.draw(st.sampled_from(self.leases))
        slot = slot_of(self.model.now) - back * 37
        for _ in range(times):
            answer = self.server.report_many(lease, [entry(slot, counts)], self.chains.get(device))
            self.chains[device] = answer.chain
            grown = False
            for name, count in counts.items():
                key = (device, item_key, slot, name)
                grown |= count > self.model.counts.get(key, 0)
                self.model.counts[key] = max(count, self.model.counts.get(key, 0))
            if counts:
                assert answer.results[0].status == ("counted" if grown else "unchanged")
            self._renewed(answer.lease, item_key, grant, device)

    def _renewed(self, lease: str | None, item_key: int, grant: int, device: str) -> None:
        if item_key == SCANS:
            assert (lease is not None) == self.model.grants_scans()
            return
        holds = self.model.live(device) and self.model.seats[device][0] == grant and not self.model.expired()
        assert (lease is not None) == holds
        if holds:
            self.model.take_seat(device)

    @precondition(lambda self: self.leases)
    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        lease, item_key, grant, device = data.draw(st.sampled_from(self.leases))
        release.release(self.server.ctx, lease, self.server.time.now)
        held = self.model.seats.get(device)
        if item_key == SEATS and held is not None and held[0] == grant:
            self.model.seats[device] = (held[0], min(held[1], self.model.now), True)

    @rule(seconds=st.sampled_from([1, 179, 180, 3600, DAY_SECONDS - 1, DAY_SECONDS, 6 * DAY_SECONDS]))
    def time_passes(self, seconds: int) -> None:
        self.server.time.forward(seconds)
        self._look()

    @rule(seconds=st.sampled_from([60, 3000, 7000, 4 * 3600, 2 * DAY_SECONDS]))
    def clock_steps_back(self, seconds: int) -> None:
        self.server.time.wall -= seconds
        self._look()

    def _look(self) -> None:
        self.server.ctx.clock.look()
        self.model.now = self.server.time.now
        self.model.highest = max(self.model.highest, self.model.now)

    @rule(seats=st.integers(0, 4), days=st.integers(0, 30))
    def renew(self, seats: int, days: int) -> None:
        self.model.end += days * DAY_SECONDS
        self.model.quota[SEATS] = seats
        change: dict[str, Any] = {
            "items": [
                {"itemId": "seats", "quota": seats, "expiresAt": iso(self.model.end)},
                {"itemId": "scans", "expiresAt": iso(self.model.end)},
            ]
        }
        self.license = issuing.amend(self.license, change, self.vendor.key, "Vendor")
        self._import()

    @invariant()
    def totals_agree(self) -> None:
        assert self.server.live(SEATS) == self.model.live_seats()
        assert self.server.used(SCANS) == self.model.used()
        table = usage.usage(self.server.ctx, grouping="day")
        by_day: defaultdict[int, int] = defaultdict(int)
        for (_, _, slot, _), count in self.model.counts.items():
            by_day[slot // SLOTS_PER_DAY] += count
        assert sorted(n for n in by_day.values() if n) == sorted(_sums(table.rows).values())
        by_device: defaultdict[tuple[str, str], int] = defaultdict(int)
        for (device, _, _, name), count in self.model.counts.items():
            by_device[device, name] += count
        assert {key: n for key, n in by_device.items() if n} == usage.usage(self.server.ctx, grouping="device").rows


def _sums(rows: dict[tuple[str, str], int]) -> dict[str, int]:
    sums: defaultdict[str, int] = defaultdict(int)
    for (group, _), units in rows.items():
        sums[group] += units
    return sums


TestMachine = Machine.TestCase
TestMachine.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
