"""Who gets what: choosing the items of a handshake code for a request (docs/design/authorizing.md, Order of use).

Pure: the caller brings the catalog, a look-up of each item's use, and the time.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import NamedTuple

from lts.errors import Refusal, RefusalCode
from lts.rules.licensing.catalog import ACTIVE, Code, CodeItem, LicenseItem
from lts.rules.licensing.licensefile import ChargeWay, ItemTerms
from lts.rules.metering.seats import (
    CONCURRENT_WAYS,
    SEAT_WAYS,
    UNIT_WAYS,
    Seat,
    grace_end,
    grace_units,
    in_expiry_grace,
    lease_end,
    seat_end,
)
from lts.rules.metering.verdicts import CapUse, explain
from lts.rules.values import domains

STAGES = (
    RefusalCode.OTHER_PRODUCT,
    RefusalCode.OTHER_VERSION,
    RefusalCode.OTHER_EDITION,
    RefusalCode.OTHER_DEPLOYMENT,
    RefusalCode.OTHER_CHARGE_WAY,
    RefusalCode.NO_VALIDATION,
    RefusalCode.WRONG_VALIDATION,
    RefusalCode.MODULE_MISSING,
    RefusalCode.INVALID_ITEM,
    RefusalCode.NOT_STARTED,
    RefusalCode.EXPIRED,
    RefusalCode.USED_UP,
)
"""Checks of one item in their order (docs/design/authorizing.md, Checks of an item); 114 and 103 for domain
items alone."""


class Request(NamedTuple):
    """An authorization request, names in NFC, `device` the 16 bytes of its UUID. None = not sent."""

    device: bytes
    product: str
    deployment_type: str
    handshake_code: str | None = None
    organization_id: str | None = None
    session_password: str | None = None
    version: str | None = None
    edition: str | None = None
    charge_way: str | None = None
    modules: tuple[str, ...] = ()
    instances: int = 1
    domain: str | None = None
    application_id: str | None = None
    process_name: str | None = None
    clone_token: str | None = None
    client_name: str | None = None


class ItemUse(NamedTuple):
    """What an item's counters say for one device: units used, live seats, overdraft spent.

    `seat` is the device's live grant in the item, if any, `in_code` whether it came by this code already;
    `peak` is the highest grant number the device ever had there. `elders` counts the instances (devices)
    whose unbroken lease of a concurrent item is older than this device's; it is read only once overused, and so is
    `live` of a concurrent item.
    """

    used: int = 0
    code_used: int = 0
    live: int = 0
    code_live: int = 0
    spent: int = 0
    elders: int = 0
    seat: Seat | None = None
    peak: int = 0
    in_code: bool = False


class Grant(NamedTuple):
    """One item of a decision, with the device's seat after it; `lease_end` in UTC seconds."""

    item: LicenseItem
    modules: tuple[str, ...]
    grace: bool
    seat: Seat
    lease_end: int


class Decision(NamedTuple):
    """Granted items, or none and `fault`, the number of the refusal (docs/design/authorizing.md, Refusal codes).

    `tried` holds each item in the order it was looked at with the fault that refuses it, 0 = it fits; `caps` has
    by the item's number those that only the code's cap refuses.
    """

    granted: tuple[Grant, ...]
    fault: int
    tried: tuple[tuple[LicenseItem, int], ...]
    caps: Mapping[int, CapUse] = MappingProxyType({})

    def refusal(self) -> Refusal:
        """The error that refuses the request; names the first item that came as far."""
        item = next((item for item, fault in self.tried if fault == self.fault), None)
        return Refusal(self.fault, explain(self.fault, item, self.caps.get(item.key) if item else None))


UseOf = Callable[[CodeItem], ItemUse]


class _Candidate(NamedTuple):
    entry: CodeItem
    fault: int
    modules: tuple[str, ...]
    use: ItemUse | None


