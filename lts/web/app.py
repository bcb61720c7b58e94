"""The whole WSGI application: the prefix, the client API first, everything else through Flask."""

from __future__ import annotations

import errno
import hmac
import logging
import re
from collections.abc import Callable, Hashable, Iterable

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException
from werkzeug.routing import BaseConverter

from lts.config import Config
from lts.errors import AdminError, HttpError, LtsError, RefusalCode
from lts.service.core import files
from lts.service.core.context import Context
from lts.service.core.pendingcall import PendingCall
from lts.web import calendarpage, openapi, peer_api, static_files
from lts.web.admin import portal_api
from lts.web.admin.jsonbody import SECRET_BYTES
from lts.web.admin.signin import SAFE, SignIn, token_of
from lts.web.client.client_api import AUTHORIZE, ClientApi
from lts.web.peer_api import PeerApi
from lts.web.wire import problems
from lts.web.wire.addresses import Addresses, is_loopback
from lts.web.wire.application import HttpAnswer
from lts.web.wire.metrics import Metrics
from lts.web.wire.wsgi import Environ, StartResponse

log = logging.getLogger("lts.web")
_SLASHES = re.compile("/{2,}")
_NAMED = re.compile("(?<!/)/+api/+v1/+admin/+(?:handshakes|handshake-use|license-key|users)/")
"""Precedes a name in a path, which may hold slashes and begin with them."""
_SECURITY = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
    " connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}


ADMIN = "/api/v1/admin"
PORTAL = f"{ADMIN}/"
PORTAL_BYTES = 2 << 20
SECRET_CALLS = frozenset(PORTAL + call for call in ("session", "setup", "sign-in-link", "password"))
"""Calls that try a secret."""
DEAR_CALLS = frozenset(PORTAL + call for call in ("explain", "licenses/preview"))
"""Calls of readers that send something to be worked on, and change nothing."""
CHEAP = (static_files.STATIC, peer_api.PREFIX)
"""Begins of the paths whose reading computes nothing."""


class App:
    """See lts.web.wire.application.Application. Paths answer with and without the prefix (`/lts`)."""

    def __init__(self, ctx: Context, config: Config, cli_token: str) -> None:
        addresses = Addresses(config.trusted_proxies)
        endpoint = ctx.running.partner.endpoint()
        self._peer = None if endpoint is None else PeerApi(endpoint, addresses)
        self._ctx = ctx
        self._prefix = config.url_prefix
        self.metrics = Metrics(ctx)
        self._clients = ClientApi(ctx, config, self.metrics)
        self._gate = SignIn(ctx, config, cli_token)
        self.flask = make_flask(ctx, self._gate, self.metrics, cli_token, addresses)

    def groups(self, method: str, path: str) -> bool:
        return method == "POST" and self._plain(path) in self._clients.begins

    def is_page(self, method: str, path: str) -> bool:
        path = self._plain(path)
        if method not in SAFE:
            return method == "POST" and path in DEAR_CALLS
        return not (path in self._clients.routes or path in static_files.PAGES or path.startswith(CHEAP))

    def whose(self, environ: Environ) -> Hashable:
        return self._gate.whose(environ)

    def turns_away(self, method: str, path: str, environ: Callable[[], Environ]) -> LtsError | None:
        path = self._plain(path)
        if method != "POST":
            return None
        if path == AUTHORIZE:
            return self._clients.turns_away(environ())
        if path in SECRET_CALLS:
            return self._gate.turns_away(environ())
        if path == peer_api.HELLO_PATH and self._peer is not None:
            return self._peer.turns_away(environ())
        return None

    def most_bytes(self, path: str) -> int:
        path = self._plain(path)
        if path.startswith(peer_api.PREFIX):
            return peer_api.HELLO_BYTES if path == peer_api.HELLO_PATH else peer_api.MAX_BYTES
        return self._clients.most_bytes.get(path) or (SECRET_BYTES if path in SECRET_CALLS else PORTAL_BYTES)

    def refuse(self, error: Exception, path: str, address: str) -> HttpAnswer:
        identifier = error.logged_as if isinstance(error, LtsError) else None
        if identifier is None:
            identifier = problems.new_id()
            log.info("%s a request of %s refused by its header: %s", identifier, address, error)
        status, body, headers = problems.problem(error, identifier)
        named = [("Content-Type", problems.CONTENT_TYPE), ("X-Request-Id", identifier)]
        return HttpAnswer(status, [*headers, *named, *([] if ADMIN in path else problems.CORS)], body)

    def _plain(self, path: str) -> str:
        """A path as in the routes, as `__call__` makes it."""
        return (_SLASHES.sub("/", path) if "//" in path else path).removeprefix(self._prefix)

    def begin(self, environ: Environ) -> PendingCall[HttpAnswer]:
        return self._clients.begin(environ, self._plain(environ["PATH_INFO"]))

    def parks(self) -> bool:
        return self._ctx.running.partner.in_step

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path: str = environ.get("PATH_INFO") or "/"
        if "//" in path:  # what proxies make of a slash too many
            path = environ["PATH_INFO"] = _one_slash(path)
        prefix = self._prefix
        if prefix and path.startswith(prefix) and path[len(prefix) : len(prefix) + 1] in ("", "/"):
            path = path[len(prefix) :]
            if not path:
                return _add_slash(prefix, start_response)
            environ["PATH_INFO"] = path
            environ["SCRIPT_NAME"] = environ.get("SCRIPT_NAME", "") + prefix
        if self._peer is not None and path.startswith(peer_api.PREFIX):
            return self._peer(environ, start_response, path)
        if path in self._clients.routes:
            return self._clients(environ, start_response, path)
        answer: Iterable[bytes] = self.flask.wsgi_app(environ, start_response)  # type: ignore[arg-type]  # same shape
        return answer


