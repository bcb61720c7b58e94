"""Kill -9 at random moments under load: no acknowledged report may be missing or doubled.

    python3 -m tests.soak.crash writer [ROUNDS]    the store's process, 1,000 rounds
    python3 -m tests.soak.crash server [ROUNDS]    the whole server over HTTP, 50 rounds

Each round draws on what the rounds before left, and the database is verified at the end.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import defaultdict
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from lts.protocol import SLOT_SECONDS, SLOTS_PER_DAY, iso, slot_of
from lts.service.core import labels
from lts.service.core.trust import TrustStore
from lts.service.maintenance import verify
from lts.store import sql
from lts.store.file import database
from lts.store.rows.dayrow import decode_day, units_by_slot
from lts.store.tables import devices
from tests.support.kit import NOON, FakeTime, Lab, Vendor, item, lab
from tests.support.lines import launch

THREADS = 4
Key = tuple[str, int]
"""(device UUID, slot)."""


class Books:
    """What was sent and what was acknowledged: the stored count of a slot lies between the two."""

    def __init__(self) -> None:
        self.sent: defaultdict[Key, int] = defaultdict(int)
        self.acknowledged: defaultdict[Key, int] = defaultdict(int)

    def faults(self, path: Path) -> list[str]:
        """Slots whose stored count is impossible."""
        stored = stored_counts(path)
        found = []
        for key, sent in self.sent.items():
            count = stored.pop(key, 0)
            if not self.acknowledged[key] <= count <= sent:
                found.append(f"{key}: acknowledged {self.acknowledged[key]}, stored {count}, sent {sent}")
        found += [f"{key}: stored {count}, never sent" for key, count in stored.items()]
        return found


def stored_counts(path: Path) -> dict[Key, int]:
    """Counts of every device and slot as the day rows hold them."""
    db = database.open_reader(path)
    try:
        counts: dict[Key, int] = {}
        for day, device, data in sql.each(db, "SELECT day, device, data FROM usage_days"):
            uuid = devices.uuids_of(db, [device]).get(device)
            assert uuid is not None
            for _, _, slot, count in units_by_slot(decode_day(data)):
                key = (str(UUID(bytes=uuid)), day * SLOTS_PER_DAY + slot)
                counts[key] = counts.get(key, 0) + count
        return counts
    finally:
        db.close()


def _work(server: Lab, code: str, seed: int, out: int) -> None:
    """Authorize and report for ever, saying on `out` what is sent and what came back."""
    rng = random.Random(seed)
    while True:
        device = str(uuid4())
        lease = server.authorize(code, device).lease
        for count in range(1, rng.randint(2, 6)):
            slot = slot_of(NOON) - rng.randint(0, 3)
            os.write(out, f"S {device} {slot} {count}\n".encode())
            server.report(lease, {"QR": count}, slot)
            os.write(out, f"A {device} {slot} {count}\n".encode())


def _child(folder: Path, vendor: Vendor, seed: int, out: int) -> None:
    with lab(folder, FakeTime(), vendor) as server:
        code = "216998-100" if server.ctx.store.catalog.codes else server.load(item(quota=10**9))
        threads = [threading.Thread(target=_work, args=(server, code, seed + n, out)) for n in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def kill_writer(rounds: int, folder: Path) -> list[str]:
    """Rounds of fork, load, kill -9; returns every fault found."""
    vendor, books = Vendor(), Books()
    folder.mkdir(exist_ok=True)
    for number in range(rounds):
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            try:
                _child(folder, vendor, number * THREADS, writing)
            finally:
                os._exit(1)
        os.close(writing)
        killer = threading.Timer(random.uniform(0.01, 0.12), os.kill, (child, signal.SIGKILL))
        _read_books(reading, books, killer)
        os.waitpid(child, 0)
        if number % 50 == 49 or number == rounds - 1:
            faults = books.faults(folder / "data" / "lts.db")
            print(
                f"{number + 1} rounds, {len(books.acknowledged)} slots acknowledged, {len(faults)} faults", flush=True
            )
            if faults:
                return faults
    trust = TrustStore(folder / "trust", folder / "data")
    return verify.verify(folder / "data", trust)


def _read_books(reading: int, books: Books, killer: threading.Timer) -> None:
    """Read what the child says until it dies; the killer's time runs from its first word."""
    with os.fdopen(reading, "rb") as lines:
        for number, line in enumerate(lines):
            if number == 0:
                killer.start()
            if not line.endswith(b"\n"):
                break
            word, device, slot, count = line.decode().split()
            book = books.sent if word == "S" else books.acknowledged
            key = (device, int(slot))
            book[key] = max(book[key], int(count))
    killer.cancel()


