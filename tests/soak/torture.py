"""`python3 -m tests.soak.torture [ROUNDS] [SEED]`: a real pair under load, tormented, 200 rounds by default.

Each round: kill -9, SIGSTOP, an end in good order, a full disk, a cut, a one-way cut, delay or 20 % loss, at a random
moment, on either side; then the two are let alone, and what is promised (docs/design/pair.md, Invariants) must hold:
every acknowledged report counted once on both, the same totals, seats and settings, no two answering at once while
linked, the quota kept, lts verify passing.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

from lts.protocol import SLOT_SECONDS, iso, slot_of
from lts.service import upkeep
from lts.service.trust import TrustStore
from tests.soak.crash import Books
from tests.support.kit import item
from tests.support.twins import Twin, Twins, twins
from tests.support.wait import wait_until

CLIENTS = 6
QUOTA = 40
FOREVER: dict[str, Any] = {"startsAt": "2020-01-01T00:00:00Z", "expiresAt": None}
KINDS = ("kill", "stop", "end", "full disk", "cut", "deaf to main", "deaf to standby", "delay", "loss")
OF_ONE = ("kill", "stop", "end", "full disk")


class Clients:
    """Threads that authorize and report at whichever server answers, and keep books of what they were told."""

    def __init__(self, pair: Twins, books: Books) -> None:
        self._pair = pair
        self.books = books
        self._lock = threading.Lock()
        self._end = threading.Event()
        self.served: dict[str, float] = {"main": 0.0, "standby": 0.0}
        self.refusals: dict[str, int] = {}
        self.last_answer = time.monotonic()
        self.longest_gap = 0.0
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End; what is under way is finished."""
        self._end.set()
        for thread in self._threads:
            thread.join(20)

    def _run(self) -> None:
        while not self._end.is_set():
            device, product = str(uuid4()), random.choice(["reader", "seats"])
            lease = self._call("authorize", {"handshakeCode": self._pair.code, "deviceId": device,
                                             "product": product, "deploymentType": "server"})  # fmt: skip
            if lease is None or product == "seats":
                time.sleep(0.05)
                continue
            for count in (1, 2, 3):
                slot = slot_of(time.time()) - random.randint(0, 3)
                with self._lock:
                    self.books.sent[device, slot] = max(count, self.books.sent[device, slot])
                entries = [{"slot": iso(slot * SLOT_SECONDS), "usage": {"QR": count}}]
                if self._call("report", {"lease": lease["lease"], "reports": entries}) is not None:
                    with self._lock:
                        self.books.acknowledged[device, slot] = max(count, self.books.acknowledged[device, slot])

    def _call(self, call: str, body: dict[str, Any]) -> dict[str, Any] | None:
        """Try main, then standby; None when neither gave a 200."""
        for name, twin in (("main", self._pair.main), ("standby", self._pair.standby)):
            answer = self._post(twin, call, body)
            if answer is not None and "lease" in answer:
                now = time.monotonic()
                self.served[name] = now
                self.longest_gap = max(self.longest_gap, now - self.last_answer)
                self.last_answer = now
                return answer
            if answer is not None and answer.get("code") not in (100, 150):
                code = str(answer.get("code"))
                self.refusals[code] = self.refusals.get(code, 0) + 1
                return None
        time.sleep(0.02)
        return None

    @staticmethod
    def _post(twin: Twin, call: str, body: dict[str, Any]) -> dict[str, Any] | None:
        connection = http.client.HTTPConnection("127.0.0.1", twin.port, timeout=3)
        try:
            connection.request("POST", f"/api/v1/{call}", json.dumps(body), {"Content-Type": "application/json"})
            result: dict[str, Any] = json.loads(connection.getresponse().read())
            return result
        except (OSError, ValueError, http.client.HTTPException):
            return None
        finally:
            connection.close()


def torment(pair: Twins, rng: random.Random) -> str:
    """One fault or two, for a while, then none. Returns what was done."""
    done = []
    for _ in range(rng.choice((1, 1, 2))):
        kind, victim = rng.choice(KINDS), rng.choice((pair.main, pair.standby))
        name = "main" if victim is pair.main else "standby"
        for_seconds = rng.choice((0.5, 2.0, 4.0, 8.0, 11.0))
        done.append(f"{kind} {name if kind in OF_ONE else ''} {for_seconds} s")
        _apply(pair, kind, victim)
        time.sleep(for_seconds)
        if rng.random() < 0.7:
            pair.mend()
            pair.main.signal(signal.SIGCONT)
            pair.standby.signal(signal.SIGCONT)
    if "full disk" in " ".join(done):
        pair.main.stop()  # a main that handed over takes back at once where it was started since
    return ", ".join(done)


