"""How sentences name a license item: by its id and license, and by the organization where there are several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

Json = dict[str, Any]


def namer(items: Sequence[Json]) -> Callable[..., Json]:
    """What makes the parameters by which an item is told apart among these (as
    lts.service.licensing.licenses.describe tells them), with more of it: `named(item, days=3)`."""
    several = len({item["organizationId"] for item in items}) > 1

    def named(item: Json, **more: Any) -> Json:
        whose = {"organization": item["organizationId"]} if several else {}
        return {"item": item["itemId"], "license": item["licenseId"], "id": item["id"], **whose, **more}

    return named
