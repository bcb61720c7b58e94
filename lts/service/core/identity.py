"""Who this server is: LTS UUID, key and incarnation, kept in the data folder (docs/design/machine.md, LTS UUID)."""

from __future__ import annotations

import hashlib
import json
import secrets
import uuid as uuids
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lts import plainfile
from lts.crypto import SigningKey
from lts.errors import DataFolderError, TokenError
from lts.rules import labels as rules
from lts.service.core.files import not_read, write_private

IDENTITY, KEY = "identity.json", "server.key"
NEW, BEGUN = "new", "begun"
MOVED = "labels-changed"
"""The cause of an identity that the folder got on another machine."""
Cause = tuple[str, dict[str, Any], str]
"""(action, detail, actor) of a line of the audit log: why a server writes a feed of its own from here on."""


@dataclass(frozen=True)
class Identity:
    """This server. `previous` are UUIDs it had before its folder was moved to another machine, newest last, and
    `previous_keys` the public keys (base64url) of those that moved since LTS 0.2.

    `feed` says whether the database holds changes of this incarnation: NEW until it does, then BEGUN; empty where
    LTS 0.1.0 wrote the identity. `causes` are told with the first change of this incarnation; `events` are things for
    the audit log that happened while loading.
    """

    uuid: str
    key: SigningKey
    labels: tuple[str, ...]
    incarnation: str
    previous: tuple[str, ...] = ()
    previous_keys: tuple[str, ...] = ()
    feed: str = ""
    causes: tuple[Cause, ...] = ()
    events: tuple[tuple[str, dict[str, Any]], ...] = field(default=(), compare=False)

    @property
    def has_moved(self) -> bool:
        """Whether it is new on this machine: nothing was written under it yet."""
        return any(action == MOVED for action, _, _ in self.causes)

    @property
    def binding(self) -> str:
        """`strong` or `weak`, as an activation request says it."""
        return rules.binding(self.labels)


def load_or_create(folder: Path, read_labels: Callable[[], tuple[str, ...]]) -> Identity:
    """The identity kept in the data folder, or a new one in an empty folder.

    A folder moved to another machine gets a new UUID with a new key. Raises DataFolderError when the
    identity is damaged or one of its two files is missing.
    """
    path = folder / IDENTITY
    present = read_labels()
    if not path.exists():
        return _save(folder, _new(present))
    stored = load(folder)
    verdict = rules.compare(stored.labels, present)
    if not verdict.same:
        keys = (*stored.previous_keys, stored.key.public.x)
        moved = replace(_new(present), previous=(*stored.previous, stored.uuid), previous_keys=keys)
        uuids = {"oldUuid": stored.uuid, "newUuid": moved.uuid}
        cause = (MOVED, {**uuids, "matching": verdict.matching, "known": verdict.known}, "system")
        return _save(folder, replace(moved, causes=(*stored.causes, cause)))
    if verdict.learnt:
        event = ("labels-learnt", {"count": len(verdict.learnt)})
        return _keep(folder, replace(stored, labels=(*stored.labels, *verdict.learnt), events=(event,)))
    return stored


def renew_incarnation(folder: Path, *causes: Cause) -> None:
    """After a restore: what this server writes from now on is a new origin of the change feed. Done again, it tells
    no cause twice."""
    known = load(folder)
    told = dict.fromkeys(map(json.dumps, (*known.causes, *causes)))
    _keep(folder, replace(known, incarnation=secrets.token_hex(8), feed=NEW, causes=_causes(map(json.loads, told))))


def begun(folder: Path, me: Identity) -> Identity:
    """The database holds changes of this incarnation from here on, and its causes stand in the audit log."""
    return me if me.feed == BEGUN else _keep(folder, replace(me, feed=BEGUN, causes=()))


def _new(labels: tuple[str, ...]) -> Identity:
    return Identity(_new_uuid(labels), SigningKey.generate(), labels, secrets.token_hex(8), feed=NEW)


def _new_uuid(labels: tuple[str, ...]) -> str:
    """A UUID (RFC 9562, version 8) made from the machine's labels and a random part.

    The random part keeps a new data folder on the same machine from being the old server again, with its
    licenses but without what it had counted; and it lets two servers live on one machine.
    """
    raw = hashlib.sha256("\n".join(labels).encode() + secrets.token_bytes(16)).digest()[:16]
    number = int.from_bytes(raw, "big") & ~(0xF << 76) & ~(0x3 << 62) | 0x8 << 76 | 0x2 << 62
    return str(uuids.UUID(int=number)).upper()


def load(folder: Path) -> Identity:
    """The identity kept in a data folder. Raises DataFolderError when it is missing or damaged."""
    path = folder / IDENTITY
    try:
        fields = json.loads(plainfile.read(path).decode("utf-8"))
        return Identity(
            str(fields["uuid"]),
            SigningKey.from_pem(plainfile.read(folder / KEY)),
            tuple(str(label) for label in fields["labels"]),
            str(fields["incarnation"]),
            tuple(str(uuid) for uuid in fields["previous"]),
            tuple(str(key) for key in fields.get("previousKeys", ())),
            str(fields.get("feed", "")),
            _causes(fields.get("causes", ())),
        )
    except FileNotFoundError as error:
        raise DataFolderError(f"{error.filename} is missing; restore it from a backup.") from error
    except OSError as error:
        raise DataFolderError(not_read(error.filename, error)) from error
    except (ValueError, KeyError, TypeError, TokenError) as error:
        raise DataFolderError(f"The server's identity in {folder} is damaged ({error}); restore a backup.") from error


def _causes(read: Iterable[Any]) -> tuple[Cause, ...]:
    return tuple((str(action), dict(detail), str(actor)) for action, detail, actor in read)


def _save(folder: Path, identity: Identity) -> Identity:
    write_private(folder / KEY, identity.key.to_pem())
    return _keep(folder, identity)


def _keep(folder: Path, identity: Identity) -> Identity:
    """Save all but the key, which is in its file already."""
    fields: dict[str, Any] = {
        "uuid": identity.uuid,
        "labels": list(identity.labels),
        "incarnation": identity.incarnation,
        "previous": list(identity.previous),
        "previousKeys": list(identity.previous_keys),
    }
    if identity.feed:
        fields["feed"] = identity.feed
    if identity.causes:
        fields["causes"] = identity.causes
    write_private(folder / IDENTITY, json.dumps(fields, indent=2).encode("utf-8"))
    return identity
