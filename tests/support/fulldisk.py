"""A pair whose main's disk may be full, and what its tests need."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from lts.errors import CannotStore, Refusal
from tests.support.duet import Duet, in_step
from tests.support.kit import Lab
from tests.support.picture import counts, picture

DEVICE = str(UUID(int=77))
PATIENCE = 18.0
"""Seconds after which a main that can store nothing has handed over: 15, and the checks around them."""


@contextmanager
def emptied_at_the_end(duet: Duet) -> Iterator[Duet]:
    """Open and in step; at the end the disks take everything again."""
    with in_step(duet) as found:
        yield found
        for player in found.players:
            player.set_disk(full=False)


def run(duet: Duet, seconds: float) -> None:
    """Time passes; while they are linked, the two never both answer."""
    passed = 0.0
    while passed < seconds:
        duet.run(0.5)
        passed += 0.5
        assert duet.cut or not (duet.main.answers() and duet.standby.answers())


def cannot_store(lab: Lab, lease: str) -> int:
    """The code of a report's refusal."""
    try:
        lab.report(lease, {"QR": 1})
    except (CannotStore, Refusal) as error:
        return int(error.code)
    return 200


def fill_the_disk(duet: Duet) -> str:
    """The main can store nothing for so long that the standby serves; a lease from before."""
    lease = duet.main.server.authorize(None, DEVICE).lease
    duet.main.set_disk(full=True)
    cannot_store(duet.main.server, lease)
    run(duet, PATIENCE)
    return lease


def settled(duet: Duet, units: int) -> None:
    """All mended: the main serves, both hold all that was reported, once."""
    for player in duet.players:
        player.set_disk(full=False)
    duet.cut = False
    duet.open()
    for _ in range(2000):
        run(duet, 0.5)
        if duet.in_step():
            break
    assert duet.in_step()
    assert sum(counts(duet.main.server).values()) == units
    assert picture(duet.main.server) == picture(duet.standby.server)
    assert duet.main.faults() == duet.standby.faults() == []