def _apply(pair: Twins, kind: str, victim: Twin) -> None:
    if kind == "kill":
        victim.signal(signal.SIGCONT)
        victim.kill()
        if random.random() < 0.5:
            victim.start()
    elif kind == "stop":
        victim.signal(signal.SIGSTOP)
    elif kind == "end":
        victim.stop()
        if random.random() < 0.5:
            victim.start()
    elif kind == "full disk":
        victim.set_disk(full=True)
    elif kind == "cut":
        pair.to_main.cut()
        pair.to_standby.cut()
    elif kind.startswith("deaf"):
        link = pair.to_main if kind.endswith("main") else pair.to_standby
        link.deaf[random.choice(("to", "back"))] = True
    elif kind == "delay":
        pair.to_main.delay = pair.to_standby.delay = 0.8
    else:
        pair.to_main.loss = pair.to_standby.loss = 0.2


def let_alone(pair: Twins) -> None:
    """No faults any more: both must come to rest."""
    pair.mend()
    for twin in (pair.main, pair.standby):
        twin.signal(signal.SIGCONT)
        twin.set_disk(full=False)
        if twin.process is None:
            twin.start()
    wait_until(pair.in_step, "both at rest")


def differences(pair: Twins, books: Books) -> list[str]:
    """Every fault in what both hold, while they are at rest."""
    found = []
    for twin in (pair.main, pair.standby):
        database = twin.folder / "data" / "lts.db"
        found += [f"{twin.folder.name}: {fault}" for fault in books.faults(database)]
        trust = TrustStore(twin.folder / "trust", twin.folder / "data")
        found += [f"{twin.folder.name}: {fault}" for fault in upkeep.verify(twin.folder / "data", trust)]
    answers = [[twin.admin("GET", path)[1] for path in ("/usage?by=hour", "/licenses/items", "/handshakes")]
               for twin in (pair.main, pair.standby)]  # fmt: skip
    for line in answers[0][1]["items"]:
        if line["itemId"] == "seats" and line["used"] > 2 * QUOTA:
            found.append(f"{line['used']} seats of {QUOTA} are taken: more than the free ones once more")
    if answers[0] != answers[1]:
        found.append(f"the two differ: {answers[0]} and {answers[1]}")
    return found


def rounds(folder: Path, count: int, seed: int, quiet: bool = False) -> list[str]:
    """Run so many rounds on one pair; returns every fault found, of the first round that has any."""
    rng = random.Random(seed)
    random.seed(seed)
    plain = item(quota=10**9, **FOREVER)
    seats = item("seats", "device", QUOTA, graceQuota=0, product="seats", modules=["S"], **FOREVER)
    limits = {"deviceRequestsPerMinute": 10**6, "deviceBurst": 10**6, "addressRefusalsPerMinute": 10**6}
    with twins(folder, plain, seats, rateLimits=limits) as pair:
        pair.start()
        clients = Clients(pair, Books())
        try:
            for number in range(count):
                at_rest = time.monotonic()
                time.sleep(rng.uniform(0.2, 1.5))
                if clients.served["standby"] > at_rest:
                    return ["The standby answered 200 while the main served and the two were linked."]
                what = torment(pair, rng)
                let_alone(pair)
                clients.stop()
                wait_until(pair.in_step, "both at rest with no clients")
                found = differences(pair, clients.books)
                if not quiet:
                    _tell(number, what, clients, found)
                if found:
                    return found
                clients = Clients(pair, clients.books)
        except AssertionError as error:
            return [f"{error}; main: {_told(pair.main)}, standby: {_told(pair.standby)}", pair.main.log()[-2000:],
                    pair.standby.log()[-2000:]]  # fmt: skip
        finally:
            clients.stop()
    return []


def _tell(number: int, what: str, clients: Clients, found: list[str]) -> None:
    print(
        f"round {number + 1}: {what}; {len(clients.books.acknowledged)} slots acknowledged, longest time without an"
        f" answer {clients.longest_gap:.1f} s, {len(found)} faults",
        flush=True,
    )


def _told(twin: Twin) -> str:
    with contextlib.suppress(Exception):
        return f"{twin.health()} {twin.pair()}"
    return twin.health()


def main() -> int:
    """Exit code 0 when no round found a fault."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else int(time.time())
    print(f"seed {seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        found = rounds(Path(folder), count, seed)
    print("\n".join(found) or f"{count} rounds: nothing missing, nothing doubled, both the same, both verify.")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
