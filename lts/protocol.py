"""What client and server share: slots, times, license keys, leases and their certificate chains.

Shared by `lts/client` and the server; needs `cryptography` only (through lts.crypto). The server decodes
requests with its own strict types in lts/web; the shapes are those of docs/protocol.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from itertools import groupby
from typing import Any, Literal, NamedTuple

from lts.claims import Kinds, read_claims, read_some_claims, sent_claims
from lts.crypto import Jws, PublicKey, b64url, read_jws, unb64url
from lts.errors import TokenError
from lts.strictjson import strict_json

SLOT_SECONDS = 180
SLOTS_PER_DAY = 480
HOURS_PER_DAY = 24
DAY_SECONDS = 86_400
REPORT_INTERVAL_SECONDS = 180
MAX_COUNT = 1_000_000
MAX_REPORT_SLOTS = 15_000
NEVER = 253_402_300_800
"""UTC seconds of year 10000: later than any time a lease can name."""

LEASE_TYPE, RECEIPT_TYPE, CERTIFICATE_TYPE = "lts-lease+jws", "lts-receipt+jws", "lts-certificate+jws"
"""`typ` of the tokens that a client reads (docs/protocol.md, Tokens)."""

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_RFC3339 = re.compile(r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)\Z", re.ASCII)


def slot_of(unix_seconds: float) -> int:
    """Time slot of a moment (docs/design/words.md, Time slots): floor(unix seconds / 180)."""
    return int(unix_seconds // SLOT_SECONDS)


def iso(unix_seconds: int) -> str:
    """UTC seconds as `2026-11-25T02:03:04Z`; years 1 to 9999."""
    moment = _EPOCH + timedelta(seconds=min(unix_seconds, NEVER - 1))
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")


_NO_TIME = "not a time such as 2026-11-25T02:03:04Z"


def parse_iso(text: str) -> int:
    """UTC seconds of an RFC 3339 time with an offset. Raises ValueError with a sentence."""
    match = _RFC3339.match(text)
    if match is None:
        raise ValueError(_NO_TIME)
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    leap = second == 60
    try:
        moment = datetime(year, month, day, hour, minute, 59 if leap else second, tzinfo=timezone.utc)
    except ValueError:  # no such day or hour; its own words are not a sentence
        raise ValueError(_NO_TIME) from None
    seconds = (moment - _EPOCH) // timedelta(seconds=1) + leap
    zone = match.group(7)
    if zone not in "Zz":
        hours, minutes = int(zone[1:3]), int(zone[4:6])
        if hours > 23 or minutes > 59:
            raise ValueError(_NO_TIME)
        offset = hours * 3600 + minutes * 60
        seconds -= offset if zone[0] == "+" else -offset
    return seconds


def uuid_text(uuid: bytes) -> str:
    """As `str(UUID(bytes=uuid))`, in a fifth of its time: a table by device names thousands."""
    text = uuid.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


@dataclass(frozen=True)
class LicenseKey:
    """What an application embeds (docs/design/surface.md, License key): server URLs, organization, handshake code,
    password. `fingerprint` has room for that of the servers' certificate; nothing sets it yet."""

    servers: tuple[str, ...]
    organization_id: str | None
    handshake_code: str | None
    session_password: str | None
    vendor_kid: str | None
    fingerprint: str | None = None

    def encode(self) -> str:
        """The copy-safe one-line string, `LTS2…`."""
        fields: dict[str, Any] = {
            "s": list(self.servers),
            "o": self.organization_id,
            "h": self.handshake_code,
            "p": self.session_password,
            "k": self.vendor_kid,
        }
        if self.fingerprint is not None:
            fields["f"] = self.fingerprint
        return "LTS2" + b64url(json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode())

    @classmethod
    def decode(cls, text: str) -> LicenseKey:
        """Read a license key string. Raises TokenError with what to do."""
        text = text.strip()
        if not text.startswith("LTS2"):
            raise TokenError("Not a license key: it begins with LTS2. Copy it whole from the portal.")
        try:
            fields = strict_json(unb64url(text[4:]))
        except (ValueError, TokenError) as error:
            raise TokenError("The license key is damaged. Copy it whole from the portal.") from error
        if not isinstance(fields, dict) or not _are_key_fields(fields):
            raise TokenError("The license key is damaged. Copy it whole from the portal.")
        return cls(tuple(fields["s"]), *(fields.get(name) for name in _KEY_TEXTS))


_KEY_TEXTS = "ohpkf"
"""The fields of a license key except its servers: each a text, or null. Others are ignored."""


