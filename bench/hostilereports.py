"""What the holder of a license key may report at its worst, for bench.hostile."""

from __future__ import annotations

import gzip
import http.client
import json
import time
from collections.abc import Callable, Iterable
from typing import Any
from uuid import uuid4

from bench.processes import PAGES
from lts.httpd.dispatch import GROUPED_BYTES
from lts.protocol import SLOT_SECONDS, SLOTS_PER_DAY, iso, slot_of

DAYS = 29
GIVE_UP_SECONDS = 120.0
GZIP = {"Content-Encoding": "gzip"}


def ask(port: int, path: str, body: bytes, headers: dict[str, str]) -> int:
    """The status that a request is answered with, 0: none in time."""
    return _call(port, path, body, headers)[0]


def _call(port: int, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=GIVE_UP_SECONDS)
    try:
        connection.request("POST", f"/api/v1/{path}", body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except TimeoutError:
        return 0, b""
    finally:
        connection.close()


def alternate_slots(lease: str, slot: int) -> bytes:
    """A month of every second slot, of 50 types each."""
    return _report(lease, ((slot - 2 * n, {f"t{m}": n % 3 + 1 for m in range(50)}) for n in range(7100)))


def presence_in_items(lease: str, slot: int) -> bytes:
    """A month of signs of life in every second slot."""
    return _report(lease, ((slot - 2 * n, {}) for n in range(7100)))


def new_names(lease: str, slot: int) -> bytes:
    """Thirty days with 2,000 names each that nobody used before."""
    days = ((slot - 480 * day, day) for day in range(30))
    every = ((one, {f"{lease[-9:]}-{day}-{n}-{m}": 1 for m in range(200)}) for one, day in days for n in range(10))
    return _report(lease, every)


def names_of_a_day(lease: str, slot: int) -> bytes:
    """A day's 2,000 names, from any machine of a copied device."""
    return _report(lease, ((slot, {f"n{n}-{m}": 1 for m in range(200)}) for n in range(10)))


def both_ends_of_days(lease: str, slot: int) -> bytes:
    """A month's days of 2,000 names each, in the first and the last slot."""
    first = slot // SLOTS_PER_DAY * SLOTS_PER_DAY
    ends = [first - SLOTS_PER_DAY * day + end for day in range(1, DAYS + 1) for end in (0, SLOTS_PER_DAY - 1)]
    return _report(lease, ((one, {f"n{n}-{m}": 2 for m in range(200)}) for one in ends for n in range(10)))


def count_a_day(lease: str, slot: int) -> bytes:
    """A month of a count a day: a small report, sent as it is, that is in pieces."""
    return _report(lease, ((slot - SLOTS_PER_DAY * day, {"QR": 1}) for day in range(DAYS)))


def alive(lease: str, slot: int) -> bytes:
    """A sign of life."""
    return _report(lease, [(slot, {})])


def _report(lease: str, slots: Iterable[tuple[int, dict[str, int]]]) -> bytes:
    reports = [{"slot": iso(slot * SLOT_SECONDS), "usage": usage} for slot, usage in slots]
    return json.dumps({"lease": lease, "reports": reports}, separators=(",", ":")).encode()


LEASED: dict[str, Callable[[str, int], bytes]] = {
    "report of alternate slots": alternate_slots,
    "presence in 100 items": presence_in_items,
    "60,000 new names": new_names,
    "2,000 names at both ends of 29 days": both_ends_of_days,
    "a count in each of 29 days": count_a_day,
}
"""A body that the holder of a lease may send: made from the lease and the current slot, and compressed unless it is
small."""
COPIED = "copied device with 2,000 names"
COPIES = 3
"""With more the device has to wait before all have sent."""
ITEMS = 100


class Holder:
    """Who has the license key: gets leases, and sends reports under them."""

    def __init__(self, port: int) -> None:
        self._port = port

    def send(self, make: Callable[[str, int], bytes]) -> int:
        """The answer to a report of a new device."""
        status, told = self._authorize()
        if status != 200:
            return status
        body = make(told["lease"], _present())
        small = len(body) <= GROUPED_BYTES
        return ask(self._port, "report", body if small else gzip.compress(body, mtime=0), {} if small else GZIP)

    def copied(self) -> int:
        """The answer to the names of a day by each copy of a device, once the copies are distinguished."""
        status, told = self._authorize()
        tokens: list[str | None] = [told.get("cloneToken"), *[None] * (COPIES - 1)]
        turns = [0, *[turn for n in range(1, COPIES) for turn in (n, n, 0, n)], *range(COPIES)]
        for place, n in enumerate(turns):
            if status != 200:
                break
            names = place >= len(turns) - COPIES
            body = json.loads((names_of_a_day if names else alive)(told["lease"], _present() + 3 * names))
            status, answer = self._told("report", {**body, "cloneToken": tokens[n]})
            tokens[n] = answer.get("cloneToken")
        return status

    def _authorize(self) -> tuple[int, dict[str, Any]]:
        asked = {"deviceId": str(uuid4()), "handshakeCode": PAGES, "product": "pages", "deploymentType": "server"}
        return self._told("authorize", {**asked, "modules": [f"M{n}" for n in range(ITEMS)]})

    def _told(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        status, answer = _call(self._port, path, json.dumps(body).encode(), {})
        told: dict[str, Any] = json.loads(answer or b"{}")
        return status, told


def _present() -> int:
    return slot_of(int(time.time()))
