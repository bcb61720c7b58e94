"""Main and standby as two real processes, with a link that can be cut (docs/design/pair.md, Invariants)."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lts.client import Client
from lts.client.errors import NotTrusted, Refused, Unreachable
from lts.crypto import SigningKey
from lts.protocol import LicenseKey
from lts.service.core import identity
from tests.soak.torture import FOREVER, Torture
from tests.support.kit import item
from tests.support.lines import ROOT
from tests.support.twins import Twin, Twins, twins
from tests.support.wait import PATIENCE, ended, stays, wait_until

pytestmark = pytest.mark.slow
LONGER_THAN_IT_WAITS = 6.0
"""Seconds after which a standby (takeOverAfterSeconds 5) would have taken over."""


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Twins]:
    """A pair in step, as the guide configures it; the standby takes over after 5 seconds."""
    with twins(tmp_path, item(quota=10**9, **FOREVER)) as found:
        found.start()
        yield found


def lts(twin: Twin, *words: str) -> subprocess.CompletedProcess[str]:
    """A command of the command line on a twin's folder."""
    place = ["--data", str(twin.folder / "data"), "--config", str(twin.folder / "lts.json")]
    return subprocess.run(
        [sys.executable, "-m", "lts.cli.main", *words, *place],
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
        cwd=twin.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )


class Loop(threading.Thread):
    """An application that keeps using and reporting, whatever the servers do."""

    def __init__(self, key: str, vendor: str, pause: float) -> None:
        super().__init__(daemon=True)
        self.client = Client(key, product="reader", deployment_type="server", vendor_key=vendor, timeout=10)
        self.used = 0
        self.gaps: list[tuple[float, float]] = []
        self._pause = pause
        self._end = threading.Event()

    def run(self) -> None:
        """Authorize once, then use and flush."""
        self.client.authorize()
        last = time.monotonic()
        while not self._end.wait(self._pause):
            self.client.use("QR")
            self.used += 1
            try:
                self.client.flush()
            except (Refused, Unreachable, NotTrusted):
                continue
            now = time.monotonic()
            self.gaps.append((now, now - last))
            last = now

    def end(self) -> None:
        """Stop, and report what is left."""
        self._end.set()
        ended(self)
        self.client.flush()

    @property
    def answers(self) -> int:
        """Reports that were answered."""
        return len(self.gaps)

    def answers_since(self, since: float) -> int:
        """Reports that were answered after a moment."""
        return sum(1 for at, _ in self.gaps if at >= since)

    def longest_gap(self, since: float) -> float:
        """Seconds without an answer, the longest since a moment."""
        return max((gap for at, gap in self.gaps if at >= since), default=0.0)


def totals(twin: Twin) -> dict[str, int]:
    """Units by device, as the statistics show."""
    rows = twin.admin("GET", "/usage?by=device")[1]["rows"]
    return {row["group"]: row["units"] for row in rows}


def test_clients_are_served_again_after_a_kill_and_come_back_without_a_gap(tmp_path: Path) -> None:
    take_over = 15
    limits = {"deviceRequestsPerMinute": 10**6, "deviceBurst": 10**6}
    with twins(tmp_path, item(quota=10**9, **FOREVER), takeOverAfterSeconds=take_over, rateLimits=limits) as pair:
        pair.start()
        key = pair.main.admin("GET", f"/license-key/{pair.code}")[1]["licenseKey"]
        assert LicenseKey.decode(key).servers[1] == f"http://127.0.0.1:{pair.to_standby.port}/lts/"
        loops = [Loop(key, pair.vendor.key.public.x, 0.05) for _ in range(3)]
        for loop in loops:
            loop.start()
        wait_until(lambda: all(loop.answers > 10 for loop in loops), "the main serves")
        killed = time.monotonic()
        pair.main.kill()
        wait_until(lambda: all(loop.answers_since(killed) > 10 for loop in loops), "the standby serves")
        assert all(loop.longest_gap(killed) > take_over / 2 for loop in loops), "the gap of a kill is what is measured"
        back = time.monotonic()
        pair.main.start()
        wait_until(pair.in_step, "the main serves again")
        served = time.monotonic()
        wait_until(lambda: all(loop.answers_since(served) > 10 for loop in loops), "clients go on")
        for loop in loops:
            loop.end()
        assert max(loop.longest_gap(back) for loop in loops) < take_over / 5
        wait_until(pair.in_step, "in step")
        told = {loop.client.device_id: loop.used for loop in loops}
        assert totals(pair.main) == totals(pair.standby) == told


