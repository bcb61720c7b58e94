"""What is no matter of the machine's speed keeps to the budget (docs/design/budget.md, The figures)."""

from __future__ import annotations

import json

import pytest

from bench import budget
from lts import config
from tests.support.lines import ROOT


def test_the_page_names_a_budget_for_every_figure_and_says_how_it_is_measured() -> None:
    named = budget.budgets()
    assert set(budget.counted()) < set(named)
    assert len(named) == 10
    measured_as = budget.PAGE.read_text(encoding="utf-8").partition("How each is measured")[2]
    for name in named:
        assert f"| {name.partition(',')[0]} |" in measured_as


@pytest.mark.parametrize("name", sorted({*budget.counted()} - {"lines of lts/"}))
def test_packages_wheels_and_settings_keep_to_the_budget(name: str) -> None:
    assert 0 < budget.counted()[name] <= budget.budgets()[name]


def test_the_sample_holds_every_setting() -> None:
    sample = json.loads((ROOT / "lts.json.sample").read_text(encoding="utf-8"))
    assert set(sample) == set(config.KEYS)


def test_the_table_says_what_is_over_and_what_under() -> None:
    figures = {
        "threads": {"budget": 16.0, "measured": 17, "over": 1.0},
        "lines of lts/": {"budget": 24_000.0, "measured": 23_000, "over": -1_000.0},
        "package, MB": {"budget": 30.0, "measured": None, "over": None},
    }
    lines = budget.table(figures).splitlines()
    assert [line.split()[-3:] for line in lines[1:4]] == [
        ["16", "17", "+1"],
        ["24,000", "23,000", "-1,000"],
        ["30", "-", "-"],
    ]
    assert "tools.package" in lines[4]
