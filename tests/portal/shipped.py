"""nginx and Caddy with the files of deploy/proxy: only what an administrator changes is filled in."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import trustme

from tests.portal.proxy import running, running_nginx
from tests.support.lines import ROOT
from tests.support.needed import need
from tests.support.ports import free_port

FOLDER = ROOT / "deploy" / "proxy"
NAME = "www.example.com"
HOST = "127.0.0.1"
FRONTS = ("nginx", "caddy")


@dataclass(frozen=True)
class Front:
    """A proxy that runs: its name, its two ports, and the file with the authority of its certificate."""

    name: str
    http: int
    https: int
    ca_file: Path

    @property
    def base(self) -> str:
        """The public URL of the server behind."""
        return f"https://{HOST}:{self.https}/lts/"


@contextlib.contextmanager
def front(name: str, folder: Path, server: int, changes: dict[str, str] | None = None) -> Iterator[Front]:
    """The proxy of that name before the server on port `server`, with further changes to its file."""
    folder.mkdir(parents=True)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    issued = authority.issue_cert(HOST)
    issued.private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    made = Front(name, free_port(), free_port(), folder / "ca.pem")
    start = {"nginx": _nginx, "caddy": _caddy}[name]
    with start(made, folder, server, changes or {}):
        yield made


def _filled_in(name: str, values: dict[str, str]) -> str:
    """A shipped file with values changed; each must stand in it, so that the file tried is the one shipped."""
    text = (FOLDER / name).read_text(encoding="utf-8")
    for shipped, value in values.items():
        assert shipped in text, f"{name} no longer says {shipped}"
        text = text.replace(shipped, value)
    return text


@contextlib.contextmanager
def _nginx(made: Front, folder: Path, server: int, changes: dict[str, str]) -> Iterator[None]:
    values = {
        f"/etc/nginx/tls/{NAME}.pem": str(folder / "server.pem"),
        f"/etc/nginx/tls/{NAME}.key": str(folder / "server.pem"),
        "    listen [::]:80;\n": "" if not _has_ipv6() else f"    listen [::1]:{made.http};\n",
        "    listen [::]:443 ssl http2;\n": "" if not _has_ipv6() else f"    listen [::1]:{made.https} ssl http2;\n",
        "listen 80;": f"listen {HOST}:{made.http};",
        "listen 443 ssl": f"listen {HOST}:{made.https} ssl",
        "https://$host$": f"https://$host:{made.https}$",
        "127.0.0.1:48080": f"127.0.0.1:{server}",
        f"server_name {NAME};": f"server_name {HOST};",
        **changes,
    }
    with running_nginx(folder, _filled_in("nginx.conf", values)):
        yield


@contextlib.contextmanager
def _caddy(made: Front, folder: Path, server: int, changes: dict[str, str]) -> Iterator[None]:
    own = "{\n admin off\n skip_install_trust\n" \
          f" http_port {made.http}\n default_bind {HOST}\n}}\n"  # fmt: skip
    values = {
        f"#tls /etc/caddy/{NAME}.pem /etc/caddy/{NAME}.key": f"tls {folder}/server.pem {folder}/server.pem",
        f"\n{NAME} {{": f"\n{HOST}:{made.https} {{",
        "127.0.0.1:48080": f"127.0.0.1:{server}",
        **changes,
    }
    (folder / "Caddyfile").write_text(own + _filled_in("Caddyfile", values), encoding="utf-8")
    command = [need("caddy"), "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]
    places = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with (
        (folder / "caddy.log").open("wb") as log,
        running(command, lambda: _listens(made.http) and _listens(made.https), env=places, stderr=log),
    ):
        yield


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def _has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True
