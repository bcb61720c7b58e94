"""Leases as they may come back: signed by a server, with other claims than it would give now."""

from __future__ import annotations

import json

from lts.crypto import jws_header, read_jws, sign_jws
from lts.protocol import LEASE_TYPE
from tests.support.kit import Lab


def signed(server: Lab, claims: dict[str, object]) -> str:
    """A lease of these claims by the server's key."""
    key = server.ctx.identity.key
    return sign_jws(jws_header(key.public, LEASE_TYPE), json.dumps(claims).encode(), key)


def without(server: Lab, lease: str, *names: str) -> str:
    """A lease that lacks some claims, as an older version gave it."""
    return signed(
        server, {name: value for name, value in read_jws(lease, LEASE_TYPE).claims().items() if name not in names}
    )
