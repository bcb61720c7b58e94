"""The server agrees with the model on random sequences; `python3 -m tests.soak.model` runs many more."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from tests.model.features import TODAY
from tests.model.runs import RUNS_PER_WORLD, Worlds, run

STEPS = 40


@pytest.fixture
def worlds() -> Iterator[Worlds]:
    """Where sequences begin."""
    made = Worlds(TODAY)
    yield made
    made.close()


def play(worlds: Worlds, runs: int) -> None:
    """Some runs from a seed that is drawn; a difference names its seed and shows its steps."""
    first = random.SystemRandom().randrange(10**9) * RUNS_PER_WORLD
    for seed in range(first, first + runs):
        difference = run(worlds, seed, STEPS, TODAY, verify=seed == first)
        assert difference is None, str(difference)


def test_thirty_random_sequences_come_out_as_the_model_says(worlds: Worlds) -> None:
    play(worlds, 30)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_hundreds_of_random_sequences_come_out_as_the_model_says(worlds: Worlds, part: int) -> None:
    play(worlds, 200)
