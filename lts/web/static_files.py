"""The portal's page and files: read once, sent compressed, kept by browsers for as long as they do not change.

Addresses hold a digest of all files (`static/DIGEST/portal/app.js`), so that an upgrade never mixes old and new.
Every address in the page is relative, hence right behind any proxy and prefix.
"""

from __future__ import annotations

import gzip
import hashlib
import posixpath
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from flask import Blueprint, Response, redirect, request
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as BaseResponse

FOLDER = Path(__file__).resolve().parents[2] / "static"
TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".html": "text/html",
         ".json": "application/json", ".ts": "text/plain"}  # fmt: skip
"""What files are sent as; a Windows registry may have other ideas."""
STATIC = "/static/"
PAGES = ("", "/", "/page", "/page/", "/page/index.html")
FOR_EVER = "public, max-age=31536000, immutable"
PAGE = "portal/index.html"
START = "portal/app.js"
_STATIC_IMPORT = re.compile(r'(?:from|import)\s*"(\.{1,2}/[^"]+\.js)"')
_COMPRESS_FROM = 500


@dataclass(frozen=True)
class Asset:
    data: bytes
    kind: str

    @cached_property
    def packed(self) -> bytes:
        """Compressed, the same each time."""
        return gzip.compress(self.data, 9, mtime=0)

    @cached_property
    def etag(self) -> str:
        return hashlib.sha256(self.data).hexdigest()[:32]


class Assets:
    """All files below a folder, by path with slashes."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self.files = {
            path.relative_to(folder).as_posix(): Asset(path.read_bytes(), TYPES.get(path.suffix, "text/plain"))
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
        digest = hashlib.sha256()
        for name, asset in self.files.items():
            digest.update(f"{name}\0{asset.etag}\n".encode())
        self.digest = digest.hexdigest()[:16]

    @cached_property
    def page(self) -> Asset:
        """The portal's page, with the digest in its addresses and the modules that it needs at once named."""
        links = "\n".join(f'<link rel="modulepreload" href="../static/{name}">' for name in self._needed_at_once())
        text = self.files[PAGE].data.decode("utf-8").replace("<!-- modules -->", links)
        return Asset(text.replace("../static/", f"../static/{self.digest}/").encode("utf-8"), "text/html")

    def _needed_at_once(self) -> list[str]:
        """The modules that the page's script imports, directly or not; those loaded later are not among them."""
        found, waiting = [], [START]
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.append(name)
                text = self.files[name].data.decode("utf-8")
                folder = posixpath.dirname(name)
                waiting += [posixpath.normpath(f"{folder}/{each}") for each in _STATIC_IMPORT.findall(text)]
        return found


def blueprint(assets: Assets) -> Blueprint:
    """`/`, `/page/…` as in the guide's URL, and `/static/…`."""
    pages = Blueprint("pages", __name__)

    @pages.get("/")
    @pages.get("/page")
    def to_page() -> BaseResponse:
        return redirect("page/")

    @pages.get("/page/")
    @pages.get("/page/index.html")
    def page() -> Response:
        return _answer(assets.page, "no-cache")

    @pages.get("/static/<path:name>")
    def file(name: str) -> Response:
        digest, _, rest = name.partition("/")
        fixed = digest == assets.digest
        asset = assets.files.get(rest if fixed else name)
        if asset is None:
            raise NotFound
        return _answer(asset, FOR_EVER if fixed else "no-cache")

    return pages


def _answer(asset: Asset, caching: str) -> Response:
    packed = len(asset.data) >= _COMPRESS_FROM and request.accept_encodings.quality("gzip") > 0
    charset = "" if asset.kind == "application/json" else "; charset=utf-8"
    response = Response(asset.packed if packed else asset.data, content_type=asset.kind + charset)
    response.headers["Cache-Control"] = caching
    response.headers["Vary"] = "Accept-Encoding"
    if packed:
        response.headers["Content-Encoding"] = "gzip"
    response.set_etag(asset.etag + ("-gz" if packed else ""))
    # Files have no date of change, so that a date asked for is ignored, valid or not (RFC 9110, 13.1.3).
    response.make_conditional({**request.environ, "HTTP_IF_MODIFIED_SINCE": ""})
    return response
