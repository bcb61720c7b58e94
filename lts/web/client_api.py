"""The client API as a plain WSGI application in front of Flask: the one place where speed buys a second door.

POST /api/v1/authorize, /report, /release and GET /api/v1/health (interfaces.md, Client API).
"""

from __future__ import annotations

import logging
import secrets
import time
import zlib
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from lts import __version__
from lts.config import Config
from lts.errors import LtsError, Malformed, Refusal, TooLarge
from lts.protocol import REPORT_INTERVAL_SECONDS, iso
from lts.rules.usage import Result
from lts.service import authorize, release, report
from lts.service.context import Context, request_id
from lts.web import messages, problems
from lts.web.addresses import Addresses
from lts.web.metrics import Metrics
from lts.web.ratelimit import Limits

log = logging.getLogger("lts.client")
Headers = list[tuple[str, str]]
Environ = dict[str, Any]
StartResponse = Callable[[str, Headers], Any]
MAX_OTHER_BYTES = 1 << 20
_ALLOWED_HEADERS = "Content-Type, Content-Encoding, Accept, X-Request-Id"
CORS: Headers = [
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Expose-Headers", "Retry-After, X-Request-Id"),
]
_PREFLIGHT: Headers = [
    *CORS,
    ("Access-Control-Allow-Methods", "POST, OPTIONS"),
    ("Access-Control-Allow-Headers", _ALLOWED_HEADERS),
    ("Access-Control-Allow-Private-Network", "true"),
    ("Access-Control-Max-Age", "86400"),
]
_JSON: Headers = [("Content-Type", "application/json"), ("Cache-Control", "no-store"), *CORS]
_encode = msgspec.json.Encoder().encode


class ClientApi:
    """WSGI application for the paths in `routes`; `ctx` may be replaced when the server's role changes."""

    def __init__(self, ctx: Context, config: Config, metrics: Metrics) -> None:
        self._ctx = ctx
        self._limits = Limits(config.rate_limits)
        self._addresses = Addresses(config.trusted_proxies)
        self._metrics = metrics
        self._max_report = config.max_request_bytes
        self.routes: dict[str, Callable[[Environ, str], bytes]] = {
            "/api/v1/authorize": self._authorize,
            "/api/v1/report": self._report,
            "/api/v1/release": self._release,
        }

    def __call__(self, environ: Environ, start_response: StartResponse, path: str) -> Iterable[bytes]:
        """Answer a request on `path` (without prefix)."""
        method = environ["REQUEST_METHOD"]
        if method == "OPTIONS":
            start_response("204 No Content", [*_PREFLIGHT, ("Content-Length", "0")])
            return [b""]
        identifier = secrets.token_hex(8)
        token = request_id.set(identifier)
        begun = time.perf_counter()
        status = 200
        try:
            if method != "POST":
                raise MethodNotAllowed("Use POST here.")
            body = self.routes[path](environ, self._addresses.client(environ))
            if path == "/api/v1/release":
                status = 204
            return _answer(start_response, status, body, _JSON, identifier)
        except Exception as error:  # noqa: BLE001 - the edge: every error becomes an answer here
            status, body, extra = problems.problem(error, identifier)
            if isinstance(error, LtsError):
                log.info("%s %s refused: %s %s", identifier, path, error.code, error.detail)
            extra += [("Allow", "POST, OPTIONS")] if status == 405 else []
            headers = [("Content-Type", problems.CONTENT_TYPE), ("Cache-Control", "no-store"), *CORS, *extra]
            return _answer(start_response, status, body, headers, identifier)
        finally:
            self._metrics.observe(path, status, time.perf_counter() - begun)
            request_id.reset(token)

    def _authorize(self, environ: Environ, address: str) -> bytes:
        with _Refusals(self._limits, address):
            request = messages.read_authorize(read_body(environ, MAX_OTHER_BYTES))
            self._limits.device(request.device)
            now = self._ctx.clock.now()
            done = authorize.authorize(self._ctx, request, now)
        return _encode(
            {
                "lease": done.lease,
                "certificates": done.certificates,
                "items": [
                    {
                        "itemId": item.item_id,
                        "chargeWay": item.charge_way,
                        "modules": item.modules,
                        "grace": item.grace,
                    }
                    for item in done.items
                ],
                "expiresAt": iso(done.expires_at),
                "renewAfter": iso(done.renew_after),
                "reportInterval": REPORT_INTERVAL_SECONDS,
                "serverTime": iso(now),
                "chain": done.chain,
            }
        )

    def _report(self, environ: Environ, address: str) -> bytes:
        with _Refusals(self._limits, address):
            lease, chain, entries = messages.read_report(read_body(environ, self._max_report))
            believed = self._ctx.leases.verify(lease)
            self._limits.device(believed.device)
            now = self._ctx.clock.now()
            done = report.record(self._ctx, lease, chain, entries, now)
        return _encode(
            {
                "results": [_result(result) for result in done.results],
                "durable": done.durable,
                "lease": done.lease,
                "serverTime": iso(now),
                "chain": done.chain,
            }
        )

    def _release(self, environ: Environ, address: str) -> bytes:
        with _Refusals(self._limits, address):
            lease = messages.read_release(read_body(environ, MAX_OTHER_BYTES))
            self._limits.device(self._ctx.leases.verify(lease).device)
            release.release(self._ctx, lease, self._ctx.clock.now())
        return b""