def _one_slash(path: str) -> str:
    """The path with single slashes, except in names."""
    named = _NAMED.search(path)
    begin = named.end() if named else len(path)
    return _SLASHES.sub("/", path[:begin]) + path[begin:]


class NameConverter(BaseConverter):
    """A name of whatever characters, to the end of the path."""

    part_isolating = False
    regex = ".+"


def _add_slash(prefix: str, start_response: StartResponse) -> Iterable[bytes]:
    """`/lts` to `/lts/`, relative, since the Host header and what a proxy adds are not to be relied upon."""
    start_response("308 Permanent Redirect", [("Location", prefix.rpartition("/")[2] + "/"), ("Content-Length", "0")])
    return []


def make_flask(ctx: Context, gate: SignIn, metrics: Metrics, cli_token: str, addresses: Addresses) -> Flask:
    """Everything but the client API."""
    app = Flask("lts", static_folder=None)
    app.url_map.merge_slashes = False
    app.url_map.converters["name"] = NameConverter
    app.config["MAX_CONTENT_LENGTH"] = app.config["MAX_FORM_MEMORY_SIZE"] = PORTAL_BYTES
    gate.install(app)
    app.register_blueprint(portal_api.blueprint(ctx, gate))
    app.register_blueprint(static_files.blueprint(static_files.Assets()))
    app.register_blueprint(calendarpage.blueprint(ctx, addresses))
    app.before_request(_name_request)
    app.after_request(_secure)
    app.register_error_handler(Exception, _problem)

    @app.get("/api/v1/openapi.json")
    def openapi_document() -> Response:
        return Response(openapi.document_bytes(), mimetype="application/json")

    @app.get("/metrics")
    def metrics_page() -> Response:
        known = hmac.compare_digest(token_of(request), cli_token.encode())
        if not is_loopback(request.environ) and not known:
            raise AdminError("not-allowed", "Metrics are shown on this machine only, or with a token.", status=403)
        from lts.web.admin import metricspage  # its library is loaded for those who ask

        return Response(metricspage.page(metrics), content_type=metricspage.CONTENT_TYPE)

    return app


def _name_request() -> None:
    g.request_id = problems.new_id()


def _secure(response: Response) -> Response:
    for name, value in _SECURITY.items():
        response.headers.setdefault(name, value)
    response.headers["X-Request-Id"] = g.get("request_id", "-")
    if request.path.startswith("/api/"):
        response.headers["Cache-Control"] = "no-store"
    if request.path.startswith("/api/v1/") and not request.path.startswith(ADMIN):
        response.headers.extend(problems.CORS)
    return response


_HTTP_CODES: dict[int, int | str] = {
    400: RefusalCode.MALFORMED,
    404: "not-found",
    405: "method",
    413: RefusalCode.TOO_LARGE,
}
_HTTP_WORDS = {
    404: "There is nothing at this address; the API begins at api/v1/, its description is api/v1/openapi.json.",
    405: "This address does not take the method; see the header Allow.",
    413: "The body is too large.",
}


_OF_THE_DISK = {errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EISDIR}


def _is_change() -> bool:
    """Whether an administrator's call may write a file next to the database, such as a key's."""
    return request.method not in SAFE and request.path.startswith(PORTAL)


def _problem(error: Exception) -> Response:
    identifier = g.get("request_id", "-")
    allow: list[tuple[str, str]] = []
    if isinstance(error, HTTPException) and error.code is not None:
        if error.code < 400:
            return Response(error.get_body(), error.code, error.get_headers())
        allow = [("Allow", value) for name, value in error.get_headers() if name == "Allow"]
        words = _HTTP_WORDS.get(error.code) or error.description or error.name
        error = HttpError(error.code, _HTTP_CODES.get(error.code, "http"), words)
    elif isinstance(error, OSError) and error.filename and error.errno in _OF_THE_DISK and _is_change():
        log.error("%s: %s", identifier, error)
        error = AdminError("cannot-write", files.not_written(error), status=503)
    status, body, headers = problems.problem(error, identifier)
    return Response(body, status, headers + allow, content_type=problems.CONTENT_TYPE)
