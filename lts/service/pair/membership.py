"""Who this server is in its pair: its role, and what it says about itself in a hello."""

from __future__ import annotations

from lts import __version__
from lts.crypto import PublicKey
from lts.rules import pair as rules
from lts.rules.pair import MAIN, STANDBY, ServingStatus
from lts.service.core.identity import Identity
from lts.service.core.pinned import Pinned
from lts.service.pair.peermessages import Introduction
from lts.service.pair.shared import Shared
from lts.store.tables import pair


class Membership:
    """By the configuration, unless a promotion changed that permanently (lts.service.core.pinned)."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self.configured = MAIN if shared.ctx.config.servers[0] == "self" else STANDBY
        """The role that `servers` says."""

    @property
    def promoted(self) -> bool:
        """Whether this server was promoted in place of the main that `servers` still names."""
        return self._shared.pinned.now.promoted_at is not None

    @property
    def alone(self) -> bool:
        """Whether this server was promoted and has had no contact with another since."""
        return self.promoted and self._shared.pinned.now.key is None

    @property
    def role(self) -> str:
        """MAIN or STANDBY."""
        return MAIN if self.promoted else self.configured

    def me(self, to: Introduction | None = None) -> Introduction:
        """Who this server is, for hellos; `to` is who called, as far as it said so."""
        shared = self._shared
        ctx = shared.ctx
        return introduction(
            ctx.identity, shared.pinned.now, self.role, ctx.running.status, first_number=shared.first_number, to=to
        )

    def learn_keys(self) -> None:
        """Leases of every server that ever served in this pair are accepted."""
        shared = self._shared
        with shared.ctx.store.reader() as db:
            keys = set(pair.server_keys(db))
        if shared.pinned.now.key is not None:
            keys.add(shared.pinned.now.key)
        shared.ctx.leases.believe(PublicKey.from_x(key) for key in keys)


def introduction(
    me: Identity, now: Pinned, role: str, status: ServingStatus, *, first_number: int, to: Introduction | None
) -> Introduction:
    """What a server of a pair, or one that was, says of itself; see Membership.me and Introduction."""
    return Introduction(
        uuid=me.uuid,
        key=me.key.public.x,
        role=role,
        version=__version__,
        protocol=rules.PROTOCOL if to is None else rules.spoken(to.protocol) or rules.PROTOCOL,
        status=rules.told(status),
        promoted=to is not None and now.came_after(to.key),
        replaced=(now.replaced or "") if to is None else "",
        first_number=first_number,
        delegation=now.delegation.certificates[1] if now.delegation is not None else "",
        line=list(now.own_line),
        yields=to is not None and now.retired and to.key == now.key,
    )
