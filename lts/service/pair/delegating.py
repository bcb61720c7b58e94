"""The main's word for the standby's key (docs/design/pair.md, Certificates): given with answers, and kept."""

from __future__ import annotations

from lts.crypto import PublicKey, canonical_json, jws_header, sign_jws
from lts.protocol import CERTIFICATE_TYPE
from lts.rules import pair as rules
from lts.rules.pair import MAIN
from lts.service.core.pinned import Delegation
from lts.service.licensing.catalog import self_signed
from lts.service.pair.node import Node


def certify(node: Node, until: int) -> tuple[list[str], int]:
    """(certificates, end) for the standby when its delegation, which ends at `until`, is old; else nothing."""
    now, pinned = node.ctx.clock.now(), node.pinned.now
    if node.role != MAIN or pinned.key is None or pinned.uuid is None or not rules.renew_delegation(until, now):
        return [], 0
    me, theirs = node.ctx.identity, now + node.peer.clock_offset
    claims = rules.delegation(me.uuid, pinned.uuid, PublicKey.from_x(pinned.key), now, theirs)
    header = jws_header(me.key.public, CERTIFICATE_TYPE)
    return [self_signed(me), sign_jws(header, canonical_json(claims), me.key)], claims["exp"]


def take(node: Node, main_uuid: str, certificates: list[str], until: int) -> None:
    """Keep the main's word for this server."""
    node.pinned.change(delegation=Delegation(main_uuid, tuple(certificates), until))
    node.ctx.store.refresh_catalog()
