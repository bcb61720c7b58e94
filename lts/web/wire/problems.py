"""The one translation of errors into answers: RFC 9457 problem documents."""

from __future__ import annotations

import itertools
import logging
from http import HTTPStatus
from secrets import token_hex

from lts.errors import LtsError
from lts.web.wire.answers import Problem, encode
from lts.web.wire.wsgi import Headers

log = logging.getLogger("lts.web")
CONTENT_TYPE = "application/problem+json"
CORS: Headers = [
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Expose-Headers", "Retry-After, X-Request-Id"),
]
"""Headers of every answer to clients, refusals too, so that a web page can read why it was refused."""


_START = token_hex(5)
_numbers = itertools.count(1)


def new_id() -> str:
    """An id for a request: random for this start of the server, then counted."""
    return f"{_START}{next(_numbers):06x}"


def problem(error: BaseException, request_id: str) -> tuple[int, bytes, Headers]:
    """(status, body, extra headers) for an error; one not raised on purpose is logged and answered as 500."""
    if not isinstance(error, LtsError):
        log.error("%s failed", request_id, exc_info=error)
        return 500, _body(500, "Internal error", "internal", _FAULT, request_id, None), []
    headers = []
    if error.retry_after is not None:
        headers.append(("Retry-After", str(error.retry_after)))
    body = _body(error.status, error.title, error.code, error.detail, request_id, error.field)
    return error.status, body, headers


_FAULT = "The server has a fault; its log says more under this request id."


def _body(status: int, title: str, code: int | str, detail: str, request_id: str, field: str | None) -> bytes:
    return encode(
        Problem("about:blank", title, status, code, _unicode(detail), request_id, _unicode(field) if field else None)
    )


def _unicode(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


def status_line(status: int) -> str:
    """`404 Not Found`."""
    return _LINES.get(status) or f"{status} Status"


_LINES = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}
