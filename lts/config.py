"""The configuration file `lts.json`: strictly read, every fault named at once (docs/configuration.md)."""

from __future__ import annotations

import ipaddress
import json
import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lts import plainfile
from lts.errors import ConfigError
from lts.strictjson import TooDeep, is_unicode, parse

FILE = "lts.json"
SERVER_MODES = ("standby", "cluster")
MAX_BYTES = 1 << 20
LEVELS = ("debug", "info", "warning", "error")


@dataclass(frozen=True)
class RateLimits:
    """Requests a minute: of a device (with a burst), and refused ones of an address."""

    device_requests_per_minute: int = 120
    device_burst: int = 60
    address_refusals_per_minute: int = 60


@dataclass(frozen=True)
class Log:
    """Level, format (text or json) and file (None = standard error) of the log."""

    level: str = "info"
    format: str = "text"
    file: Path | None = None


@dataclass(frozen=True)
class Config:
    """All settings; paths are absolute, and texts, as the database needs them. `source` is the file they came from,
    None for defaults."""

    source: Path | None
    server_mode: str = "standby"
    servers: tuple[str, ...] = ("self",)
    host: str = "127.0.0.1"
    port: int = 48080
    data_dir: Path = Path("data")
    url_prefix: str = "/lts"
    public_url: str | None = None
    trusted_proxies: tuple[str, ...] = ()
    vendor_keys: Path = Path("trust")
    database: str = "sqlite"
    threads: int = 32
    connection_limit: int = 2000
    max_request_bytes: int = 4 << 20
    rate_limits: RateLimits = field(default_factory=RateLimits)
    log: Log = field(default_factory=Log)
    take_over_after_seconds: int = 15
    allow_plain_http_peer: bool = False

    def __post_init__(self) -> None:
        """Raises ConfigError for a path that is not text."""
        places = {"data folder": self.data_dir, "configuration": self.source, "folder of vendor keys": self.vendor_keys,
                  "log": self.log.file}  # fmt: skip
        for name, path in places.items():
            if path is not None:
                check_text(path, f"The path of the {name}")

    @property
    def url(self) -> str:
        """The URL that applications use: `publicUrl`, else this machine's own."""
        return self.public_url or self.own_url(self.port)

    def own_url(self, port: int) -> str:
        """The URL by which this machine itself reaches a server on `port`."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::", "*") else self.host  # noqa: S104 - compared, not bound
        return f"http://{f'[{host}]' if ':' in host else host}:{port}{self.url_prefix}/"


class _Faults:
    """Collects faults with the file and the line of a key."""

    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        self._text = text
        self.found: list[str] = []

    def add(self, key: str, what: str) -> None:
        match = re.search(rf'"{re.escape(key)}"\s*:', self._text)
        line = self._text.count("\n", 0, match.start()) + 1 if match else 1
        self.found.append(f"{self._path}, line {line}: {key} {what}.")

    def keep(self, key: str, what: str, value: Any) -> Any:
        """A fault of the text; `value` is checked anyway, so that all faults are named at once."""
        self.add(key, what)
        return value


def load(
    path: Path | None,
    base: Path,
    *,
    environ: Mapping[str, str] = os.environ,
    host: str | None = None,
    port: int | None = None,
    data_dir: Path | None = None,
) -> Config:
    """Settings of `path` (else LTS_CONFIG, else `lts.json` in `base`, else the defaults).

    `host`, `port`, `data_dir` come from the command line and win; LTS_DATA_DIR wins over the file. Relative
    paths are relative to the file's folder. Raises ConfigError with every fault.
    """
    named = path or (Path(environ["LTS_CONFIG"]) if environ.get("LTS_CONFIG") else None)
    source = named or (base / FILE if (base / FILE).exists() else None)
    values: dict[str, Any] = {}
    folder = base
    if source is not None:
        source = absolute(source)
        folder = source.parent
        values = _read(source)
    for name, given in (("host", host), ("port", port)):
        if given is not None:
            values[name] = given
    folder_given = data_dir or (Path(environ["LTS_DATA_DIR"]) if environ.get("LTS_DATA_DIR") else None)
    values["data_dir"] = absolute(folder_given) if folder_given else folder / values.get("data_dir", "data")
    values["vendor_keys"] = folder / values.get("vendor_keys", "trust")
    log = values.get("log", Log())
    if log.file is not None:
        values["log"] = Log(log.level, log.format, folder / log.file)
    return Config(source, **values)


def absolute(path: Path) -> Path:
    """A path that somebody named, from the root on. Raises ConfigError where the folder it starts from was deleted."""
    try:
        return path.absolute()
    except FileNotFoundError as error:
        raise ConfigError(["The current folder is gone; change to another one."]) from error


def check_text(path: Path, name: str) -> None:
    """Raises ConfigError where a folder's name is bytes that are no text to this system."""
    if not is_unicode(str(path)):
        shown = str(path).encode("utf-8", "replace").decode()
        words = f"{name}, {shown}, is not text in {sys.getfilesystemencoding()}; rename that, or use another folder."
        raise ConfigError([words])


