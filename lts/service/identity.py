"""Who this server is: LTS UUID, key and incarnation, kept in the data folder (docs/design/machine.md, LTS UUID)."""

from __future__ import annotations

import hashlib
import json
import secrets
import uuid as uuids
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lts import plainfile
from lts.crypto import SigningKey
from lts.errors import DataFolderError, TokenError
from lts.rules import labels as rules
from lts.service.files import write_private

IDENTITY, KEY = "identity.json", "server.key"


@dataclass(frozen=True)
class Identity:
    """This server. `previous` are UUIDs it had before its folder was moved to another machine, newest last;
    `events` are things for the audit log that happened while loading."""

    uuid: str
    key: SigningKey
    labels: tuple[str, ...]
    incarnation: str
    previous: tuple[str, ...] = ()
    events: tuple[tuple[str, dict[str, Any]], ...] = field(default=(), compare=False)

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
        return _save(folder, _new(present, ()))
    stored = load(folder)
    verdict = rules.compare(stored.labels, present)
    if not verdict.same:
        moved = _new(present, (*stored.previous, stored.uuid))
        event = ("labels-changed", {"oldUuid": stored.uuid, "newUuid": moved.uuid,
                                    "matching": verdict.matching, "known": verdict.known})  # fmt: skip
        return _save(folder, replace(moved, events=(event,)))
    if verdict.learnt:
        event = ("labels-learnt", {"count": len(verdict.learnt)})
        return _save(folder, replace(stored, labels=(*stored.labels, *verdict.learnt), events=(event,)))
    return stored


def renew_incarnation(folder: Path) -> None:
    """After a restore: what this server writes from now on is a new origin of the change feed."""
    _save(folder, replace(load(folder), incarnation=secrets.token_hex(8)))


def _new(labels: tuple[str, ...], previous: tuple[str, ...]) -> Identity:
    return Identity(_new_uuid(labels), SigningKey.generate(), labels, secrets.token_hex(8), previous)


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
        )
    except FileNotFoundError as error:
        raise DataFolderError(f"{error.filename} is missing; restore it from a backup.") from error
    except OSError as error:
        raise DataFolderError(f"{error.filename} cannot be read ({error.strerror}); restore a backup.") from error
    except (ValueError, KeyError, TypeError, TokenError) as error:
        raise DataFolderError(f"The server's identity in {folder} is damaged ({error}); restore a backup.") from error


def _save(folder: Path, identity: Identity) -> Identity:
    fields = {
        "uuid": identity.uuid,
        "labels": list(identity.labels),
        "incarnation": identity.incarnation,
        "previous": list(identity.previous),
    }
    write_private(folder / KEY, identity.key.to_pem())
    write_private(folder / IDENTITY, json.dumps(fields, indent=2).encode("utf-8"))
    return identity