def _are_key_fields(fields: dict[str, Any]) -> bool:
    servers = fields.get("s")
    return (
        isinstance(servers, list)
        and bool(servers)
        and all(isinstance(url, str) for url in servers)
        and all(fields.get(name) is None or isinstance(fields[name], str) for name in _KEY_TEXTS)
    )


class FeedPlace(NamedTuple):
    """Where a server's change feed stood (docs/design/architecture.md, The change feed): `origin` is the incarnation
    that names it together with the LTS UUID, `head` the first eight hex digits of its hash at `serial`."""

    origin: str
    serial: int
    head: str


Durable = Literal["both", "local", "single"]
"""Where a change is stored: on both servers of a pair, on this one alone for now, or on the only one there is."""


class Receipt(NamedTuple):
    """What a server has signed of a report (docs/protocol.md, Receipts): `body` is the SHA-256 of the request's body
    (base64url), `results` as `short_results` makes it, `durable` as in the answer."""

    body: str
    results: str
    durable: str

    def claims(self) -> dict[str, str]:
        """The JSON object in the claim `receipt`."""
        return {"body": self.body, "results": self.results, "durable": self.durable}


def short_results(results: Iterable[tuple[str, int | None]]) -> str:
    """(status, code) of each entry in order as runs: `3c 1r142 2u` is three counted, one rejected with 142, two
    unchanged (docs/protocol.md, Receipts)."""
    every = list(results)
    if every and every.count(every[0]) == len(every):  # as nearly always, and cheaper to write
        return _run(*every[0], len(every))
    return " ".join([_run(*one, len(list(run))) for one, run in groupby(every)])


def _run(status: str, code: int | None, n: int) -> str:
    return f"{n}{status[0]}{'' if code is None else code}"


class LeaseItem(NamedTuple):
    """One item of a lease, as its claims name it."""

    item_id: str
    license_id: str
    product: str
    modules: tuple[str, ...]
    charge_way: str
    instances: int
    grace: bool
    grant: int

    def claims(self) -> dict[str, Any]:
        """The JSON object in the lease's `items`."""
        return dict(zip(_ITEM_CLAIMS.names, self, strict=True), modules=list(self.modules))


class Asked(NamedTuple):
    """What a device asked for, as its lease says (lts.rules.metering.asked); None = not sent. `is_default`: it named no
    code, and `password` is the number of the change of the session password that it knew."""

    product: str
    deployment_type: str
    version: str | None = None
    edition: str | None = None
    charge_way: str | None = None
    is_default: bool = False
    modules: tuple[str, ...] = ()
    instances: int = 1
    domain: str | None = None
    application_id: str | None = None
    process_name: str | None = None
    password: int | None = None

    def claims(self) -> dict[str, Any]:
        """The JSON object in the lease's `asked`; what was not sent is left out."""
        claims: dict[str, Any] = {
            name: value for name, value, unsent in zip(_ASKED, self, _NOT_ASKED, strict=False) if value != unsent
        }
        validation = self[len(_ASKED) : -1]
        if any(one is not None for one in validation):
            claims["validation"] = sent_claims(dict(zip(_VALIDATION, validation, strict=True)))
        if self.password is not None:
            claims["password"] = self.password
        return claims

    @classmethod
    def from_claims(cls, claims: dict[str, Any]) -> Asked:
        """Inverse of `claims`, for what a server of LTS has signed. Raises KeyError."""
        sent: list[Any] = [*map(claims.get, _ASKED[2:], _NOT_ASKED[2:])]
        sent[4] = tuple(sent[4])
        sent += map(claims.get("validation", {}).get, _VALIDATION)
        sent.append(claims.get("password"))
        return cls(claims["product"], claims["deploymentType"], *sent)


_ASKED = ("product", "deploymentType", "version", "edition", "chargeWay", "default", "modules", "instances")
_NOT_ASKED: tuple[Any, ...] = (None, None, None, None, None, False, (), 1)
"""Values of these claims that are left out."""
_VALIDATION = ("domain", "applicationId", "processName")


