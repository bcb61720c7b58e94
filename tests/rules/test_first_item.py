"""Granting looks at no more items than it must, and grants as looking at all of them does."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lts.protocol import DAY_SECONDS
from lts.rules.licensing.catalog import Code, CodeItem, LicenseItem
from lts.rules.metering.authorize import Decision, decide
from lts.rules.metering.checks import ItemUse
from lts.rules.metering.seats import Seat
from tests.rules.test_authorize_rules import ASKED, GOOD
from tests.support.kit import NOON, at

SEAT = Seat(1, NOON + 1000, codes=(1,))
USES = {
    "free": ItemUse(), "seated": ItemUse(live=1, seat=SEAT, in_code=True), "in grace": ItemUse(used=10, live=10),
    "full": ItemUse(used=10**6, live=10**6),
}  # fmt: skip
ENDS = {"lasts": None, "ends": NOON + 5, "past its end": NOON - 5, "over": NOON - 30 * DAY_SECONDS}
Kind = tuple[str, str, str, tuple[str, ...], str]
KINDS = st.tuples(
    st.sampled_from(("scan", "device")),
    st.sampled_from(sorted(USES)),
    st.sampled_from(sorted(ENDS)),
    st.sampled_from((("QR",), ("OCR",), ("QR", "OCR"))),
    st.sampled_from(("reader", "reader", "reader", "writer")),
)


def code_of(kinds: list[Kind], *, manual: bool) -> tuple[Code, dict[int, ItemUse]]:
    entries, uses = [], {}
    for key, (way, use, end, modules, product) in enumerate(kinds, 1):
        item = replace(
            GOOD,
            charge_way=way,
            expires_at=ENDS[end],
            modules=modules,
            product=product,
            grace_quota=50,
            item_id=str(key),
        )
        entries.append(CodeItem(LicenseItem(key, "1", "vendor", "o", item)))
        known = USES[use]
        uses[key] = known if way == "device" else known._replace(seat=None)
    return Code(1, "o", "code", tuple(entries), manual_order=manual), uses


def decided(code: Code, uses: dict[int, ItemUse], modules: tuple[str, ...], *, all_items: bool) -> tuple[Decision, int]:
    """The decision, and how many items were looked at."""
    looks: list[int] = []

    def look_up(entry: CodeItem) -> ItemUse:
        looks.append(entry.item.key)
        return uses[entry.item.key]

    held = [key for key, use in uses.items() if use.seat is not None]
    request = ASKED._replace(modules=modules)
    decision = decide(code, request, look_up, at(NOON), None if all_items else held)
    assert len(set(looks)) == len(looks), "each at most once"
    return decision, len(looks)


@given(st.lists(KINDS, max_size=7), st.booleans(), st.sampled_from(((), ("QR",), ("QR", "OCR"))))
def test_who_looks_at_few_items_grants_the_same(kinds: list[Kind], manual: bool, modules: tuple[str, ...]) -> None:
    if not kinds:
        return
    code, uses = code_of(kinds, manual=manual)
    every, _ = decided(code, uses, modules, all_items=True)
    few, _ = decided(code, uses, modules, all_items=False)
    assert (few.granted, few.fault) == (every.granted, every.fault)
    assert few.granted or few.tried == every.tried, "a refusal tells of all items"


FREE, SEATED, FULL = (("device", state, "lasts", ("QR",), "reader") for state in ("free", "seated", "full"))
IN_GRACE = ("scan", "in grace", "lasts", ("QR",), "reader")


@pytest.mark.parametrize(
    ("kinds", "looks", "granted"),
    [([FREE] * 2500, 1, 1), ([FREE] * 2499 + [SEATED], 1, 2500), ([FULL] * 40 + [FREE] * 2460, 41, 41),
     ([IN_GRACE] * 2500, 2500, 1)],
)  # fmt: skip
def test_of_many_like_items_those_up_to_the_first_that_is_granted_are_looked_at(
    kinds: list[Kind], looks: int, granted: int
) -> None:
    code, uses = code_of(kinds, manual=False)
    for all_items, expected in ((False, looks), (True, len(kinds))):
        decision, looked = decided(code, uses, ("QR",), all_items=all_items)
        assert looked == expected
        assert [one.item.key for one in decision.granted] == [granted]
