"""The client API as a plain WSGI application in front of Flask: the one place where speed buys a second door.

POST /api/v1/authorize, /report, /release and GET /api/v1/health (docs/design/surface.md, Client API). Each call parses,
calls one service function, translates the outcome.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import re
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple

from lts.config import Config
from lts.crypto import b64url
from lts.errors import CannotStore, HttpError, LtsError, NotVerified, Refusal, RefusalCode
from lts.rules.metering import workload
from lts.rules.metering.checks import Request
from lts.rules.metering.likeness import Caller
from lts.service.core import refusals
from lts.service.core.context import Context, request_id
from lts.service.core.pendingcall import PendingCall
from lts.service.metering import authorize, release, report
from lts.service.metering.authorize import AuthorizeOutcome
from lts.service.metering.report import ReportOutcome
from lts.web.client import reports
from lts.web.client.limits import ClientLimits
from lts.web.wire import answers, messages, problems
from lts.web.wire.addresses import Addresses
from lts.web.wire.application import HttpAnswer
from lts.web.wire.body import check_announced, read_body, receive
from lts.web.wire.metrics import Metrics
from lts.web.wire.problems import CORS
from lts.web.wire.wsgi import Environ, Headers, StartResponse

log = logging.getLogger("lts.client")
AUTHORIZE = "/api/v1/authorize"
MAX_AUTHORIZE_BYTES = 64 << 10
"""It is read from anybody; 1,000 modules of usual names are half of it."""
MAX_RELEASE_BYTES = 1 << 20
_JSON: Headers = [("Content-Type", "application/json"), ("Cache-Control", "no-store"), *CORS]
_PROBLEM: Headers = [("Content-Type", problems.CONTENT_TYPE), ("Cache-Control", "no-store"), *CORS]
_USUAL_HEADERS = "Content-Type, Content-Encoding, Accept, X-Request-Id"
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}\Z")
_CREDENTIALS = ("authorization", "cookie", "proxy-authorization")


class Route(NamedTuple):
    """A path's methods, and what answers with (status, body) from the WSGI environ and the client's address."""

    methods: tuple[str, ...]
    answer: Callable[[Environ, str], tuple[int, bytes]]


class ClientApi:
    """WSGI application for the paths in `routes` (without prefix); those in `begins` can be begun ahead."""

    def __init__(self, ctx: Context, config: Config, metrics: Metrics) -> None:
        self._ctx = ctx
        self._addresses = Addresses(config.trusted_proxies, ctx.running.note_proxy)
        self._limits = ClientLimits(ctx, self._addresses, config.rate_limits)
        self._metrics = metrics
        self._max_report = config.max_request_bytes
        post = ("POST", "OPTIONS")
        self.begins: dict[str, Callable[[Environ, str], PendingCall[tuple[int, bytes]]]] = {
            AUTHORIZE: self._authorize,
            "/api/v1/report": self._report,
        }
        self.most_bytes = {
            AUTHORIZE: MAX_AUTHORIZE_BYTES,
            "/api/v1/report": config.max_request_bytes,
            "/api/v1/release": MAX_RELEASE_BYTES,
        }
        """Of the body of each path."""
        self.routes = {
            AUTHORIZE: Route(post, lambda environ, address: self._authorize(environ, address).finish()),
            "/api/v1/report": Route(post, lambda environ, address: self._report(environ, address).finish()),
            "/api/v1/release": Route(post, self._release),
            "/api/v1/health": Route(("GET", "HEAD", "OPTIONS"), self._health),
        }

    def turns_away(self, environ: Environ) -> LtsError | None:
        """Why an authorization is refused by its header alone, so that it costs no more; else None."""
        address = self._addresses.client(environ)
        try:
            self._ctx.running.check_serving()
            self._limits.check_address(address)
            check_announced(environ, MAX_AUTHORIZE_BYTES)
        except LtsError as error:
            with contextlib.suppress(LtsError):  # another request of the address may have used its last unit
                self._limits.count_refusal(error, address)
            self._metrics.observe(AUTHORIZE[8:], error.code, 0.0)
            error.was_logged(identifier := problems.new_id())
            logged = identifier, address, error.code, error.detail
            log.info("%s an authorization of %s refused by its header: %s %s", *logged)
            return error
        return None

    def begin(self, environ: Environ, path: str) -> PendingCall[HttpAnswer]:
        """Begin a POST on a path of `begins`. Whatever it is refused with is the answer that it finishes with."""
        identifier, since = problems.new_id(), time.perf_counter()
        token = request_id.set(identifier)
        begun: PendingCall[tuple[int, bytes]]
        try:
            begun = self.begins[path](environ, self._addresses.client(environ))
        except Exception as error:  # noqa: BLE001  # answered where every error is
            begun = PendingCall(None, partial(_raise, error))
        finally:
            request_id.reset(token)
        finish = partial(self._finish, environ, path, identifier, since, begun.finish)
        return PendingCall(begun.write, finish, begun.takes_long)

    def __call__(self, environ: Environ, start_response: StartResponse, path: str) -> Iterable[bytes]:
        """Answer a request on `path`, one of `routes`."""
        identifier, since, method = problems.new_id(), time.perf_counter(), environ["REQUEST_METHOD"]
        finish = partial(self._answer, environ, path)
        usual = preflight(environ, self.routes[path].methods) if method == "OPTIONS" else None
        answer = self._finish(environ, path, identifier, since, finish, usual)
        start_response(problems.status_line(answer.status), answer.headers)
        return [answer.body] if answer.body and method != "HEAD" else []

    def _finish(
        self,
        environ: Environ,
        path: str,
        identifier: str,
        since: float,
        finish: Callable[[], tuple[int, bytes]],
        headers: Headers | None = None,
    ) -> HttpAnswer:
        """The answer to a call of this id and time of begin: what `finish` gives, or why it is refused. `headers` are
        those of a JSON answer unless others are named."""
        token = request_id.set(identifier)
        code: int | str = 500
        try:
            code, body = finish()
            return _whole(int(code), headers or (_JSON if body else CORS), body, identifier)
        except Exception as error:  # noqa: BLE001  # the edge: the last resort that becomes an answer
            code, status, body, extra = self._refused(error, identifier, path, environ)
            if status == 405:
                extra = [*extra, ("Allow", ", ".join(self.routes[path].methods))]
            return _whole(status, [*_PROBLEM, *extra], body, identifier)
        finally:
            self._metrics.observe(path[8:], code, time.perf_counter() - since)
            request_id.reset(token)

    def _answer(self, environ: Environ, path: str) -> tuple[int, bytes]:
        """(status, body) of a request that was not begun ahead. Raises LtsError."""
        methods, answer = self.routes[path]
        if environ["REQUEST_METHOD"] == "OPTIONS":
            return 204, b""
        if environ["REQUEST_METHOD"] not in methods:
            raise HttpError(405, "method", f"Use {methods[0]} here.")
        return answer(environ, self._addresses.client(environ))

    def _refused(
        self, error: Exception, identifier: str, path: str, environ: Environ
    ) -> tuple[int | str, int, bytes, Headers]:
        if isinstance(error, LtsError) and error.status >= 500 and not isinstance(error, Refusal):
            log.error("%s %s failed: %s", identifier, path, error.detail)
            error = CannotStore()
        status, body, extra = problems.problem(error, identifier)
        code = error.code if isinstance(error, LtsError) else status
        if isinstance(error, LtsError):
            address = self._addresses.client(environ)
            log.info("%s %s of %s refused: %s %s", identifier, path, address, code, error.detail)
        if isinstance(error, NotVerified):
            self._ctx.refusals.keep(refusals.of_lease(path[8:], error, identifier, self._ctx.clock.now()))
        return code, status, body, extra

    def _authorize(self, environ: Environ, address: str) -> PendingCall[tuple[int, bytes]]:
        self._ctx.running.check_serving()
        self._limits.check_address(address)
        try:
            request = messages.read_authorize(read_body(environ, MAX_AUTHORIZE_BYTES))
            token = authorize.token_of(self._ctx, request.device, request.clone_token)
            self._limits.ask(request, environ, address, proven=token is not None)
            weight = authorize.weight_of_request(self._ctx.store.catalog, request)
            if weight:
                self._limits.charge_items(request, weight, environ, address, proven=token is not None)
        except LtsError as error:
            self._limits.count_refusal(error, address)
            raise
        now, caller = self._ctx.clock.now(), Caller(address, environ.get("HTTP_USER_AGENT", ""))
        begun = authorize.begin(self._ctx, request, token, now, caller, weight)
        return PendingCall(begun.write, lambda: self._authorized(request, address, now, begun.finish), begun.takes_long)

    def _authorized(
        self, request: Request, address: str, now: int, finish: Callable[[], AuthorizeOutcome]
    ) -> tuple[int, bytes]:
        try:
            done = finish()
        except LtsError as error:
            self._limits.count_refusal(error, address)
            odd = messages.oddities(request.handshake_code or request.organization_id or "")
            if error.code in (RefusalCode.NO_SUCH_CODE, RefusalCode.UNKNOWN_ORGANIZATION) and odd:
                log.info("%s the unknown code holds %s", request_id.get(), odd)
            raise
        return 200, answers.authorized(done, now)

    def _report(self, environ: Environ, address: str) -> PendingCall[tuple[int, bytes]]:
        self._ctx.running.check_serving()
        try:
            received = receive(environ, self._max_report)
            body, vouched, charged = self._limits.admit(address, received, environ, reports.read_lease)
            sent = reports.read_report(body)
            lease = self._limits.lease_of(sent.lease, vouched, address)
            days = workload.days_of(sent.entries, sent.span)
            units = workload.units_of(len(sent.entries), sent.counts, sent.names, len(lease.items), days, sent.refused)
            self._limits.charge_body(address, lease, units, environ, charged=charged)
            now = self._ctx.clock.now()
            digest = b64url(hashlib.sha256(body).digest())
            begun = report.begin(self._ctx, lease, sent.clone_token, sent.entries, now, digest, days, sent.span)
        except LtsError as error:
            self._limits.count_refusal(error, address)
            raise
        return PendingCall(begun.write, lambda: self._reported(begun.finish, address, now), begun.takes_long)

    def _reported(self, finish: Callable[[], ReportOutcome], address: str, now: int) -> tuple[int, bytes]:
        try:
            done = finish()
        except LtsError as error:
            self._limits.count_refusal(error, address)
            raise
        return 200, answers.reported(done, now)

    def _release(self, environ: Environ, address: str) -> tuple[int, bytes]:
        self._ctx.running.check_serving()
        try:
            body, vouched, _ = self._limits.admit(address, receive(environ, MAX_RELEASE_BYTES), environ)
            lease = messages.read_release(body)
            self._limits.lease_of(lease, vouched, address)
            release.release(self._ctx, lease, self._ctx.clock.now())
        except LtsError as error:
            self._limits.count_refusal(error, address)
            raise
        return 204, b""

    def _health(self, environ: Environ, address: str) -> tuple[int, bytes]:
        running = self._ctx.running
        return (200 if running.serves else 503), answers.health(running.status)


def _raise(error: Exception) -> tuple[int, bytes]:
    raise error


def preflight(environ: Environ, methods: tuple[str, ...]) -> Headers:
    """Headers that answer a CORS preflight: any header that carries no credentials may be sent."""
    asked = environ.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS", "").split(",")[:30]
    names = [name for name in map(str.strip, asked) if _HEADER_NAME.match(name)]
    allowed = ", ".join(name for name in names if name.lower() not in _CREDENTIALS)
    return [
        *CORS,
        ("Access-Control-Allow-Methods", ", ".join(methods)),
        ("Access-Control-Allow-Headers", allowed or _USUAL_HEADERS),
        ("Access-Control-Allow-Private-Network", "true"),
        ("Access-Control-Max-Age", "86400"),
        ("Allow", ", ".join(methods)),
    ]


def _whole(status: int, headers: Headers, body: bytes, identifier: str) -> HttpAnswer:
    headers = [*headers, ("X-Request-Id", identifier)]
    if status != 204:
        headers.append(("Content-Length", str(len(body))))
    return HttpAnswer(status, headers, body)
