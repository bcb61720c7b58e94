"""`python3 -m tests.soak.torture [ROUNDS] [SEED]`: a real pair under load, tormented, 100 rounds by default.

Each round is of one kind (tests/soak/torments.py), at a random moment, for a while: kill -9, SIGSTOP, an end in good
order, a full disk, of either server; a cut, a one-way cut, delay, 20 % loss; what may go wrong when a main with a full
disk hands over; or two of all these at once. Then the two are let alone, and what is promised (docs/design/pair.md,
Invariants) must hold: every acknowledged report counted once on both, the same totals, seats and settings, no two
answering at once while linked, the quota kept, lts verify passing. At the end: the times without an answer, by kind.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lts.service.core.trust import TrustStore
from lts.service.maintenance import verify
from lts.service.pair.pairstatus import REASONS
from lts.store.file import database
from lts.store.tables import audit
from tests.soak.clients import Answers, Clients
from tests.soak.crash import Books
from tests.soak.torments import KINDS, Kind, Scene, dealt
from tests.support.kit import item
from tests.support.twins import Twin, Twins, twins
from tests.support.wait import wait_until

MERGE = "merge"
QUOTA = 40
FOREVER: dict[str, Any] = {"startsAt": "2020-01-01T00:00:00Z", "expiresAt": None}
TAKE_OVER_SECONDS = 15
SETTLED_SECONDS = 150.0
"""Until both are at rest again, a minute of which a main stores before it takes back what it could not."""
_BY_ITSELF = 1 / 3
"""Share of the rounds with a full disk after which the main takes back by itself; in the others it is restarted."""
_FULL = ("full disk main", "yes lost", "cut after the yes", "both disks full", "two at once")


@dataclass
class Torture:
    """Rounds on one pair. `gaps` are seconds without an answer, of each round by its kind."""

    folder: Path
    seed: int
    take_over: int = TAKE_OVER_SECONDS
    quiet: bool = False
    gaps: dict[str, list[float]] = field(default_factory=dict)
    _took_back: object = None
    """The main's process, where it took back by itself."""

    def run(self, count: int) -> list[str]:
        """So many rounds; every fault found, of the first round that has any."""
        rng = random.Random(self.seed)
        random.seed(self.seed)
        plain = item(quota=10**9, **FOREVER)
        seats = item("seats", "device", QUOTA, graceQuota=0, product="seats", modules=["S"], **FOREVER)
        limits = {"deviceRequestsPerMinute": 10**6, "deviceBurst": 10**6, "addressRefusalsPerMinute": 10**6}
        settings: dict[str, Any] = {"rateLimits": limits, "takeOverAfterSeconds": self.take_over}
        with twins(self.folder, plain, seats, **settings) as pair:
            pair.start()
            books = Books()
            for number, kind in zip(range(count), dealt(rng), strict=False):
                found = self._round(pair, books, rng, number, kind)
                if found:
                    return found
        return []

    def _round(self, pair: Twins, books: Books, rng: random.Random, number: int, kind: str) -> list[str]:
        clients = Clients(pair, books)
        began, begins = time.monotonic(), begun(pair)
        try:
            time.sleep(rng.uniform(0.2, 1.5))
            at_rest = clients.begin()
            if at_rest.turns or at_rest.of == "standby":
                return ["The standby answered 200 while the main served and the two were linked."]
            KINDS[kind].torment(Scene(pair, clients, rng, self.take_over))
            self._let_alone(pair, rng, kind)
            answers = clients.begin()
            clients.stop()
            wait_until(pair.in_step, "both at rest with no clients")
            found = differences(pair, books)
            found += both_served(KINDS[kind], answers.turns, begun(pair) - begins)
        except AssertionError as error:
            return [f"{kind}: {error}; main: {_told(pair.main)}, standby: {_told(pair.standby)}",
                    pair.main.log()[-2000:], pair.standby.log()[-2000:]]  # fmt: skip
        finally:
            clients.stop()
        self._note(number, kind, answers, time.monotonic() - began, len(books.acknowledged), found)
        return found

    def _let_alone(self, pair: Twins, rng: random.Random, kind: str) -> None:
        """No faults any more: both must come to rest. A main takes back by itself once in ten minutes."""
        pair.mend()
        for twin in (pair.main, pair.standby):
            twin.signal(signal.SIGCONT)
            twin.set_disk(full=False)
        if kind in _FULL:
            if rng.random() < _BY_ITSELF and self._took_back is not pair.main.process and kind != "two at once":
                self._took_back = pair.main.process
            else:
                pair.main.stop()
        for twin in (pair.main, pair.standby):
            if twin.process is None:
                twin.start()
        wait_until(pair.in_step, "both at rest", SETTLED_SECONDS)

    def _note(self, number: int, kind: str, answers: Answers, took: float, slots: int, found: list[str]) -> None:
        self.gaps.setdefault(kind, []).append(answers.longest_gap)
        if not self.quiet:
            print(
                f"round {number + 1}: {kind}; {answers.longest_gap:.2f} s without an answer, {answers.turns} turns,"
                f" {took:.0f} s, {slots} slots acknowledged, load {os.getloadavg()[0]:.1f}, {len(found)} faults",
                flush=True,
            )

    def table(self) -> list[str]:
        """For each kind: rounds, median and longest time without an answer, and what is promised."""
        found = [f"{'kind of round':<26}{'rounds':>7}{'median s':>10}{'longest s':>11}{'promised':>10}"]
        for kind in (kind for kind in KINDS if kind in self.gaps):
            gaps, promised = self.gaps[kind], self._promised(kind)
            told = "-" if promised is None else f"< {promised:g}"
            over = " over" if promised is not None and max(gaps) >= promised else ""
            found.append(f"{kind:<26}{len(gaps):>7}{statistics.median(gaps):>10.2f}{max(gaps):>11.2f}{told:>10}{over}")
        return found

    def _promised(self, kind: str) -> float | None:
        promised = KINDS[kind].promised
        return None if promised is None else promised(self.take_over)

    @property
    def kept_waiting(self) -> bool:
        """Whether clients waited for longer than is promised."""
        limits = [(max(gaps), self._promised(kind)) for kind, gaps in self.gaps.items()]
        return any(limit is not None and gap >= limit for gap, limit in limits)


