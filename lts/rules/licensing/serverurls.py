"""URLs of the servers as in license keys: the main's, then the standby's (docs/design/administering.md,
License keys and server URLs)."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit, urlunsplit

from lts.errors import AdminError
from lts.rules.values import domains

MAX_URLS, MAX_LENGTH = 2, 500


def clean_url(text: object) -> str:
    """The URL as it is kept: scheme and host in lower case, one slash at the end. Raises AdminError."""
    if not isinstance(text, str):
        raise _bad("A server URL must be a text.")
    url = text.strip()
    if len(url) > MAX_LENGTH or any(ord(char) <= 32 or ord(char) == 127 for char in url) or "\\" in url:
        raise _bad("A server URL has no blanks or control characters, and at most 500 characters.")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise _bad(f"{url!r} is not a URL such as https://lts.example.com/lts/.") from error
    if parts.scheme not in ("http", "https") or not host:
        raise _bad("Begin with https:// or http://, then the server's name, such as https://lts.example.com/lts/.")
    if parts.username is not None or parts.query or parts.fragment:  # a password has a user before it, maybe empty
        raise _bad("A server URL holds no user, password, ? or #.")
    path = parts.path.rstrip("/") + "/"
    if "/page" in path:
        raise _bad("Give the server's URL without /page, such as https://lts.example.com/lts/.")
    name = _ascii_host(host)
    netloc = name if port is None else f"{name}:{port}"
    return urlunsplit((parts.scheme, netloc, path, "", ""))


def _ascii_host(host: str) -> str:
    if ":" in host:
        return f"[{ipaddress.ip_address(host)}]" if _is_address(host) else _refuse_host(host)
    name = host if host.isascii() else domains.normalize(host) or ""
    good = all(part and len(part) <= 63 and not set(part) - _NAME for part in name.rstrip(".").split("."))
    return name if good and len(name) <= 253 else _refuse_host(host)


_NAME = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_")


def _refuse_host(host: str) -> str:
    raise _bad(f"{host!r} is not the name of a server.")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _bad(sentence: str) -> AdminError:
    return AdminError("bad-url", sentence, field="urls")


def is_local(url: str) -> bool:
    """Whether other machines cannot reach it by this URL."""
    host = urlsplit(url).hostname or ""
    if _is_address(host):
        address = ipaddress.ip_address(host)
        return address.is_loopback or address.is_unspecified
    return host == "localhost" or host.endswith(".localhost")
