"""Many copies of a device, and machines that lose their state or are set back, beyond what is remembered of tokens.

See docs/design/authorizing.md, Device clones.
"""

from __future__ import annotations

import random

import pytest

from lts.rules.metering.clonetokens import CloneToken
from lts.rules.metering.usage import TOGETHER
from tests.rules.test_clonetokens import Server


def lose(server: Server, times: int) -> CloneToken:
    """A machine that loses its token each time after it returned it; the last one."""
    token = server.ask(server.ask(None))
    for _ in range(times):
        token = server.ask(server.ask(None))
    return token


def take_turns(server: Server, held: list[CloneToken], turns: list[int]) -> None:
    """Each copy of a machine that has its turn returns the token that it holds."""
    server.slot += 1
    for copy in turns:
        held[copy] = server.ask(held[copy])


@pytest.mark.parametrize("copies", [2, 5, 64, 65, 66, 100, 300])
@pytest.mark.parametrize("lost", [0, 64, 130])
@pytest.mark.parametrize("calls", [1, 2, 3])
@pytest.mark.parametrize("order", ["fixed", "by chance", "one more often"])
def test_copies_are_refused_however_many_there_are_and_however_many_tokens_were_lost(
    copies: int, lost: int, calls: int, order: str
) -> None:
    server, dice = Server(), random.Random(copies)
    held = [lose(server, lost)] * copies
    turns = [0] * (order == "one more often") + list(range(copies))
    for _ in range(6):
        if order == "by chance":
            dice.shuffle(turns)
        take_turns(server, held, [copy for copy in turns for _ in range(calls)])
    assert server.state is not None
    assert server.forked
    assert server.state.refused
    assert len(server.state.tips) <= 64


@pytest.mark.parametrize("lost", [0, 100])
def test_all_that_there_is_room_for_count_apart_of_more_copies_than_that(lost: int) -> None:
    server, dice, apart = Server(), random.Random(7), set()
    held = [lose(server, lost)] * 70
    for turn in range(30):
        turns = list(range(70))
        dice.shuffle(turns)
        for copy in turns:
            take_turns(server, held, [copy])
            assert server.last is not None
            if turn == 29:
                apart.add(server.last.counted[0])
    assert len(apart - {TOGETHER}) >= 62


@pytest.mark.parametrize("kept_from", [None, 0, 1, 70])
@pytest.mark.parametrize("requests", [1, 2, 5, 70])
def test_a_machine_that_is_set_back_at_each_boot_is_never_refused_and_counts_once(
    requests: int, kept_from: int | None
) -> None:
    """To no state at all, or from some boot on to an image that was kept then."""
    server, image = Server(), None
    for boot in range(150):
        token = image
        for n in range(requests):
            token = server.ask(token)
            if boot == kept_from and n == min(1, requests - 1):
                image = token
            assert server.last is not None
            assert (server.last.cloned, server.last.counted) == (False, (TOGETHER, 0))
    assert server.state is not None
    assert server.state.alternations == 0
    assert server.forked == (kept_from is not None and requests > 1)


def test_an_old_state_restored_after_many_lost_ones_is_flagged_and_not_refused() -> None:
    server = Server()
    token = old = lose(server, 100)
    for age in (5, 100):
        for _ in range(age):
            token = server.ask(token)
        token = server.ask(server.ask(old))
    assert server.state is not None
    assert (server.forked, server.state.alternations) == (True, 0)


@pytest.mark.parametrize("lost", [0, 64, 100])
@pytest.mark.parametrize("requests", [1, 2, 5, 70])
def test_a_machine_that_is_set_back_to_newer_and_newer_images_is_never_refused(requests: int, lost: int) -> None:
    """Ten images made before, one after the other, and then ten times the one that was made last."""
    server = Server()
    token, images = lose(server, lost), []
    for _ in range(10):
        images.append(token)
        for _ in range(5):
            token = server.ask(token)
    for back in range(20):
        token = images[back] if back < 10 else images[-1]
        for _ in range(requests):
            token = server.ask(token)
            assert server.last is not None
            assert not server.last.cloned
        images.append(token)
    assert server.state is not None
    assert server.state.alternations == 0
