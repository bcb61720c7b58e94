"""Calling a webhook: one POST of JSON, signed; no redirect is followed, no metadata service reached."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import http.client
import ipaddress
import json
import ssl
from urllib.parse import urlsplit

from msgspec.structs import asdict

from lts import reach
from lts.errors import DeliveryError
from lts.reach import Deadline
from lts.rules.alerting.alertmail import subject_of, title_of
from lts.rules.values.text import one_line
from lts.service.alerting.alertsettings import Webhook
from lts.store.tables.alerts import Message

WHOLE_SECONDS = 10.0
"""How long a call of a webhook may take in all, from looking up its name to the end of its answer."""
MAX_WORDS_BYTES = 300
"""What is read of an answer's body, to be shown where it is a refusal."""
SIGNATURE = "X-LTS-Signature"
_METADATA = frozenset({ipaddress.ip_address("fd00:ec2::254"), ipaddress.ip_address("100.100.100.200")})
"""In addition to link-local addresses: where machines in data centers get their secrets."""


class WebhookError(DeliveryError):
    def __init__(self, detail: str, *, reached: bool = True) -> None:
        super().__init__("webhook-failed", detail, reached=reached)


def body_of(message: Message, server_uuid: str) -> bytes:
    """What is posted: the events with their figures and an English sentence each."""
    events = [{**asdict(event), "text": title_of(event, "en")} for event in message.events]
    head = {"id": message.id, "time": message.time, "server": server_uuid, "subject": subject_of(message.events, "en")}
    return json.dumps({**head, "events": events}, ensure_ascii=False).encode("utf-8")


def signature(secret: str, time: int, body: bytes) -> str:
    """`t=UTC seconds,v1=hex` of HMAC-SHA256 over "t.body": the receiver refuses old times and other bodies."""
    mac = hmac.new(secret.encode(), f"{time}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={time},v1={mac}"


def post(hook: Webhook, message_id: str, body: bytes, time: int) -> None:
    parts = urlsplit(hook.url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    target = parts.path or "/"
    if parts.query:
        target += f"?{parts.query}"
    headers = {"Content-Type": "application/json", "User-Agent": "LTS", "X-LTS-Message": message_id,
               SIGNATURE: signature(hook.secret, time, body)}  # fmt: skip
    try:
        connection = _connection(parts.scheme, host, port, Deadline(WHOLE_SECONDS))
        with contextlib.closing(connection):
            answer = reach.ask(connection, "POST", target, body, headers, MAX_WORDS_BYTES)
    except OSError as error:
        why = one_line(str(error))
        raise WebhookError(f"{host}:{port} cannot be reached: {why}", reached=False) from error
    if 300 <= answer.status < 400:
        raise WebhookError(f"{host}:{port} answered {answer.status}: redirects are not followed; give the final URL.")
    if not 200 <= answer.status < 300:
        raise WebhookError(f"{host}:{port} answered {answer.status} {one_line(answer.body)}".rstrip())


def _connection(scheme: str, host: str, port: int, deadline: Deadline) -> http.client.HTTPConnection:
    """A connection to an address that was checked: the name is not resolved a second time."""
    connected = reach.connect(_allowed_address(host, port, deadline), port, deadline)
    connection = http.client.HTTPConnection(host, port)
    if scheme == "https":
        connected = reach.encrypt(connected, host, deadline, ssl.create_default_context())
    connection.sock = reach.Timed(connected, deadline)
    return connection


def _allowed_address(host: str, port: int, deadline: Deadline) -> str:
    for *_, (address, *_) in reach.addresses(host, port, deadline):
        ip = ipaddress.ip_address(str(address).partition("%")[0])
        plain = ip.ipv4_mapped or ip if isinstance(ip, ipaddress.IPv6Address) else ip
        if plain.is_link_local or plain.is_multicast or plain.is_unspecified or plain in _METADATA:
            raise WebhookError(f"{host} leads to {ip}, where no webhook is; give another URL.")
        return str(address)
    raise WebhookError(f"There is no host {host!r}.")
