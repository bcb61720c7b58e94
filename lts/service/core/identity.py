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
from lts.strictjson import strict_json

IDENTITY, KEY = "identity.json", "server.key"
NEW, BEGUN = "new", "begun"
DIGEST = "digest"
MOVED, MOVED_BACK = "labels-changed", "moved-back"
"""The causes of an identity made because the folder moved to another machine, and of one that it had there before."""
UNEXPLAINED = f"{IDENTITY} names a new incarnation, and nothing says why: it was edited, or is from another time."
Cause = tuple[str, dict[str, Any], str]
"""(action, detail, actor) of a line of the audit log: why a server writes a feed of its own from here on."""


@dataclass(frozen=True)
class Identity:
    """This server. `previous` are UUIDs it had before its folder was moved to another machine, newest last, and
    `previous_keys` the public keys (base64url) of those that moved since LTS 0.2.

    `feed` says whether the database holds changes of this incarnation: NEW until it does, then BEGUN; empty where
    LTS 0.1.0 wrote the identity. `key_print` and `vault_print` identify this server's keys: the id of its public key
    and Vault.fingerprint, empty if not known yet. `causes` are recorded with the first change of this
    incarnation; `events` are things for the audit log that happened while loading. `elsewhere`: it is another
    machine's, and the folder is only looked at here.
    """

    uuid: str
    key: SigningKey
    labels: tuple[str, ...]
    incarnation: str
    previous: tuple[str, ...] = ()
    previous_keys: tuple[str, ...] = ()
    feed: str = ""
    key_print: str = ""
    vault_print: str = ""
    causes: tuple[Cause, ...] = ()
    events: tuple[tuple[str, dict[str, Any]], ...] = field(default=(), compare=False)
    elsewhere: bool = field(default=False, compare=False)

    @property
    def has_moved(self) -> bool:
        """Whether it is new on this machine: nothing was written under it yet."""
        return any(action == MOVED for action, _, _ in self.causes)

    @property
    def unexplained(self) -> bool:
        """Whether nothing says why its feed begins. A new server says nothing, nor one of a pair whose partner may
        have more of its feed, nor one that LTS 0.1.0 restored."""
        return self.feed != BEGUN and not self.causes

    @property
    def binding(self) -> str:
        """`strong` or `weak`, as an activation request says it."""
        return rules.binding(self.labels)


def load_or_create(
    folder: Path,
    read_labels: Callable[[], tuple[str, ...]],
    keep: Callable[[Path, str], str] | None = None,
    *,
    moves: bool = True,
) -> Identity:
    """The identity kept in the data folder, or a new one in an empty folder.

    Where it `moves`, a folder of another machine gets a new UUID with a new key; `keep` (of folder and UUID) puts the
    former identity away before, and says where. Raises OSError, DataFolderError when the
    identity is damaged, or one of its two files is missing or another server's.
    """
    path = folder / IDENTITY
    present = read_labels()
    if not path.exists():
        return _save(folder, _new(present))
    stored = load(folder)
    verdict = rules.compare(stored.labels, present)
    if not verdict.same and not moves:
        return replace(stored, elsewhere=True)
    if not verdict.same:
        keys = (*stored.previous_keys, stored.key.public.x)
        moved = replace(
            _new(present),
            previous=(*stored.previous, stored.uuid),
            previous_keys=keys,
            vault_print=stored.vault_print,
        )
        detail = {"oldUuid": stored.uuid, "newUuid": moved.uuid}
        if keep is not None:
            detail["kept"] = keep(folder, stored.uuid)
        cause = (MOVED, {**detail, "matching": verdict.matching, "known": verdict.known}, "system")
        _keep(folder, replace(stored, key_print=""))  # killed between the two files that follow, it moves again
        return _save(folder, replace(moved, causes=(*stored.causes, cause)))
    if verdict.learnt:
        event = ("labels-learnt", {"count": len(verdict.learnt)})
        return _keep(folder, replace(stored, labels=(*stored.labels, *verdict.learnt), events=(event,)))
    return stored


def renew_incarnation(folder: Path, *causes: Cause, other_vault: bool = False) -> None:
    """After a restore: what this server writes from now on is a new origin of the change feed. Done again, it records
    no cause twice. `other_vault`: the vault's key is new, and no identity records it."""
    known = load(folder)
    if other_vault:
        known = replace(known, vault_print="")
    recorded = dict.fromkeys(map(json.dumps, (*known.causes, *causes)))
    _keep(folder, replace(known, incarnation=secrets.token_hex(8), feed=NEW, causes=_causes(map(json.loads, recorded))))


