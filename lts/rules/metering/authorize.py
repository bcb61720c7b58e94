"""Who gets what: choosing the items of a handshake code for a request (docs/design/authorizing.md, Order of use).

Pure: the caller brings the catalog, a look-up of each item's use, and the time.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import NamedTuple

from msgspec import Struct

from lts.errors import Refusal, RefusalCode
from lts.rules.clock import Moment
from lts.rules.licensing.catalog import Code, CodeItem, LicenseItem
from lts.rules.licensing.licensefile import ChargeWay, ItemTerms
from lts.rules.metering.checks import (
    STAGES,
    ItemUse,
    Request,
    UseOf,
    cap_use,
    in_quota_grace,
    item_fault,
    mismatch,
    quota_fault,
)
from lts.rules.metering.seats import Seat
from lts.rules.metering.terms import CONCURRENT_WAYS, SEAT_WAYS, in_expiry_grace, lease_end, seat_end
from lts.rules.metering.verdicts import CapUse, explain


class Grant(Struct, frozen=True):
    """One item of a decision, with the device's seat after it; `lease_end` in UTC seconds."""

    item: LicenseItem
    modules: tuple[str, ...]
    grace: bool
    seat: Seat
    lease_end: int


class Decision(NamedTuple):
    """Granted items, or none and `fault`, the number of the refusal (docs/design/authorizing.md, Refusal codes).

    `tried` holds the items in order of use, each with the fault that refuses it, 0 = it fits;
    `caps` holds, by item number, those that only the code's cap refuses.
    """

    granted: tuple[Grant, ...]
    fault: int
    tried: tuple[tuple[LicenseItem, int], ...]
    caps: Mapping[int, CapUse] = MappingProxyType({})

    def refusal(self) -> Refusal:
        """The error that refuses the request; it names the first item that passed as many checks."""
        item = next((item for item, fault in self.tried if fault == self.fault), None)
        return Refusal(self.fault, explain(self.fault, item, self.caps.get(item.key) if item else None))


class _Candidate(Struct, frozen=True):
    code_item: CodeItem
    fault: int
    modules: tuple[str, ...]
    use: ItemUse | None


def decide(
    code: Code,
    request: Request,
    use_of: UseOf,
    moment: Moment,
    held: Collection[int] | None = None,
) -> Decision:
    """Choose the items for a request that `admit` let in.

    `held` are numbers of items, among them all in which the device has a live seat: with it, items are checked
    only until the one that is granted is found, and `tried` may be empty; without it every item is checked.
    """
    item_now = moment.item_now
    outer = [(code_item, mismatch(code_item.item, request)) for code_item in code.items]
    wanted = _Wanted(request.modules, outer)
    known: dict[int, _Candidate] = {}

    def candidate(code_item: CodeItem, fault: int) -> _Candidate:
        key = code_item.item.key
        if key not in known:
            known[key] = _candidate(code_item, fault, request, wanted, use_of, item_now)
        return known[key]

    def granted(chosen: _Choice) -> tuple[Grant, ...]:
        return tuple(
            [
                grant_item(c.code_item.item, code.key, modules, c.use, request.instances, moment)
                for c, modules in chosen
                if c.use is not None
            ]
        )

    if held is not None:
        first = _first_in_order(code, outer, candidate, request, held, item_now)
        if first is not None:
            return Decision(granted([(first, first.modules)]), 0, ())
    candidates = [candidate(code_item, fault) for code_item, fault in outer]
    ordered = _order(code, candidates, item_now)
    chosen = _as_next_time(code, candidates, _choose(ordered, request), request, item_now)
    tried = tuple([(c.code_item.item, c.fault) for c in ordered])
    caps = {
        c.code_item.item.key: cap
        for c in ordered
        if c.use is not None and c.fault and (cap := cap_use(c.code_item, c.use, request.instances))
    }
    return Decision(granted(chosen), 0 if chosen else _furthest(ordered), tried, caps)


class _Wanted:
    """The modules of a request, looked up in many items: an item costs work in proportion to its own modules, however
    many are requested."""

    def __init__(self, modules: tuple[str, ...], outer: list[tuple[CodeItem, int]]) -> None:
        self._modules, self._names = modules, frozenset(modules)
        missing = set(modules)
        for code_item, fault in outer:
            if not missing:
                break
            if not fault:
                missing -= code_item.item.terms.module_set
        self.coverable = not missing
        """Whether each is in one of the items that `mismatch` lets through."""

    def covered(self, terms: ItemTerms) -> tuple[str, ...]:
        """Those of them that an item has, in the order of the request; all of the item's if none were requested."""
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
    """The first item in the order of `_order` that can be granted alone, found without checking those after it; None if
    there is no such item, or if only items in grace are left."""
    for code_item, fault in outer:
        if code_item.item.key in held and not fault:
            found = candidate(code_item, fault)
            if _alone(found, request) and _rank(code, found, item_now) == _SEATED:
                return found
    for code_item, fault in outer:
        if fault or not _alone(found := candidate(code_item, fault), request):
            continue
        if code.manual_order or _rank(code, found, item_now) < _IN_GRACE:
            return found
    return None


def _candidate(
    code_item: CodeItem,
    fault: int,
    request: Request,
    wanted: _Wanted,
    use_of: UseOf,
    item_now: int,
) -> _Candidate:
    if fault:
        return _Candidate(code_item, fault, (), None)
    covered = wanted.covered(code_item.item.terms) if wanted.coverable else ()
    if request.modules and not covered:
        return _Candidate(code_item, RefusalCode.MODULE_MISSING, (), None)
    fault = item_fault(code_item.item, item_now)
    if fault:
        return _Candidate(code_item, fault, covered, None)
    use = use_of(code_item)
    return _Candidate(code_item, quota_fault(code_item, use, request.instances), covered, use)


_SEATED, _AS_ORDERED, _IN_GRACE = range(3)


def _order(
    code: Code, candidates: list[_Candidate], item_now: int, given: frozenset[int] = frozenset()
) -> list[_Candidate]:
    """Items with a live seat first, unless the item is past its end, then the code's order; without a manual order,
    items in grace come last. `given` are the items in which this request gives a seat: it counts as live."""
    return sorted(candidates, key=lambda candidate: _rank(code, candidate, item_now, given))


def _rank(code: Code, candidate: _Candidate, item_now: int, given: frozenset[int] = frozenset()) -> int:
    use, terms = candidate.use, candidate.code_item.item.terms
    ended = in_expiry_grace(terms, item_now)
    seated = use is not None and (use.seat is not None or candidate.code_item.item.key in given)
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
    """The choice that the same request would find once it has the seats of this choice: otherwise the lease would not
    be renewed. `candidates` are in the code's order."""
    for _ in chosen[1:]:
        given = frozenset(c.code_item.item.key for c, _ in chosen if has_seat(c.code_item.item.terms.charge_way))
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
        if chosen and candidate.code_item.item.vendor != chosen[0][0].code_item.item.vendor:
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
    moment: Moment,
) -> Grant:
    """The seat and lease of an item that is granted or renewed."""
    now, item_now, _ = moment
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
