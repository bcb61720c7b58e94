"""Clients of a pair that is tormented: they record the answers they got, and when and from whom."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from typing import Any
from uuid import uuid4

from lts.protocol import SLOT_SECONDS, iso, slot_of
from tests.soak.crash import Books
from tests.support.twins import Twin, Twins

CLIENTS = 6
PAUSE_SECONDS = 0.03
"""Of each client between two calls: load enough, and a gap is the servers' and not the queue's."""


class Answers:
    """The answers 200 of a while: the longest time without one, and how often it was the other server's turn.

    Only that counts as a turn which shows that the other began after the one had stopped: an answer that was asked for
    when one of the other server had come. An answer that comes late shows nothing.
    """

    def __init__(self, now: float) -> None:
        self.last = now
        self.longest_gap = 0.0
        self.turns = 0
        self.of: str | None = None
        """Which server it was last."""
        self._of_since = now

    def came(self, server: str, asked: float, now: float) -> None:
        """One came `now` that was asked for at `asked`; seconds of one clock that never steps."""
        self.longest_gap, self.last = max(self.longest_gap, now - self.last), now
        if self.of is None:
            self.of, self._of_since = server, now
        elif server != self.of and asked > self._of_since:
            self.of, self._of_since, self.turns = server, now, self.turns + 1

    def end(self, now: float) -> None:
        """The time since the last answer counts too."""
        self.longest_gap = max(self.longest_gap, now - self.last)


class Clients:
    """Threads that authorize and report at whichever server answers, the main first."""

    def __init__(self, pair: Twins, books: Books) -> None:
        self._pair = pair
        self.books = books
        self._lock = threading.Lock()
        self._end = threading.Event()
        self.answers = Answers(time.monotonic())
        self.refusals: dict[str, int] = {}
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def begin(self) -> Answers:
        """What is noted from here on; returns what was before."""
        with self._lock:
            before, now = self.answers, time.monotonic()
            before.end(now)
            self.answers = Answers(now)
            return before

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
        time.sleep(PAUSE_SECONDS)
        for name, twin in (("main", self._pair.main), ("standby", self._pair.standby)):
            asked = time.monotonic()
            answer = self._post(twin, call, body)
            if answer is not None and "lease" in answer:
                with self._lock:
                    self.answers.came(name, asked, time.monotonic())
                return answer
            if answer is not None and answer.get("code") not in (100, 150):
                code = str(answer.get("code"))
                self.refusals[code] = self.refusals.get(code, 0) + 1
                return None
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
