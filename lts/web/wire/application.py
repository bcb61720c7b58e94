"""What listening (lts.httpd) asks of the application that it serves: lts.web.app.App, which lts.server hands over, or
one around it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Protocol

import msgspec

from lts.errors import LtsError
from lts.service.core.pendingcall import PendingCall
from lts.web.wire.wsgi import Environ, Headers, StartResponse


class HttpAnswer(msgspec.Struct):
    """What the sender of a request gets: HTTP status, headers, body."""

    status: int
    headers: Headers
    body: bytes


class Application(Protocol):
    """A WSGI application that says of each request how it is served, too. A `path` is as it came, with the prefix."""

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        ...

    def groups(self, method: str, path: str) -> bool:
        """Whether a request is a client call that can be begun before it is answered (lts.httpd.dispatch)."""
        ...

    def is_page(self, method: str, path: str) -> bool:
        """Whether a request reads what is not known to be cheap, or costs as much as the portal's pages do."""
        ...

    def whose(self, environ: Environ) -> Hashable:
        """Who a page is for, by what a request says of itself, unchecked: those who ask for pages take turns."""
        ...

    def begin(self, environ: Environ) -> PendingCall[HttpAnswer]:
        """Begin a client call, one that `groups` says yes to."""
        ...

    def parks(self) -> bool:
        """Whether answers wait for the standby, so that the next group begins meanwhile."""
        ...

    def turns_away(self, method: str, path: str, environ: Callable[[], Environ]) -> LtsError | None:
        """Why a request is refused by its header alone, so that nobody waits for its body."""
        ...

    def most_bytes(self, path: str) -> int:
        """How much the body of a request may have, however it is framed; 0 for any number."""
        ...

    def refuse(self, error: Exception, path: str, address: str) -> HttpAnswer:
        """The answer to a request from `address` that was turned away, or cannot be read; logged unless it was."""
        ...


class Around:
    """A base of applications that answer some requests in front of another one."""

    def __init__(self, app: Application) -> None:
        self._app = app
        self.groups, self.is_page, self.whose, self.begin, self.parks = (
            app.groups,
            app.is_page,
            app.whose,
            app.begin,
            app.parks,
        )
        self.turns_away, self.most_bytes, self.refuse = app.turns_away, app.most_bytes, app.refuse
