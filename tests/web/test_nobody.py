"""That no license authorizes anybody, or the clock is wrong, is said by `lts status`, `lts doctor` and the portal."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lts.cli.repair import upkeep
from lts.protocol import DAY_SECONDS
from lts.server import opened
from lts.service.folder import datafolder
from tests.support.kit import FakeTime, Lab, Vendor, config_for, item, lab
from tests.web.test_portal_api import caller

WORDS = "No license item authorizes anybody: The license is bound to "


def test_a_server_whose_licenses_are_bound_elsewhere_says_so_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    time, vendor = FakeTime(), Vendor()
    with lab(tmp_path, time, vendor) as server:
        server.load(item())
        assert said(server, monkeypatch) == []
    config = config_for(tmp_path)
    with opened(config, read_labels=lambda: ("mac:11", "machine-id:22"), clock=time.clock()) as here:
        assert said(Lab(here, time, vendor, config), monkeypatch) == ["status", "home", "doctor"]


@pytest.mark.parametrize(
    ("days", "words", "used"),
    [
        (3, "The clock jumped far ahead, to 2026-11-28", "2026-11-28"),
        (40, "The clock jumped far ahead, to 2027-01-04", "2026-11-25"),
        (-3, "The clock was set back, at once", "2026-11-22"),
    ],
)
def test_a_wrong_clock_is_said_everywhere_with_the_time_that_is_used(
    server: Lab, monkeypatch: pytest.MonkeyPatch, days: int, words: str, used: str
) -> None:
    server.load(item())
    assert said(server, monkeypatch, "The clock") == []
    server.time.wall += days * DAY_SECONDS
    server.ctx.clock.look()
    assert said(server, monkeypatch, words) == ["status", "home", "doctor"]
    for path in ("/status", "/home"):
        assert caller(server)("GET", path)[1]["time"][:10] == used


def said(server: Lab, monkeypatch: pytest.MonkeyPatch, begin: str = WORDS) -> list[str]:
    """Who says so, each in one sentence."""
    call = caller(server)

    @contextlib.contextmanager
    def session(config: Any) -> Iterator[Any]:
        yield SimpleNamespace(call=lambda method, path: call(method, path)[1])

    monkeypatch.setattr(upkeep, "session", session)
    monkeypatch.setattr(datafolder, "running_server", lambda path: {"pid": 1})
    told = {
        "status": call("GET", "/status")[1]["warnings"],
        "home": [one["detail"] for one in call("GET", "/home")[1]["attention"]],
        "doctor": upkeep._seen_by_server(server.config),
    }
    return [who for who, words in told.items() if sum(one.startswith(begin) for one in words) == 1]
