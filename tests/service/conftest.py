"""A pair of two nodes in one process, and what its tests ask of it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from uuid import UUID

import pytest

from lts.errors import Refusal
from tests.support.duet import Duet, copy_of, in_step, template
from tests.support.kit import Lab, item

DEVICE = str(UUID(int=77))


@cache
def made_once() -> Duet:
    """A pair in step that tests copy."""
    seats = item("seats", "device", 2, graceQuota=0, product="seats", modules=["S"])
    return template(Path(mkdtemp(prefix="duet-")), seats, item("scans", "scan", 10_000))


@cache
def with_one_item() -> Duet:
    """The same, of scans alone."""
    return template(Path(mkdtemp(prefix="duet-")), item("scans", "scan", 10_000))


@pytest.fixture
def duet(tmp_path: Path) -> Iterator[Duet]:
    """Main and standby in step, the main with a license."""
    with in_step(copy_of(made_once(), tmp_path / "duet")) as found:
        yield found


def fail_over(duet: Duet) -> Lab:
    """The main is gone, the standby serves."""
    duet.main.close()
    duet.run(17)
    assert duet.standby.answers()
    return duet.standby.server


def refused(call: Any, *given: Any, **named: Any) -> int:
    """Code of the refusal that a call ends with."""
    with pytest.raises(Refusal) as caught:
        call(*given, **named)
    assert isinstance(caught.value.code, int)
    return caught.value.code
