"""Counts of a device against a model of one, in sequences drawn by chance."""

from __future__ import annotations

import copy
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock
from uuid import UUID

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from lts.errors import Refusal
from lts.protocol import slot_of
from lts.service.maintenance import verify
from lts.service.metering import clones, newnames
from lts.service.statistics import devicelist, usage
from tests.support.counted import DEVICE
from tests.support.counting import DeviceModel
from tests.support.kit import FakeTime, Vendor, entry, item, lab
from tests.support.picture import counts as slot_counts

# everything at random


@dataclass
class Seat:
    """A machine with the device's state: its token, and the highest it ever reported."""

    token: str | None = None
    told: dict[tuple[str, int, str], int] = field(default_factory=dict)


NAMES = ["QR", "OCR", "a", "b", "c", "d"]


class Counting(RuleBasedStateMachine):
    """A device on one machine or several against the model; names over small limits, restarts, closed stores."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        self.stack.enter_context(mock.patch.object(newnames, "OF_DEVICE", 2))
        self.time, self.vendor = FakeTime(), Vendor()
        self.model, self.machines = DeviceModel(), [Seat()]
        self.open()

    def open(self) -> None:
        self.opened = ExitStack()
        self.server = self.opened.enter_context(lab(self.folder, self.time, self.vendor))

    @initialize()
    def begin(self) -> None:
        self.server.load(item("one", quota=10**9), item("two", quota=10**9, modules=["OCR"]))
        done = self.server.authorize(None, DEVICE, modules=("QR", "OCR"))
        self.lease = done.lease
        self._asked(self.machines[0], None, done.clone_token)

    def _asked(self, machine: Seat, sent: str | None, token: str) -> Any:
        branch = self.model.ask(sent, slot_of(self.time.now))
        self.model.given += 1
        self.model.answer(token, sent)
        machine.token = token
        return branch

    def machine(self, data: st.DataObject) -> Seat:
        return self.machines[data.draw(st.integers(0, len(self.machines) - 1))]

    @rule(
        data=st.data(),
        backs=st.lists(st.integers(-3, 3), min_size=1, max_size=3),
        usage=st.dictionaries(st.sampled_from(NAMES), st.integers(0, 9), max_size=4),
        omits=st.sampled_from([False, False, False, True]),
        lost=st.sampled_from([False, False, False, True]),
    )
    def report(self, data: st.DataObject, backs: list[int], usage: dict[str, int], omits: bool, lost: bool) -> None:
        machine = self.machine(data)
        sent, kept = (None if omits else machine.token), machine.token
        now = slot_of(self.time.now)
        answer = self.server.report_many(self.lease, [entry(now - back, usage) for back in backs], sent)
        branch = self._asked(machine, sent, answer.clone_token)
        if lost:
            machine.token = kept
        grown = [0] * len(backs)
        for n, back in enumerate(backs):
            for name, count in usage.items():
                key = ("two" if name == "OCR" else "one", now - back, name)
                grown[n] += self.model.count(branch, key, count) if count else 0
                machine.told[key] = max(count, machine.told.get(key, 0))
        if usage:
            expected = ["counted" if one else "unchanged" for one in grown]
            assert [result.status for result in answer.results] == expected

    @rule(data=st.data(), omits=st.booleans())
    def authorize(self, data: st.DataObject, omits: bool) -> None:
        machine = self.machine(data)
        sent = None if omits else machine.token
        refused, known = self.model.refuses(sent), self.model.refused
        try:
            done = self.server.authorize(None, DEVICE, clone_token=sent)
        except Refusal as refusal:
            assert refusal.code == 151
            assert refused
            if not known:
                self.model.ask(sent, slot_of(self.time.now))
                self.model.given += 1
            return
        assert not refused
        self._asked(machine, sent, done.clone_token)

    @rule(data=st.data())
    def lose_the_token(self, data: st.DataObject) -> None:
        self.machine(data).token = None

    @precondition(lambda self: len(self.machines) < 4)
    @rule(data=st.data())
    def copy(self, data: st.DataObject) -> None:
        self.machines.append(copy.deepcopy(self.machine(data)))

    @precondition(lambda self: self.model.forked)
    @rule()
    def clear(self) -> None:
        clones.clear(self.server.ctx, UUID(DEVICE), "anna", self.time.now)
        self.model.clear()
        self.model.given += 1

    @rule()
    def restart(self) -> None:
        self.opened.close()
        self.open()

    @rule(seconds=st.sampled_from([1, 100, 180, 500, 4000]))
    def time_passes(self, seconds: int) -> None:
        self.time.forward(seconds)
        self.server.ctx.clock.look()

    @invariant()
    def all_agree(self) -> None:
        if not self.server.ctx.store.catalog.items:
            return
        clone = devicelist.one(self.server.ctx, UUID(DEVICE), self.time.now).clone
        assert (clone.flagged, clone.refused) == (self.model.forked, self.model.refused)
        assert [self.server.used(n) for n in (1, 2)] == [self.model.total(name) for name in ("one", "two")]
        stored = slot_counts(self.server)
        for key in {key for machine in self.machines for key in machine.told}:
            told = [machine.told.get(key, 0) for machine in self.machines]
            assert max(told) <= self.model.units(key) <= sum(told)
        assert sum(stored.values()) == self.model.total()
        if len(self.machines) == 1:
            assert self.model.total() == sum(self.machines[0].told.values())

    def teardown(self) -> None:
        try:
            assert verify.verify(self.folder / "data", self.server.ctx.trust) == []
            assert usage.usage(self.server.ctx, grouping="device").total == self.model.total()
        finally:
            self.opened.close()
            self.stack.close()


TestCounting = Counting.TestCase


TestCounting.settings = settings(
    max_examples=15, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
