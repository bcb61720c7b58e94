"""How sentences name a license item: by its id and license, and by the organization where there are several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lts.rules.licensing.itemstatus import ItemStatus

Json = dict[str, Any]


def namer(items: Sequence[ItemStatus]) -> Callable[..., Json]:
    """Makes the parameters that identify an item among these, with more of it: `named(item, days=3)`."""
    several = len({item.organization_id for item in items}) > 1

    def named(item: ItemStatus, **more: Any) -> Json:
        whose = {"organization": item.organization_id} if several else {}
        return {"item": item.item_id, "license": item.license_id, "id": item.id, **whose, **more}

    return named
