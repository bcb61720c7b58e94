"""Pages until the portal: what this server is, and where its API stands."""

from __future__ import annotations

from flask import Blueprint, Response, redirect
from werkzeug.wrappers import Response as BaseResponse

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>License Tracking Server</title>
</head>
<body>
<main>
<h1>License Tracking Server</h1>
<p>This server is running. Manage it with the command line: <code>lts license import FILE.lic</code>,
<code>lts handshake list</code>, <code>lts usage</code>, <code>lts status</code>.</p>
<p>Applications call it at <a href="../api/v1/openapi.json">/api/v1</a>;
its state is at <a href="../api/v1/health">/api/v1/health</a>.</p>
<p lang="zh">本服务器正在运行。请用命令行管理：<code>lts license import FILE.lic</code>、
<code>lts handshake list</code>、<code>lts usage</code>、<code>lts status</code>。</p>
</main>
</body>
</html>
"""


def blueprint() -> Blueprint:
    """`/`, `/page/` and what the guide's URL names. Every link is relative: a proxy may strip the prefix."""
    pages = Blueprint("pages", __name__)

    @pages.get("/")
    def root() -> BaseResponse:
        return redirect("page/")

    @pages.get("/page")
    def without_slash() -> BaseResponse:
        return redirect("page/")

    @pages.get("/page/")
    def page() -> Response:
        return Response(_PAGE, mimetype="text/html")

    return pages
