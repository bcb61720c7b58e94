"""Punycode that stops at a length: as Python's own codec spells it, at a bounded cost (lts.rules.values.punycode)."""

from __future__ import annotations

import sys
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lts.rules.values import domains, punycode

LABELS = st.text(st.characters(exclude_categories=["Cs"]), max_size=59)
CJK = [chr(point) for point in range(0x4E00, 0x9FA6)]


@given(LABELS)
def test_every_text_is_spelled_as_by_pythons_codec(label: str) -> None:
    whole = label.encode("punycode").decode("ascii")
    assert punycode.encode(label, len(whole)) == whole
    assert punycode.encode(label, len(whole) + 1) == whole
    if whole:
        assert punycode.encode(label, len(whole) - 1) is None


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("b\u00fccher", "bcher-kva"),
        ("\u4ed6\u4eec\u4e3a\u4ec0\u4e48\u4e0d\u8bf4\u4e2d\u6587", "ihqwcrb4cv8a8dqg056pqjye"),
        ("abc", "abc-"),
        ("", ""),
    ],
)
def test_known_spellings(text: str, spelled: str) -> None:
    assert punycode.encode(text, 59) == spelled


def lines(work: Callable[[], object]) -> int:
    """Lines of Python that are run."""
    count = 0

    def trace(frame: object, event: str, argument: object) -> object:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)  # type: ignore[arg-type]
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def normalizing(domain: str) -> int:
    """What a domain costs that was not asked before."""
    domains.normalize.cache_clear()
    return lines(lambda: domains.normalize(domain))


def of_labels(chars: list[str]) -> str:
    return ".".join("".join(chars[at : at + 59]) for at in range(0, 59 * 4, 59))


def test_a_domain_of_many_different_characters_costs_no_more_than_twice_one_that_fits() -> None:
    hostile, fits = of_labels(Random(7).sample(CJK, 59 * 4)), of_labels(CJK)
    assert domains.normalize(hostile) is None
    assert normalizing(hostile) <= 2 * normalizing(fits)
    assert normalizing(fits) < 60_000


def test_the_cost_stops_at_the_length_asked_for() -> None:
    def cost(count: int) -> int:
        label = "".join(CJK[::7][:count])
        return lines(lambda: punycode.encode(label, 59))

    assert cost(1000) < 2.6 * cost(500)
