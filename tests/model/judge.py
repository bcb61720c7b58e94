"""What the items of a code say to a request, and what is granted (docs/design/authorizing.md, Checks of an item).

Reads a server's state and changes none of it; product.py does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.model.clones import Chain
from tests.model.facts import SLOT, Facts, Seat
from tests.model.licenses import CONCURRENT_WAYS, DAY, FOREVER, SEAT_WAYS, UNIT_WAYS, Code, Item, ItemKey
from tests.model.messages import Asked, Grant, Refused, Verdict
from tests.model.watch import Watch


@dataclass
class Judge:
    """One server's state, and the rules that read it."""

    features: dict[str, bool]
    now: int
    watch: Watch
    trusted: int
    """The time at which seats free themselves, and usage is too old."""
    known: int
    """The highest time seen, or what elapsed made of it."""
    me: str = ""
    """LTS UUID."""
    others: frozenset[str] = frozenset()
    """UUIDs that this server had on other machines, or that the other server of its pair had."""
    stands_in: tuple[str, int] = ("", 0)
    """The main whose licenses count as its own, and until when in UTC seconds."""
    revisions: dict[tuple[str, str], int] = field(default_factory=dict)
    """Revision held of each license (organization, license id)."""
    places: dict[tuple[str, str], int] = field(default_factory=dict)
    """Number of the code to which the items of each license went."""
    facts: Facts = field(default_factory=Facts)
    items: dict[ItemKey, Item] = field(default_factory=dict)
    codes: list[Code] = field(default_factory=list)
    chains: dict[str, Chain] = field(default_factory=dict)

    @property
    def item_now(self) -> int:
        """Time for starts and ends of items (docs/design/machine.md, Clock)."""
        return max(self.now, self.known - 2 * 3600)

    def seat_now(self, item: Item) -> int:
        """Time at which its seats free themselves (docs/design/machine.md, Clock); live leases go by the clock."""
        return self.trusted if item.way in SEAT_WAYS else self.now

    # handshake codes

    def live_codes(self) -> list[Code]:
        """Those that are not removed, oldest first."""
        return [code for code in self.codes if not code.removed]

    def find(self, asked: Asked) -> Code:
        """docs/design/authorizing.md, Choosing the code."""
        if asked.code is None and asked.organization is None:
            raise Refused(123)
        if asked.code is None:
            mine = [c for c in self.live_codes() if c.organization == asked.organization and c.default]
            if not mine:
                raise Refused(121)
            return mine[0]
        named = sorted((code for code in self.live_codes() if code.name == asked.code), key=lambda code: code.named)
        if not named:
            raise Refused(101)
        organization = self.owner(asked.code) if asked.organization is None else asked.organization
        mine = [code for code in named if code.organization == organization]
        if not mine:
            raise Refused(101 if asked.organization is None else 122)
        return mine[0]

    def owner(self, name: str) -> str | None:
        """The organization that had a name first: whoever names none means that one."""
        had = self._had(name)
        return min(had, key=lambda one: one[0])[1].organization if had else None

    def _had(self, name: str) -> list[tuple[int, Code]]:
        """(turn, code) of each time that a code got a name."""
        had = [(turn, code) for code in self.codes for turn, former in code.former if former == name]
        return had + [(code.named, code) for code in self.codes if code.name == name]

    def admit(self, code: Code, asked: Asked) -> None:
        """docs/design/authorizing.md, Admission, up to the device itself."""
        if code.password is not None and asked.password != code.password:
            raise Refused(102)
        bound = [
            (sent, fits)
            for values, sent, fits in (
                (code.domains, asked.domain, within_any(asked.domain, code.domains)),
                (code.applications, asked.application, asked.application in code.applications),
                (code.processes, asked.process, asked.process in code.processes),
            )
            if values
        ]
        if bound and all(sent is None for sent, _ in bound):
            raise Refused(114)
        if bound and not any(fits for sent, fits in bound if sent is not None):
            raise Refused(103)
        if not code.items:
            raise Refused(104)

    # items

    def verdict(self, code: Code, asked: Asked, device: str) -> Verdict:
        """What each item of a code says, and what is granted."""
        codes = {key: self.mismatch(self.items[key], asked) for key, _ in code.items}
        offered = {m for key, fault in codes.items() if not fault for m in self.items[key].modules}
        wanted = set(asked.modules)
        for key, cap in code.items:
            if codes[key]:
                continue
            item = self.items[key]
            if wanted and (not wanted & set(item.modules) or not wanted <= offered):
                codes[key] = 124
            else:
                codes[key] = self.standing_fault(item) or self.no_room(item, cap, code, asked.instances, device)
        fitting = [key for key in self.order(code, device) if not codes[key]]
        chosen = self.combine(fitting, asked.modules)
        for _ in chosen[1:]:  # a seat that the request itself gives counts as live
            given = frozenset(key for key, _ in chosen if self.items[key].seats)
            fitting = [key for key in self.order(code, device, given) if not codes[key]]
            chosen = self.combine(fitting, asked.modules)
        return Verdict(codes, tuple(self.grant(self.items[key], m, asked.instances, device) for key, m in chosen))

    def mismatch(self, item: Item, asked: Asked) -> int:
        """Checks 1 to 6: what was asked is not what the item is."""
        if asked.product != item.product:
            return 106
        if asked.version is not None and not {"*", asked.version.split(".")[0]} & set(item.versions):
            return 107
        if asked.edition is not None and item.editions and asked.edition not in item.editions:
            return 109
        if item.deployments and asked.deployment not in item.deployments:
            return 108
        if asked.way is not None and asked.way != item.way:
            return 115
        if item.way == "domain" and asked.domain is None:
            return 114
        if item.way == "domain" and not within_any(asked.domain, item.domains):
            return 103
        return 0

    def standing_fault(self, item: Item) -> int:
        """Checks 8 to 10."""
        if item.revoked or item.archived or not self.is_bound_here(item):
            return 113
        if self.item_now < item.starts:
            return 112
        if self.item_now >= item.expires + item.grace_days * DAY:
            return 111
        return 0

    def is_bound_here(self, item: Item) -> bool:
        """Whether its license is one of this server, or of the main for which it stands in (docs/design/pair.md,
        Certificates)."""
        return self.is_one_of_its_own(item.bound)

    def is_one_of_its_own(self, bound: tuple[str, ...]) -> bool:
        """Whether a license activated for these servers is one of this server."""
        main, until = self.stands_in
        return self.me in bound or (main in bound and self.item_now < until)

    def no_room(self, item: Item, cap: int | None, code: Code, instances: int, device: str) -> int:
        """Check 11: quota, grace, overdraft or cap leave no room."""
        room = self.capped(item, cap, code, instances, device)
        if item.way in UNIT_WAYS:
            room = room and self.facts.units(item.key) < item.quota + item.grace_units
        elif item.way in SEAT_WAYS:
            taken = len(self.facts.live(item, self.seat_now(item)))
            room = room and (self.held(item, device) is not None or taken < item.quota + item.grace_units)
        elif item.way in CONCURRENT_WAYS:
            asked = instances if item.way == "concurrentInstance" else 1
            room = room and asked <= item.quota and (not self.overused(item) or self.is_old_enough(item, asked, device))
        return 0 if room else 120

    def capped(self, item: Item, cap: int | None, code: Code, instances: int, device: str) -> bool:
        """Whether the code's cap leaves room (docs/design/charging.md, Caps)."""
        if cap is None or item.way == "domain":
            return True
        if item.way in UNIT_WAYS:
            return self.facts.units(item.key, code.number) < cap
        asked = instances if item.way == "concurrentInstance" else 1
        live = [(d, seat) for d, seat in self.facts.live(item, self.seat_now(item)) if code.number in seat.codes]
        size = {d: seat.instances if item.way == "concurrentInstance" else 1 for d, seat in live}
        if device in size and not self.features["caps beyond"]:
            return True
        beyond = asked - size.get(device, 0)
        return beyond <= 0 or sum(size.values()) + beyond <= cap

    def overused(self, item: Item) -> bool:
        """Whether the whole overdraft is spent (docs/design/charging.md, Overdraft)."""
        if self.now < self.item_now:  # set back: slots come again
            return True
        return self.facts.spent(item.key, item.quota, item.starts, self.now, self.item_now) >= item.overdraft

    def is_old_enough(self, item: Item, asked: int, device: str) -> bool:
        """Whether a device is among the N oldest unbroken leases."""
        age = self.facts.devices.index
        mine = self.held(item, device)
        older = sum(
            seat.instances if item.way == "concurrentInstance" else 1
            for other, seat in self.facts.live(item, self.now)
            if other != device and (mine is None or (seat.since, age(other)) < (mine.since, age(device)))
        )
        own = 0 if mine is None else mine.instances if item.way == "concurrentInstance" else 1
        live = sum(
            seat.instances if item.way == "concurrentInstance" else 1 for _, seat in self.facts.live(item, self.now)
        )
        grown = max(0, asked - own)
        return older + asked - grown <= item.quota and (not grown or live + grown <= item.quota)

    def held(self, item: Item, device: str) -> Seat | None:
        """The live seat or concurrent lease of a device in an item."""
        seat = self.facts.seat(device, item) if item.seats else None
        return seat if seat is not None and seat.live(self.seat_now(item)) else None

    # choosing

    def order(self, code: Code, device: str, given: frozenset[ItemKey] = frozenset()) -> list[ItemKey]:
        """docs/design/authorizing.md, Order of use; in the items of `given` the device gets a seat by this request."""
        places = {key: place for place, (key, _) in enumerate(code.items)}

        def place(key: ItemKey) -> tuple[Any, ...]:
            item = self.items[key]
            holds = key in given or self.held(item, device) is not None
            if self.features["one judge"] and item.in_expiry_grace(self.item_now):
                holds = False
            if code.manual:
                return (not holds, places[key])
            return (
                not holds,
                not holds and self.in_grace(item, device),
                item.expires,
                specificity(item),
                len(item.domains),
                -(item.offline_days or 7),
                -item.quota,
                item.age,
            )

        return sorted(places, key=place)

    def in_grace(self, item: Item, device: str) -> bool:
        """Whether a grant now is one of grace, of the end or of the quota."""
        return item.in_expiry_grace(self.item_now) or self.in_quota_grace(item, device)

    def in_quota_grace(self, item: Item, device: str) -> bool:
        """A seat taken beyond the quota is in grace as long as more are live than the quota."""
        if item.way in UNIT_WAYS:
            return self.facts.units(item.key) >= item.quota
        if item.way not in SEAT_WAYS:
            return False
        taken = len(self.facts.live(item, self.seat_now(item)))
        held = self.held(item, device)
        return taken >= item.quota if held is None else held.grace and taken > item.quota

    def combine(self, fitting: list[ItemKey], wanted: tuple[str, ...]) -> list[tuple[ItemKey, tuple[str, ...]]]:
        """docs/design/authorizing.md, Combining items: (item, modules that it is used for); empty when it cannot be."""
        if not wanted:
            return [(key, self.items[key].modules) for key in fitting[:1]]
        whole = [key for key in fitting if set(wanted) <= set(self.items[key].modules)]
        if whole:
            return [(whole[0], wanted)]
        chosen = []
        missing = list(wanted)
        for key in fitting:
            used = tuple(module for module in missing if module in self.items[key].modules)
            if used:
                chosen.append((key, used))
                missing = [module for module in missing if module not in used]
        return [] if missing else chosen

    def grant(self, item: Item, modules: tuple[str, ...], instances: int, device: str) -> Grant:
        """One item granted now (docs/design/charging.md, Seats and End of a lease)."""
        end_of_item = item.end(self.item_now)
        asked = instances if item.way == "concurrentInstance" else 1
        era = number = 0
        if item.way in SEAT_WAYS:
            period_end = self.now + item.period_days * DAY
            seat_end = min(period_end, end_of_item)
            held = self.held(item, device)
            if held is not None:
                seat_end = max(seat_end, held.end)
            offline = FOREVER if item.offline_days is None else self.now + item.offline_days * DAY
            end = min(offline, period_end, seat_end, end_of_item)
        elif item.way in CONCURRENT_WAYS and item.offline_days is None:
            end = min((self.now // SLOT + 2) * SLOT, end_of_item)
        else:
            end = min(self.now + (7 if item.offline_days is None else item.offline_days) * DAY, end_of_item)
        if item.seats:
            newest = self.facts.seat(device, item)
            era, number = item.era, (newest.grant if newest else 0) + (self.held(item, device) is None)
        return Grant(item.key, modules, item.way, asked, self.in_grace(item, device), era, number, end)


def specificity(item: Item) -> tuple[int, ...]:
    """Smaller for what is more specific: a named version, fewer versions, editions, deployment types, modules."""
    many = 10**6
    return (
        "*" in item.versions,
        len(item.versions),
        len(item.editions) or many,
        len(item.deployments) or many,
        len(item.modules),
    )


def within_any(domain: str | None, allowed: tuple[str, ...]) -> bool:
    """Whether a web domain is one of those or lies below one. Names of the model's worlds are plain ASCII."""
    return domain is not None and any(domain == one or domain.endswith("." + one) for one in allowed)