def test_a_main_that_is_restarted_in_order_leaves_no_gap(tmp_path: Path) -> None:
    take_over = 15
    limits = {"deviceRequestsPerMinute": 10**6, "deviceBurst": 10**6}
    with twins(tmp_path, item(quota=10**9, **FOREVER), takeOverAfterSeconds=take_over, rateLimits=limits) as pair:
        pair.start()
        key = pair.main.admin("GET", f"/license-key/{pair.code}")[1]["licenseKey"]
        loops = [Loop(key, pair.vendor.key.public.x, 0.05) for _ in range(3)]
        for loop in loops:
            loop.start()
        wait_until(lambda: all(loop.answers > 10 for loop in loops), "the main serves")
        stopped = time.monotonic()
        pair.main.stop()
        assert pair.standby.health() == "serving", "before the main has ended"
        wait_until(lambda: all(loop.answers_since(stopped) > 20 for loop in loops), "the standby serves")
        pair.main.start()
        wait_until(pair.in_step, "the main serves again")
        served = time.monotonic()
        wait_until(lambda: all(loop.answers_since(served) > 10 for loop in loops), "clients go on")
        for loop in loops:
            loop.end()
        assert max(loop.longest_gap(stopped) for loop in loops) < take_over / 5, "far from what a crash costs"
        wait_until(pair.in_step, "in step")
        assert totals(pair.main) == totals(pair.standby) == {loop.client.device_id: loop.used for loop in loops}


@pytest.mark.skipif(sys.platform != "linux", reason="limits a process that runs")
def test_a_main_whose_disk_takes_nothing_gives_way(tmp_path: Path) -> None:
    limits = {"deviceRequestsPerMinute": 10**6, "deviceBurst": 10**6}
    with twins(tmp_path, item(quota=10**9, **FOREVER), rateLimits=limits) as pair:
        pair.start()
        key = pair.main.admin("GET", f"/license-key/{pair.code}")[1]["licenseKey"]
        loop = Loop(key, pair.vendor.key.public.x, 0.05)
        loop.start()
        wait_until(lambda: loop.answers > 10, "the main serves")
        full = time.monotonic()
        pair.main.set_disk(full=True)
        wait_until(lambda: loop.answers_since(full) > 20, "the standby serves")
        assert (pair.standby.health(), pair.main.health()) == ("serving", "starting")
        assert any(line["event"] == "cannot-store" for line in pair.standby.pair()["history"])
        pair.main.set_disk(full=False)
        loop.end()
        pair.main.stop()
        pair.main.start()
        wait_until(pair.in_step, "the main serves again after a restart")
        assert totals(pair.main) == totals(pair.standby) == {loop.client.device_id: loop.used}


def test_ten_rounds_of_torment(tmp_path: Path) -> None:
    assert Torture(tmp_path, seed=20261125, take_over=5, quiet=True).run(10) == []


def test_the_standby_of_a_killed_main_serves_with_leases_the_vendors_key_vouches_for(pair: Twins) -> None:
    key = pair.main.admin("GET", f"/license-key/{pair.code}")[1]["licenseKey"]
    main_uuid = pair.main.pair()["peer"]["serverUuid"]
    pair.main.signal(signal.SIGSTOP)
    wait_until(lambda: pair.standby.health() == "serving", "the standby serves")
    urls = (f"http://127.0.0.1:{pair.standby.port}/lts/",)
    old = LicenseKey.decode(key)
    only = LicenseKey(urls, old.organization_id, old.handshake_code, None, None).encode()
    with Client(
        only,
        product="reader",
        deployment_type="server",
        vendor_key=pair.vendor.key.public.x,
        timeout=PATIENCE,
        start_timeout=PATIENCE,
    ) as client:
        assert client.lease is not None
        assert client.lease.issuer == main_uuid  # the UUID of the main's peer: the standby
    pair.main.signal(signal.SIGCONT)
    wait_until(pair.in_step, "the main serves again")


def test_a_changed_key_is_reported_on_both_and_approved_by_its_fingerprint(pair: Twins) -> None:
    pair.standby.stop()
    folder = pair.standby.folder / "data"
    known = identity.load(folder)
    identity._save(folder, identity.Identity(known.uuid, SigningKey.generate(), known.labels, known.incarnation))
    pair.standby.start()
    wait_until(lambda: "another key" in lts(pair.main, "status").stdout, "the main says so")
    wait_until(lambda: "approve" in lts(pair.standby, "status").stdout, "the standby says so")
    stays(lambda: (pair.main.health(), pair.standby.health()) == ("serving", "standby"), "it takes nothing over",
          LONGER_THAN_IT_WAITS)  # fmt: skip
    shown = json.loads(lts(pair.standby, "pair", "--json").stdout)["fingerprint"]
    assert lts(pair.main, "pair", "--approve", "AAAA-BBBB").returncode == 1
    assert lts(pair.main, "pair", "--approve", shown).returncode == 0
    wait_until(pair.in_step, "in step again")