def begun(pair: Twins) -> Counter[str]:
    """How often either server began to serve, by reason; both at rest, so that each knows it of the other."""
    with contextlib.closing(database.open_reader(pair.main.folder / "data" / "lts.db")) as db:
        return Counter(
            {reason: audit.count(db, audit.AuditFilter(actions=(f"serves-{reason}",))) for reason in REASONS}
        )


def both_served(kind: Kind, turns: int, begins: Counter[str]) -> list[str]:
    """Whether both answered clients while they were linked: it was the other's turn more often than one began to, or
    the main had to go on in a new epoch, since the other had begun one meanwhile."""
    if not kind.linked:
        return []
    merges, others = begins[MERGE], begins.total() - begins[MERGE]
    if turns <= others and (kind.stands_still or not merges):
        return []
    return [f"both served: {turns} times the other answered, {others} times one began to, and {merges} merges"]


def differences(pair: Twins, books: Books) -> list[str]:
    """Every fault in what both hold, while they are at rest."""
    found = []
    for twin in (pair.main, pair.standby):
        database_file = twin.folder / "data" / "lts.db"
        found += [f"{twin.folder.name}: {fault}" for fault in books.faults(database_file)]
        trust = TrustStore(twin.folder / "trust", twin.folder / "data")
        found += [f"{twin.folder.name}: {fault}" for fault in verify.verify(twin.folder / "data", trust)]
    answers = [[twin.admin("GET", path)[1] for path in ("/usage?by=hour", "/licenses/items", "/handshakes")]
               for twin in (pair.main, pair.standby)]  # fmt: skip
    for line in answers[0][1]["items"]:
        if line["itemId"] == "seats" and line["used"] > 2 * QUOTA:
            found.append(f"{line['used']} seats of {QUOTA} are taken: more than the free ones once more")
    if answers[0] != answers[1]:
        found.append(f"the two differ: {answers[0]} and {answers[1]}")
    return found


def _told(twin: Twin) -> str:
    with contextlib.suppress(Exception):
        return f"{twin.health()} {twin.pair()}"
    return twin.health()


def main() -> int:
    """Exit code 0 when no round found a fault, and no client waited for longer than is promised."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else int(time.time())
    print(f"seed {seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        torture = Torture(Path(folder), seed)
        found = torture.run(count)
    print("\n".join(torture.table()))
    print("\n".join(found) or f"{count} rounds: nothing missing, nothing doubled, both the same, both verify.")
    return int(bool(found) or torture.kept_waiting)


if __name__ == "__main__":
    sys.exit(main())
