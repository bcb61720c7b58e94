"""The whole WSGI application: the prefix, the client API first, everything else through Flask."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from secrets import token_hex

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from lts.config import Config
from lts.errors import AdminError
from lts.service.context import Context
from lts.web import client_api, openapi, pages, portal_api, problems
from lts.web.addresses import is_loopback
from lts.web.client_api import ClientApi, Environ, StartResponse
from lts.web.metrics import Metrics

_SECURITY = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none';"
    " form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}


class App:
    """WSGI entry. Paths answer with and without the prefix (`/lts`)."""

    def __init__(self, ctx: Context, config: Config, cli_token: str) -> None:
        self._ctx = ctx
        self._prefix = config.url_prefix
        self.metrics = Metrics(ctx)
        self._clients = ClientApi(ctx, config, self.metrics)
        self.flask = make_flask(ctx, config, self.metrics, cli_token)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path: str = environ.get("PATH_INFO") or "/"
        prefix = self._prefix
        if prefix and path.startswith(prefix) and path[len(prefix) : len(prefix) + 1] in ("", "/"):
            path = path[len(prefix) :] or "/"
            environ["PATH_INFO"] = path
            environ["SCRIPT_NAME"] = environ.get("SCRIPT_NAME", "") + prefix
        if path in self._clients.routes:
            return self._clients(environ, start_response, path)
        if path == "/api/v1/health" and environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            return client_api.health(self._ctx, start_response)
        answer: Iterable[bytes] = self.flask.wsgi_app(environ, start_response)  # type: ignore[arg-type]  # same shape
        return answer


def make_flask(ctx: Context, config: Config, metrics: Metrics, cli_token: str) -> Flask:
    """Everything but the client API."""
    app = Flask("lts", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = 2 << 20
    app.config["MAX_FORM_MEMORY_SIZE"] = 2 << 20
    app.json.sort_keys = False  # type: ignore[attr-defined]  # DefaultJSONProvider's setting
    app.register_blueprint(portal_api.blueprint(ctx, config, cli_token))
    app.register_blueprint(pages.blueprint())
    app.before_request(_name_request)
    app.after_request(_secure)
    app.register_error_handler(Exception, _problem)

    @app.get("/api/v1/openapi.json")
    def openapi_document() -> dict[str, Any]:
        return openapi.document()

    @app.get("/metrics")
    def metrics_page() -> Response:
        bearer = request.headers.get("Authorization", "")
        if not is_loopback(request.environ) and bearer != f"Bearer {cli_token}":
            raise AdminError(
                "not-allowed", "Metrics are shown on this machine only, or with a token.", status=403
            )
        return Response(metrics.page(), mimetype="text/plain")

    return app


def _name_request() -> None:
    g.request_id = token_hex(8)


def _secure(response: Response) -> Response:
    for name, value in _SECURITY.items():
        response.headers.setdefault(name, value)
    response.headers["X-Request-Id"] = g.get("request_id", "-")
    if request.path.startswith("/api/"):
        response.headers["Cache-Control"] = "no-store"
    return response


_SLUGS: dict[int, int | str] = {404: "not-found", 405: "method", 413: 144, 400: 140}


def _problem(error: Exception) -> Response:
    identifier = g.get("request_id", "-")
    if isinstance(error, HTTPException) and error.code is not None:
        if error.code < 400:
            return Response(error.get_body(), error.code, error.get_headers())
        slug = _SLUGS.get(error.code, "http")
        known = AdminError(str(slug), error.description or error.name, status=error.code)
        known.code = slug
        status, body, headers = problems.problem(known, identifier)
        headers += [("Allow", value) for name, value in error.get_headers() if name == "Allow"]
    else:
        status, body, headers = problems.problem(error, identifier)
    return Response(body, status, headers, content_type=problems.CONTENT_TYPE)
