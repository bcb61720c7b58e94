"""Commands of these tests run on this machine, of which their servers' folders are, too."""

from __future__ import annotations

import pytest

from lts.service.core import labels


@pytest.fixture(autouse=True)
def _of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """To a command, a folder with the laboratory's labels would be another machine's."""
    monkeypatch.setattr("tests.support.kit.LABELS", labels.fingerprints())
