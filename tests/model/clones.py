"""Device clones (docs/design/authorizing.md, Device clones), as plainly as can be."""

from __future__ import annotations

import copy
import itertools
from dataclasses import dataclass, field

REFUSED_FROM = 3
"""Alternations from which on whatever is not on the oldest branch is refused."""
ROOM = 64
"""Branches that a server keeps, and tokens given last of which it knows whether they came back."""
LATER = 600
"""Seconds after which a branch counts apart where others did before."""
COMMON = -1
"""Under which number everything counts that does not count apart."""
_ids = itertools.count()


@dataclass(frozen=True)
class Token:
    """What one answer gave: its number, the token that the request had returned, and its branch, None for none."""

    number: int
    parent: int | None
    branch: int | None
    id: int
    """No two tokens have the same, not even one that a restore lost and one given later under its number."""


@dataclass
class Step:
    """What one request is: its branch, and the token that its answer gives."""

    branch: int | None
    token: Token
    refused: bool


@dataclass
class Chain:
    """All that a server knows of one device's tokens."""

    given: int = 0
    ids: dict[int, int] = field(default_factory=dict)
    """Which token was given under a number."""
    newest: list[int] = field(default_factory=list)
    """Newest returned token of each branch; the oldest branch is the first. A forgotten one's place is another's."""
    returned: set[int] = field(default_factory=set)
    active: int | None = None
    last: int = -1
    """Number of the token given to the last request on a branch; the first token has number 0."""
    alternations: int = 0
    heard: int = 0
    """Latest moment that the device was heard; a clock that is set back does not change it."""
    apart_since: dict[int, int] = field(default_factory=dict)
    """Moment from which on a branch counts apart."""

    @property
    def refuses(self) -> bool:
        """Whether whatever is not on the oldest branch is refused."""
        return self.alternations >= REFUSED_FROM

    def step(self, token: Token | None, now: int) -> tuple[Chain, Step]:
        """The chain after a request that returned `token`, and what the request is."""
        after = copy.deepcopy(self)
        if token is not None and self.ids.get(token.number) != token.id:
            token = None  # one that a restore lost counts as none
        after.heard = max(self.heard, now)
        branch = None
        if token is not None:
            full = len(after.newest) == ROOM
            branch, begins = after._branch_of(token)
            if begins and token.parent is None:
                after.alternations += 2 * (token.number < self.last)
            elif begins:
                after.alternations += full and token.branch is not None
            elif branch is not None and branch != after.active:
                after.alternations += 1
                after._count_apart({branch, after.active}, after.heard)
            if branch is not None:
                after.active, after.last = branch, self.given
        new = Token(after.given, None if token is None else token.number, branch, next(_ids))
        after.ids[new.number] = new.id
        after.given += 1
        return after, Step(branch, new, after.refuses and branch != 0)

    def is_taken_again(self, token: Token) -> bool:
        """Whether another token was given under the number of this one, which a restore lost."""
        return self.ids.get(token.number, token.id) != token.id

    def _branch_of(self, token: Token) -> tuple[int | None, bool]:
        """(branch of a request, None for none, whether it begins here); the token is noted as returned."""
        if token.number in self.newest:
            return self.newest.index(token.number), False
        if token.branch is not None and token.parent == self.newest[token.branch]:
            self.returned.add(token.number)
            self.newest[token.branch] = token.number
            return token.branch, False
        if self._counts_as_returned(token):
            return None, False
        self.returned.add(token.number)
        if len(self.newest) < ROOM:
            self.newest.append(token.number)
            return len(self.newest) - 1, True
        place = self._place(token)
        self.newest[place] = token.number
        self.apart_since.pop(place, None)
        return place, True

    def _counts_as_returned(self, token: Token) -> bool:
        """Whether it came back before; of one older than the last 64 that were given, what stands for that."""
        if self.given - token.number <= ROOM:
            return token.number in self.returned
        answers_an_old_one = token.branch is None and token.parent is not None
        return not answers_an_old_one and token.number <= max(self.newest, default=-1)

    def _place(self, token: Token) -> int:
        """Of the branch that is forgotten for another."""
        others = sorted((self.newest[place], place) for place in range(1, ROOM) if place not in self.apart_since)
        if not others:
            return ROOM - 1
        before = token.number if token.branch is not None or token.parent is None else token.parent
        since_oldest, since = self.given - others[0][0] - 1, self.given - before - 1
        return others[0 if since_oldest > 2 * since else -1][1]

    def _count_apart(self, branches: set[int | None], now: int) -> None:
        moment = now + LATER if self.apart_since else now
        for branch in branches:
            if branch is not None:
                self.apart_since.setdefault(branch, moment)

    def bucket(self, branch: int | None, slot_begin: int) -> int:
        """Under which number the counts of a slot stand."""
        if branch is None or branch not in self.apart_since or slot_begin <= self.apart_since[branch]:
            return COMMON
        return branch


def units(parts: dict[int, int]) -> int:
    """Units of a slot by its counts (docs/design/authorizing.md, What clones count)."""
    apart = [count for bucket, count in parts.items() if bucket != COMMON]
    return sum(apart) + max(0, parts.get(COMMON, 0) - max(apart, default=0))
