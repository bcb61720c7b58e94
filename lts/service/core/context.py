"""What every use case works with: one object made at start by lts.server (or by the command line). What changes while
the server runs is in lts.service.core.running."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from lts.config import Config
from lts.service.core.clock import Clock
from lts.service.core.identity import Identity
from lts.service.core.leases import Leases
from lts.service.core.licensefiles import LicenseFiles
from lts.service.core.pinned import Delegation
from lts.service.core.refusals import Refusals
from lts.service.core.running import Running
from lts.service.core.trust import TrustStore
from lts.service.core.vault import Vault
from lts.store.changes import records
from lts.store.store import Store
from lts.store.tables import meta
from lts.store.writing.transaction import Transaction

request_id: ContextVar[str] = ContextVar("request_id", default="-")
"""Id of the request under way, for the log and the "Why?" page."""


@dataclass(frozen=True)
class Context:
    """The open server, as it is composed at start: its store, clock and keys, and in `running` what it does now."""

    config: Config
    store: Store
    clock: Clock
    trust: TrustStore
    files: LicenseFiles
    vault: Vault
    leases: Leases
    refusals: Refusals
    clone_key: bytes
    """For clone tokens."""
    likeness_key: bytes
    """For lts.rules.metering.likeness; as the others, the same on both servers of a pair."""
    running: Running
    delegation: Callable[[], Delegation | None] = lambda: None
    """A main's delegation to this server while it is valid; a promoted or a single server may still have one."""
    keep_mark: Callable[[], bool] = lambda: True
    """Record next to the database how far it is, see lts.service.folder.mark; whether that could be written."""

    @property
    def identity(self) -> Identity:
        """Who this server is."""
        return self.running.identity

    def note_event(self, name: str, detail: dict[str, Any], actor: str = "system") -> None:
        """Something for the audit log, durable when this returns. Raises CannotStore."""
        self.store.write(lambda tx: self.put_event(tx, name, detail, actor))

    def put_event(self, tx: Transaction, name: str, detail: dict[str, Any], actor: str) -> None:
        """The operation behind `note_event`: a change of the feed, or an event kept until this server may write it."""
        event = records.EventChange(actor, name, detail)
        if self.running.may_write:
            tx.emit(event, self.clock.now())
        else:
            meta.put_note(tx, self.identity.uuid, event)

    def write_kept_events(self) -> None:
        """This server may now write its own feed: write the events kept until now."""

        def operation(tx: Transaction) -> None:
            for event in meta.take_notes(tx, self.identity.uuid):
                tx.emit(event, self.clock.now())

        self.store.write(operation)
