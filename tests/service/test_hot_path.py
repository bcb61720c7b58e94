"""Which modules of metering an authorization and a report pass, and what they ask of the tables (docs/design/code.md,
Direction of imports)."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any
from uuid import uuid4

import pytest

from tests.support.kit import FakeTime, item, lab
from tests.support.steps import every_statement

ROOM = "lts.service.metering."


@contextmanager
def passed() -> Iterator[set[str]]:
    """Modules of metering, of which a function was called in a thread begun since, or in this one."""
    found: set[str] = set()

    def note(frame: FrameType, event: str, _: Any) -> None:
        module = frame.f_globals.get("__name__", "")
        if event == "call" and module.startswith(ROOM):
            found.add(module.removeprefix(ROOM))

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        yield found
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def test_a_known_device_passes_few_modules(tmp_path: Path) -> None:
    time, device = FakeTime(), str(uuid4())
    with passed() as found, lab(tmp_path, time) as server:
        code = server.load(item())
        lease = server.authorize(code, device).lease
        server.report(lease, {"QR": 1})
        time.forward(3600)
        found.clear()
        again = server.authorize(code, device).lease
        assert found == {"authorize"}
        found.clear()
        assert server.report(again, {"QR": 2}).lease is not None
        assert found == {"report", "authorize", "renewal", "counting"}


@pytest.mark.parametrize(("way", "more"), [("scan", 0), ("device", 2), ("concurrentDevice", 2)])
def test_a_known_device_asks_for_no_row_twice(tmp_path: Path, way: str, more: int) -> None:
    """Its seat is read once and written once (`more`), however often it is asked for."""
    time, device = FakeTime(), str(uuid4())
    with every_statement() as ran, lab(tmp_path, time) as server:
        code = server.load(item(way=way))
        lease = server.authorize(code, device).lease
        lease = server.report(lease, {"QR": 1}).lease or lease
        time.forward(20)
        ran.clear()
        assert server.report(lease, {"QR": 2}).lease is not None
        of_report = list(ran)
        ran.clear()
        server.authorize(code, device)
        of_authorization = list(ran)
    for ran in (of_report, of_authorization):
        reads = [(text, values) for text, values in ran if text.startswith("SELECT")]
        assert len(reads) == len(set(reads)), reads
    assert (len(of_report), len(of_authorization)) == (16 + more, 7 + more)
