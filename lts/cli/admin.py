"""How administrators' commands reach the services: over HTTP if a server runs, else on the data folder.

Both ways go through the same API (lts/web/admin/portal_api.py), so a command does the same either way.
"""

from __future__ import annotations

import contextlib
import getpass
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlencode, urlsplit

from lts.cli.output import note
from lts.config import Config
from lts.errors import AdminError, CannotStore, DataFolderError, words_of
from lts.reach import Deadline, ask, http_connection
from lts.service.folder import datafolder

if TYPE_CHECKING:
    from lts.service.core.context import Context

TIMEOUT_SECONDS = 600
MAX_ANSWER_BYTES = 256 << 20
_UNFINISHED = "placing.json"
_OF_A_SERVER = frozenset({"identity.json", "server.key", "vault.key", "lts.db", _UNFINISHED})
"""Files; a server's data folder has at least one of them: the last one while a restore is not finished."""
_BEGIN = "start the server once, or name --data DIR."
Json = dict[str, Any]


class Session(Protocol):
    """Calls the administrators' API."""

    running: bool

    def call(self, method: str, path: str, body: Json | bytes | None = None, **query: str | None) -> Json:
        """The JSON answer. Raises AdminError with the server's code and sentence."""
        ...


def _full(path: str, query: dict[str, str | None]) -> str:
    given = {name: value for name, value in query.items() if value is not None}
    return f"/api/v1/admin{path}" + (f"?{urlencode(given)}" if given else "")


def _encode(body: Json | bytes | None) -> bytes:
    return body if isinstance(body, bytes) else json.dumps(body or {}).encode("utf-8")


def user() -> str:
    """Who runs this command, for the audit log."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "unknown"


def _headers(token: str) -> dict[str, str]:
    name = user().encode("ascii", "replace").decode("ascii")
    return {"Authorization": f"Bearer {token}", "X-LTS-User": name}


def _answer(status: int, data: bytes) -> Json:
    try:
        answer = json.loads(data)
        if not isinstance(answer, dict):
            raise ValueError("no object")
    except (ValueError, RecursionError) as error:
        raise AdminError("bad-answer", "What answers at the server's address is not LTS.") from error
    if status >= 400:
        raise AdminError(str(answer.get("code")), str(answer.get("detail")), status=status, field=answer.get("field"))
    result: Json = answer
    return result


class _Remote:
    running = True

    def __init__(self, address: str, token: str) -> None:
        self._parts = urlsplit(address)
        self._headers = _headers(token)

    def call(self, method: str, path: str, body: Json | bytes | None = None, **query: str | None) -> Json:
        host, port = self._parts.hostname or "127.0.0.1", self._parts.port
        target = self._parts.path + _full(path, query)
        try:
            with contextlib.closing(http_connection(host, port, Deadline(TIMEOUT_SECONDS), None)) as one:
                answer = ask(one, method, target, _encode(body), self._headers, MAX_ANSWER_BYTES)
        except OSError as error:
            raise AdminError("unreachable", f"The running server does not answer ({words_of(error)}).") from error
        return _answer(answer.status, answer.body)


class _Local:
    running = False

    def __init__(self, app: Any, token: str, ctx: Context) -> None:
        self._client = app.flask.test_client()
        self._headers = _headers(token)
        self._ctx = ctx
        self._noted = False

    def call(self, method: str, path: str, body: Json | bytes | None = None, **query: str | None) -> Json:
        if self._ctx.identity.elsewhere:
            self._only_look(method, path)
        response = self._client.open(_full(path, query), method=method, data=_encode(body), headers=self._headers)
        try:
            return _answer(response.status_code, response.get_data())
        except AdminError as error:
            for warning in self._ctx.running.warnings.all():  # only the person here can do something about it
                if error.code == str(CannotStore().code) and warning.code == "cannot-store":
                    why = warning.params["reason"]
                    raise DataFolderError(
                        f"{self._ctx.store.path} cannot be written ({why}); check its disk."
                    ) from error
            raise

    def _only_look(self, method: str, path: str) -> None:
        """Report another machine's data folder once; nothing is changed. Raises AdminError."""
        folder = self._ctx.store.path.parent
        if path in _OF_THIS_MACHINE or (method != "GET" and path not in _LOOKS):
            raise AdminError(
                "another-machines",
                f"The data folder {folder} is another machine's, and this needs the server here: start it here first"
                " (`lts serve`).",
            )
        if not self._noted:
            note(
                f"The data folder {folder} is another machine's; it keeps its LTS UUID. Only a start of the server here"
                " gives it one of this machine."
            )
        self._noted = True


_LOOKS, _OF_THIS_MACHINE = frozenset({"/backup", "/explain"}), frozenset({"/activation-request", "/setup-code"})
"""Calls that change nothing though they are not GET, and those with answers only for this machine."""


def check_holds_data(config: Config) -> None:
    """Check that there is a server's data to work on, intact or damaged: only a start creates one. Raises
    AdminError."""
    folder = config.data_dir
    try:
        if _OF_A_SERVER.isdisjoint(path.name for path in folder.iterdir()):
            raise AdminError("no-data", f"The folder {folder} holds no LTS data; {_BEGIN}")
    except FileNotFoundError as error:
        raise AdminError("no-data", f"There is no data folder {folder} yet; {_BEGIN}") from error
    except NotADirectoryError as error:
        raise DataFolderError(datafolder.no_folder(folder)) from error
    except PermissionError as error:
        raise DataFolderError(datafolder.not_open(folder)) from error


def _note_conversion(folder: Path) -> None:
    """A command reads an older program's database only once it is converted, and says so before."""
    from lts.store.file import database  # as below
    from lts.store.store import DATABASE

    path, kept = folder / DATABASE, None
    if os.path.lexists(folder / _UNFINISHED):  # the database there may be without its log
        return
    with contextlib.suppress(DataFolderError), database.translating_errors(path):  # opening it reports a fault
        db = database.open_in_use(path)
        kept = database.kept_copy(db, path)
        db.close()
    if kept is not None:
        note(
            f"{path} is of an older LTS. This command converts it, as the first start would do, and keeps it as it was"
            f" in {kept.name}."
        )


@contextlib.contextmanager
def session(config: Config) -> Iterator[Session]:
    """A session with the running server, or on the data folder when none runs."""
    running = datafolder.running_server(config.data_dir)
    if running is not None:
        if not running.get("address"):
            raise AdminError("starting", f"The data folder {config.data_dir} is in use, but no server answers yet.")
        yield _Remote(str(running["address"]), datafolder.read_token(config.data_dir))
        return
    check_holds_data(config)
    from lts.server import opened  # loads the whole server: only if none is running

    _note_conversion(config.data_dir)
    with opened(config, moves=False) as here:
        yield _Local(here.app(config), here.token, here.ctx)
