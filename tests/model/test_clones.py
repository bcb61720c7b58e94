"""The rule of clone tokens agrees with the model, with up to a hundred copies of a machine, up to three calls in a turn
of each, and many lost tokens."""

from __future__ import annotations

import random

import pytest

from lts.rules.metering import clonetokens
from lts.rules.metering.usage import FIRST_APART, TOGETHER
from tests.model import clones
from tests.model.facts import SLOT

Tokens = tuple[clonetokens.CloneToken, clones.Token]
LOST = (0, 1, 30, 63, 64, 70, 130)
COPIES = (1, 2, 3, 5, 30, 63, 64, 65, 66, 70, 100)
CALLS = ((1,), (2,), (3,), (1, 1, 1, 2), (1, 2, 3))
"""How often a copy calls in a turn, of which each draws one."""


class Both:
    """A device's chain by the rule and by the model; each request must come out the same."""

    def __init__(self) -> None:
        self.rule: clonetokens.CloneState | None = None
        self.model = clones.Chain()
        self.now = 10**7 * SLOT

    def ask(self, tokens: Tokens | None) -> Tokens:
        """One request; the tokens of its answer."""
        self.now += 7
        done = clonetokens.step(self.rule, tokens and tokens[0], self.now // SLOT)
        self.model, told = self.model.step(tokens and tokens[1], self.now)
        slot = self.now // SLOT + 9
        place = self.model.bucket(told.branch, slot * SLOT)
        counted = done.counted[0] if slot >= done.counted[1] else TOGETHER
        assert (done.cloned, done.state.alternations) == (told.refused, self.model.alternations)
        assert counted == (TOGETHER if place == clones.COMMON else FIRST_APART + place)
        self.rule = done.state
        return clonetokens.CloneToken(done.number, done.parent, done.branch), told.token


@pytest.mark.parametrize("seed", [*range(4), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(4, 40))])
def test_copies_and_lost_tokens_come_out_as_the_model_says(seed: int) -> None:
    dice, both = random.Random(seed), Both()
    for _ in range(dice.choice(LOST)):
        both.ask(both.ask(None))
    held: list[Tokens | None] = [both.ask(both.ask(None)) if dice.random() < 0.7 else None]
    held *= dice.choice(COPIES)
    images = [held[0]]
    calls = dice.choice(CALLS)
    turns = [copy for copy in range(len(held)) for _ in range(dice.choice(calls))]
    for _ in range(400 // len(turns) + 3):
        if dice.random() < 0.3:
            dice.shuffle(turns)
        for copy in turns:
            fate = dice.random()
            token = None if fate < 0.02 else dice.choice(images) if fate < 0.06 else held[copy]
            answers = [both.ask(token) for _ in range(dice.choice((1, 1, 1, 1, 1, 2)))]
            if fate < 0.95:
                held[copy] = answers[0]
            if fate > 0.97:
                images.append(answers[-1])
