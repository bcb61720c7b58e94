"""Plays a sequence to the server and to the model, and stops at the first difference."""

from __future__ import annotations

from typing import Any

from lts.rules.alerting import alerts
from lts.rules.licensing.itemstatus import ItemStatus
from lts.service.licensing import handshakes, itemlist
from lts.service.maintenance import verify
from lts.service.metering import explain
from lts.store import sql
from lts.store.tables import seats
from lts.store.writing.transaction import Transaction
from tests.model.licenses import CONCURRENT_WAYS, SEAT_WAYS, UNIT_WAYS, Item
from tests.model.messages import Asked, Refused
from tests.model.scene import same, uuid_of
from tests.model.sequences import Step
from tests.model.weather import Weather


class Play(Weather):
    """One sequence under way; after each step both must hold the same."""

    def step(self, step: Step) -> None:
        """Do one step on both. Raises Differs."""
        getattr(self, "_" + step["do"].replace(" ", "_"))(**{k: v for k, v in step.items() if k != "do"})
        self._compare()

    def verify(self) -> None:
        """What `lts verify` says of the data folder. Raises Differs."""
        same("lts verify", [], verify.verify(self.server.folder / "data", self.server.lab.ctx.trust))

    def _compare(self) -> None:
        self.turn += 1
        self._learn_codes()
        self._learn_ages()
        self._compare_items()
        self._compare_codes()
        self._compare_counts()
        self._compare_caps()
        self._compare_room()

    def _compare_items(self) -> None:
        told = {row.id: row for row in itemlist.describe(self.server.lab.ctx, self.model.now)}
        for key, item in self.model.items.items():
            row = told[self._number(key)]
            facts = self.model.facts
            if item.way in SEAT_WAYS:
                same(f"live seats of {key}", len(facts.live(item, self.model.trusted)), row.used)
            elif item.way in CONCURRENT_WAYS:
                live = sum(seat.instances for _, seat in facts.live(item, self.model.now))
                same(f"live instances of {key}", live, row.used)
                spent = facts.spent(key, item.quota, item.starts, self.model.now, self.model.item_now)
                same(f"overdraft spent of {key}", spent, row.overdraft_spent)
            else:
                same(f"units of {key}", facts.units(key), row.used)
            same(f"state of {key}", self._state(item), row.state)
        self._compare_watched(list(told.values()))

    def _compare_watched(self, told: list[ItemStatus]) -> None:
        """What alerts look at (docs/design/administering.md, Usage alerts): value, base and levels by item."""
        watched = {
            measure.params["id"]: (measure.value, measure.base, measure.levels)
            for measure in alerts.quota_measures(told, alerts.DEFAULT_LEVELS)
        }
        known = {
            self._number(item.key): self._watched(item)
            for item in self.model.items.values()
            if self._state(item) in ("active", "grace") and item.quota and item.way != "domain"
        }
        same("what alerts look at", {key: seen for key, seen in known.items() if seen[1]}, watched)

    def _watched(self, item: Item) -> tuple[int, int, tuple[int, ...]]:
        facts, now = self.model.facts, self.model.now
        if item.way in CONCURRENT_WAYS:
            return (
                facts.spent(item.key, item.quota, item.starts, now, self.model.item_now),
                item.overdraft,
                (60, 80, 100),
            )
        used = len(facts.live(item, self.model.trusted)) if item.way in SEAT_WAYS else facts.units(item.key)
        if item.way == "device" and item.period_days == 1:
            return used, item.quota, (100,)
        end_of_grace = (item.quota + item.grace_units) * 100 // item.quota
        return used, item.quota, tuple(sorted({60, 80, 100, end_of_grace}))

    def _state(self, item: Item) -> str:
        if item.archived or not self.model.is_bound_here(item):
            return "archived" if item.archived else "revoked" if item.revoked else "invalid"
        fault = self.model.standing_fault(item)
        named = {113: "revoked", 112: "pending", 111: "expired"}.get(fault)
        return named or ("grace" if item.in_expiry_grace(self.model.item_now) else "active")

    def _compare_codes(self) -> None:
        told = {
            (row.organization_id, row.custom): (
                row.is_default, row.manual_order, [(entry.id, entry.cap) for entry in row.items]
            )
            for row in handshakes.describe(self.server.lab.ctx)
        }  # fmt: skip
        known = {
            (code.organization, code.custom): (
                code.default, code.manual, [(self._number(key), cap) for key, cap in code.items]
            )
            for code in self.model.live_codes()
        }  # fmt: skip
        for name, (_, manual, items) in known.items():
            if not manual and name in told:
                told[name][2].sort()
                items.sort()
        same("handshake codes", known, told)

    def _compare_counts(self) -> None:
        with self.server.lab.ctx.store.reader() as db:
            types: dict[int, str] = dict(sql.rows(db, "SELECT id, name FROM types"))
            rows = sql.rows(db, "SELECT code, item, type, day, units FROM usage_dates WHERE units <> 0")
            tallies = sql.rows(db, "SELECT code, what, day, n FROM tally_dates WHERE n <> 0")
        codes = {key: number for number, key in self.code_keys.items()}
        told = {(codes.get(code), item, types[kind], day): units for code, item, kind, day, units in rows}
        known = {(code, self._number(item), *rest): n for (code, item, *rest), n in self.model.facts.by_day().items()}
        same("units by code, item, type, day", known, told)
        counted = {(codes[code] if code else None, what, day): n for code, what, day, n in tallies}
        same("answers by code, what, day", self.model.facts.tallies(), counted)
        for code in self.model.live_codes():
            calls = self.server.lab.ctx.running.calls.of_last_hour(self.code_keys[code.number], self.model.now)
            same(
                "failed and all of the last hour",
                self.model.facts.last_hour(code.number, self.model.now, self.began),
                calls or (0, 0),
            )

    def _compare_caps(self) -> None:
        """What each code has of its items: that is held against its caps."""
        facts, now, keys = self.model.facts, self.model.now, self.code_keys
        of_codes = [(code, self.model.items[key]) for code in self.model.live_codes() for key, _ in code.items]
        units = {
            (code.number, item.key): facts.units(item.key, code.number)
            for code, item in of_codes
            if item.way in UNIT_WAYS
        }
        live = {
            (code.number, item.key): sum(code.number in seat.codes for _, seat in facts.live(item, now))
            for code, item in of_codes
            if item.way in SEAT_WAYS
        }

        def told(tx: Transaction) -> tuple[dict[Any, int], dict[Any, int]]:
            sums = tx.counters.sums
            return (
                {(code, key): sums.get(("code", keys[code], self._number(key)), 0) for code, key in units},
                {(code, key): seats.live(tx, self._number(key), keys[code], now) for code, key in live},
            )

        same("units and live seats by code", (units, live), self.server.lab.ctx.store.write(told))

    def _compare_room(self) -> None:
        """Each item's verdict on a device that nobody has seen: whether it is full."""
        code = self._live_code(self.turn)
        if code is None:
            return
        asked = Asked("p", "server", code.name, code.organization, code.password, domain="example.com")
        stranger = uuid_of(10**6)
        told = explain.explain(self.server.lab.ctx, self._request(stranger, asked, None), self.model.now)
        try:
            self.model.admit(code, asked)
        except Refused as refused:
            same(f"Why? at {code.name}", refused.code, told.code)
            return
        verdict = self.model.verdict(code, asked, stranger)
        known = {(key[1], key[2]): fault for key, fault in verdict.codes.items()}
        same(f"Why? at {code.name}", known, {(row.license_id, row.item_id): row.code for row in told.items})
