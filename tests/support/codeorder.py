"""The order of use of a handshake code, as the server has it."""

from __future__ import annotations

from lts.service.licensing import handshakes
from tests.portal.conftest import Site


def order_of(site: Site, name: str) -> list[str]:
    """Item ids of a code, in order of use."""
    code = next(code for code in handshakes.describe(site.lab.ctx) if code.name == name)
    return [entry.item_id for entry in code.items]
