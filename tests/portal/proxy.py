"""A real nginx in front of a server, in the ways administrators set it up."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import trustme

from tests.needed import need
from tests.twins import free_port, wait_until

_CONFIG = """
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
  upstream lts {{ server 127.0.0.1:{server}; keepalive 8; }}
  server {{
    listen 127.0.0.1:{port}{tls};
    {certificate}
    {locations}
  }}
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
PREFIXES = {"kept": "/lts/", "stripped": "/lts/", "renamed": "/license/", "root": "/"}


@contextlib.contextmanager
def nginx(folder: Path, server: int, way: str, *, tls: bool = False) -> Iterator[str]:
    """nginx on a free port before the server on port `server`; gives the URL under which the portal is found."""
    program = need("nginx")
    folder.mkdir(parents=True)
    port = free_port()
    certificate = ""
    if tls:
        issued = trustme.CA().issue_cert("127.0.0.1")
        issued.private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
        certificate = f"ssl_certificate {folder}/server.pem; ssl_certificate_key {folder}/server.pem;"
    user = "user root;" if sys.platform != "win32" and os.geteuid() == 0 else ""
    locations = WAYS[way].format(headers=_HEADERS)
    text = _CONFIG.format(folder=folder, server=server, port=port, user=user, tls=" ssl" if tls else "",
                          certificate=certificate, locations=locations)  # fmt: skip
    (folder / "nginx.conf").write_text(text, encoding="utf-8")
    with subprocess.Popen([program, "-p", str(folder), "-c", str(folder / "nginx.conf")]) as process:
        try:
            wait_until((folder / "nginx.pid").exists, 10, "nginx runs")
            yield f"{'https' if tls else 'http'}://127.0.0.1:{port}{PREFIXES[way]}"
        finally:
            process.terminate()
            process.wait(10)
