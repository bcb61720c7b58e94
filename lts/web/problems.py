"""The one translation of errors into answers: RFC 9457 problem documents."""

from __future__ import annotations

import json
import logging
from http import HTTPStatus
from typing import Any

from lts.errors import LtsError, Refusal

log = logging.getLogger("lts.web")
CONTENT_TYPE = "application/problem+json"


def problem(error: BaseException, request_id: str) -> tuple[int, bytes, list[tuple[str, str]]]:
    """(status, body, extra headers) for an error; one not raised on purpose is logged and told as 500."""
    if isinstance(error, LtsError):
        return _known(error, request_id)
    log.error("request %s failed", request_id, exc_info=error)
    document = {
        "type": "about:blank",
        "title": "Internal error",
        "status": 500,
        "code": "internal",
        "detail": "The server has a fault; its log says more under this request id.",
        "requestId": request_id,
    }
    return 500, _body(document), []


def _known(error: LtsError, request_id: str) -> tuple[int, bytes, list[tuple[str, str]]]:
    document: dict[str, Any] = {
        "type": "about:blank",
        "title": error.title,
        "status": error.status,
        "code": error.code,
        "detail": error.detail,
        "requestId": request_id,
    }
    if error.field is not None:
        document["field"] = error.field
    headers = []
    if isinstance(error, Refusal) and error.retry_after is not None:
        headers.append(("Retry-After", str(error.retry_after)))
    return error.status, _body(document), headers


def _body(document: dict[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")


def status_line(status: int) -> str:
    """`404 Not Found`."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"{status} Status"