def _read(source: Path) -> dict[str, Any]:
    text = _text(source)
    faults = _Faults(source, text)
    try:
        given = parse(text, faults.keep)
    except TooDeep as error:
        raise ConfigError([f"{source}, line 1: {str(error)[0].lower()}{str(error)[1:]}"]) from error
    except json.JSONDecodeError as error:
        at, hint = _hint(text, error)
        line = text.count("\n", 0, at) + 1
        raise ConfigError([f"{source}, line {line}: not JSON ({error.msg}){hint}."]) from error
    if not isinstance(given, dict):
        raise ConfigError([f"{source}, line 1: the file must hold one JSON object."])
    for key in [key for key, value in given.items() if not is_unicode([key, value])]:
        del given[key]
        faults.add(key.encode("ascii", "backslashreplace").decode(), "holds half a surrogate pair, which is not text")
    values = _check(given, _KEYS, faults)
    _check_pair(values, faults)
    if faults.found:
        raise ConfigError(faults.found)
    return values


def _check_pair(values: dict[str, Any], faults: _Faults) -> None:
    """What the settings of a pair say together."""
    for url in values.get("servers", ()):
        if url == "self":
            continue
        parts = urlsplit(url)
        own = (values.get("host", Config.host), values.get("port", Config.port))
        if url == values.get("public_url") or (parts.hostname, parts.port or 80) == own:
            faults.add("servers", f'names this server itself ({url}) next to "self"; write the other server\'s URL')
        elif parts.scheme == "http" and not _is_loopback(parts.hostname) and not values.get("allow_plain_http_peer"):
            faults.add(
                "servers",
                f"names the other server over plain http ({url}); use https, or set allowPlainHttpPeer to true when"
                " the network between the two is yours",
            )


