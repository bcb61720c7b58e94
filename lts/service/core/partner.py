"""This server's place in a pair, or without one: what the rest of the server asks of it.

lts.service.pair.node answers for a server of a pair, lts.service.pair.alone for one without a partner.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

from lts.protocol import Durable
from lts.rules.alerting.notices import Notice
from lts.service.core.pairmodels import PairStatus

AnswerPeer = Callable[[str, Mapping[str, str], bytes], tuple[int, dict[str, str], bytes]]
"""Takes path, headers and body of a call of the other server, and gives status, headers and body of the answer."""


class Step(NamedTuple):
    """Something repeated in its own thread, `pause` seconds after each run that does not ask to continue at once."""

    name: str
    do: Callable[[], bool | None]
    pause: float


class PairWork(Protocol):
    """What a server does for its pair in the background."""

    steps: tuple[Step, ...]

    def leave(self) -> object:
        """Before a stop in good order: let the other server serve. Raises LtsError."""
        ...

    def cancel(self) -> None:
        """Break off the requests under way."""
        ...


class Partner(Protocol):
    """See the module."""

    @property
    def role(self) -> str:
        """`main`, `standby` or `single`."""
        ...

    @property
    def settled(self) -> bool:
        """Whether this server's own feed has begun: one of a pair first asks the other."""
        ...

    @property
    def alone(self) -> bool:
        """Whether no other server can take this one's place."""
        ...

    @property
    def in_step(self) -> bool:
        """Whether the other server follows this one's changes as they come, and answers wait for it."""
        ...

    @property
    def has_all(self) -> bool:
        """Whether nothing can come any more that another server counted on days that are over."""
        ...

    @property
    def clock_gap(self) -> int:
        """By how many seconds the other clock is ahead of this one (behind: below 0), 0 if too little to report."""
        ...

    def count_ahead(self) -> None:
        """A report was refused (142) by this clock that the other server's would have let in."""
        ...

    def begin(self) -> None:
        """The server is composed: continue its feed, or first ask the other one."""
        ...

    def check(self) -> None:
        """Whether clients may be answered this very moment. Raises Refusal 100."""
        ...

    def confirm(self, serial: int) -> Durable:
        """How durable the changes up to `serial` are, after waiting for the other server. Raises Refusal 100."""
        ...

    def notices(self) -> list[Notice]:
        """What `lts status` and the portal's home page say of the pair."""
        ...

    def describe(self) -> PairStatus | None:
        """What administrators are shown of the pair, None without one."""
        ...

    def paired(self) -> Pair:
        """What administrators do with the pair. Raises AdminError where this is a single server."""
        ...

    def endpoint(self) -> AnswerPeer | None:
        """What answers the other server's calls; None if nobody may call."""
        ...

    def work(self, reopen: Callable[[], None]) -> PairWork:
        """What to do in the background; `reopen` is called when a first copy is ready and the data folder must be
        reopened."""
        ...

    def gauges(self) -> dict[str, tuple[str, Callable[[], float]]]:
        """For the metrics page: name -> (help, function that gives the value now)."""
        ...


class Pair(Protocol):
    """A pair as its administrators see it, from one of its servers."""

    def describe(self) -> PairStatus:
        """What they are shown of it."""
        ...

    def approve(self, given: str) -> None:
        """Pin the key that was found in place of the known one; `given` is its fingerprint. Raises AdminError."""
        ...

    def promote(self) -> None:
        """Make this standby the main for good. Raises AdminError, CannotStore, OSError; it is the standby then as
        before."""
        ...
