"""Messages between the two servers of a pair (msgpack; fields unknown to an older version are ignored)."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from lts.errors import PeerError
from lts.rules.pair import MAIN, ServingStatus
from lts.service.core.refusals import RefusedRequest
from lts.store.writing.openfeed import Position

M = TypeVar("M")
SentChange = tuple[int, int, int, int, bytes]
"""(place in `origins`, serial, time, kind, payload)."""
HeadAt = tuple[int, int, bytes]
"""(place in `origins`, serial, hash of that origin's feed there)."""

HELLO, CHANGES, GIVE_WAY, TAKE_OVER = "hello", "changes", "give-way", "take-over"
COPY, PART, COPY_DONE = "copy", "copy-part", "copied"


class Introduction(msgspec.Struct, kw_only=True):
    """Who sends this: LTS UUID, public key (base64url), role, version and protocol, and what it is doing. `promoted`:
    it was made the main in place of the server it sends this to; who asks may not know that one yet, and names the key
    of the main that it `replaced`. `first_number` is the one before that of the first status of this start of it,
    `delegation` the last delegation of a main to its key; 0 and "" if it names none. `line` are the delegations by
    which mains that were replaced before it led to it, or to its main (lts.service.core.pinned); `yields`: it was
    replaced by the server it sends this to."""

    uuid: str
    key: str
    role: str
    version: str
    protocol: int
    status: ServingStatus
    promoted: bool = False
    replaced: str = ""
    first_number: int = msgspec.field(name="start", default=0)
    delegation: str = ""
    line: list[str] = []
    yields: bool = False

    def took_place_of(self, key: str) -> bool:
        """Whether it was promoted in place of the server with that key, which it speaks to."""
        return self.promoted or self.replaced == key

    @property
    def heir(self) -> dict[str, str]:
        """Who gets what a main alone has that hears from this one that it was replaced: this one, if it is the main."""
        return {"uuid": self.uuid, "key": self.key} if self.role == MAIN else {}


class Hello(msgspec.Struct):
    """The first message; `nonce` makes the answer's signature fresh."""

    me: Introduction
    nonce: str


class Welcome(msgspec.Struct):
    me: Introduction
    session: str


class ServerState(msgspec.Struct, kw_only=True):
    """A server's status, sent in every request and answer of `changes`. `now` in UTC seconds; `writes` is the
    incarnation of its own feed, "" before it may write; `family` names the origin with which its feed began, "" while
    there is none; `bare`: it holds no license, code or device; `limit`: after how many seconds it takes over or serves
    alone; `number` is the status's own (lts.rules.pair.is_outdated), 0 if it has none (0.1); `ahead` counts reports
    that were refused in part (142) while the clocks differed; `retired`: it is stored that this server was
    replaced and serves no more."""

    status: ServingStatus
    now: int
    writes: str
    family: str
    bare: bool
    limit: float
    have: list[Position]
    number: int = msgspec.field(name="word", default=0)
    ahead: int = 0
    retired: bool = False


class Poll(msgspec.Struct, kw_only=True):
    """Give me what I lack, or wait `wait` seconds for it; `certified_until` is the end of the caller's delegation,
    `refusals` the number given with the last refused requests."""

    state: ServerState
    wait: float
    limit: int
    certified_until: int = 0
    refusals: int = 0


class News(msgspec.Struct, kw_only=True):
    """Changes in the order in which the sender took them; `heads` are hashes that must come out in applying them.
    `complete`: there were no more. `certificates` renew the caller's delegation until `until`. `refused` are requests
    refused by the sender that the caller has not, `refusals` the number to ask on with."""

    state: ServerState
    origins: list[tuple[str, str]]
    changes: list[SentChange]
    heads: list[HeadAt]
    complete: bool
    certificates: list[str] = []
    until: int = 0
    refusals: int = 0
    refused: list[RefusedRequest] = []


class StateAnswer(msgspec.Struct):
    """The status of a server that was asked to stop serving, or to take over."""

    state: ServerState


class TakeOver(msgspec.Struct):
    """I have stopped serving: serve in my place. `after` is the number of your last status to me, `reason` why, as
    recorded in the epoch that begins."""

    state: ServerState
    after: int
    reason: str


def serials(have: list[Position]) -> dict[tuple[str, str], int]:
    """Serial by (LTS UUID, incarnation)."""
    return {(uuid, incarnation): serial for uuid, incarnation, serial, _ in have}


def has_all(mine: list[Position], theirs: list[Position]) -> bool:
    """Whether a server with `mine` has every change of `theirs`."""
    known = serials(mine)
    return all(known.get(name, 0) >= serial for name, serial in serials(theirs).items())


class CopyRequest(msgspec.Struct):
    """I am empty: send me everything. `key` is an X25519 public key for the secrets."""

    key: bytes


class CopyFile(msgspec.Struct):
    """A file of the copy; `name` is a path within the data folder, with `/`."""

    name: str
    size: int
    sha256: bytes


class CopyOffer(msgspec.Struct):
    """The copy's files, the texts of the trusted vendor keys, and the vault's secret, encrypted for the caller."""

    token: str
    files: list[CopyFile]
    vendor_keys: list[str]
    key: bytes
    sealed: bytes


class CopyPartRequest(msgspec.Struct):
    token: str
    name: str
    offset: int
    length: int


class CopyDone(msgspec.Struct):
    token: str


class PeerProblem(msgspec.Struct):
    """A refusal, signed like every answer."""

    code: str
    detail: str


encode = msgspec.msgpack.Encoder().encode
"""The bytes of a message."""


def decode(data: bytes, kind: type[M]) -> M:
    """The message behind `data`. Raises PeerError."""
    try:
        return msgspec.msgpack.decode(data, type=kind)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise PeerError("peer-message", f"The other server sent what this version cannot read: {error}.") from error