def decide(
    code: Code,
    request: Request,
    use_of: UseOf,
    now: int,
    item_now: int,
    held: Collection[int] | None = None,
) -> Decision:
    """Choose the items for a request that `admit` let in.

    `now` is the clock, `item_now` the time for starts and ends of items (docs/design/machine.md, Clock), both UTC
    seconds. With `held`, numbers of items that has all in which the device has a live seat, no more items are looked
    at than it takes to find the one that is granted, and `tried` may be empty then; without it every item is.
    """
    outer = [(entry, _unfit(entry.item, request)) for entry in code.items]
    wanted = _Wanted(request.modules, outer)
    known: dict[int, _Candidate] = {}

    def candidate(entry: CodeItem, fault: int) -> _Candidate:
        key = entry.item.key
        if key not in known:
            known[key] = _candidate(entry, fault, request, wanted, use_of, item_now)
        return known[key]

    def granted(chosen: _Choice) -> tuple[Grant, ...]:
        return tuple(
            [
                grant_item(c.entry.item, code.key, modules, c.use, request.instances, now, item_now)
                for c, modules in chosen
                if c.use is not None
            ]
        )

    if held is not None:
        first = _first_in_order(code, outer, candidate, request, held, item_now)
        if first is not None:
            return Decision(granted([(first, first.modules)]), 0, ())
    candidates = [candidate(entry, fault) for entry, fault in outer]
    ordered = _order(code, candidates, item_now)
    chosen = _as_next_time(code, candidates, _choose(ordered, request), request, item_now)
    tried = tuple([(c.entry.item, c.fault) for c in ordered])
    caps = {
        c.entry.item.key: cap
        for c in ordered
        if c.use is not None and c.fault and (cap := cap_use(c.entry, c.use, request.instances))
    }
    return Decision(granted(chosen), 0 if chosen else _furthest(ordered), tried, caps)


class _Wanted:
    """The modules of a request, to be found in many items: what an item costs is in proportion to the modules that it
    has itself, however many are asked for."""

    def __init__(self, modules: tuple[str, ...], outer: list[tuple[CodeItem, int]]) -> None:
        self._modules, self._names = modules, frozenset(modules)
        missing = set(modules)
        for entry, fault in outer:
            if not missing:
                break
            if not fault:
                missing -= entry.item.terms.module_set
        self.coverable = not missing
        """Whether each is in one of the items that fit as far as `_unfit` says."""

    def covered(self, terms: ItemTerms) -> tuple[str, ...]:
        """Those that an item has, as they were asked for; all of the item where none were."""
        if not self._names:
            return terms.modules
        if self._names <= terms.module_set:
            return self._modules
        return tuple(sorted(self._names & terms.module_set, key=self._places.__getitem__))

    @cached_property
    def _places(self) -> dict[str, int]:
        return {module: place for place, module in enumerate(self._modules)}


def _first_in_order(
    code: Code,
    outer: list[tuple[CodeItem, int]],
    candidate: Callable[[CodeItem, int], _Candidate],
    request: Request,
    held: Collection[int],
    item_now: int,
) -> _Candidate | None:
    """The first item, as `_order` has them, that is granted alone, without a look at those after it; None if none
    is, or those that are come after all others."""
    for entry, fault in outer:
        if entry.item.key in held and not fault:
            found = candidate(entry, fault)
            if _alone(found, request) and _rank(code, found, item_now) == _SEATED:
                return found
    for entry, fault in outer:
        if fault or not _alone(found := candidate(entry, fault), request):
            continue
        if code.manual_order or _rank(code, found, item_now) < _IN_GRACE:
            return found
    return None


def _unfit(item: LicenseItem, request: Request) -> int:
    """The first of 106, 107, 109, 108, 115, 114, 103 that refuses the item, else 0."""
    terms = item.terms
    if terms.product != request.product:
        return RefusalCode.OTHER_PRODUCT
    if request.version is not None and not _version_fits(terms, request.version):
        return RefusalCode.OTHER_VERSION
    if request.edition is not None and terms.editions and request.edition not in terms.editions:
        return RefusalCode.OTHER_EDITION
    if terms.deployment_types and request.deployment_type not in terms.deployment_types:
        return RefusalCode.OTHER_DEPLOYMENT
    if request.charge_way is not None and request.charge_way != terms.charge_way:
        return RefusalCode.OTHER_CHARGE_WAY
    if terms.charge_way == ChargeWay.DOMAIN:
        if request.domain is None:
            return RefusalCode.NO_VALIDATION
        if not domains.matches_any(request.domain, terms.hosts):
            return RefusalCode.WRONG_VALIDATION
    return 0


