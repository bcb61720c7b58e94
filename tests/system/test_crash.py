"""Short runs of tests.soak.crash; the long ones are commands of their own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.soak import crash

pytestmark = pytest.mark.skipif(os.name != "posix", reason="kill -9 and fork are POSIX")


def test_a_killed_writer_loses_and_doubles_nothing(tmp_path: Path) -> None:
    assert crash.kill_writer(15, tmp_path / "w") == []


@pytest.mark.slow
def test_a_killed_server_loses_and_doubles_nothing(tmp_path: Path) -> None:
    assert crash.kill_server(3, tmp_path / "s") == []
