"""Grace of the quota (docs/design/charging.md, Grace)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lts.rules.seats import grace_units
from tests.rules.test_authorize_rules import GOOD


@pytest.mark.parametrize(
    ("quota", "percent", "units"),
    [(10, 5, 1), (30, 5, 2), (50, 5, 3), (9, 5, 0), (11, 5, 1), (29, 5, 1), (5, 10, 1), (4, 10, 0), (0, 5, 0),
     (1, 49, 0), (1, 50, 1), (1, 51, 1), (10**12, 5, 5 * 10**10)],
)  # fmt: skip
def test_a_half_of_grace_is_rounded_up(quota: int, percent: int, units: int) -> None:
    assert grace_units(replace(GOOD, quota=quota, grace_quota=percent)) == units
