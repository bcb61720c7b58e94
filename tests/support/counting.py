"""A plain model of counting, made from docs/design: which branch a request is on, and what its counts add.

Dictionaries and references to objects, no numbers that stand for tokens, no day rows, no database.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

AHEAD_SLOTS = 4
WINDOW = 64
Key = tuple[str, int, str]
"""(item, slot, type)."""


@dataclass(eq=False)
class Token:
    """A clone token: which request it answered, and which token that one had returned."""

    number: int
    parent: Token | None
    returned: bool = False


@dataclass(eq=False)
class Branch:
    """`newest` token that came back on it; it counts apart from slot `since` on."""

    newest: Token
    since: int | None = None


@dataclass
class DeviceModel:
    """One device as its server should see it; `counts` are the highest by who counted (None: together)."""

    tokens: dict[str, Token] = field(default_factory=dict)
    branches: list[Branch] = field(default_factory=list)
    active: Branch | None = None
    heard: int = 0
    """How many tokens had been given at the last request on a branch."""
    alternations: int = 0
    given: int = 0
    forked: bool = False
    cleared: bool = False
    counts: defaultdict[Key, dict[Branch | None, int]] = field(default_factory=lambda: defaultdict(dict))

    @property
    def refused(self) -> bool:
        """Whether all branches but the oldest are refused."""
        return self.alternations > 2

    def refuses(self, text: str | None) -> bool:
        """Whether an authorization by this token is answered by 151."""
        token = self.tokens.get(text or "")
        branch = self._branch_of(token)
        if self.alternations + self._alternates(token, branch) <= 2:
            return False
        begins = branch is None and token is not None and not self._returned(token)
        return bool(self.branches) if begins else branch is None or branch is not self.branches[0]

    def _alternates(self, token: Token | None, branch: Branch | None) -> int:
        """How many alternations a request is: one on a branch that is neither new nor the last active one. The first
        return of a token that answered none says that its holder came before others and after them."""
        if branch is not None:
            return branch is not self.active
        if token is None or self._returned(token):
            return 0
        return 2 if token.parent is None and token.number <= self.heard else 0

    def ask(self, text: str | None, slot: int) -> Branch | None:
        """A request that returns a token; the branch on which it is."""
        token = self.tokens.get(text or "")
        branch = self._branch_of(token)
        self.alternations += self._alternates(token, branch)
        self.forked |= self.alternations > 2
        if branch is not None:
            assert token is not None
            branch.newest = token
            if branch is not self.active:
                self._tell_apart(branch, slot)
        elif token is not None and not self._returned(token):
            branch = Branch(token)
            self.forked |= token.parent is not None
            self.branches.append(branch)
        if token is not None:
            token.returned = True
        if branch is not None:
            self.active, self.heard = branch, self.given
        return branch

    def answer(self, text: str, to: str | None) -> None:
        """The token that went out with the answer."""
        self.tokens[text] = Token(self.given, self.tokens.get(to or ""))

    def _branch_of(self, token: Token | None) -> Branch | None:
        if token is None:
            return None
        for branch in self.branches:
            if token is branch.newest or token.parent is branch.newest:
                return branch
        return None

    def _returned(self, token: Token) -> bool:
        return token.returned or self.given - token.number >= WINDOW

    def _tell_apart(self, branch: Branch, slot: int) -> None:
        before = self.cleared or any(one.since for one in self.branches)
        for one in (branch, self.active):
            assert one is not None
            one.since = one.since or slot + 1 + (AHEAD_SLOTS if before else 0)

    def clear(self) -> None:
        """An administrator says that there is one machine alone."""
        self.tokens.clear()
        self.branches.clear()
        self.active, self.alternations, self.forked, self.cleared = None, 0, False, True
        self.heard = 0

    def count(self, branch: Branch | None, key: Key, count: int) -> int:
        """The highest count stays; returns by how much the units grew."""
        before = self.units(key)
        apart = branch is not None and branch.since is not None and key[1] >= branch.since
        who = branch if apart else None
        known = self.counts[key]
        known[who] = max(count, known.get(who, 0))
        return self.units(key) - before

    def units(self, key: Key) -> int:
        """Units of a slot: whoever counted together may have been any of those that count apart, so the fewest that
        it can have been."""
        known = self.counts.get(key, {})
        together = known.get(None, 0)
        apart = [count for who, count in known.items() if who is not None]
        if not apart:
            return together
        return min(sum(apart) - one + max(one, together) for one in apart)

    def total(self, item: str | None = None) -> int:
        """Units of an item, or of all."""
        return sum(self.units(key) for key in self.counts if item in (None, key[0]))