def test_a_backup_of_the_main_on_the_standby_is_refused_and_its_copy_serves_neither(
    pair: Twins, tmp_path: Path
) -> None:
    backup = str(tmp_path / "main.lts")
    assert lts(pair.main, "backup", backup).returncode == 0
    pair.standby.stop()
    refused = lts(pair.standby, "restore", backup)
    assert (refused.returncode, "restore it on that server" in refused.stderr) == (1, True)
    (pair.standby.folder / "data").rename(tmp_path / "aside")
    assert lts(pair.standby, "restore", backup).returncode == 0
    pair.standby.start()
    for twin in (pair.main, pair.standby):
        wait_until(lambda: "with this server's identity" in lts(twin, "doctor").stdout, "doctor says so")  # noqa: B023 - asked at once
    stays(lambda: (pair.main.health(), pair.standby.health()) == ("serving", "standby"), "it serves nobody",
          LONGER_THAN_IT_WAITS)  # fmt: skip
    pair.main.kill()
    stays(lambda: pair.standby.health() == "standby", "nor after the main", 2 * LONGER_THAN_IT_WAITS)


def test_changes_are_made_where_clients_are_served_and_nowhere_else(pair: Twins) -> None:
    done = lts(pair.standby, "handshake", "add", "216998", "extra")
    assert done.returncode == 1, done.stdout
    assert "on the one" in done.stderr
    assert lts(pair.main, "handshake", "add", "216998", "extra").returncode == 0
    assert "216998-extra" in lts(pair.standby, "handshake", "list").stdout
    pair.standby.stop()
    stopped = lts(pair.standby, "handshake", "add", "216998", "other")
    assert stopped.returncode == 1
    assert "running" in stopped.stderr


def test_a_promoted_standby_stays_the_main(pair: Twins) -> None:
    refused = lts(pair.main, "promote", "--yes")
    assert refused.returncode == 1
    pair.main.kill()
    assert lts(pair.standby, "promote", "--yes").returncode == 0
    assert pair.standby.health() == "serving"
    assert "main, serves clients" in lts(pair.standby, "status").stdout
    pair.main.start()
    wait_until(lambda: "promoted" in lts(pair.main, "status").stdout, "the old main hears of it")
    stays(lambda: pair.main.health() != "serving", "the old main never serves again", LONGER_THAN_IT_WAITS)
    assert "promoted" in lts(pair.main, "status").stdout


def test_of_two_promotions_at_once_one_is_done(pair: Twins) -> None:
    with ThreadPoolExecutor() as sides:
        asked = [sides.submit(pair.standby.admin, "POST", "/pair/promote") for _ in range(2)]
    assert sorted((one.result()[0], one.result()[1].get("code")) for one in asked) == [(200, None), (400, "is-main")]
    wait_until(lambda: "promoted" in lts(pair.main, "status").stdout, "the old main hears of it")

    def one_serves() -> bool:
        return (pair.main.health(), pair.standby.health()) == ("replaced", "serving")

    wait_until(one_serves, "the old main gives way")
    stays(one_serves, "one serves", 2.0)


def test_the_peer_path_takes_no_nonsense(pair: Twins) -> None:
    import http.client

    def ask(method: str, path: str, body: bytes = b"", **headers: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", pair.main.port, timeout=PATIENCE)
        try:
            connection.request(method, path, body, headers)
            return connection.getresponse().status
        finally:
            connection.close()

    for path in ("hello", "changes", "copy", "copy-part", "copied", "give-way", "x", ""):
        for body in (b"", b"\x00" * 100, b"{}", os.urandom(500)):
            assert 400 <= ask("POST", f"/lts/api/v1/peer/{path}", body) < 500, path
    assert ask("GET", "/lts/api/v1/peer/changes") == 405
    assert ask("POST", "/lts/api/v1/peer/changes", bytes(2 << 20)) == 413
    assert ask("POST", "/lts/api/v1/peer/changes", b"x", **{"Content-Encoding": "br"}) == 415
    assert pair.in_step()


def test_the_client_library_goes_on_through_a_take_over_and_back(pair: Twins, tmp_path: Path) -> None:
    key = pair.main.admin("GET", f"/license-key/{pair.code}")[1]["licenseKey"]
    client = Client(key, product="reader", deployment_type="server", vendor_key=pair.vendor.key.public.x,
                    state=tmp_path / "client", timeout=10.0)  # fmt: skip
    used = 0

    def work(until: Callable[[], bool], words: str) -> None:
        """Use and report every moment, until something has happened."""
        nonlocal used
        end = time.monotonic() + 2 * PATIENCE
        while not until():
            assert time.monotonic() < end, words
            client.use("QR")
            used += 1
            with contextlib.suppress(Refused, Unreachable):
                client.flush()
            time.sleep(0.3)

    client.authorize()
    work(lambda: used > 5, "the main counts")
    pair.main.kill()
    work(lambda: pair.standby.health() == "serving", "the standby takes over")
    client.flush()
    assert client.lease is not None
    assert client.lease.issuer == pair.standby.admin("GET", "/status")[1]["serverUuid"]
    pair.main.start()
    work(lambda: pair.main.health() == "serving", "the main serves again")
    wait_until(pair.in_step, "in step")
    client.close()
    for twin in (pair.main, pair.standby):
        assert twin.admin("GET", "/usage?by=type")[1]["total"] == used
