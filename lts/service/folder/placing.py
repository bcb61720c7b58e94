"""Replacing a data folder's content, completely or not at all: a restore, a first copy, undoing either.

The new content is prepared in a separate folder. One rename of MARKER decides for it; what follows is repeated at each
start until it is complete, and gives the same result however often it was interrupted. See docs/design/machine.md, The
data folder.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lts import plainfile
from lts.errors import DataFolderError
from lts.service.core import identity, pinned, vault
from lts.service.core.files import part_of, sync_folder, write_private
from lts.service.folder import datafolder
from lts.strictjson import strict_json

INCOMING = "incoming"
"""Where new content is prepared; without MARKER it is thrown away at the next start."""
MARKER, NOTE = "placing.json", "replaced.json"
REPLACED = "replaced-"


@dataclass(frozen=True)
class Plan:
    """What was decided: the entries `names` of the folder `source` take the place of `scope`, which goes to the folder
    `kept`; `action`, `detail` and `actor` are the line of the audit log, `time` is in UTC seconds."""

    source: str
    names: list[str]
    scope: list[str]
    kept: str
    action: str
    detail: dict[str, Any]
    actor: str
    time: int

    @property
    def words(self) -> str:
        """For the log and the command line."""
        done = DONE.get(self.action, self.action).format(**self.detail)
        return f"{done}; what was there before is kept in {self.kept}" if self.detail.get("kept") else done


DONE = {
    "restored": "the backup is in place",
    "restore-undone": "{from} is back in place",
    "folder-accepted": "the data folder is accepted as it is",
    identity.MOVED_BACK: "the data folder was on this machine before: the identity it had here is back in place",
    "first-copy": "the copy of the other server's data is in place",
}


_UNFINISHED = {
    "restored": "A restore",
    "restore-undone": "Putting back what was replaced",
    "folder-accepted": "Accepting the data folder as it is",
    identity.MOVED_BACK: "Going back to the identity that the server had on this machine",
    "first-copy": "The copy of the other server's data",
}


def prepare(data_dir: Path) -> Path:
    """An empty folder for new content. Raises OSError, naming what is in its place."""
    folder = data_dir / INCOMING
    _remove(folder)
    folder.mkdir(mode=0o700)
    return folder


def decide(
    data_dir: Path, scope: Iterable[str], cause: identity.Cause, *, source: str = INCOMING, kept: str | None = None
) -> None:
    """Decide to use `source`, which is durable and checked, as the data folder's content. Raises OSError.

    `scope` are the names that it replaces, also those that it does not have.
    """
    plainfile.check_free(part_of(data_dir / identity.IDENTITY))  # it could not be finished
    action, detail, actor = cause
    kept = kept or next_kept(data_dir)
    names = sorted(path.name for path in (data_dir / source).glob("*") if path.name != NOTE)
    for folder in (data_dir / source, *(path for path in (data_dir / source).iterdir() if path.is_dir())):
        sync_folder(folder)
    whole = sorted({*scope, *names})
    replaces = any(os.path.lexists(data_dir / name) for name in whole)
    audited = {**detail, **({"kept": kept} if replaces else {})}
    plan = Plan(source, names, whole, kept, action, audited, actor, int(time.time()))
    write_private(data_dir / MARKER, json.dumps(asdict(plan)).encode("utf-8"))


def pending(data_dir: Path) -> Plan | None:
    """What was decided and is not through yet. Raises DataFolderError, in its words where the folder is closed."""
    path = data_dir / MARKER
    try:
        return Plan(**strict_json(plainfile.read(path)))
    except FileNotFoundError:
        return None
    except PermissionError as error:
        raise DataFolderError(datafolder.not_open(data_dir)) from error
    except OSError as error:
        raise DataFolderError(plainfile.in_the_way(path, error)) from error
    except (ValueError, TypeError) as error:
        raise DataFolderError(
            f"{path} is damaged (it is not what LTS wrote); restore a backup into an empty folder."
        ) from error


def unfinished(data_dir: Path) -> str | None:
    """A sentence on what was decided and is not through yet: until then the folder is between two contents, and nothing
    can be said of it. Raises what `pending` raises."""
    plan = pending(data_dir)
    if plan is None:
        return None
    what = _UNFINISHED.get(plan.action, "A change of the content")
    return (
        f"{what} is decided and not finished in {data_dir}. The next start finishes it, and so does `lts status`;"
        " nothing else can be checked before."
    )


def finish(data_dir: Path) -> Plan | None:
    """Carry out what was decided, with the folder held and nothing in it open; undecided preparations are removed.
    Returns what was done, None if there was nothing to do.

    The server then writes a new origin. Raises DataFolderError; the next call continues where this one stopped.
    """
    plan = pending(data_dir)
    if plan is None:
        _remove(data_dir / INCOMING)
        return None
    try:
        _move(data_dir, plan)
        brought = vault.FILE in plan.names and identity.IDENTITY not in plan.names
        other_vault = brought or plan.action == "folder-accepted"  # where the identity may be another server's
        identity.renew_incarnation(data_dir, (plan.action, plan.detail, plan.actor), other_vault=other_vault)
        (data_dir / MARKER).unlink()
        sync_folder(data_dir)
    except OSError as error:
        if error.errno in (errno.EISDIR, errno.EINVAL):
            raise DataFolderError(plainfile.in_the_way(error.filename, error)) from error
        raise DataFolderError(
            f"{error.filename or data_dir} cannot be moved or written ({error.strerror}); close what has it open, or"
            " make room, then start again: it continues."
        ) from error
    _remove(data_dir / plan.source)
    return plan


def _move(data_dir: Path, plan: Plan) -> None:
    source, kept = data_dir / plan.source, data_dir / plan.kept
    if "kept" in plan.detail:
        kept.mkdir(mode=0o700, exist_ok=True)
        write_private(kept / NOTE, json.dumps(asdict(plan)).encode("utf-8"))
    for name in plan.scope:
        was_placed = name in plan.names and not os.path.lexists(source / name)
        if os.path.lexists(data_dir / name) and not was_placed:
            os.replace(data_dir / name, kept / name)
    for name in plan.names:
        if os.path.lexists(source / name):
            os.replace(source / name, data_dir / name)
    for folder in (source, kept, data_dir):
        sync_folder(folder)


def keep_identity(data_dir: Path, uuid: str) -> str:
    """Copy the identity and its key, which a move to another machine replaces, to a folder `replaced-N`, where
    `lts restore --undo` finds them; its name. Done again after a kill, it finds its copy. Raises OSError."""
    kept = next_kept(data_dir)
    for number in numbers(data_dir)[-1:]:
        with contextlib.suppress(OSError, ValueError, TypeError, AttributeError, KeyError):
            note = strict_json(plainfile.read(data_dir / f"{REPLACED}{number}" / NOTE))
            if note["action"] == identity.MOVED and note["detail"]["oldUuid"] == uuid:
                return f"{REPLACED}{number}"
    folder = prepare(data_dir)
    names = [name for name in (identity.IDENTITY, identity.KEY, pinned.FILE) if (data_dir / name).exists()]
    for name in names:
        write_private(folder / name, plainfile.read(data_dir / name))
    plan = Plan(INCOMING, [], names, kept, identity.MOVED, {"oldUuid": uuid}, "system", int(time.time()))
    write_private(folder / NOTE, json.dumps(asdict(plan)).encode("utf-8"))
    os.replace(folder, data_dir / kept)
    sync_folder(data_dir)
    return kept


def keeps(folder: Path) -> bool:
    """Whether a folder of what was replaced holds anything: there may have been nothing."""
    return any(path.name != NOTE for path in folder.iterdir())


def next_kept(data_dir: Path) -> str:
    return f"{REPLACED}{max(_numbered(data_dir), default=0) + 1}"


def numbers(data_dir: Path) -> list[int]:
    """The numbers of the folders that hold what was replaced, oldest first."""
    return sorted(number for number, path in _numbered(data_dir).items() if path.is_dir())


def _numbered(data_dir: Path) -> dict[int, Path]:
    """Whatever has such a name, by its number."""
    found = ((path.name.removeprefix(REPLACED), path) for path in data_dir.glob(f"{REPLACED}*"))
    return {int(number): path for number, path in found if number.isascii() and number.isdecimal()}


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
