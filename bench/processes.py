"""The two processes of a run, and talking to them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil

from bench.serve import LABELS, config_for
from lts.crypto import SigningKey
from lts.rules.licensing import activation, licensefile, vendorkey
from lts.rules.licensing.licensefile import License
from lts.server import opened
from lts.service.core.clock import Clock
from lts.service.core.context import Context
from lts.service.licensing import licenses
from lts.service.licensing.licenses import Choice
from lts.vendor import issuing

ROOT = Path(__file__).resolve().parents[1]
QUOTA = 10**9
PAGES = "1-pages"


def prepare(folder: Path, pages: int = 0) -> str:
    """A data folder with one code over an item of every kind used here; returns the code's name. A second code, PAGES,
    holds `pages` items of another product."""
    now = int(time.time())
    vendor = SigningKey.generate()
    common = {"product": "reader", "modules": ["QR"], "quota": QUOTA, "startsAt": "2020-01-01T00:00:00Z",
              "expiresAt": None}  # fmt: skip
    spec = {"licenseId": "bench", "organizationId": "1", "items": [
        {**common, "itemId": "devices", "chargeWay": "device", "activePeriod": "monthly"}]}  # fmt: skip
    trusted_vendor(folder, vendor, now)
    with opened(config_for(folder), read_labels=lambda: LABELS, clock=Clock()) as here:
        file = licensefile.render(license_of(here.ctx, spec, vendor, now)).encode()
        licenses.import_license(here.ctx, file, Choice(), "bench", now)
        if pages:
            items = [
                {**common, "itemId": f"p{n}", "product": "pages", "modules": [f"M{n}"], "chargeWay": "page"}
                for n in range(pages)
            ]
            many = {**spec, "licenseId": "pages", "items": items}
            file = licensefile.render(license_of(here.ctx, many, vendor, now)).encode()
            licenses.import_license(here.ctx, file, Choice(), "bench", now)
    return "1-bench"


def trusted_vendor(folder: Path, vendor: SigningKey, now: int) -> None:
    """A folder whose server will trust a vendor."""
    keys = config_for(folder).vendor_keys
    keys.mkdir(parents=True, exist_ok=True)
    (keys / "bench.pub").write_text(vendorkey.build("Bench", vendor, now), encoding="utf-8")


def license_of(ctx: Context, spec: dict[str, Any], vendor: SigningKey, now: int) -> License:
    """A license for a server."""
    me = ctx.identity
    request = activation.read(activation.build(me.uuid, me.key, me.labels, me.binding, now).encode())
    return issuing.activate(issuing.issue(spec, vendor, "Bench", now), [request], vendor, "Bench", now)


class Process:
    """A child that answers a line with a line."""

    def __init__(self, module: str, *arguments: str) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self._child = subprocess.Popen(
            [sys.executable, "-m", module, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=environment, cwd=ROOT,
        )  # fmt: skip

    def read(self) -> str:
        """The next line."""
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        if not line:
            raise RuntimeError("A process of the bench ended early.")
        return line.strip()

    def ask(self, line: str) -> str:
        """Send a line, read the answer."""
        assert self._child.stdin is not None
        self._child.stdin.write(line + "\n")
        self._child.stdin.flush()
        return self.read()

    def kill(self) -> None:
        """Kill -9, or what Windows has for it."""
        self._child.kill()
        self._child.wait()

    def cpu(self) -> float:
        """Seconds of processor it has used."""
        used = psutil.Process(self._child.pid).cpu_times()
        return float(used.user + used.system)

    def end(self, number: int) -> float:
        """Send it a signal that ends it; seconds until it has ended."""
        begun = time.perf_counter()
        self._child.send_signal(number)
        self._child.wait(timeout=30)
        return time.perf_counter() - begun

    def __enter__(self) -> Process:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._child.stdin is not None
        self._child.stdin.close()
        try:
            self._child.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._child.kill()
            raise


class Rig:
    """A server and a load generator; `window` runs one kind of traffic for some seconds."""

    def __init__(self, server: Process, load: Process, code: str) -> None:
        self._server = server
        self._load = load
        self._code = code
        self.port = int(server.read())

    def window(self, kind: str, seconds: float = 3.0, connections: int = 64, **more: Any) -> dict[str, Any]:
        """Figures of one window, see bench.load.run."""
        command = {"kind": kind, "port": self.port, "code": self._code, "seconds": seconds,
                   "connections": connections, **more}  # fmt: skip
        figures: dict[str, Any] = json.loads(self._load.ask(json.dumps(command)))
        return figures

    def memory(self) -> int:
        """Resident bytes of the server."""
        return int(self._server.ask("memory"))
