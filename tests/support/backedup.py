"""A server's folder with a backup from before."""

from __future__ import annotations

from pathlib import Path

import pytest

from lts.protocol import DAY_SECONDS
from lts.service.maintenance import archives, backups
from lts.store.history import archive
from tests.support.kit import FakeTime, Vendor, item, lab

TIME, VENDOR = FakeTime(), Vendor()


def backed_up(place: Path) -> Path:
    """In `place`: `backup.lts` with 1 unit and an archive, and `origin/`, that server's folder, with 3 units since."""
    origin = place / "origin"
    origin.mkdir()
    with pytest.MonkeyPatch.context() as patch, lab(origin, TIME, VENDOR) as server:
        patch.setattr(archive, "STRETCH", 4)
        server.load(item())
        server.report(server.authorize().lease, {"QR": 1})
        for _ in range(6):
            server.authorize()
        assert archives.archive_old_changes(server.ctx.store, origin / "data", TIME.now + 2 * DAY_SECONDS)
        made = backups.backup(server.ctx.store.path, origin / "data", TIME.now, server.ctx.trust)
        made.rename(place / "backup.lts")
        server.report(server.authorize().lease, {"QR": 2})
    return place
