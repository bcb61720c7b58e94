"""Judging items (docs/design/authorizing.md, Checks of an item and Combining items): which check speaks first in an
item, and which code is returned when several items fail."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest

from lts.protocol import DAY_SECONDS
from lts.rules.licensing.catalog import ACTIVE, REVOKED, Code, CodeItem, LicenseItem
from lts.rules.licensing.licensefile import ItemTerms
from lts.rules.metering.authorize import Decision, decide
from lts.rules.metering.checks import ItemUse, Request
from lts.rules.metering.seats import Seat
from tests.support.kit import NOON, at

ORDER = (106, 107, 109, 108, 115, 114, 103, 124, 113, 112, 111, 120)
"""The table of the design, from the first check to the last."""
GOOD = ItemTerms(
    "good", "", "reader", ("8",), ("standard",), ("server",), ("QR",), "scan", 10, "yearly", (), NOON - DAY_SECONDS,
    None, 7, 0, 0, None, False,
)  # fmt: skip
ASKED = Request(bytes(16), "reader", "server", version="8.2", edition="standard", modules=("QR",))
SITE: dict[str, Any] = {"charge_way": "domain", "domains": ("example.org",)}
FAULTS: dict[int, dict[str, Any]] = {
    106: {"product": "writer"},
    107: {"product_versions": ("7",)},
    109: {"editions": ("professional",)},
    108: {"deployment_types": ("mobile",)},
    115: {"charge_way": "device"},
    114: SITE,
    103: SITE,
    124: {"modules": ("OCR",)},
    113: {},  # its state
    112: {"starts_at": NOON + DAY_SECONDS},
    111: {"expires_at": NOON - 8 * DAY_SECONDS},
    120: {"quota": 0},
}
"""What is wrong with an item that a check speaks against."""
PAIRS = [pair for pair in combinations(ORDER, 2) if pair != (114, 103)]  # a domain is sent, or it is not


def asked(*codes: int) -> Request:
    """The request in which these checks, and no others, may speak."""
    domain = "example.com" if 103 in codes else None
    way = None if 115 not in codes else "domain" if {114, 103} & {*codes} else "scan"
    return ASKED._replace(domain=domain, charge_way=way)


def bad(*codes: int, key: int = 1) -> CodeItem:
    """An item that all these checks speak against."""
    changes: dict[str, Any] = {name: value for code in codes for name, value in FAULTS[code].items()}
    item = replace(GOOD, item_id=f"bad{key}", **changes)
    held = LicenseItem(key, "1", "vendor", "o", item, REVOKED if 113 in codes else ACTIVE)
    return CodeItem(held)


def judged(request: Request, *items: CodeItem) -> Decision:
    """The decision over a code of these items, in this order."""
    return decide(Code(1, "o", "code", items, manual_order=True), request, lambda _: ItemUse(), at(NOON))


@pytest.mark.parametrize("code", ORDER)
def test_each_check_speaks_against_its_fault_alone(code: int) -> None:
    assert judged(asked(code), bad(code)).fault == code
    if code != 115:
        assert judged(asked(), bad()).granted


@pytest.mark.parametrize(("earlier", "later"), PAIRS)
def test_of_two_items_the_one_that_came_further_says_the_code(earlier: int, later: int) -> None:
    request = asked(earlier, later)
    items = bad(earlier, key=1), bad(later, key=2)
    for order in (items, items[::-1]):
        decision = judged(request, *order)
        assert {entry.key: code for entry, code in decision.tried} == {1: earlier, 2: later}
        assert decision.fault == later
        assert decision.refusal().code == later


@pytest.mark.parametrize(("earlier", "later"), [pair for pair in PAIRS if not FAULTS[pair[0]].keys() & FAULTS[pair[1]]])
def test_an_item_with_two_faults_is_judged_by_the_check_that_comes_first(earlier: int, later: int) -> None:
    assert judged(asked(earlier, later), bad(earlier, later)).fault == earlier


# what a request is given, the next one finds

WAYS = ("scan", "device", "concurrentDevice")
MODULES = ("A", "B", "C", "D")


def a_code(chance: random.Random) -> Code:
    """A code of two to five items with some of the modules each, charged in several ways."""
    items = tuple(
        CodeItem(
            LicenseItem(
                key, "1", "vendor", "o",
                replace(
                    GOOD, item_id=f"i{key}", quota=50, charge_way=chance.choice(WAYS),
                    modules=tuple(sorted(chance.sample(MODULES, chance.randint(1, 3)))),
                    expires_at=NOON + DAY_SECONDS * chance.choice((5, -2)),
                ),
                ACTIVE,
            )
        )
        for key in range(1, chance.randint(3, 6))
    )  # fmt: skip
    return Code(1, "o", "code", items, manual_order=chance.random() < 0.5)


def test_the_same_request_is_given_the_same_again_once_it_has_its_seats() -> None:
    chance = random.Random(17)
    several = 0
    for _ in range(3000):
        code = a_code(chance)
        request = ASKED._replace(modules=tuple(chance.sample(MODULES, chance.randint(1, 4))))
        held = {
            entry.item.key: Seat(1, NOON + DAY_SECONDS)
            for entry in code.items
            if entry.item.terms.charge_way != "scan" and chance.random() < 0.3
        }

        def use(entry: CodeItem, held: dict[int, Seat] = held) -> ItemUse:
            return ItemUse(seat=held.get(entry.item.key))

        first = decide(code, request, use, at(NOON)).granted
        held |= {g.item.key: g.seat for g in first if g.item.terms.charge_way != "scan"}
        second = decide(code, request, use, at(NOON)).granted
        assert [(g.item.key, g.modules) for g in second] == [(g.item.key, g.modules) for g in first]
        several += len(first) > 1
    assert several > 300