class MethodNotAllowed(LtsError):
    """405."""

    code = "method"
    status = 405


class UnknownEncoding(LtsError):
    """415: a Content-Encoding other than gzip or identity."""

    code = "encoding"
    status = 415


class _Refusals:
    """Counts a refusal against the address it came from, and lets an address with too many wait."""

    def __init__(self, limits: Limits, address: str) -> None:
        self._limits = limits
        self._address = address

    def __enter__(self) -> None:
        self._limits.check_address(self._address)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Refusal) and error.code not in (100, 130, 150):
            self._limits.refused(self._address)


def _result(result: Result) -> dict[str, Any]:
    return {"slot": result.slot_text, "status": result.status, "code": result.code, "detail": result.detail}


def health(ctx: Context, start_response: StartResponse) -> Iterable[bytes]:
    """GET /api/v1/health: 200 while clients are served; nothing secret."""
    body = _encode({"status": ctx.status, "version": __version__})
    return _answer(start_response, 200 if ctx.status == "serving" else 503, body, _JSON, secrets.token_hex(8))


def _answer(
    start_response: StartResponse, status: int, body: bytes, headers: Headers, identifier: str
) -> Iterable[bytes]:
    start_response(
        problems.status_line(status),
        [*headers, ("Content-Length", str(len(body))), ("X-Request-Id", identifier)],
    )
    return [body]


def read_body(environ: Environ, limit: int) -> bytes:
    """The request's body, unzipped when it came as gzip; up to `limit` bytes.

    Raises TooLarge, UnknownEncoding, Malformed.
    """
    length = environ.get("CONTENT_LENGTH") or "0"
    if int(length) > limit:
        raise TooLarge(f"The body is larger than {limit} bytes.")
    body: bytes = environ["wsgi.input"].read(limit + 1)
    if len(body) > limit:
        raise TooLarge(f"The body is larger than {limit} bytes.")
    encoding = environ.get("HTTP_CONTENT_ENCODING", "").strip().lower()
    if encoding in ("", "identity"):
        return body
    if encoding not in ("gzip", "x-gzip"):
        raise UnknownEncoding("Send the body as it is, or with Content-Encoding gzip.")
    return _unzip(body, limit)


def _unzip(body: bytes, limit: int) -> bytes:
    unzip = zlib.decompressobj(wbits=31)
    try:
        plain = unzip.decompress(body, limit + 1)
    except zlib.error as error:
        raise Malformed("The body is not gzip as its Content-Encoding says.", field="body") from error
    if len(plain) > limit:
        raise TooLarge(f"The body is larger than {limit} bytes once unzipped.")
    if not unzip.eof:
        raise Malformed("The gzip body ends early.", field="body")
    return plain
