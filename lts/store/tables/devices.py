"""Devices: who they are, when they were last seen, and the state of their clone tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import apsw
import msgspec

from lts.rules.metering.clonetokens import CloneState, join, plain_lag, plain_state
from lts.store import sql
from lts.store.tables import pair
from lts.store.tables.likeness import join_likeness
from lts.store.writing.transaction import Transaction

_ASKED_AT_ONCE = 1000
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(CloneState).decode
_FIELDS_OF_0_1, _FIELDS_BEFORE_LEFT = 8, 10
UNMOVED: tuple[int, int, None] = (0, 0, None)
"""In place of a clone state: a piece of a report was counted, and no token given."""


class Device(NamedTuple):
    """A device as stored; `contact` in UTC seconds."""

    key: int
    uuid: bytes
    contact: int
    clone_state: CloneState


def pack_clone_state(state: CloneState) -> tuple[int, int, bytes | None]:
    """(given, lag, blob): the blob only for a state that is not plain.

    What earlier versions could say is written as they wrote it, so that a replay of their feed gives their rows.
    """
    lag = plain_lag(state)
    if lag is not None:
        return state.given, lag, None
    before = _FIELDS_BEFORE_LEFT if state.apart or state.cleared else _FIELDS_OF_0_1
    return state.given, 0, _encode(state if state.left else state[:before])


def unpack_clone_state(given: int, lag: int, blob: bytes | None) -> CloneState:
    """Inverse of `pack_clone_state`."""
    return plain_state(given, lag) if blob is None else _decode(blob)


def find(db: apsw.Connection, uuid: bytes) -> Device | None:
    """The device with this UUID (16 bytes)."""
    row = sql.first(
        db,
        "SELECT id, contact, given, lag, chain FROM devices WHERE substr(uuid, 1, 4) = substr(?1, 1, 4) AND uuid = ?1",
        (uuid,),
    )
    return None if row is None else Device(row[0], uuid, row[1], unpack_clone_state(row[2], row[3], row[4]))


def uuids_of(db: apsw.Connection, keys: Sequence[int]) -> dict[int, bytes]:
    """The UUIDs behind device numbers, as far as they are known."""
    found: dict[int, bytes] = {}
    for begin in range(0, len(keys), _ASKED_AT_ONCE):
        some = tuple(keys[begin : begin + _ASKED_AT_ONCE])
        query = f"SELECT id, uuid FROM devices WHERE id IN ({','.join('?' * len(some))})"  # noqa: S608 - question marks
        found.update(sql.rows(db, query, some))
    return found


def put(
    tx: Transaction,
    key: int,
    uuid: bytes | None,
    contact: int,
    clone_state: tuple[int, int, bytes | None],
    likeness: int | None = None,
) -> tuple[int, bool]:
    """A device was seen at `contact`; `uuid` given = new to the server that says so, with its likeness. Returns (its
    number here, whether it was known here)."""
    if uuid is not None and tx.feed.writing[0] != tx.feed.origin and (twin := find(tx.db, uuid)) is not None:
        pair.add_alias(tx, pair.DEVICE, key, twin.key)
        key, uuid = twin.key, None
        if likeness is not None:
            join_likeness(tx.db, key, likeness)
    if uuid is None:
        _advance(tx, key, contact, clone_state)
        return key, True
    tx.execute("INSERT INTO devices VALUES (?, ?, ?, ?, ?, ?, ?)", (key, uuid, contact, *clone_state, likeness))
    tx.numbering.took(key)
    return key, False


def _advance(tx: Transaction, key: int, contact: int, clone_state: tuple[int, int, bytes | None]) -> None:
    """The usual case first: a plain state that gave one more token."""
    if clone_state == UNMOVED:
        tx.execute("UPDATE devices SET contact = max(contact, ?) WHERE id = ?", (contact, key))
        return
    tx.execute(
        "UPDATE devices SET contact = max(contact, ?1), given = ?2, lag = ?3, chain = ?4"
        " WHERE id = ?5 AND given = ?2 - 1 AND chain IS NULL AND (?4 IS NULL OR ?6)",
        (contact, *clone_state, key, tx.feed.writing[0] == tx.feed.origin),
    )
    if tx.db.changes():
        return
    row = sql.first(tx.db, "SELECT given, lag, chain FROM devices WHERE id = ?", (key,))
    if row is None:
        return
    joined = pack_clone_state(join(unpack_clone_state(*row), unpack_clone_state(*clone_state)))
    tx.execute(
        "UPDATE devices SET contact = max(contact, ?1), given = ?2, lag = ?3, chain = ?4 WHERE id = ?5",
        (contact, *joined, key),
    )
