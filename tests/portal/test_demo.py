"""What a visitor of the demo sees first."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.support.demos import begin, interrupt
from tests.support.visitor import PAGES, Visitor


def test_the_printed_address_opens_a_living_installation(tmp_path: Path, visit: Callable[..., Visitor]) -> None:
    running = begin(tmp_path)
    try:
        visitor = visit(running.link.partition("page/")[0])
        page = visitor.page
        page.goto(running.link)
        page.get_by_role("heading", name="Home").wait_for()
        visitor.settled()
        page.get_by_text("has ended and works in grace").wait_for()
        for name in PAGES:
            visitor.open(name)
        assert visitor.open("devices").locator("tbody tr").count() == 12
        assert visitor.open("license-items").locator("tbody tr").count() == 9
        assert visitor.open("why").locator("tbody tr").count() == 25
        visitor.open("usage-alerts").get_by_text("has used 80 % of its quota").first.wait_for()
        visitor.leave()
        interrupt(running.process)
    finally:
        running.process.kill()
        running.process.communicate()
