"""A pair of 0.1.0 under load is upgraded one server at a time (docs/design/pair.md, Upgrading).

The program of 0.1.0 comes from the history of this checkout; where that is not there, nothing is tried. The
applications use the client that was released with it.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lts.service.core.trust import TrustStore
from lts.service.maintenance import verify
from tests.install.release import FOLDER
from tests.support.lines import ROOT, environment
from tests.support.twins import Twin, Twins
from tests.support.wait import PATIENCE, ended, wait_until

pytestmark = pytest.mark.slow
RELEASED = "44a8d56afd10f4a95359c38fd35ee6779e8b2703"
"""The commit of 0.1.0."""
APPLICATIONS = 3
FOUND_AGAIN_SECONDS = 20.0
"""Within these clients find a server that serves (docs/design/pair.md, What is promised)."""
MAIN = """
import json, sys, time
from pathlib import Path
from tests.support.kit import FakeTime, Vendor, item, lab
from tests.support.twins import _is_this_machine
folder, vendor = Path(sys.argv[1]), Vendor()
with lab(folder, FakeTime(int(time.time())), vendor) as server:
    code = server.load(item(quota=10**9, startsAt="2020-01-01T00:00:00Z", expiresAt=None))
_is_this_machine(folder)
print(json.dumps([code, vendor.key.public.x]))
"""
"""Makes the data folder of a main that holds a license, by the program that runs it."""
APPLICATION = """
import sys, threading, time
from lts.client import Client, ClientError
end = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), end.set()), daemon=True).start()
client = Client(sys.argv[1], product="reader", deployment_type="server", vendor_key=sys.argv[2], timeout=10.0)
client.authorize()
print(client.device_id, flush=True)
used = 0
while not end.wait(0.05):
    client.use("QR")
    used += 1
    try:
        client.flush()
    except ClientError:
        continue
    print("answered", flush=True)
client.flush()
print(used, flush=True)
"""
"""Uses and reports until its standard input ends; says its device, each answer, and at the end what it used."""


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program of 0.1.0."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("the program of 0.1.0 comes from the history of a checkout, by git")
    folder = tmp_path_factory.mktemp("released")
    packed = folder / "program.zip"
    command = [git, "-C", str(ROOT), "archive", "--format=zip", f"--output={packed}", RELEASED]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    if done.returncode:
        pytest.skip(f"the history of this checkout does not reach 0.1.0: {done.stderr.strip()}")
    with zipfile.ZipFile(packed) as archive:
        archive.extractall(folder / "program")
    return folder / "program"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client of 0.1.0."""
    folder = tmp_path_factory.mktemp("client")
    with zipfile.ZipFile(FOLDER / "clients" / "0.1.0.zip") as archive:
        archive.extractall(folder)
    return folder


class ReleasedTwins(Twins):
    """Both run a program of before, until `upgrade`."""

    def __init__(self, folder: Path, program: Path, **settings: Any) -> None:
        self._program = program
        self.vendor_key = ""
        super().__init__(folder, **settings)
        self.main.program = self.standby.program = program

    def _load(self, items: tuple[dict[str, Any], ...]) -> str:
        command = [sys.executable, "-c", MAIN, str(self.main.folder)]
        made = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True, cwd=self._program,
                              env=environment(self._program))  # fmt: skip
        code, self.vendor_key = json.loads(made.stdout)
        return str(code)


def upgrade(twin: Twin) -> None:
    """In good order, to this program."""
    twin.stop()
    twin.program = ROOT
    twin.start()


class Application(threading.Thread):
    """An application with the released client, in a process of its own."""

    def __init__(self, client: Path, key: str, vendor_key: str) -> None:
        super().__init__(daemon=True)
        self._process = subprocess.Popen(
            [sys.executable, "-c", APPLICATION, key, vendor_key],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=client, env=environment(client),
        )  # fmt: skip
        self.device, self.used = "", -1
        self.answers: list[float] = []

    def run(self) -> None:
        """Listen to it."""
        assert self._process.stdout is not None
        self.device = self._process.stdout.readline().strip()
        for line in self._process.stdout:
            if line == "answered\n":
                self.answers.append(time.monotonic())
            else:
                self.used = int(line)

    def goes_on(self, since: float) -> bool:
        """Whether it had some answers after a moment."""
        return sum(at > since for at in self.answers) > 10

    @property
    def longest_gap(self) -> float:
        """Seconds without an answer."""
        return max(after - before for before, after in zip(self.answers, self.answers[1:], strict=False))

    def end(self) -> None:
        """It reports what is left, and ends."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        ended(self)
        assert self._process.wait(PATIENCE) == 0

    def kill(self) -> None:
        """Whatever it does."""
        self._process.kill()
        self._process.wait()


@contextlib.contextmanager
def applications(pair: ReleasedTwins, client: Path) -> Iterator[list[Application]]:
    """Some that run, of which none is left at the end."""
    key = pair.main.admin("GET", f"/license-key/{pair.code}")[1]["licenseKey"]
    running = [Application(client, key, pair.vendor_key) for _ in range(APPLICATIONS)]
    try:
        for one in running:
            one.start()
        yield running
    finally:
        for one in running:
            one.kill()


def faults(twin: Twin) -> list[str]:
    """What lts verify says."""
    return verify.verify(twin.folder / "data", TrustStore(twin.folder / "trust", twin.folder / "data"))


def totals(twin: Twin) -> dict[str, int]:
    """Units by device, as the statistics show."""
    return {row["group"]: row["units"] for row in twin.admin("GET", "/usage?by=device")[1]["rows"]}


@pytest.mark.parametrize("order", ["standby first", "main first"])
def test_nothing_is_missing_or_doubled(
    order: str, released: Path, client: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    limits = {"deviceRequestsPerMinute": 10**6, "deviceBurst": 10**6}
    with contextlib.closing(ReleasedTwins(tmp_path, released, rateLimits=limits)) as pair:
        pair.start()
        twins = (pair.standby, pair.main) if order == "standby first" else (pair.main, pair.standby)
        with applications(pair, client) as running:

            def go_on() -> None:
                now = time.monotonic()
                wait_until(lambda: all(one.goes_on(now) for one in running), "clients go on")

            go_on()
            for twin in twins:
                upgrade(twin)
                go_on()
            wait_until(pair.in_step, "in step")
            go_on()
            for one in running:
                one.end()
            wait_until(pair.in_step, "in step at rest")
            longest = max(one.longest_gap for one in running)
            with capsys.disabled():
                print(f"\nupgraded, {order}: longest time without an answer {longest:.2f} s")
            assert totals(pair.main) == totals(pair.standby) == {one.device: one.used for one in running}
            assert faults(pair.main) == faults(pair.standby) == []
            assert longest < FOUND_AGAIN_SECONDS
