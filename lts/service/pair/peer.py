"""What a server of a pair knows of the other one and has asked of it; a restart forgets it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from lts.rules import pair as rules
from lts.rules.pair import PROTOCOL, SERVING
from lts.service.pair.peermessages import Introduction, ServerState

SHARED_FAULTS = (
    "peer-key-changed",
    "peer-new-standby",
    "peer-replaced",
    "peer-self",
    "peer-twin",
    "peer-roles",
    "peer-family",
)
"""Faults that stop the pair until an administrator has acted."""
RETIRED = "The other server was promoted to be the main in this one's place."


@dataclass
class Peer:
    """What is known of the other server since this one started, or was promoted. Elapsed seconds: when it was
    `followed`, when an authentic status arrived (`heard_at`), when anything that shows it is `alive`, and when it last
    `moved`: took something, or was in step with this server, or this one began to serve. All begin now."""

    elapsed: Callable[[], float]
    followed: float = field(init=False)
    heard_at: float = field(init=False)
    alive: float = field(init=False)
    moved: float = field(init=False)
    met: bool = False
    serves: bool = False
    who: Introduction | None = None
    protocol: int = PROTOCOL
    """Its protocol, as far as it said so."""
    state: ServerState | None = None
    newest: int = 0
    """Number of its newest status."""
    newest_serving: int = 0
    """Number of the newest status that said that it serves."""
    last_answer: int = 0
    """Number of the status in its last answer to a poll, or to a request to give way."""
    is_copied: bool = False
    """Whether this server does not begin to serve, since another with its identity does, or the other server is in
    contact with such a one; until the other server accepts this one."""
    is_refused: bool = False
    """Whether the other server is in contact with another that has this one's identity."""
    has_given_all: bool = False
    """Whether the old main, in whose place this server was promoted, no longer serves and has nothing that is not here
    (lts.service.pair.gathering)."""
    clock_offset: int = 0
    in_step_at: float | None = None
    faults: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.begin_silence()
        self.progressed()

    def begin_silence(self) -> None:
        """As if it had been followed and had spoken just now: from here on its silence counts."""
        self.followed = self.heard_at = self.alive = self.elapsed()

    def progressed(self) -> None:
        """See `moved`."""
        self.moved = self.elapsed()

    def showed_life(self) -> None:
        """Something came that shows it alive, authentic or not."""
        self.alive = self.elapsed()

    def was_followed(self) -> None:
        """It was, or this server could not have served alone until now."""
        self.followed = self.elapsed()

    def answered(self, number: int) -> None:
        """By the status of that number it answered a request of this server."""
        self.last_answer = number

    def came_into_step(self) -> None:
        """All that it had when it was asked has come in."""
        self.in_step_at = self.elapsed()

    def gave(self, *, everything: bool) -> None:
        """See `has_given_all`: once it has, it can gain nothing more."""
        self.has_given_all |= everything

    def said_hello(self, who: Introduction) -> None:
        """It said who it is, and what it is doing."""
        self.who, self.serves = who, who.status == SERVING
        self._spoke()

    def speaks(self, protocol: int) -> None:
        """It said so."""
        self.protocol = protocol

    def heard(self, state: ServerState) -> bool:
        """It sent its status; whether this is its newest. Over two connections an older one may come later."""
        is_newest = not rules.is_outdated(state.number, self.newest)
        if is_newest:
            if self.state is None or self.state.have != state.have:
                self.progressed()
            self.met, self.state, self.newest, self.serves = True, state, state.number, state.status == SERVING
            if self.serves:
                self.newest_serving = state.number
        self._spoke()
        return is_newest

    def took_leave(self, state: ServerState) -> None:
        """It was promoted in place of this server, and said what it has of it."""
        self.state = state

    def compare_clock(self, offset: int) -> None:
        """By so many seconds its clock is ahead of this one (behind: below 0)."""
        self.clock_offset = offset

    def met_twin(self, *, holds_back: bool, refused: bool = False) -> None:
        """Another server has this one's identity; see `is_copied`."""
        self.is_copied |= holds_back
        self.is_refused |= refused

    def forget_twin(self) -> None:
        """The other server exchanges with this one."""
        self.is_copied = self.is_refused = False

    def fail(self, code: str, detail: str) -> bool:
        """A fault to be shown until it is fixed; whether that is news."""
        before, self.faults[code] = self.faults.get(code), detail
        return before != detail

    def mend(self, *codes: str) -> None:
        """These faults are over."""
        for code in codes:
            self.faults.pop(code, None)

    def _spoke(self) -> None:
        self.heard_at = self.alive = self.elapsed()


@dataclass
class HandOverState:
    """What this server, as the main, has asked of the standby (lts.service.pair.handover).

    `leaving`: it is being stopped and no longer serves. `pending`: it asked the other to serve, naming this as the last
    status it had, and knows of no answer yet. `over`: the other serves since nothing could be stored here; `back_at` is
    when it last took that back.
    """

    leaving: bool = False
    pending: int = 0
    over: bool = False
    back_at: float | None = None
    moving: threading.Lock = field(default_factory=threading.Lock)
    """Held while it is changed who serves, from the question to what follows from the answer."""

    def leave(self) -> None:
        """This server is being stopped."""
        self.leaving = True

    def asked(self, last_answer: int, *, over: bool) -> None:
        """The other one is asked to serve; its last answer had that number. `over`: nothing can be stored here."""
        self.pending, self.over = last_answer, over

    def answered(self) -> None:
        """Whether it serves is known."""
        self.pending = 0

    def end(self) -> None:
        """The other one does not serve by a request of this one."""
        self.asked(0, over=False)

    def take_back(self, now: float) -> None:
        """This server begins to serve: what it had handed over is its own again at `now` (elapsed seconds)."""
        if self.over:
            self.back_at = now
