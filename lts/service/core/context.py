"""What every use case works with: one object made at start by lts.server (or by the command line)."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Protocol

from lts.config import Config
from lts.errors import AdminError, Refusal, RefusalCode
from lts.rules.notices import Notice
from lts.service.core.clock import Clock
from lts.service.core.identity import Identity
from lts.service.core.leases import Leases
from lts.service.core.licensefiles import LicenseFiles
from lts.service.core.newcomers import Newcomers
from lts.service.core.pinned import Delegation
from lts.service.core.recentcalls import RecentCalls
from lts.service.core.refusals import Refusals
from lts.service.core.today import Today
from lts.service.core.trust import TrustStore
from lts.service.core.vault import Vault
from lts.store import meta, records
from lts.store.store import Store
from lts.store.transaction import Transaction

request_id: ContextVar[str] = ContextVar("request_id", default="-")
"""Id of the request under way, for the log and the "Why?" page."""
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
class Context:
    """The open server: its store, clock, identity and keys."""

    config: Config
    store: Store
    clock: Clock
    identity: Identity
    trust: TrustStore
    files: LicenseFiles
    vault: Vault
    leases: Leases
    refusals: Refusals
    clone_key: bytes
    """For clone tokens."""
    mark_key: bytes
    """For lts.rules.likeness; as the others, the same on both servers of a pair."""
    public_url: str
    """URL of this server for clients, unless the administrator set others."""
    status: str = "serving"
    """serving, standby or starting: what health says, and whether clients are answered."""
    partner: Partner | None = None
    delegation: Callable[[], Delegation | None] = lambda: None
    """The main's word for this server while it holds, where this one is a standby."""
    calls: RecentCalls = field(default_factory=RecentCalls)
    """Authorizations of the last hour."""
    newcomers: Newcomers = field(default_factory=Newcomers)
    """Addresses from which too many new devices asked."""
    today: Today = field(default_factory=Today)
    """Type names that got a number today, and what was told of devices."""
    warnings: list[Notice] = field(default_factory=list)
    """What an administrator should know."""
    restored_noticed: bool = False
    """Whether a lease has shown that an old database was put back."""
    keep_mark: Callable[[], bool] = lambda: True
    """State beside the database how far it is, see lts.service.folder.mark; whether that could be written."""
    found_serial: int = field(init=False)
    """How far this server's feed was when it was opened: what it writes itself from there on needs no check."""

    def __post_init__(self) -> None:
        self.found_serial = self.store.serial

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

    def confirm(self, serial: int) -> str:
        """How durable the changes up to `serial` are: `single`, or see Partner. Raises Refusal 100."""
        return "single" if self.partner is None else self.partner.confirm(serial)

    def note_event(self, name: str, detail: dict[str, Any], actor: str = "system") -> None:
        """Something for the audit log, durable when this returns. Raises CannotStore."""
        self.store.write(lambda tx: self.put_event(tx, name, detail, actor))

    def put_event(self, tx: Transaction, name: str, detail: dict[str, Any], actor: str) -> None:
        """The operation behind `note_event`: a change of the feed, or what is kept until this server may write it."""
        event = records.EventChange(actor, name, detail)
        if self.may_write:
            tx.emit(event, self.clock.now())
        else:
            meta.put_note(tx, self.identity.uuid, event)

    def write_kept_events(self) -> None:
        """This server may write its own feed: what was kept until now comes into it."""

        def operation(tx: Transaction) -> None:
            for event in meta.take_notes(tx, self.identity.uuid):
                tx.emit(event, self.clock.now())

        self.store.write(operation)
