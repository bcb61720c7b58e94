"""Fixtures of all tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit import Lab, lab


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Lab]:
    """An open server with a trusted vendor and nothing imported."""
    with lab(tmp_path) as here:
        yield here