class Lease(NamedTuple):
    """The claims of a lease (docs/design/surface.md, Lease). Times are UTC seconds.

    `origin` and `head` are those of a FeedPlace. `receipt` is present if a report renewed the lease. `code` is the
    code's number, `asked` the device's request (lts.rules.metering.asked), `authorized_at` when it did so. A lease of
    LTS 0.1.0 has none of them.
    """

    issuer: str
    device: str
    jti: str
    issued_at: int
    not_before: int
    expires_at: int
    handshake_code: str
    items: tuple[LeaseItem, ...]
    serial: int
    origin: str | None = None
    head: str | None = None
    receipt: Receipt | None = None
    code: int | None = None
    asked: Asked | None = None
    authorized_at: int | None = None

    @property
    def device_bytes(self) -> bytes:
        """The device's UUID as 16 bytes."""
        return bytes.fromhex(self.device.replace("-", ""))

    def claims(self) -> dict[str, Any]:
        """The JSON payload of the lease."""
        claims: dict[str, Any] = dict(zip(_CLAIMS.names, self, strict=False))
        claims["items"] = [item.claims() for item in self.items]
        claims["origin"], claims["head"] = self.origin, self.head
        if self.code is not None:
            claims["code"] = self.code
        if self.asked is not None:
            claims["asked"] = self.asked.claims()
        if self.authorized_at is not None:
            claims["auth_time"] = self.authorized_at
        if self.receipt is not None:
            claims["receipt"] = self.receipt.claims()
        return claims

    @classmethod
    def from_claims(cls, claims: dict[str, Any]) -> Lease:
        """Raises TokenError when a claim is missing or of the wrong type."""
        try:
            values, added = read_claims(claims, _CLAIMS), read_some_claims(claims, _ADDED_CLAIMS)
            values[7] = tuple(map(_lease_item, values[7]))
            if added[2] is not None:
                added[2] = Receipt(*read_claims(added[2], _RECEIPT_CLAIMS))
            if added[4] is not None:
                added[4] = Asked.from_claims(added[4])
        except (KeyError, TypeError) as error:
            raise TokenError(f"A claim of the lease is missing or wrong: {error}.") from error
        return cls(*values, *added)


_CLAIMS = Kinds(iss=str, sub=str, jti=str, iat=int, nbf=int, exp=int, hs=str, items=list, serial=int)
_ADDED_CLAIMS = Kinds(origin=str, head=str, receipt=dict, code=int, asked=dict, auth_time=int)
_RECEIPT_CLAIMS = Kinds(body=str, results=str, durable=str)
_ITEM_CLAIMS = Kinds(
    itemId=str, licenseId=str, product=str, modules=list, chargeWay=str, instances=int, grace=bool, grant=int
)


def _lease_item(claims: Any) -> LeaseItem:
    values = read_claims(claims, _ITEM_CLAIMS)
    if not {str}.issuperset(map(type, values[3])):
        raise TypeError("modules")
    values[3] = tuple(values[3])
    return LeaseItem(*values)


def verify_chain(certificates: list[str], vendor_key: PublicKey | None, issued_at: int) -> tuple[str, PublicKey]:
    """Follow a certificate chain from the vendor's key down to the key that signs leases.

    `issued_at` is the lease's `iat` in UTC seconds: a certificate must be valid then, not at the time of checking
    (docs/design/machine.md, Server key and certificates). With `vendor_key` None nothing vouches for the first
    certificate but itself, where it is self-signed: the caller pins the key. Returns (LTS UUID, key) of the last one.
    Raises TokenError.
    """
    if not certificates:
        raise TokenError("The answer carries no certificate.")
    key, subject = vendor_key, ""
    for text in certificates:
        jws = read_jws(text, CERTIFICATE_TYPE)
        claims = jws.claims()
        confirmation = claims.get("cnf")
        certified = PublicKey.from_jwk(confirmation.get("jwk") if isinstance(confirmation, dict) else None)
        self_signed = claims.get("iss") == claims.get("sub")
        if key is not None or self_signed:
            _check_certificate(jws, claims, key or certified, issued_at)
        key, subject = certified, str(claims["sub"])
    assert key is not None
    return subject, key


def _check_certificate(jws: Jws, claims: dict[str, Any], key: PublicKey, issued_at: int) -> None:
    if jws.header.get("kid") != key.kid:
        raise TokenError("A certificate is signed by another key than the one before it in the chain.")
    jws.verify(key)
    if not isinstance(claims.get("sub"), str) or not isinstance(claims.get("iat"), int):
        raise TokenError("A certificate has no subject or time.")
    end = claims.get("exp")
    if end is not None and (not isinstance(end, int) or issued_at >= end):
        raise TokenError("A certificate of the chain had ended when the lease was issued.")


def verify_lease(lease: str, certificates: list[str], vendor_key: PublicKey | None) -> Lease:
    """The lease's claims, verified: signed by the last key of the chain that begins at `vendor_key`.

    Its end is not compared with any clock: that is the caller's rule. Raises TokenError.
    """
    jws = read_jws(lease, LEASE_TYPE)
    claims = Lease.from_claims(jws.claims())
    subject, key = verify_chain(certificates, vendor_key, claims.issued_at)
    if jws.header.get("kid") != key.kid or claims.issuer != subject:
        raise TokenError("The lease is not signed by the server that the chain certifies.")
    jws.verify(key)
    return claims
