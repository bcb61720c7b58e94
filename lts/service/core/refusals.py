"""Refused requests: counted for statistics, the last ones kept for "Why?" (docs/design/authorizing.md, Refusal codes).

A refused request changes nothing durable by itself; counts go to the feed every few seconds, and the last requests into
a table, for the next start. The other server of a pair gets those that were refused here. Refusals that say nothing
about a code or device are not kept: NOT_KEPT. Half of the room is for requests from known senders. A code may have
10,000 items: for each request the first TRIED are kept, whichever server noted it.
"""

from __future__ import annotations

import logging
import threading
import zlib
from collections import Counter
from dataclasses import dataclass, replace
from itertools import islice
from operator import itemgetter
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from lts.errors import NotVerified, RefusalCode
from lts.rules.values.readmodel import ReadModel
from lts.store.changes.records import RefusalsChange
from lts.store.store import Store
from lts.store.tables import meta
from lts.store.writing.transaction import Transaction

log = logging.getLogger("lts.client")
KEPT = 500
TRIED = 50
MAX_BYTES = 1 << 20
"""Of the requests in one message to the other server of a pair."""
NOT_KEPT = frozenset(
    {
        RefusalCode.NOT_SERVING,
        RefusalCode.TOO_MANY_REQUESTS,
        RefusalCode.MALFORMED,
        RefusalCode.TOO_LARGE,
        RefusalCode.CANNOT_STORE,
    }
)
"""Refusals for the state of the server, or of what cannot be read: they are only in the log."""
_OF_NOBODY = frozenset({RefusalCode.NO_SUCH_CODE, RefusalCode.UNKNOWN_ORGANIZATION, RefusalCode.NOTHING_NAMED})


class AskedRequest(ReadModel, frozen=True):
    """What a refused request asked for, without secrets: an authorization, or the report or release named by `call`, of
    which only the device is known. What is not said at all is unset."""

    call: str | UnsetType = UNSET
    device: str | None | UnsetType = UNSET
    product: str | UnsetType = UNSET
    version: str | None | UnsetType = UNSET
    edition: str | None | UnsetType = UNSET
    deployment_type: str | UnsetType = UNSET
    charge_way: str | None | UnsetType = UNSET
    modules: tuple[str, ...] | UnsetType = UNSET
    instances: int | UnsetType = UNSET
    client: str | None | UnsetType = UNSET


@dataclass(frozen=True)
class RefusedRequest:
    """One refused request; `tried` (item id, code) in order, `ways` the
    charge way of each (none from LTS before 0.2), `more` how many further items were tried. `caps` has (cap, what the
    code used) for each item that only the code's cap refuses, and is empty if there is none."""

    time: int
    request_id: str
    code: int
    detail: str
    handshake_code: str | None
    asked: AskedRequest
    tried: tuple[tuple[str, int], ...]
    ways: tuple[str, ...] = ()
    more: int = 0
    caps: tuple[tuple[int, int] | None, ...] = ()

    @property
    def of_nobody(self) -> bool:
        """Whether it shows no code, organization or device of this server: anybody could have sent it."""
        return self.code in _OF_NOBODY or (self.code == RefusalCode.UNKNOWN_LEASE and self.handshake_code is None)


def of_lease(call: str, error: NotVerified, request_id: str, now: int) -> RefusedRequest:
    """A report or release (`call`) refused for its lease. Of one that does not verify nothing that it says is kept.
    `now` in UTC seconds."""
    asked = AskedRequest(call=call, device=error.device)
    return RefusedRequest(now, request_id, RefusalCode.UNKNOWN_LEASE, error.detail, error.handshake_code, asked, ())


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[RefusedRequest]).decode


