"""The names that handshake codes were given: which code had a name first, and which had it when a lease was issued.

Order is that of the change feed, never of the clock, which may be set back (docs/design/authorizing.md, Names and
numbers).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple, TypeVar

Key = TypeVar("Key")


class Naming(NamedTuple):
    """A change that gave a code this name: `serial` in the feed of `origin` (first eight digits of the incarnation, as
    a lease's `jti` begins), at `since` (UTC seconds), as the `place`-th of all such changes."""

    name: str
    code: int
    since: int
    origin: str
    serial: int
    place: int


@dataclass(frozen=True)
class Names:
    """The names that codes have and had, including removed codes."""

    of_name: Mapping[str, tuple[Naming, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """By spelled name, oldest first; only where it goes over to another code."""
    had: Mapping[int, tuple[Naming, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """By the code's number, oldest first: only if it got another name. The last one says since when it has, without
    a break, the name that it has."""

    def bore(self, code: int, name: str) -> bool:
        """Whether a code has, or once had, a name."""
        return any(given.code == code for given in self.of_name.get(name, ()))

    def bearer(self, name: str, origin: str, serial: int, at: int) -> int:
        """Number of the code that had a name when `origin` had written its change `serial`; if none had it by then, the
        first to have it; 0 for a name that no code ever had. Changes of other origins are ordered by `at`, UTC
        seconds."""
        every = self.of_name.get(name, ())
        for given in reversed(every):
            if given.serial <= serial if given.origin == origin else given.since <= at:
                return given.code
        return every[0].code if every else 0

    def bearers(self, name: str) -> tuple[int, ...]:
        """Numbers of the codes that were given a name, in that order."""
        return tuple([given.code for given in self.of_name.get(name, ())])

    def place(self, code: int) -> int:
        """Where in the feed a code got the name that it has: of two the one with the lower place had its name first."""
        return self.had[code][-1].place if code in self.had else -1


_NONE = Names()


def learn(rows: Iterable[Naming], before: Names = _NONE) -> Names:
    """Of changes that gave a code its name or kept it, in the order of the feed: all, or those after what was known
    `before`."""
    of_name: dict[str, list[Naming]] = {}
    had: dict[int, list[Naming]] = {}
    for given in rows:
        own = _list(had, before.had, given.code)
        if not own or own[-1].name != given.name:
            own.append(given)
        every = _list(of_name, before.of_name, given.name)
        if not every or every[-1].code != given.code:
            every.append(given)
    return Names(_with(before.of_name, of_name), _with(before.had, had))


def _list(lists: dict[Key, list[Naming]], before: Mapping[Key, tuple[Naming, ...]], key: Key) -> list[Naming]:
    found = lists.get(key)
    if found is None:
        found = lists[key] = list(before.get(key, ()))
    return found


def _with(before: Mapping[Key, tuple[Naming, ...]], lists: dict[Key, list[Naming]]) -> Mapping[Key, tuple[Naming, ...]]:
    return MappingProxyType({**before, **{key: tuple(found) for key, found in lists.items()}})
