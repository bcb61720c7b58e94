"""Which modules of metering an authorization and a report pass (docs/design/code.md, Direction of imports)."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any
from uuid import uuid4

from tests.support.kit import FakeTime, item, lab

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
        assert found == {"authorize", "itemuse"}
        found.clear()
        assert server.report(again, {"QR": 2}).lease is not None
        assert found == {"report", "authorize", "renewal", "itemuse", "counting"}
