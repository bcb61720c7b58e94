"""Two real server processes as a pair, with a link between them that can be cut, delayed, or made deaf one way."""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lts.errors import DataFolderError
from lts.service.core import labels
from lts.service.folder import datafolder
from tests.support.kit import FakeTime, Vendor, lab
from tests.support.lines import ROOT, launch
from tests.support.ports import free_port
from tests.support.wait import PATIENCE, wait_until


@dataclass
class Passing:
    """The next request to a call between servers, watched as it passes: it was `asked`, and its answer came by, which
    was passed on unless it was to be lost."""

    call: str
    lose_answer: bool
    asked: threading.Event = field(default_factory=threading.Event)
    answered: threading.Event = field(default_factory=threading.Event)

    def is_in(self, data: bytes) -> bool:
        """Whether these bytes begin that request."""
        return not self.asked.is_set() and f"/peer/{self.call} ".encode() in data


class Link:
    """A TCP proxy to one server. Faults hold for data one way each: `to` the server, or `back` from it."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self.mend()
        threading.Thread(target=self._accept, daemon=True).start()

    def mend(self) -> None:
        """No faults."""
        self.refusing = False
        self.deaf = {"to": False, "back": False}
        self.delay = 0.0
        self.loss = 0.0
        self._watched: Passing | None = None

    def watch(self, call: str, *, lose_answer: bool = False) -> Passing:
        """Look out for the next request to `call`, until the link is mended."""
        self._watched = Passing(call, lose_answer)
        return self._watched

    def cut(self) -> None:
        """End all connections and take no more."""
        self.refusing = True
        with self._lock:
            for one in self._open:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """The end."""
        self.cut()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.refusing:
                client.close()
                continue
            threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self._target), timeout=5)
        except OSError:
            client.close()
            return
        with self._lock:
            self._open |= {client, server}
        passing: Passing | None = None
        try:
            while True:
                ready, _, _ = select.select([client, server], [], [], 30)
                for source in ready:
                    way, sink = ("to", server) if source is client else ("back", client)
                    data = source.recv(1 << 16)
                    if not data or random.random() < self.loss:
                        return
                    if self.delay:
                        time.sleep(random.uniform(0, self.delay))
                    if way == "to" and self._watched is not None and self._watched.is_in(data):
                        passing = self._watched
                        passing.asked.set()
                    answer, passing = (passing, None) if way == "back" else (None, passing)
                    if answer is not None and answer.lose_answer:
                        answer.answered.set()
                        return
                    if not self.deaf[way]:
                        sink.sendall(data)
                    if answer is not None:
                        answer.answered.set()
        except (OSError, ValueError):
            pass
        finally:
            with self._lock:
                self._open -= {client, server}
            client.close()
            server.close()


class Twin:
    """One of the two servers: its folder, its configuration, and its process while it runs."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port
        self.program = ROOT
        """The checkout whose program runs."""
        self.process: subprocess.Popen[bytes] | None = None

    def configure(self, servers: list[str], **more: Any) -> None:
        """Write lts.json."""
        settings = {"servers": servers, "port": self.port, "vendorKeys": str(self.folder / "trust"),
                    "takeOverAfterSeconds": 5, "log": {"file": str(self.folder / "lts.log")}, **more}  # fmt: skip
        (self.folder / "lts.json").write_text(json.dumps(settings), encoding="utf-8")

    def start(self) -> None:
        """Start the process; returns when it listens."""
        self.process, _ = launch(self.folder, program=self.program)

    def signal(self, number: int) -> None:
        """Send a signal to the process, if it runs."""
        if self.process is not None:
            self.process.send_signal(number)

    def kill(self) -> None:
        """kill -9."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def stop(self) -> None:
        """End in good order."""
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(timeout=PATIENCE)
            finally:
                self.kill()

    def set_disk(self, *, full: bool) -> None:
        """Whether the running process can write to no file from now on, as on a full disk; on Linux alone."""
        if self.process is not None and sys.platform == "linux":
            import resource

            most = resource.RLIM_INFINITY
            resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (0 if full else most, most))

    def health(self) -> str:
        """serving, standby, starting, or down."""
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
            connection.request("GET", "/api/v1/health")
            status: str = json.loads(connection.getresponse().read())["status"]
            connection.close()
            return status
        except (OSError, ValueError, http.client.HTTPException):
            return "down"

    def admin(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
        """(status, answer) of a call of the administrators' API, as the command line makes it."""
        token = datafolder.read_token(self.folder / "data")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            headers = {"Authorization": f"Bearer {token}", "X-LTS-User": "test"}
            connection.request(method, f"/api/v1/admin{path}", json.dumps(body or {}), headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def pair(self) -> dict[str, Any]:
        """What the server says of the pair."""
        found: dict[str, Any] = self.admin("GET", "/pair")[1]
        return found

    def log(self) -> str:
        """The log so far."""
        path = self.folder / "lts.log"
        return path.read_text(encoding="utf-8") if path.exists() else ""


class Twins:
    """A main that holds a license, an empty standby, and the links by which each reaches the other."""

    def __init__(self, folder: Path, *items: dict[str, Any], **settings: Any) -> None:
        self.vendor = Vendor()
        self.main = Twin(folder / "main", free_port())
        self.standby = Twin(folder / "standby", free_port())
        for twin in (self.main, self.standby):
            twin.folder.mkdir(parents=True)
        self.code = self._load(items)
        self.to_main, self.to_standby = Link(self.main.port), Link(self.standby.port)
        self.settings = settings
        self.configure()

    def _load(self, items: tuple[dict[str, Any], ...]) -> str:
        """The main's first start, with a license; returns the handshake code."""
        with lab(self.main.folder, FakeTime(int(time.time())), self.vendor) as server:
            code = server.load(*items)
        _is_this_machine(self.main.folder)
        return code

    def configure(self) -> None:
        """Write both configurations, as the guide has it."""
        self.main.configure(["self", f"http://127.0.0.1:{self.to_standby.port}/lts/"], **self.settings)
        self.standby.configure([f"http://127.0.0.1:{self.to_main.port}/lts/", "self"], **self.settings)

    def start(self) -> None:
        """Start both, and wait until the standby is in step."""
        self.main.start()
        self.standby.start()
        wait_until(self.in_step, "in step")

    def in_step(self) -> bool:
        """Whether the main serves, the standby stands by, and has everything."""
        try:
            return (
                self.main.health() == "serving"
                and self.standby.health() == "standby"
                and self.main.pair()["inStep"]
                and self.main.pair()["lagChanges"] == 0
                and self.standby.pair()["inStep"]
            )
        except (OSError, KeyError, ValueError, http.client.HTTPException, DataFolderError):
            return False

    def mend(self) -> None:
        """No faults on the links."""
        self.to_main.mend()
        self.to_standby.mend()

    def close(self) -> None:
        """End both."""
        for twin in (self.main, self.standby):
            twin.signal(signal.SIGCONT)
            twin.kill()
        self.to_main.close()
        self.to_standby.close()


@contextlib.contextmanager
def twins(folder: Path, *items: dict[str, Any], **settings: Any) -> Iterator[Twins]:
    """See Twins; both processes are ended in the end."""
    pair = Twins(folder, *items, **settings)
    try:
        yield pair
    finally:
        pair.close()


def _is_this_machine(folder: Path) -> None:
    """A folder made with a test's labels was made on this machine."""
    path = folder / "data" / "identity.json"
    identity = json.loads(path.read_text(encoding="utf-8"))
    identity["labels"] = list(labels.fingerprints())
    identity.pop("digest", None)
    path.write_text(json.dumps(identity), encoding="utf-8")
