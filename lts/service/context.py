"""What every use case works with: one object made at start by lts.server (or by the command line)."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field

from lts.config import Config
from lts.service.clock import Clock
from lts.service.identity import Identity
from lts.service.leases import Leases
from lts.service.refusals import Refusals
from lts.service.trust import TrustStore
from lts.service.vault import Vault
from lts.store.store import Store

request_id: ContextVar[str] = ContextVar("request_id", default="-")
"""Id of the request under way, for the log and the "Why?" page."""


@dataclass
class Context:
    """The open server: its store, clock, identity and keys."""

    config: Config
    store: Store
    clock: Clock
    identity: Identity
    trust: TrustStore
    vault: Vault
    leases: Leases
    refusals: Refusals
    chain_key: bytes
    public_url: str
    """URL of this server for clients, unless the administrator set others."""
    status: str = "serving"
    """serving, standby or starting: what health says, and whether clients are answered."""
    warnings: list[str] = field(default_factory=list)
    """What an administrator should know, in sentences."""
    restored_noticed: bool = False
    """Whether a lease has shown that an old database was put back."""
