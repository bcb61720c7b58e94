"""The sentence for a check that refuses an item (docs/design/authorizing.md, Checks of an item)."""

from __future__ import annotations

from typing import NamedTuple

from lts.errors import RefusalCode
from lts.rules.licensing.catalog import LicenseItem


class CapUse(NamedTuple):
    """A handshake code's `cap` on an item that leaves no room, and what the code uses of the item: units, live seats or
    instances."""

    cap: int
    used: int


_SENTENCES = {
    0: "fits",
    RefusalCode.WRONG_VALIDATION: "The application's domain is not one this item is for.",
    RefusalCode.OTHER_PRODUCT: "The handshake code has no item for this product; check the product name.",
    RefusalCode.OTHER_VERSION: "The license does not cover this major version of the product.",
    RefusalCode.OTHER_DEPLOYMENT: "The license does not cover this deployment type.",
    RefusalCode.OTHER_EDITION: "The license does not cover this edition.",
    RefusalCode.EXPIRED: "The license item and its grace days are over; import a renewed license file.",
    RefusalCode.NOT_STARTED: "The license item has not started yet.",
    RefusalCode.INVALID_ITEM: "The license item is revoked, archived, or not valid on this server.",
    RefusalCode.NO_VALIDATION: "The item is for web sites; send validation.domain.",
    RefusalCode.OTHER_CHARGE_WAY: "The item is not charged in the way asked for.",
    RefusalCode.USED_UP: "The quota of the license item and its grace are used up.",
    RefusalCode.MODULE_MISSING: "The license items do not cover all requested modules.",
}


def of_item(fault: int, cap: CapUse | None = None) -> str:
    """A sentence on one item of several, shown beside its name. `cap` as in `explain`."""
    return "The item is for another product." if fault == RefusalCode.OTHER_PRODUCT else explain(fault, None, cap)


def explain(fault: int, item: LicenseItem | None, cap: CapUse | None = None) -> str:
    """A sentence about a verdict; names the item if one is given and refused. `cap` is set if only the cap refuses
    it."""
    sentence = _SENTENCES[fault] if cap is None else _of_cap(cap)
    # these are about the code as a whole
    if item is None or fault in (0, RefusalCode.OTHER_PRODUCT, RefusalCode.MODULE_MISSING):
        return sentence
    return f"{sentence[:-1]} (item {item.terms.item_id})."


def _of_cap(cap: CapUse) -> str:
    fault = "is reached" if cap.used >= cap.cap else "has no room for what is asked"
    return f"The handshake code's cap on the license item {fault}: it uses {cap.used} of {cap.cap}."
