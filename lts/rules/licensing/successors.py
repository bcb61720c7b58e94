"""Which license items are continued by others when they end, so that nobody needs an alert about the end.

Linear in the items of a server: each offer is looked up by its rarest part, and times are sorted.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import accumulate

from lts.rules.licensing.itemstatus import ItemStatus

Part = tuple[str, str | None]
"""(field, one of its values); None = anything."""
Parts = frozenset[Part]
_LISTS = ("product_versions", "editions", "deployment_types", "domains")
"""Where an empty list and "*" mean anything."""


class Successors:
    """All items of a server, to find those that take over."""

    def __init__(self, items: Sequence[ItemStatus]) -> None:
        self._groups: defaultdict[tuple[int, str, str], _Alike] = defaultdict(_Alike)
        for item in items:
            if item.state in ("active", "pending"):
                for code in item.codes:
                    self._groups[code, item.product, item.charge_way].add(item)

    def take_over(self, item: ItemStatus) -> bool:
        """Whether in every handshake code that uses an item another item covers everything it covers, begins no later
        than it ends, and lasts longer."""
        product, way = item.product, item.charge_way
        return all(self._groups[code, product, way].goes_on(item) for code in item.codes)


class _Alike:
    """Items of a code for one product, charged in one way."""

    def __init__(self) -> None:
        self._times: defaultdict[Parts, list[tuple[int, float]]] = defaultdict(list)
        self._offering: defaultdict[Part, list[Parts]] = defaultdict(list)
        self._found: dict[Parts, tuple[list[int], list[float]]] = {}

    def add(self, item: ItemStatus) -> None:
        """One more; before the first question."""
        offered = _parts(item)
        if offered not in self._times:
            for part in offered:
                self._offering[part].append(offered)
        self._times[offered].append((item.starts_at, _end(item)))

    def goes_on(self, item: ItemStatus) -> bool:
        """Whether one of them begins by the end of an item and lasts longer."""
        wanted, end = _parts(item), _end(item)
        if wanted not in self._found:
            times = sorted(time for offered in self._that_cover(wanted) for time in self._times[offered])
            self._found[wanted] = [begin for begin, _ in times], list(accumulate((end for _, end in times), max))
        begins, longest = self._found[wanted]
        begun = bisect_right(begins, end)
        return begun > 0 and longest[begun - 1] > end

    def _that_cover(self, wanted: Parts) -> Iterable[Parts]:
        candidates = min(([*self._offering[part], *self._offering[_anything(part)]] for part in wanted), key=len)
        return {
            offered: None
            for offered in candidates
            if all(part in offered or _anything(part) in offered for part in wanted)
        }


def _end(item: ItemStatus) -> float:
    return float("inf") if item.expires_at is None else item.expires_at


def _parts(item: ItemStatus) -> Parts:
    parts: set[Part] = {("modules", name) for name in item.modules}
    for field in _LISTS:
        values: tuple[str, ...] = getattr(item, field)
        parts |= {(field, None)} if not values or "*" in values else {(field, value) for value in values}
    return frozenset(parts)


def _anything(part: Part) -> Part:
    """What also covers a part; only the same module covers a module."""
    return part if part[0] == "modules" else (part[0], None)
