"""Device clones (docs/design/authorizing.md, Device clones), as plainly as can be."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field

REFUSED_FROM = 3
"""Alternations from which on the younger branches are refused."""


@dataclass(frozen=True)
class Token:
    """What one answer gave: its number, the token that the request had returned, and its branch."""

    number: int
    parent: int | None
    branch: int


@dataclass
class Step:
    """What one request is: its branch, and the token that its answer gives."""

    branch: int
    token: Token
    refused: bool


@dataclass
class Chain:
    """All that a server knows of one device's tokens."""

    given: int = 0
    newest: dict[int, int | None] = field(default_factory=dict)
    """Newest returned token of each branch."""
    returned: set[int] = field(default_factory=set)
    active: int | None = None
    alternations: int = 0
    flagged: bool = False
    main_branch: int | None = None
    """The branch that keeps its counts, once branches count apart."""
    visits: list[tuple[int, bool]] = field(default_factory=list)
    """(branch, whether a token was returned) of each request in order."""
    apart_since: dict[int, int] = field(default_factory=dict)
    """Moment from which on a branch counts apart (feature "proven branches")."""

    def step(self, token: Token | None, now: int) -> tuple[Chain, Step]:
        """The chain after a request that returned `token`, and what the request is."""
        after = copy.deepcopy(self)
        branch, fork = after._branch_of(token)
        alternation = token is not None and not fork and branch != self.active
        if (fork or alternation) and after.main_branch is None:
            after.main_branch = token.branch if fork and token is not None else self.active
        after.flagged |= fork
        after.alternations += alternation
        after.flagged |= after.alternations >= REFUSED_FROM
        after.active = branch
        after._note_visit(branch, token is not None, now)
        new = Token(after.given, None if token is None else token.number, branch)
        after.given += 1
        refused = after.alternations >= REFUSED_FROM and branch != after.oldest()
        return after, Step(branch, new, refused)

    def oldest(self) -> int:
        """The oldest branch of which a token ever came back."""
        return next((branch for branch, newest in sorted(self.newest.items()) if newest is not None), 0)

    def _branch_of(self, token: Token | None) -> tuple[int, bool]:
        """(branch of a request, whether it is a fork); a token is noted as returned."""
        fresh = max(self.newest, default=-1) + 1
        if token is None:
            self.newest[fresh] = None
            return fresh, False
        if token.number in self.returned:
            began = [branch for branch, newest in self.newest.items() if newest == token.number]
            return (began[0] if began else token.branch), False
        self.returned.add(token.number)
        if token.parent == self.newest[token.branch]:
            self.newest[token.branch] = token.number
            return token.branch, False
        self.newest[fresh] = token.number
        return fresh, True

    def _note_visit(self, branch: int, returned: bool, now: int) -> None:
        """A, B, A with returned tokens: from now on the younger of the two counts apart."""
        visited = [one for one, _ in self.visits]
        if returned and visited and visited[-1] != branch and branch in visited:
            between = max(n for n, one in enumerate(visited) if one == branch)
            others = self.visits[between + 1 :]
            if any(proven for _, proven in others):
                younger = max(branch, *(one for one, proven in others if proven))
                self.apart_since.setdefault(younger, now)
        self.visits.append((branch, returned))

    def usage_branch(self, branch: int, slot_begin: int, proven_only: bool) -> int:
        """Under which number the counts of a slot stand; 0 is what all share until branches count apart."""
        if proven_only:
            since = self.apart_since.get(branch)
            return branch if branch and since is not None and slot_begin > since else 0
        if self.main_branch is None or branch == self.main_branch:
            return -1
        return branch
