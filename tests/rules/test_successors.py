"""Which items go on with others: as comparing each with each says it, in linear work
(lts.rules.licensing.successors)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lts.protocol import DAY_SECONDS
from lts.rules.alerting import alerts
from lts.rules.licensing.itemstatus import ItemStatus
from lts.rules.licensing.successors import Successors
from tests.rules.test_lists import item
from tests.support.kit import NOON
from tests.support.steps import WORST, Steps

Json = dict[str, Any]
CODES = 3


def covers(wide: list[str], narrow: list[str]) -> bool:
    """Whether a list of what is allowed (empty or "*" = anything) allows all that another one does."""
    anything = not wide or "*" in wide
    return anything or (bool(narrow) and "*" not in narrow and set(narrow) <= set(wide))


def takes_over(other: ItemStatus, ending: ItemStatus, code: int) -> bool:
    """docs/design/administering.md, Usage alerts, end of an item."""
    end = ending.expires_at or 0
    return (
        other.id != ending.id
        and code in other.codes
        and other.state in ("active", "pending")
        and other.starts_at <= end
        and (other.expires_at is None or other.expires_at > end)
        and (other.product, other.charge_way) == (ending.product, ending.charge_way)
        and all(
            covers(getattr(other, name), getattr(ending, name))
            for name in ("product_versions", "editions", "deployment_types", "domains")
        )
        and set(ending.modules) <= set(other.modules)
    )


def some(*values: str) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), unique=True, max_size=3)


ITEMS = st.lists(
    st.fixed_dictionaries({
        "state": st.sampled_from(("active", "active", "pending", "grace", "revoked")),
        "product": st.sampled_from(("p", "p", "q")),
        "charge_way": st.sampled_from(("scan", "scan", "page")),
        "product_versions": some("1", "2", "*"),
        "editions": some("pro", "lite"),
        "deployment_types": some("server"),
        "domains": some("a.example", "b.example"),
        "modules": some("A", "B", "*"),
        "codes": st.lists(st.integers(1, CODES), unique=True, max_size=2),
        "starts_at": st.integers(0, 6),
        "expires_at": st.none() | st.integers(1, 7),
    }),
    max_size=8,
)  # fmt: skip


@given(ITEMS)
def test_items_go_on_as_comparing_each_with_each_says_it(found: list[Json]) -> None:
    items = [item(**one, id=number) for number, one in enumerate(found)]
    successors = Successors(items)
    for one in items:
        if one.expires_at is not None:
            slowly = all(any(takes_over(other, one, code) for other in items) for code in one.codes)
            assert successors.take_over(one) is slowly


def alike(number: int) -> Json:
    return {}


def module_each(number: int) -> Json:
    return {"modules": ["QR", f"m{number}"]}


def more_modules(number: int) -> Json:
    """Every other one is for all that the first are for, and something else."""
    return {"modules": ["QR", f"m{number}"] if number % 2 else ["QR"]}


def version_each(number: int) -> Json:
    return {"product_versions": [str(number)]}


@pytest.mark.parametrize("form", [alike, module_each, more_modules, version_each])
@pytest.mark.parametrize("days", [3, 400])
def test_the_ends_of_many_items_are_looked_at_in_linear_work(form: Callable[[int], Json], days: int) -> None:
    def steps(count: int) -> int:
        items = [
            item(id=number, expires_at=NOON + (3 if number % 2 else days) * DAY_SECONDS, **form(number))
            for number in range(count)
        ]
        return Steps().of(lambda: alerts.end_measures(items, NOON))

    assert steps(800) < WORST * steps(400)
