"""What the server is doing now: all that changes while it runs, beside what is composed at its start
(lts.service.core.context)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from lts.errors import AdminError, Refusal, RefusalCode
from lts.rules.notices import Notice
from lts.service.core.identity import Identity
from lts.service.core.newcomers import Newcomers
from lts.service.core.recentcalls import RecentCalls
from lts.service.core.today import Today

_NOT_SERVING = {
    "standby": "This is the standby server and the main one works; use the other server URL of the license key.",
    "starting": "The server is starting; try again shortly.",
}


class Partner(Protocol):
    """This server's place in a pair (lts.service.pair.node), None in a Context of a single server."""

    settled: bool
    ahead: int
    """Reports refused (142) by this clock that the other server's would have let in."""

    @property
    def in_step(self) -> bool:
        """Whether the other server takes this one's changes as they come."""
        ...

    def check(self) -> None:
        """Whether clients may be answered this very moment. Raises Refusal 100."""
        ...

    @property
    def clock_gap(self) -> int:
        """By how many seconds the other clock is ahead of this one, where that is worth a word."""
        ...

    def confirm(self, serial: int) -> str:
        """Wait until the other server has changes up to `serial`: `both` or `local`. Raises Refusal 100."""
        ...


@dataclass
class Running:
    """The one mutable part of a Context; what it holds is forgotten with a restart, but for the identity."""

    identity: Identity
    """In a pair, a restored server takes a new incarnation while it runs."""
    public_url: str
    """URL of this server for clients, unless the administrator set others."""
    found_serial: int
    """How far this server's feed was when it was opened: what it writes itself from there on needs no check."""
    warnings: list[Notice] = field(default_factory=list)
    """What an administrator should know."""
    status: str = "serving"
    """serving, standby or starting: what health says, and whether clients are answered."""
    partner: Partner | None = None
    calls: RecentCalls = field(default_factory=RecentCalls)
    """Authorizations of the last hour."""
    newcomers: Newcomers = field(default_factory=Newcomers)
    """Addresses from which too many new devices asked."""
    today: Today = field(default_factory=Today)
    """Type names that got a number today, and what was told of devices."""
    restored_noticed: bool = False
    """Whether a lease has shown that an old database was put back."""

    @property
    def may_write(self) -> bool:
        """Whether this server's own feed has begun: one of a pair first asks the other."""
        return self.partner is None or self.partner.settled

    def check_serving(self) -> None:
        """Raises Refusal 100 unless this server serves clients."""
        if self.status != "serving":
            raise Refusal(
                RefusalCode.NOT_SERVING, _NOT_SERVING.get(self.status, _NOT_SERVING["starting"]), retry_after=1
            )
        if self.partner is not None:
            self.partner.check()

    def check_in_charge(self) -> None:
        """Raises AdminError unless settings may be changed here: in a pair, they flow from the server that serves."""
        if self.status != "serving":
            raise AdminError(
                "not-in-charge",
                "The other server of the pair serves clients now, or this one is not running; make changes on the one"
                " that serves, they come here by themselves.",
                status=409,
            )
