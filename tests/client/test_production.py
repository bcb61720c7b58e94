"""What an application can rely on: nothing lost by a kill, nothing waits for the network, a full disk stops nobody."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lts.client import Client, Refused, Unreachable, machine
from lts.client.journal import SUFFIX
from lts.config import RateLimits
from lts.protocol import DAY_SECONDS, iso
from lts.rules.values.paging import Page
from lts.server import Server
from lts.service.licensing import handshakes
from lts.service.statistics import devicelist, usage
from tests.client.conftest import client
from tests.support.kit import NOON, Lab, item
from tests.support.lines import environment
from tests.support.postoffice import black_hole
from tests.support.wait import PATIENCE, ended, in_time, wait_until

KILLS = 200


_APPLICATION = """
import sys
from pathlib import Path
from lts.client import Client, Refused, Unreachable
key, vendor, folder = sys.argv[1:]
client = Client(key, product="reader", deployment_type="server", vendor_key=vendor, state=Path(folder), timeout=2)
client.authorize()
print("ready", flush=True)
for number in range(1, 10**9):
    client.use("QR")
    print(number, flush=True)
    if number % 7 == 0:
        try:
            client.flush()
        except (Refused, Unreachable):
            pass
"""


@pytest.mark.slow
def test_what_use_returned_from_is_on_the_server_once_whenever_the_application_is_killed(
    tmp_path: Path, server: Lab
) -> None:
    server.time.wall = time.time()
    always: dict[str, Any] = {"startsAt": "2026-11-01T00:00:00Z", "expiresAt": None}
    server.load(item(quota=10**9, **always))
    running = Server(server.here, replace(server.config, rate_limits=RateLimits(10**6, 10**6, 10**6)))
    thread = threading.Thread(target=running.run)
    thread.start()
    dice, returned = random.Random(5), 0
    key = handshakes.license_key(server.ctx, "216998-100")
    arguments = [key, server.vendor.key.public.x, str(tmp_path / "state")]
    try:
        for _ in range(KILLS):
            with subprocess.Popen(
                [sys.executable, "-c", _APPLICATION, *arguments], stdout=subprocess.PIPE, text=True, env=environment()
            ) as application:
                assert application.stdout is not None
                assert application.stdout.readline() == "ready\n"
                time.sleep(dice.uniform(0, 0.15))
                application.send_signal(signal.SIGKILL)
                numbers = application.stdout.read().split()
            returned += len(numbers)
        last = client(server, tmp_path / "state", clock=time.time)
        last.authorize()
        last.flush()
        last.close()
    finally:
        running.stop()
        thread.join()
    # a line may be written and the kill come before "returned" is printed: at most one a kill
    assert returned <= server.used() <= returned + KILLS


def test_processes_of_one_device_share_its_identity_and_outbox(served: Lab, tmp_path: Path) -> None:
    served.load(item(quota=1000))
    several = [client(served, tmp_path / "state") for _ in range(4)]
    for one in several:
        one.authorize()
    assert len({one.device_id for one in several}) == 1

    def work(one: Client) -> None:
        for _ in range(50):
            one.use("QR")
        one.flush()

    threads = [threading.Thread(target=work, args=(one,)) for one in several]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one in several:
        one.close()
    assert served.used() == 200
    assert list((tmp_path / "state").glob(f"*{SUFFIX}")) == []
    assert devicelist.find(served.ctx, Page(), None, False, True, served.time.now).found == 0  # no clone


def test_use_waits_neither_for_the_network_nor_long(served: Lab, tmp_path: Path) -> None:
    served.load(item(quota=10**9))
    licensed = client(served, tmp_path / "state")
    licensed.authorize()
    with black_hole() as hole:
        licensed._servers._urls = [f"http://127.0.0.1:{hole.port}/lts"]
        licensed._servers._timeout = licensed._servers._whole = 2 * PATIENCE

        def flush() -> None:
            with pytest.raises(Unreachable):
                licensed.flush()

        flushing = threading.Thread(target=flush)
        licensed.use("QR")
        flushing.start()
        wait_until(lambda: hole.taken, "the report is under way")
        begun = time.thread_time()
        for _ in range(1000):
            licensed.use("QR")
        assert time.thread_time() - begun < 1
        assert flushing.is_alive()
    ended(flushing)


def test_a_start_is_held_up_no_longer_than_said(served: Lab) -> None:
    served.load(item())
    with black_hole() as one, black_hole() as two:
        licensed = client(served, timeout=2 * PATIENCE, start_timeout=1.5)
        licensed._servers._urls = [f"http://127.0.0.1:{hole.port}/lts" for hole in (one, two)]
        with pytest.raises(Unreachable):
            in_time(licensed.authorize)
        assert (one.count(), two.count()) == (1, 0)


def test_ten_days_offline_work_until_the_lease_ends_and_come_back_on_their_days(served: Lab, tmp_path: Path) -> None:
    served.load(item(quota=1000, maxOfflineDays=8))
    licensed = client(served, tmp_path / "state")
    licensed.authorize()
    counted = []
    for day in range(10):
        served.time.forward(DAY_SECONDS if day else 0)
        if day < 8:
            licensed.use("QR", day + 1)
            counted.append(day + 1)
        else:
            with pytest.raises(Refused) as caught:
                licensed.use("QR")
            assert (caught.value.code, caught.value.number) == (111, -20111)
            assert not licensed.allowed("QR")
    licensed.flush()
    table = usage.usage(served.ctx, grouping="day")
    assert [table.rows[day, "QR"] for day in table.groups] == counted
    assert table.groups[0] == iso(NOON)[:10]
    licensed.authorize()
    assert licensed.allowed("QR")


def test_a_local_clock_set_back_gains_nothing(served: Lab, tmp_path: Path) -> None:
    served.load(item(quota=1000, maxOfflineDays=3))
    wall = [float(NOON)]
    licensed = client(served, tmp_path / "state", clock=lambda: wall[0])
    licensed.authorize()
    wall[0] += 2 * DAY_SECONDS
    licensed.use("QR")
    wall[0] -= 2 * DAY_SECONDS
    assert licensed.now() == NOON + 2 * DAY_SECONDS
    licensed.close()
    again = client(served, tmp_path / "state", clock=lambda: wall[0])
    assert again.now() == NOON + 2 * DAY_SECONDS
    wall[0] += 3 * DAY_SECONDS
    assert again.lease is None


def test_instances_are_taken_within_what_the_lease_grants(served: Lab) -> None:
    served.load(item("engines", "concurrentInstance", 10))
    licensed = client(served, instances=3)
    licensed.authorize()
    one = licensed.acquire(2)
    with licensed.acquire():
        with pytest.raises(Refused) as caught:
            licensed.acquire()
        assert caught.value.code == 120
        licensed.flush()
    one.release()
    one.release()
    served.time.forward(180)
    licensed.acquire(3).release()
    licensed.flush()
    hours = usage.hours(served.ctx, iso(NOON)[:10], item="engines")
    assert hours.hours[0].concurrent == 3


def test_an_identity_bound_to_a_machine_is_left_behind_on_another(
    served: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.load(item())
    monkeypatch.setattr(machine, "label", lambda: "aa")
    first = client(served, tmp_path / "state", bound=True)
    first.authorize()
    first.use("QR", 2)
    first.close()
    same = client(served, tmp_path / "state", bound=True)
    assert same.device_id == first.device_id
    same.close()
    monkeypatch.setattr(machine, "label", lambda: "bb")
    other = client(served, tmp_path / "state", bound=True)
    assert other.device_id != first.device_id
    assert other.lease is None
    other.authorize()
    other.close()
    assert served.used() == 2


@pytest.mark.skipif(sys.platform == "win32", reason="the folder is made unwritable by POSIX rights")
def test_a_state_that_cannot_be_kept_is_said_and_stops_nobody(served: Lab, tmp_path: Path) -> None:
    served.load(item())
    (tmp_path / "file").write_text("no folder")
    licensed = client(served, tmp_path / "file" / "state")
    assert licensed.storage_fault
    licensed.authorize()
    licensed.use("QR", 3)
    licensed.flush()
    licensed.close()
    assert served.used() == 3


def test_a_disk_that_fills_keeps_counts_in_memory_until_there_is_room(
    served: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.load(item())
    licensed = client(served, tmp_path / "state")
    licensed.authorize()
    assert licensed.storage_fault is None
    full = [True]
    write = os.write

    def maybe(file: int, data: bytes) -> int:
        if full[0]:
            raise OSError(28, "No space left on device")
        return write(file, data)

    monkeypatch.setattr(os, "write", maybe)
    licensed.use("QR", 2)
    assert "No space" in str(licensed.storage_fault)
    full[0] = False
    licensed.flush()
    licensed.use("QR", 3)
    licensed.flush()
    assert licensed.storage_fault is None
    licensed.close()
    assert served.used() == 5


def test_a_state_that_was_wiped_is_a_new_device_and_counts_on(served: Lab, tmp_path: Path) -> None:
    served.load(item())
    first = client(served, tmp_path / "state")
    first.authorize()
    first.use("QR", 2)
    first.close()
    for file in (tmp_path / "state").iterdir():
        file.unlink()
    again = client(served, tmp_path / "state")
    assert again.device_id != first.device_id
    again.authorize()
    again.use("QR", 2)
    again.close()
    assert served.used() == 4


def test_two_copies_of_one_state_are_noticed(served: Lab, tmp_path: Path) -> None:
    served.load(item("seats", "device", 10))
    first = client(served, tmp_path / "one")
    first.authorize()
    first.close()
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    copies = [client(served, tmp_path / name) for name in ("one", "two")]
    with pytest.raises(Refused) as caught:
        for _ in range(10):
            for copy in copies:
                served.time.forward(60)
                copy.authorize()
    assert caught.value.code == 151
    assert "identity" in caught.value.detail


@pytest.mark.parametrize("count", [0, -1, 1.0, True, "3", None, 1_000_001])
def test_a_wrong_count_is_refused_at_once(served: Lab, count: Any) -> None:
    served.load(item())
    licensed = client(served)
    licensed.authorize()
    with pytest.raises(ValueError, match="whole number"):
        licensed.use("QR", count)