def _is_loopback(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def _text(source: Path) -> str:
    try:
        data = plainfile.read(source, MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError([plainfile.not_read(source, error)]) from error
    if len(data) > MAX_BYTES:
        raise ConfigError([f"{source} is too large (over 1 MiB); name the configuration of a server (lts.json)."])
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\x00" in data[:200]:
        raise ConfigError([f"{source}, line 1: saved as UTF-16; save it as UTF-8."])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError([f"{source}, line {line}: not UTF-8; save it as UTF-8."]) from error


def _hint(text: str, error: json.JSONDecodeError) -> tuple[int, str]:
    """Where the fault is, and what to do about the two that people make most."""
    if error.msg.startswith("Invalid \\escape"):
        return error.pos, "; in JSON a backslash is written twice: C:\\\\lts\\\\data"
    before = text[: error.pos].rstrip()
    if before.endswith(","):
        return len(before) - 1, "; there is a comma too many"
    return error.pos, "; there is a comma too many" if "trailing comma" in error.msg else ""


_Check = Callable[[Any], Any]
"""Returns the value to keep; raises ValueError with the rest of the sentence."""


def _check(given: dict[str, Any], keys: Mapping[str, tuple[str, _Check]], faults: _Faults) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in given.items():
        if key not in keys:
            faults.add(key, f"is not a setting (known: {', '.join(sorted(keys))})")
            continue
        name, check = keys[key]
        try:
            values[name] = check(value)
        except ValueError as error:
            faults.add(key, str(error))
    return values


def _integer(low: int, high: int) -> _Check:
    def check(value: Any) -> int:
        if type(value) is not int:
            raise ValueError(f"must be a number without quotes, not {json.dumps(value)}")
        if not low <= value <= high:
            raise ValueError(f"must be from {low} to {high}, not {value}")
        return value

    return check


def _string(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"must be a text, not {json.dumps(value)}")
    if "\0" in value:  # the system takes it for the end
        raise ValueError(f"must hold no NUL character, as {json.dumps(value)} does")
    return value


def _boolean(value: Any) -> bool:
    if type(value) is not bool:
        raise ValueError(f"must be true or false, not {json.dumps(value)}")
    return value


def _one_of(words: tuple[str, ...]) -> _Check:
    def check(value: Any) -> str:
        if value not in words:
            raise ValueError(f"must be one of {', '.join(words)}, not {json.dumps(value)}")
        return str(value)

    return check


def _mode(value: Any) -> str:
    if value == "cluster":
        raise ValueError('is "cluster", which this version does not support yet; use "standby"')
    return str(_one_of(SERVER_MODES)(value))


def _url(value: Any) -> str:
    text = _string(value).strip()
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"must be an http or https URL, not {json.dumps(value)}")
    return text.rstrip("/") + "/"


def _servers(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= 2:
        raise ValueError('must be a list of one or two: "self" and the other server\'s URL, the main first')
    servers = tuple("self" if server == "self" else _url(server) for server in value)
    if servers.count("self") == 0:
        raise ValueError('has no "self"; write "self" in the place of this server')
    if servers.count("self") == 2:
        raise ValueError('has "self" twice; one entry is the URL of the other server')
    return servers


def _prefix(value: Any) -> str:
    text = _string(value).strip("/")
    if not re.fullmatch(r"[A-Za-z0-9._~/-]*", text):
        raise ValueError("must be a path such as /lts")
    return f"/{text}" if text else ""


def _networks(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError("must be a list of addresses or networks")
    try:
        return tuple(str(ipaddress.ip_network(entry, strict=False)) for entry in value)
    except ValueError as error:
        raise ValueError(f"has an entry that is no address or network ({error})") from error


def _path(value: Any) -> Path:
    return Path(_string(value))


def _optional(check: _Check) -> _Check:
    return lambda value: None if value is None else check(value)


def _nested(keys: Mapping[str, tuple[str, _Check]], make: Callable[..., Any]) -> _Check:
    def check(value: Any) -> Any:
        if not isinstance(value, dict):
            raise ValueError("must be a JSON object")
        found = _Faults(Path(), "")
        values = _check(value, keys, found)
        if found.found:
            raise ValueError("; ".join(text.split(": ", 1)[1].rstrip(".") for text in found.found))
        return make(**values)

    return check


_RATE_KEYS: dict[str, tuple[str, _Check]] = {
    "deviceRequestsPerMinute": ("device_requests_per_minute", _integer(1, 1_000_000)),
    "deviceBurst": ("device_burst", _integer(1, 1_000_000)),
    "addressRefusalsPerMinute": ("address_refusals_per_minute", _integer(1, 1_000_000)),
}
_LOG_KEYS: dict[str, tuple[str, _Check]] = {
    "level": ("level", _one_of(LEVELS)),
    "format": ("format", _one_of(("text", "json"))),
    "file": ("file", _optional(_path)),
}
_KEYS: dict[str, tuple[str, _Check]] = {
    "serverMode": ("server_mode", _mode),
    "servers": ("servers", _servers),
    "host": ("host", _string),
    "port": ("port", _integer(0, 65535)),
    "dataDir": ("data_dir", _path),
    "urlPrefix": ("url_prefix", _prefix),
    "publicUrl": ("public_url", _optional(_url)),
    "trustedProxies": ("trusted_proxies", _networks),
    "vendorKeys": ("vendor_keys", _path),
    "database": ("database", _one_of(("sqlite",))),
    "threads": ("threads", _integer(4, 512)),
    "connectionLimit": ("connection_limit", _integer(10, 100_000)),
    "maxRequestBytes": ("max_request_bytes", _integer(1 << 20, 64 << 20)),
    "rateLimits": ("rate_limits", _nested(_RATE_KEYS, RateLimits)),
    "log": ("log", _nested(_LOG_KEYS, Log)),
    "takeOverAfterSeconds": ("take_over_after_seconds", _integer(5, 3600)),
    "allowPlainHttpPeer": ("allow_plain_http_peer", _boolean),
}
KEYS = tuple(_KEYS)
"""Names of all settings, in the order of the sample."""
assert {name for name, _ in _KEYS.values()} == {f.name for f in fields(Config)} - {"source"}
