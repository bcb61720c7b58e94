"""Commands of these tests run on this machine, of which their servers' folders are, too."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lts.service.core import labels


@pytest.fixture(autouse=True)
def _of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """To a command, a folder with the laboratory's labels would be another machine's."""
    monkeypatch.setattr("tests.support.kit.LABELS", labels.fingerprints())


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty folder, no data, and nobody at the keyboard."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LTS_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("LTS_CONFIG", raising=False)
    monkeypatch.delenv("LTS_VENDOR_PASSPHRASE", raising=False)
    with Path(os.devnull).open(encoding="utf-8") as nobody:
        monkeypatch.setattr(sys, "stdin", nobody)
        yield
