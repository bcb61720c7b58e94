"""Main, then standby: which server answers a call."""

from __future__ import annotations

import time
from typing import Any

from lts.client.errors import Refused, Unreachable
from lts.client.transport import Transport
from lts.errors import RefusalCode, TokenError
from lts.protocol import LicenseKey

TRY_OTHER = frozenset({RefusalCode.NOT_SERVING, RefusalCode.TOO_MANY_REQUESTS, RefusalCode.CANNOT_STORE})


class Servers:
    """The servers of a license key in their order; the one that answered last is tried first. A try takes `timeout`
    seconds at most, all tries of a call `whole`."""

    def __init__(self, urls: tuple[str, ...], transport: Transport, timeout: float, whole: float) -> None:
        self._urls = [url.rstrip("/") for url in urls]
        self._transport = transport
        self._timeout = timeout
        self._whole = whole
        self._last = 0

    def call(self, name: str, body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """(server URL, answer) of POST /api/v1/`name`. Raises Refused, Unreachable."""
        order = [self._last, *(i for i in range(len(self._urls)) if i != self._last)]
        fault: Refused | Unreachable | None = None
        end = time.monotonic() + self._whole
        for index in order:
            left = end - time.monotonic()
            if fault is not None and left <= 0:
                break
            url = f"{self._urls[index]}/api/v1/{name}"
            try:
                answer = self._ask(url, body, min(self._timeout, left))
            except Unreachable as error:
                fault = fault or error
                continue
            except Refused as error:
                if error.code not in TRY_OTHER:
                    raise
                fault = error
                continue
            self._last = index
            return self._urls[index], answer
        assert fault is not None
        raise fault

    def _ask(self, url: str, body: dict[str, Any], timeout: float) -> dict[str, Any]:
        status, answer = self._transport.post(url, body, timeout)
        if status == 204 or (status == 200 and _is_shaped(answer)):
            return answer
        code = answer.get("code")
        if type(code) is not int:
            raise Unreachable(f"{url} answered {status}, which is not an answer of LTS; check the server's URL.")
        raise Refused(
            code,
            str(answer.get("detail", "")),
            str(answer.get("requestId", "-")),
            str(answer["field"]) if "field" in answer else None,
        )


def _is_shaped(answer: dict[str, Any]) -> bool:
    """Whether the parts of an answer that the client uses or keeps have the types that LTS sends."""
    lists = (("certificates", str), ("results", dict))
    return all(
        answer.get(name) is None or isinstance(answer[name], str) for name in ("cloneToken", "chain", "lease")
    ) and all(
        answer.get(name) is None
        or (isinstance(answer[name], list) and all(isinstance(one, kind) for one in answer[name]))
        for name, kind in lists
    )


def read_key(text: str) -> LicenseKey:
    """The license key. Raises Refused 101, as a server does for a handshake code that it does not have."""
    try:
        return LicenseKey.decode(text or "")  # None is what an environment without it gives
    except TokenError as error:
        raise Refused(101, error.detail, "-") from error


def token_names(token: str | None) -> dict[str, str | None]:
    """The clone token as a request names it: servers of 0.1 know it as `chain`."""
    return {"cloneToken": token, "chain": token}