def _version_fits(terms: ItemTerms, version: str) -> bool:
    return "*" in terms.product_versions or version.partition(".")[0] in terms.product_versions


def _candidate(
    entry: CodeItem,
    fault: int,
    request: Request,
    wanted: _Wanted,
    use_of: UseOf,
    item_now: int,
) -> _Candidate:
    if fault:
        return _Candidate(entry, fault, (), None)
    covered = wanted.covered(entry.item.terms) if wanted.coverable else ()
    if request.modules and not covered:
        return _Candidate(entry, RefusalCode.MODULE_MISSING, (), None)
    fault = item_fault(entry.item, item_now)
    if fault:
        return _Candidate(entry, fault, covered, None)
    use = use_of(entry)
    return _Candidate(entry, quota_fault(entry, use, request.instances), covered, use)


def item_fault(item: LicenseItem, item_now: int) -> int:
    """113, 112 or 111 when the item authorizes nobody at `item_now`, else 0."""
    if item.state != ACTIVE:
        return RefusalCode.INVALID_ITEM
    if item_now < item.terms.starts_at:
        return RefusalCode.NOT_STARTED
    return RefusalCode.EXPIRED if item_now >= grace_end(item.terms) else 0


def quota_fault(entry: CodeItem, use: ItemUse, instances: int) -> int:
    """120 when quota, grace, overdraft or cap (docs/design/charging.md, Caps) leave no room for this device, else 0."""
    terms, cap = entry.item.terms, entry.cap
    way = terms.charge_way
    if way in UNIT_WAYS:
        return RefusalCode.USED_UP if used_up(entry, use) else 0
    if way in SEAT_WAYS:
        full = use.seat is None and use.live >= terms.quota + grace_units(terms)
        capped = cap is not None and use.code_live >= cap and not use.in_code
        return RefusalCode.USED_UP if full or capped else 0
    if way in CONCURRENT_WAYS:
        return _concurrent_fault(entry, use, instances)
    return 0


def cap_use(entry: CodeItem, use: ItemUse, instances: int) -> CapUse | None:
    """The cap of an item that `quota_fault` refuses; None if it would without the cap too."""
    if entry.cap is None or quota_fault(CodeItem(entry.item), use, instances):
        return None
    counted = entry.item.terms.charge_way in UNIT_WAYS
    return CapUse(entry.cap, use.code_used if counted else use.code_live)


def _concurrent_fault(entry: CodeItem, use: ItemUse, instances: int) -> int:
    terms, cap = entry.item.terms, entry.cap
    asked = instances if terms.charge_way == ChargeWay.CONCURRENT_INSTANCE else 1
    if asked > terms.quota:
        return RefusalCode.USED_UP
    held = use.seat.instances if use.seat is not None and use.in_code else 0
    if cap is not None and asked > held and use.code_live + asked - held > cap:
        return RefusalCode.USED_UP
    if not used_up(entry, use):
        return 0
    own = use.seat.instances if use.seat is not None else 0
    young = use.elders + min(asked, own) > terms.quota
    return RefusalCode.USED_UP if young or (asked > own and use.live + asked - own > terms.quota) else 0


def used_up(entry: CodeItem, use: ItemUse) -> bool:
    """Whether what was counted reaches the quota with its grace, or the cap, of units; the overdraft of an item that is
    used at once."""
    terms, cap = entry.item.terms, entry.cap
    if terms.charge_way in UNIT_WAYS:
        return use.used >= terms.quota + grace_units(terms) or (cap is not None and use.code_used >= cap)
    return terms.charge_way in CONCURRENT_WAYS and use.spent >= terms.overdraft


def is_counted(terms: ItemTerms) -> bool:
    """Whether what devices report can use the item up."""
    return terms.charge_way in UNIT_WAYS or terms.charge_way in CONCURRENT_WAYS


def in_quota_grace(terms: ItemTerms, use: ItemUse) -> bool:
    """Whether the next use draws on the grace beyond the quota."""
    if terms.charge_way in UNIT_WAYS:
        return use.used >= terms.quota
    if terms.charge_way in SEAT_WAYS:
        return use.seat.grace if use.seat is not None else use.live >= terms.quota
    return False