class Refusals:
    """Thread-safe; counts wait here until `flush`. `kept` is what the last start of this server left."""

    def __init__(self, kept: bytes = b"") -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[int, int]] = Counter()
        self._latest: dict[str, tuple[int, RefusedRequest]] = {}
        self._number = 0
        self._changed = False
        for one in reversed(_unpack(kept)):
            self._number += 1
            self._latest[one.request_id] = self._number, _cut(one)

    def note(self, code_key: int, refused: RefusedRequest) -> None:
        """Keep and count a refused authorization; `code_key` is 0 when no handshake code was found."""
        with self._lock:
            self._counts[code_key, refused.code] += 1
        self.keep(refused)

    def keep(self, refused: RefusedRequest) -> None:
        """Keep a refusal that no statistics count."""
        with self._lock:
            self._number += 1
            self._latest[refused.request_id] = self._number, _cut(refused)
            self._changed = True
            self._trim()

    def _trim(self) -> None:
        """Drop the oldest beyond KEPT: first those of unknown senders, down to half of it."""
        while (spare := len(self._latest) - KEPT) > 0:
            of_nobody = [key for key, (_, one) in self._latest.items() if one.of_nobody]
            drop = of_nobody[: min(spare, max(0, len(of_nobody) - KEPT // 2))]
            for key in drop or list(islice(self._latest, spare)):
                del self._latest[key]

    def latest(self) -> list[RefusedRequest]:
        """The last refused requests, newest first; in the same order on both servers of a pair."""
        with self._lock:
            return sorted((one for _, one in self._latest.values()), key=_age, reverse=True)

    def since(self, number: int) -> tuple[int, list[RefusedRequest]]:
        """(number to continue with, those that this server noted after `number`, as many as are about MAX_BYTES)."""
        with self._lock:
            newest = self._number
            found = [] if number == newest else [(n, one) for n, one in self._latest.values() if n > number]
        given: list[RefusedRequest] = []
        size = 0
        for place, one in sorted(found, key=itemgetter(0)):
            given.append(one)
            size += len(_encode(one))
            if size > MAX_BYTES:
                return place, given
        return newest, given

    def take(self, others: list[RefusedRequest]) -> None:
        """Keep those of the other server of a pair too."""
        with self._lock:
            before = len(self._latest)
            for one in others:
                if one.request_id not in self._latest:
                    self._latest[one.request_id] = 0, _cut(one)
            self._changed = self._changed or len(self._latest) > before
            if len(self._latest) > KEPT:
                self._latest = dict(sorted(self._latest.items(), key=lambda item: _age(item[1][1])))
                self._trim()

    def flush(self, store: Store, now: int) -> None:
        """Write the counts that wait; they stay when storing fails. Raises CannotStore."""
        with self._lock:
            counts, changed, self._changed = self._counts.copy(), self._changed, False
        if not counts and not changed:
            return
        rows = tuple((code, what, n) for (code, what), n in sorted(counts.items()))
        data = zlib.compress(_encode(self.latest()), 1)

        def operation(tx: Transaction) -> None:
            if rows:
                tx.emit(RefusalsChange(rows), now)
            meta.keep_refusals(tx, data)

        try:
            store.write(operation)
        except BaseException:
            self._changed = True
            raise
        with self._lock:
            self._counts.subtract(counts)
            self._counts = +self._counts


def _cut(one: RefusedRequest) -> RefusedRequest:
    """The request with the first TRIED items, among them one that refused as the whole was."""
    if len(one.tried) <= TRIED:
        return one
    places = list(range(TRIED))
    decided = next((n for n, (_, code) in enumerate(one.tried) if code == one.code), 0)
    places[-1] = max(places[-1], decided)
    tried, ways, caps = (_at(places, values) for values in (one.tried, one.ways, one.caps))
    return replace(one, tried=tried, ways=ways, caps=caps, more=one.more + len(one.tried) - TRIED)


def _at(places: list[int], values: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple([values[n] for n in places if n < len(values)])


def _age(one: RefusedRequest) -> tuple[int, str]:
    """Orders refusals, the oldest first, alike on both servers of a pair."""
    return one.time, one.request_id


def _unpack(kept: bytes) -> list[RefusedRequest]:
    """Those that were kept, newest first; none where they cannot be read: they are only shown."""
    if not kept:
        return []
    try:
        return _decode(zlib.decompress(kept))
    except (zlib.error, msgspec.MsgspecError, ValueError) as error:
        log.warning("the stored refused requests cannot be read: %s", error)
        return []
