"""A real nginx in front of a server, in the ways administrators set it up."""

from __future__ import annotations

import contextlib
import os
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import trustme

from tests.support.needed import need
from tests.support.ports import free_port
from tests.support.wait import PATIENCE, wait_until

_ANY = ssl._create_unverified_context()
_MAIN = """
{user}
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 128; }}
http {{
  access_log {folder}/access.log;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  {sites}
}}
"""
_SITE = """
  upstream lts {{ server 127.0.0.1:{server}; keepalive 8; }}
  server {{
    listen 127.0.0.1:{port}{tls};
    {certificate}
    {locations}
  }}
"""
_HEADERS = """
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;"""
WAYS = {
    "kept": "location /lts/ {{ proxy_pass http://lts;{headers} }}",
    "stripped": "location /lts/ {{ proxy_pass http://lts/;{headers} }}",
    "renamed": "location /license/ {{ proxy_pass http://lts/lts/;{headers} }}",
    "root": "location / {{ proxy_pass http://lts;{headers} }}",
}
"""How `proxy_pass` may stand: the prefix kept, stripped by its trailing slash, under another name, or none at all."""
ODD_PATHS = ("", "page", "page/", "page/index.html", "/", "//page/")
"""Under the prefix: what people type, and what proxies make of a slash too many."""
PREFIXES = {"kept": "/lts/", "stripped": "/lts/", "renamed": "/license/", "root": "/"}


@contextlib.contextmanager
def nginx(folder: Path, server: int, way: str, *, tls: bool = False) -> Iterator[str]:
    """nginx on a free port before the server on port `server`; gives the URL under which the portal is found."""
    folder.mkdir(parents=True)
    port = free_port()
    certificate = ""
    if tls:
        issued = trustme.CA().issue_cert("127.0.0.1")
        issued.private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
        certificate = f"ssl_certificate {folder}/server.pem; ssl_certificate_key {folder}/server.pem;"
    locations = WAYS[way].format(headers=_HEADERS)
    sites = _SITE.format(server=server, port=port, tls=" ssl" if tls else "", certificate=certificate,
                         locations=locations)  # fmt: skip
    with running_nginx(folder, sites):
        yield f"{'https' if tls else 'http'}://127.0.0.1:{port}{PREFIXES[way]}"


@contextlib.contextmanager
def running_nginx(folder: Path, sites: str) -> Iterator[None]:
    """nginx with these server and upstream blocks, while the block lasts."""
    user = "user root;" if sys.platform != "win32" and os.geteuid() == 0 else ""
    (folder / "main.conf").write_text(_MAIN.format(folder=folder, user=user, sites=sites), encoding="utf-8")
    command = [need("nginx"), "-p", str(folder), "-c", str(folder / "main.conf")]
    with running(command, lambda: (folder / "nginx.pid").exists()):
        yield


@contextlib.contextmanager
def running(command: list[str], is_up: Callable[[], bool], **options: Any) -> Iterator[None]:
    """A program in the foreground, from the moment it is up until the block ends."""
    with subprocess.Popen(command, **options) as process:
        try:
            wait_until(lambda: process.poll() is not None or is_up(), f"{command[0]} runs")
            assert process.poll() is None, f"{command[0]} has ended"
            yield
        finally:
            process.terminate()
            process.wait(PATIENCE)


class _Stay(urllib.request.HTTPRedirectHandler):
    """Redirects are looked at, not followed."""

    def redirect_request(self, *_: object) -> None:
        return None


def follow(url: str) -> list[str]:
    """Every address on the way to a page; at most 5 redirects."""
    seen = [url]
    opener = urllib.request.build_opener(_Stay, urllib.request.HTTPSHandler(context=_ANY))
    for _ in range(5):
        try:
            with opener.open(seen[-1], timeout=PATIENCE) as answer:
                assert answer.status == 200
                return seen
        except urllib.error.HTTPError as error:
            assert error.code in (301, 302, 307, 308), (seen, error.code)
            seen.append(urljoin(seen[-1], error.headers["Location"]))
    raise AssertionError(f"a loop: {seen}")
