"""What a torment of pairs sees: gaps, and who answered in turn."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from tests.soak.clients import Answers
from tests.soak.torments import KINDS, dealt
from tests.soak.torture import both_served


def seen(*came: tuple[str, float, float]) -> Answers:
    """(server, asked, answered) of each answer, as they came; the watch begins at 0."""
    answers = Answers(0.0)
    for server, asked, now in came:
        answers.came(server, asked, now)
    return answers


def test_the_longest_time_without_an_answer_is_also_the_first_or_the_last() -> None:
    assert seen(("main", 1, 2), ("main", 2, 3)).longest_gap == 2
    assert seen(("main", 0, 1), ("main", 1, 5), ("standby", 5, 6)).longest_gap == 4
    answers = seen(("main", 0, 1))
    answers.end(9)
    assert answers.longest_gap == 8


@pytest.mark.parametrize(
    ("came", "turns"),
    [
        ((("main", 0, 1), ("main", 1, 2)), 0),
        ((("main", 0, 1), ("standby", 1.5, 2), ("main", 1.5, 3)), 1),
        ((("main", 0, 1), ("standby", 1.5, 2), ("main", 2.5, 3)), 2),
        ((("main", 0, 1), ("standby", 1.5, 2), ("standby", 2, 4), ("main", 2.5, 5), ("standby", 6, 7)), 3),
        ((("standby", 0, 1), ("main", 0.5, 2), ("standby", 3, 4)), 0),
    ],
    ids=["one alone", "a late answer", "back again", "again and again", "asked before"],
)
def test_only_what_was_asked_after_the_others_answer_shows_that_it_had_its_turn(
    came: tuple[tuple[str, float, float], ...], turns: int
) -> None:
    assert seen(*came).turns == turns


def test_every_kind_comes_as_often_as_every_other() -> None:
    deck = dealt(Random(5))
    for _ in range(3):
        assert sorted(next(deck) for _ in KINDS) == sorted(KINDS)


@pytest.mark.parametrize(
    ("kind", "turns", "begins", "found"),
    [
        ("yes lost", 2, {"cannot-store": 1, "hand-back": 1}, False),
        ("yes lost", 3, {"cannot-store": 1, "hand-back": 1}, True),
        ("yes lost", 0, {"cannot-store": 1, "merge": 1}, True),
        ("stop main", 2, {"take-over": 1, "merge": 1, "hand-back": 1}, False),
        ("stop main", 2, {"take-over": 1, "merge": 1}, True),
        ("cut", 9, {"take-over": 1, "merge": 1}, False),
    ],
)
def test_both_served_where_the_others_turn_came_more_often_than_one_began(
    kind: str, turns: int, begins: dict[str, int], found: bool
) -> None:
    assert bool(both_served(KINDS[kind], turns, Counter(begins))) == found
