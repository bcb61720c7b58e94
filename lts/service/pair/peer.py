"""What a server of a pair knows of the other one and has asked of it; a restart forgets it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from lts.rules.pair import PROTOCOL
from lts.service.pair.peermessages import Self, ServerState

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
    """What is known of the other server since this one started. Elapsed seconds: when it was `followed`, when an
    authentic `word` came, when anything that shows it `alive`; all begin with the start of this server."""

    followed: float
    word: float
    alive: float
    met: bool = False
    serves: bool = False
    who: Self | None = None
    protocol: int = PROTOCOL
    """Its protocol, as far as it said so."""
    state: ServerState | None = None
    newest: int = 0
    """Number of its newest status, of the newest that said that it serves, and of its last answer to a poll."""
    serving: int = 0
    said: int = 0
    is_copied: bool = False
    """Whether this server does not begin to serve, since another with its identity does, or the other server is in
    contact with such a one (`is_refused`), until the other server accepts this one."""
    is_refused: bool = False
    has_given_all: bool = False
    """Whether the old main, in whose place this server was promoted, no longer serves and has nothing that is not here
    (lts.service.pair.gathering)."""
    clock_offset: int = 0
    in_step_at: float | None = None
    faults: dict[str, str] = field(default_factory=dict)
    moved: float = field(init=False)
    """When it last took something, or was in step with this server, or this one began to serve; elapsed seconds."""

    def __post_init__(self) -> None:
        self.moved = self.followed


@dataclass
class HandOverState:
    """What this server, as the main, has asked of the standby (lts.service.pair.handover).

    `leaving`: it is being stopped and serves no more. `pending`: it asked the other to serve, naming this as the last
    word it had, and knows of no answer yet. `over`: the other serves since nothing could be stored here; `back_at` is
    when it last took that back.
    """

    leaving: bool = False
    pending: int = 0
    over: bool = False
    back_at: float | None = None
    moving: threading.Lock = field(default_factory=threading.Lock)
    """Held while it is changed who serves, from the question to what follows from the answer."""
    may_take_back: Callable[[], bool] = lambda: True
    tell: Callable[[], None] = lambda: None
    """Say hello to the main that this server replaced (lts.service.pair.promotion)."""