class Running:
    """A real server process on a folder."""

    def __init__(self, folder: Path, port: int) -> None:
        self.process, line = launch(folder, "--port", str(port))
        self.port = int(line.split(":")[3].split("/")[0])

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait()


def post(port: int, call: str, body: dict[str, Any]) -> dict[str, Any]:
    """One call to the client API of a server on loopback. Raises OSError, http.client.HTTPException."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("POST", f"/api/v1/{call}", json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        data = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{call} answered {answer.status}: {data[:300]!r}")
        result: dict[str, Any] = json.loads(data)
        return result
    finally:
        connection.close()


def _load(port: int, code: str, books: Books, lock: threading.Lock, stop: threading.Event) -> None:
    while not stop.is_set():
        device = str(uuid4())
        try:
            lease = post(port, "authorize", {"handshakeCode": code, "deviceId": device, "product": "reader",
                                             "deploymentType": "server"})["lease"]  # fmt: skip
            for count in (1, 2, 3):
                slot = slot_of(time.time()) - random.randint(0, 3)
                with lock:
                    books.sent[device, slot] = max(count, books.sent[device, slot])
                entries = [{"slot": iso(slot * SLOT_SECONDS), "usage": {"QR": count}}]
                post(port, "report", {"lease": lease, "reports": entries})
                with lock:
                    books.acknowledged[device, slot] = max(count, books.acknowledged[device, slot])
        except (OSError, http.client.HTTPException):
            return  # the server was killed


def kill_server(rounds: int, folder: Path) -> list[str]:
    """Rounds of start, load over HTTP, kill -9; returns every fault found."""
    vendor, books, lock = Vendor(), Books(), threading.Lock()
    folder.mkdir(exist_ok=True)
    with lab(folder, FakeTime(int(time.time())), vendor) as server:
        code = server.load(item(quota=10**9, startsAt="2020-01-01T00:00:00Z", expiresAt=None))
    identity = json.loads((folder / "data" / "identity.json").read_text(encoding="utf-8"))

    identity["labels"] = list(labels.fingerprints())
    identity.pop("digest", None)
    (folder / "data" / "identity.json").write_text(json.dumps(identity), encoding="utf-8")
    (folder / "lts.json").write_text(json.dumps({"vendorKeys": str(folder / "trust")}), encoding="utf-8")
    for number in range(rounds):
        server_process = Running(folder, 0)
        stop = threading.Event()
        threads = [
            threading.Thread(target=_load, args=(server_process.port, code, books, lock, stop)) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        time.sleep(random.uniform(0.05, 0.6))
        server_process.kill()
        stop.set()
        for thread in threads:
            thread.join()
        faults = books.faults(folder / "data" / "lts.db")
        print(f"round {number + 1}: {len(books.acknowledged)} slots acknowledged, {len(faults)} faults", flush=True)
        if faults:
            return faults
    return verify.verify(folder / "data", TrustStore(folder / "trust", folder / "data"))


def main() -> int:
    """Exit code 0 when no round found a fault."""
    what = sys.argv[1] if len(sys.argv) > 1 else "writer"
    run, default = {"writer": (kill_writer, 1000), "server": (kill_server, 50)}[what]
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else default
    with tempfile.TemporaryDirectory() as folder:
        faults = run(rounds, Path(folder))
    print("\n".join(faults) or f"{rounds} rounds: nothing missing, nothing doubled, the database verifies.")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
