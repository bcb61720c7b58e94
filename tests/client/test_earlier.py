"""Clients of earlier releases, as they were released, against this server: nothing changes for them.

`tests/releases/clients` keeps of each release the modules of its Python client (`python3 -m tools.client_package`), its
browser library, and the drivers of both from `examples/`.
"""

from __future__ import annotations

import json
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from playwright.sync_api import Browser

from lts.conformance import driver
from lts.protocol import DAY_SECONDS, SLOT_SECONDS
from lts.service.licensing import handshakes
from lts.store.tables import devices
from tests.install.release import FOLDER
from tests.support.kit import Lab, item

Drive = Callable[[dict[str, Any]], Any]
Call = Callable[..., Any]
RELEASES = sorted((FOLDER / "clients").glob("*.zip"))
DEVICE = "6f1c2b7e-8c1d-4a0e-9a57-0c6a2f7a1b11"


class Quiet(SimpleHTTPRequestHandler):
    """A folder's files."""

    def log_message(self, *_: object) -> None:
        """Silent."""


@pytest.fixture(params=RELEASES, ids=lambda path: path.stem)
def release(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The folder of a release's clients."""
    folder = tmp_path / "released"
    with zipfile.ZipFile(request.param) as archive:
        archive.extractall(folder)
    return folder


@contextmanager
def python_client(release: Path) -> Iterator[Drive]:
    with driver(f"{sys.executable} {release / 'driver.py'}") as drive:
        yield drive


@contextmanager
def browser_client(release: Path, browser: Browser) -> Iterator[Drive]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(release)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    page = browser.new_page()
    page.goto(f"http://127.0.0.1:{server.server_port}/")
    yield lambda call: page.evaluate("async (call) => (await import('/driver.js')).drive(call)", call)
    page.close()
    server.shutdown()
    server.server_close()


@pytest.fixture(params=["python", pytest.param("browser", marks=pytest.mark.needs("chromium"))])
def drive(request: pytest.FixtureRequest, release: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Call]:
    """A call on the client, which must be answered with what the client said."""
    monkeypatch.setenv("PYTHONPATH", str(release))
    browser = request.getfixturevalue("browser") if request.param == "browser" else None
    with python_client(release) if browser is None else browser_client(release, browser) as found:

        def call(do: str, **more: Any) -> Any:
            answer = found({"do": do, **more})
            assert "ok" in answer, f"{do}: {json.dumps(answer)}"
            return answer["ok"]

        yield call


class Application:
    """An application with the client, on the server's time."""

    def __init__(self, served: Lab, drive: Call) -> None:
        self.served = served
        self.drive = drive
        key = handshakes.license_key(served.ctx, "216998-100")
        drive("open", licenseKey=key, vendorKey=served.vendor.key.public.x, deviceId=DEVICE, product="reader",
              now=served.time.now)  # fmt: skip

    def later(self, seconds: int) -> None:
        self.served.time.forward(seconds)
        self.drive("clock", now=self.served.time.now)

    def use(self, count: int) -> None:
        self.drive("use", type="QR", count=count)

    def flush(self) -> list[str]:
        return [result["status"] for result in self.drive("flush")]


def test_it_authorizes_reports_and_is_counted_right(served: Lab, drive: Call) -> None:
    served.load(item(quota=1000))
    licensed = Application(served, drive)
    drive("authorize")
    assert drive("allowed", module="QR")
    licensed.use(3)
    assert licensed.flush() == ["counted"]
    licensed.use(2)
    assert licensed.flush() == ["counted"]
    licensed.later(SLOT_SECONDS)
    licensed.use(7)
    drive("reopen")
    assert licensed.flush() == ["counted"]
    licensed.later(DAY_SECONDS)
    drive("authorize")
    licensed.use(1)
    assert licensed.flush() == ["counted"]
    assert served.used() == 13
    with served.ctx.store.reader() as db:
        device = devices.find(db, UUID(DEVICE).bytes)
    assert device is not None
    assert (device.clone_state.tips, device.clone_state.alternations, device.clone_state.home) == ((5,), 0, None), (
        "it lost a clone token"
    )


def test_its_lease_is_renewed_by_reports_and_goes_on_where_it_is_not(served: Lab, drive: Call) -> None:
    served.load(item(way="concurrentDevice", quota=1))
    licensed = Application(served, drive)
    drive("authorize")
    for _ in range(8):
        licensed.later(SLOT_SECONDS)
        assert drive("allowed", module="QR"), "its lease ends with the next slot, unless a report renewed it"
        licensed.use(1)
        assert licensed.flush() == ["counted"]
    licensed.later(2 * SLOT_SECONDS)
    assert not drive("allowed", module="QR")
    assert licensed.flush() == ["counted"], "a sign of life under a lease that has ended is answered by a receipt"
    drive("authorize")
    assert drive("allowed", module="QR")
    drive("release")
    assert served.live() == 0
