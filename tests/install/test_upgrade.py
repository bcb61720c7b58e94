"""Data folders of earlier releases under this program: an upgrade, one that is interrupted, and the way back."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import apsw
import pytest

from lts.service.maintenance import verify
from lts.service.statistics import usage
from lts.store.file.schema import MIGRATIONS
from lts.store.store import DATABASE
from tests.install.release import EXPECTED, FOLDER, figures
from tests.support.kit import FakeTime, Lab, lab
from tests.support.lines import environment, lts
from tests.support.wait import wait_until

RELEASES = sorted(FOLDER.glob("*.zip"))
KILLS = 12


def unpacked(release: Path, folder: Path) -> dict[str, Any]:
    """Put a release's data folder into `folder`; what its figures were."""
    with zipfile.ZipFile(release) as archive:
        archive.extractall(folder)
    expected: dict[str, Any] = json.loads((folder / EXPECTED).read_text(encoding="utf-8"))
    return expected


def total(server: Lab, code: str | None = None) -> int:
    """Units counted in all history."""
    return usage.usage(server.ctx, code=code).total


def plain(found: dict[str, Any]) -> Any:
    """As JSON keeps it."""
    return json.loads(json.dumps(found))


@pytest.mark.parametrize("release", RELEASES, ids=[path.stem for path in RELEASES])
def test_an_upgrade_keeps_identity_counts_and_leases(release: Path, tmp_path: Path) -> None:
    expected = unpacked(release, tmp_path)
    lease, code = expected.pop("lease"), expected.pop("code")
    with lab(tmp_path) as server:
        assert plain(figures(server)) == expected
        assert verify.verify(tmp_path / "data", server.ctx.trust) == []
        before = total(server, code)
        server.report(lease, {"QR": 5})
        assert total(server, code) == before + 5
        assert server.authorize(code, modules=("QR",), charge_way="scan").lease


SLOW = """
import sys
from pathlib import Path
from lts.store.file import database
extra = ("CREATE TABLE more AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000000) "
         "SELECT i FROM n; CREATE INDEX more_i ON more (i)")
database.MIGRATIONS = (*database.MIGRATIONS, extra)
print("begins", flush=True)
database.open_writer(Path(sys.argv[1]), create=False).close()
print("done", flush=True)
"""
"""A program whose next schema takes a few seconds to reach."""


@pytest.mark.slow
def test_an_upgrade_that_is_killed_begins_again_and_ends(tmp_path: Path) -> None:
    expected = unpacked(RELEASES[-1], tmp_path)
    path = tmp_path / "data" / DATABASE
    with lab(tmp_path):  # at this program's schema
        pass
    dice = random.Random(1)
    command = [sys.executable, "-c", SLOW, str(path)]
    kept = path.with_name(f"lts-schema{len(MIGRATIONS)}.db")
    for number in range(KILLS):
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment()) as upgrade:
            assert upgrade.stdout is not None
            assert upgrade.stdout.readline() == b"begins\n"
            if number == KILLS - 1:
                wait_until(kept.exists, "what was there before the upgrade is kept")
            time.sleep(dice.uniform(0, 0.8))
            upgrade.send_signal(signal.SIGKILL if os.name == "posix" else signal.SIGTERM)
    assert subprocess.run(command, capture_output=True, env=environment(), check=True).stdout.endswith(b"done\n")
    # the program from before says politely that it is too old, and touches nothing
    told = lts("serve", "--no-browser", "--port", "0", data=tmp_path / "data")
    assert told.code == 1
    assert "was written by a newer LTS" in told.err
    assert "Traceback" not in told.err
    # the way back: the copy that the upgrade kept
    for name in (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm"):
        (path.parent / name).unlink(missing_ok=True)
    shutil.copy(kept, path)
    expected.pop("lease")
    expected.pop("code")
    with lab(tmp_path, FakeTime()) as server:
        assert plain(figures(server)) == expected


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="mounts a small disk, which only root can")
def test_an_upgrade_on_a_full_disk_says_so_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(disk)], check=True)
    try:
        unpacked(RELEASES[-1], disk)
        with lab(disk):
            pass
        path = disk / "data" / DATABASE
        filler = disk / "filler"
        room = shutil.disk_usage(disk).free - path.stat().st_size - (1 << 20)
        filler.write_bytes(bytes(room))
        command = [sys.executable, "-c", SLOW, str(path)]
        failed = subprocess.run(command, capture_output=True, text=True, env=environment(), check=False)
        assert failed.returncode == 1
        assert "DataFolderError" in failed.stderr
        assert "full" in failed.stderr
        with apsw.Connection(str(path)) as db:
            assert db.execute("PRAGMA user_version").get == len(MIGRATIONS)
            assert db.execute("PRAGMA integrity_check").get == "ok"
        filler.unlink()
        with lab(disk) as server:
            assert total(server) > 0
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)
