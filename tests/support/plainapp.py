"""An application that answers each request with one word and groups nothing, for tests of listening alone."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable

from lts.errors import LtsError
from lts.service.core.pendingcall import PendingCall
from lts.web.wire import problems
from lts.web.wire.application import HttpAnswer
from lts.web.wire.wsgi import Environ, StartResponse


class PlainApp:
    """See lts.web.wire.application.Application. `during` is called before each answer."""

    def __init__(self, during: Callable[[], object] = lambda: None) -> None:
        self._during = during

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        self._during()
        start_response("200 OK", [("Content-Length", "4")])
        return [b"done"]

    def groups(self, method: str, path: str) -> bool:
        return False

    def is_page(self, method: str, path: str) -> bool:
        return False

    def whose(self, environ: Environ) -> Hashable:
        return None

    def begin(self, environ: Environ) -> PendingCall[HttpAnswer]:
        raise AssertionError("nothing is grouped")

    def parks(self) -> bool:
        return False

    def turns_away(self, method: str, path: str, environ: Callable[[], Environ]) -> LtsError | None:
        return None

    def most_bytes(self, path: str) -> int:
        return 0

    def refuse(self, error: Exception, path: str, address: str) -> HttpAnswer:
        status, body, headers = problems.problem(error, "-")
        return HttpAnswer(status, headers, body)