_SEATED, _AS_ORDERED, _IN_GRACE = range(3)


def _order(
    code: Code, candidates: list[_Candidate], item_now: int, given: frozenset[int] = frozenset()
) -> list[_Candidate]:
    """A live seat first, but for one in an item past its end, then the code's order; without a manual one, items in
    grace come last. `given` are the items in which this request gives a seat: it counts as live."""
    return sorted(candidates, key=lambda candidate: _rank(code, candidate, item_now, given))


def _rank(code: Code, candidate: _Candidate, item_now: int, given: frozenset[int] = frozenset()) -> int:
    use, terms = candidate.use, candidate.entry.item.terms
    ended = in_expiry_grace(terms, item_now)
    seated = use is not None and (use.seat is not None or candidate.entry.item.key in given)
    if seated and not ended:
        return _SEATED
    grace = ended or (use is not None and in_quota_grace(terms, use))
    return _IN_GRACE if grace and not code.manual_order else _AS_ORDERED


def _alone(candidate: _Candidate, request: Request) -> bool:
    """Whether an item fits and has all requested modules."""
    return not candidate.fault and (not request.modules or len(candidate.modules) == len(request.modules))


_Choice = list[tuple[_Candidate, tuple[str, ...]]]


def _as_next_time(
    code: Code, candidates: list[_Candidate], chosen: _Choice, request: Request, item_now: int
) -> _Choice:
    """The choice that the same request finds once it has the seats of this one: else it would not be renewed.
    `candidates` are in the code's order."""
    for _ in chosen[1:]:
        given = frozenset(c.entry.item.key for c, _ in chosen if has_seat(c.entry.item.terms.charge_way))
        again = _choose(_order(code, candidates, item_now, given), request)
        if again == chosen:
            break
        chosen = again
    return chosen


def has_seat(charge_way: str) -> bool:
    """Whether items of this charge way give seats, concurrent or not."""
    return charge_way in SEAT_WAYS or charge_way in CONCURRENT_WAYS


def _choose(candidates: list[_Candidate], request: Request) -> _Choice:
    fitting = [c for c in candidates if not c.fault]
    for candidate in fitting:
        if _alone(candidate, request):
            return [(candidate, candidate.modules)]
    chosen: _Choice = []
    missing = set(request.modules)
    for candidate in fitting:
        if chosen and candidate.entry.item.vendor != chosen[0][0].entry.item.vendor:
            continue
        useful = tuple(module for module in candidate.modules if module in missing)
        if useful:
            chosen.append((candidate, useful))
            missing.difference_update(useful)
    return chosen if chosen and not missing else []


def _furthest(candidates: list[_Candidate]) -> int:
    faults = [c.fault or RefusalCode.MODULE_MISSING for c in candidates]
    return max(faults, key=STAGES.index)


def grant_item(
    item: LicenseItem,
    code_key: int,
    modules: tuple[str, ...],
    use: ItemUse,
    instances: int,
    now: int,
    item_now: int,
) -> Grant:
    """The seat and lease of an item that is granted or renewed at `now`."""
    terms, held = item.terms, use.seat
    quota_grace = in_quota_grace(terms, use)
    if held is not None and terms.charge_way in SEAT_WAYS:
        quota_grace = quota_grace and use.live > terms.quota
    concurrent = terms.charge_way in CONCURRENT_WAYS
    lease = lease_end(terms, now, item_now)
    end = seat_end(terms, now, item_now) if terms.charge_way in SEAT_WAYS else lease
    codes = held.codes if held is not None else ()
    seat = Seat(
        grant=held.grant if held is not None else use.peak + 1,
        end=end if held is None else max(end, held.end),
        grace=quota_grace and terms.charge_way in SEAT_WAYS,
        codes=codes if code_key in codes else (*codes, code_key),
        since=(held.since if held is not None else now) if concurrent else 0,
        instances=instances if terms.charge_way == ChargeWay.CONCURRENT_INSTANCE else 1,
    )
    grace = quota_grace or in_expiry_grace(terms, item_now)
    return Grant(item, modules, grace, seat, lease)