def begun(folder: Path, me: Identity) -> Identity:
    """The database holds changes of this incarnation from here on, and its causes are in the audit log."""
    return me if me.feed == BEGUN else _keep(folder, replace(me, feed=BEGUN, causes=()))


def with_prints(folder: Path, me: Identity, key_print: str, vault_print: str) -> Identity:
    """State which keys are this server's. Raises OSError."""
    stated = replace(me, key_print=key_print, vault_print=vault_print)
    return me if stated == me else _keep(folder, stated)


def _new(labels: tuple[str, ...]) -> Identity:
    key = SigningKey.generate()
    return Identity(_new_uuid(labels), key, labels, secrets.token_hex(8), feed=NEW, key_print=key.public.kid)


def _new_uuid(labels: tuple[str, ...]) -> str:
    """A UUID (RFC 9562, version 8) made from the machine's labels and a random part.

    Because of the random part, a new data folder on the same machine is not the old server, which would have its
    licenses without what it had counted; and two servers can run on one machine.
    """
    raw = hashlib.sha256("\n".join(labels).encode() + secrets.token_bytes(16)).digest()[:16]
    number = int.from_bytes(raw, "big") & ~(0xF << 76) & ~(0x3 << 62) | 0x8 << 76 | 0x2 << 62
    return str(uuids.UUID(int=number)).upper()


def load(folder: Path) -> Identity:
    """The identity kept in a data folder. Raises DataFolderError when it is missing or damaged, or the key is another
    server's."""
    me = _read(folder)
    if me.key_print not in ("", me.key.public.kid):
        raise DataFolderError(not_own(folder / KEY))
    return me


def vault_print(folder: Path) -> str:
    """The vault's key as the identity in a data folder records it; empty if it records none or cannot be read, which
    `load` reports."""
    try:
        return str(strict_json(plainfile.read(folder / IDENTITY)).get("vaultPrint", ""))
    except (OSError, ValueError, AttributeError):
        return ""


def not_own(path: Path) -> str:
    """A sentence about a key that is not the one that the identity next to it names."""
    return (
        f"{path} is not this server's: {IDENTITY} next to it names another key. Put the server's own file back (a"
        " backup is a zip file that holds it), or restore a backup whole: `lts restore BACKUP`."
    )


def _read(folder: Path) -> Identity:
    path = folder / IDENTITY
    try:
        fields = strict_json(plainfile.read(path))
        if fields.pop(DIGEST, None) not in (None, digest_of(fields)):  # LTS wrote none before 0.2
            raise ValueError
        return Identity(
            str(fields["uuid"]),
            SigningKey.from_pem(plainfile.read(folder / KEY)),
            tuple(str(label) for label in fields["labels"]),
            str(fields["incarnation"]),
            tuple(str(uuid) for uuid in fields["previous"]),
            tuple(str(key) for key in fields.get("previousKeys", ())),
            str(fields.get("feed", "")),
            str(fields.get("keyPrint", "")),
            str(fields.get("vaultPrint", "")),
            _causes(fields.get("causes", ())),
        )
    except FileNotFoundError as error:
        raise DataFolderError(f"{error.filename} is missing; restore it from a backup.") from error
    except OSError as error:
        raise DataFolderError(not_read(error.filename, error)) from error
    except TokenError as error:
        raise DataFolderError(_damaged(folder / KEY, "it is not a key that LTS wrote")) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataFolderError(_damaged(path, "it is not what LTS wrote")) from error


def _damaged(path: Path, words: str) -> str:
    return (
        f"{path} is damaged: {words}. Put the server's own file back (a backup is a zip file that holds it), or restore"
        " a backup whole: `lts restore BACKUP`."
    )


def digest_of(fields: dict[str, Any]) -> str:
    """SHA-256 of the content of an identity or the mark, without the digest itself: with a flipped bit it must not pass
    as another machine's or database's."""
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode("utf-8")).hexdigest()


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
    more = {
        "feed": identity.feed,
        "keyPrint": identity.key_print,
        "vaultPrint": identity.vault_print,
        "causes": identity.causes,
    }
    fields |= {name: value for name, value in more.items() if value}
    fields[DIGEST] = digest_of(fields)
    write_private(folder / IDENTITY, json.dumps(fields, indent=2).encode("utf-8"))
    return identity
