"""What the server is doing now: everything that changes while it runs, separate from what is composed at its start
(lts.service.core.context)."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from lts.errors import AdminError, Refusal, RefusalCode
from lts.rules.alerting.notices import HINT, Notice
from lts.rules.pair import REFUSING, REPLACED, SERVING, STARTING, ServingStatus
from lts.service.core.identity import Identity
from lts.service.core.newcomers import Newcomers
from lts.service.core.partner import Partner
from lts.service.core.recentcalls import RecentCalls
from lts.service.core.today import Today

_NOT_SERVING = {
    REFUSING: "This is the standby server and the main one serves; use the other server URL of the license key.",
    STARTING: "The server is starting; try again shortly.",
    REPLACED: "This server was replaced by another one for good; use the other server URL of the license key, or get a"
    " license key from the new main.",
}


def not_serving(status: ServingStatus) -> Refusal:
    """The refusal (100) of a client by a server that is doing this."""
    return Refusal(RefusalCode.NOT_SERVING, _NOT_SERVING.get(status, _NOT_SERVING[STARTING]), retry_after=1)


class Warnings:
    """What an administrator should know, one notice for each code. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._notices: dict[str, Notice] = {}

    def put(self, notice: Notice) -> Notice | None:
        """Add a notice as the newest; returns the one of its code that it replaces."""
        with self._lock:
            before = self._notices.pop(notice.code, None)
            self._notices[notice.code] = notice
            return before

    def clear(self, code: str) -> None:
        """Remove the notice of a code, where there is one."""
        with self._lock:
            self._notices.pop(code, None)

    def find(self, code: str) -> Notice | None:
        """The notice of a code, None where there is none."""
        return self._notices.get(code)

    def all(self) -> list[Notice]:
        """The notices, oldest first."""
        with self._lock:
            return list(self._notices.values())


@dataclass
class Running:
    """What of a Context is assigned while it runs; all of it except the identity is lost with a restart."""

    identity: Identity
    """In a pair, a restored server takes a new incarnation while it runs."""
    public_url: str
    """URL of this server for clients, unless the administrator set others."""
    found_serial: int
    """How far this server's feed was when it was opened: what it writes itself from there on needs no check."""
    partner: Partner = field(init=False)
    """See `join`."""
    warnings: Warnings = field(default_factory=Warnings)
    status: ServingStatus = SERVING
    """What health says, and whether clients are answered."""
    calls: RecentCalls = field(default_factory=RecentCalls)
    """Authorizations of the last hour."""
    newcomers: Newcomers = field(default_factory=Newcomers)
    """Addresses from which too many new devices asked."""
    today: Today = field(default_factory=Today)
    """Type names that got a number today, and what was reported about devices."""
    restored_noticed: bool = False
    """Whether a lease has shown that an old database was put back."""

    @property
    def serves(self) -> bool:
        """Whether this server serves clients; `check_serving` also asks whether it may at this moment."""
        return self.status == SERVING

    @property
    def may_write(self) -> bool:
        """Whether this server's own feed has begun: one of a pair first asks the other."""
        return self.partner.settled

    def join(self, partner: Partner) -> None:
        """The rest is composed: this is its place in a pair, or without one."""
        self.partner = partner

    def listen_at(self, url: str) -> None:
        """It is known where this server listens, and no other URL is configured for clients."""
        self.public_url = url

    def notice_restored(self, notice: Notice) -> None:
        """A lease has shown that an old database was put back; further ones are not looked at."""
        self.restored_noticed = True
        self.warnings.put(notice)

    def note_proxy(self, peer: str) -> None:
        """Requests come through a proxy that the configuration does not name (docs/admin/proxy.md)."""
        if not self.warnings.find("untrusted-proxy"):
            sentence = (
                f"Requests come through {peer}, which says that it forwards them but is not among trustedProxies: all"
                " who call through it count as one address. If it is your proxy, name it in lts.json."
            )
            self.warnings.put(Notice("untrusted-proxy", sentence, HINT, {"address": peer}))

    def become(self, status: ServingStatus) -> None:
        """The server is doing this from here on."""
        self.status = status

    def take_identity(self, identity: Identity) -> None:
        """Its identity was written anew."""
        self.identity = identity

    def check_serving(self) -> None:
        """Raises Refusal 100 unless this server serves clients."""
        if not self.serves:
            raise not_serving(self.status)
        self.partner.check()

    def check_in_charge(self) -> None:
        """Raises AdminError unless settings may be changed here: in a pair, they flow from the server that serves."""
        if not self.serves:
            raise AdminError(
                "not-in-charge",
                "The other server of the pair serves clients now, or this one is not running; make changes on the one"
                " that serves, they come here by themselves.",
                status=409,
            )
