"""Fixtures of all tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.support.kit import Lab, lab
from tests.support.visitor import chromium


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Lab]:
    """An open server with a trusted vendor and nothing imported."""
    with lab(tmp_path) as here:
        yield here


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests; each visitor has a profile of its own."""
    with sync_playwright() as playwright:
        started = chromium(playwright)
        yield started
        started.close()
