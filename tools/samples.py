"""Keys, leases, certificates and answers of which tools.vectors and tools.scenarios are made."""

from __future__ import annotations

import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lts.crypto import SigningKey, jws_header, sign_jws
from lts.protocol import CERTIFICATE_TYPE, LEASE_TYPE, iso

NOON = 1_795_608_000
"""2026-11-25T12:00:00Z."""
DAY = 86_400
DEVICE, OTHER_DEVICE = "6f1c2b7e-8c1d-4a0e-9a57-0c6a2f7a1b11", "11111111-8c1d-4a0e-9a57-0c6a2f7a1b11"
MAIN, STANDBY = "AAAAAAAA-0000-4000-8000-000000000001", "BBBBBBBB-0000-4000-8000-000000000002"
CODE, RENAMED, PRODUCT = "216998-100", "216998-shop", "reader"
Json = dict[str, Any]


def _key(number: int) -> SigningKey:
    return SigningKey(Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32))


VENDOR, OTHER_VENDOR, SERVER, SPARE, STRANGER = (_key(number) for number in (1, 2, 3, 4, 5))


def jws(claims: Json, key: SigningKey, typ: str, **header: Any) -> str:
    """A compact JWS."""
    payload = json.dumps(claims, separators=(",", ":"), sort_keys=True).encode()
    return sign_jws(jws_header(key.public, typ, **header), payload, key)


def certificate(signer: SigningKey, issuer: str, subject: str, subject_key: SigningKey, **more: Any) -> str:
    """`signer` says that `subject` has `subject_key`."""
    claims = {"iss": issuer, "sub": subject, "cnf": {"jwk": subject_key.public.jwk}, "iat": NOON - DAY, **more}
    return jws(claims, signer, CERTIFICATE_TYPE)


def lease(number: int = 1, key: SigningKey = SERVER, typ: str = LEASE_TYPE, **more: Any) -> str:
    """A lease of the main server for a day."""
    item = {"itemId": "one", "licenseId": "100", "product": PRODUCT, "modules": ["QR"], "chargeWay": "scan",
            "instances": 1, "grace": False, "grant": 0}  # fmt: skip
    claims = {"iss": MAIN, "sub": DEVICE, "jti": f"lease-{number}", "iat": NOON, "nbf": NOON, "exp": NOON + DAY,
              "hs": CODE, "items": [item], "serial": number, "origin": "00112233445566aa", "head": "c0ffee00", **more}  # fmt: skip
    return jws(claims, key, typ)


CHAIN = [certificate(VENDOR, VENDOR.kid, MAIN, SERVER)]
SPARE_CHAIN = [*CHAIN, certificate(SERVER, MAIN, STANDBY, SPARE, exp=NOON + 7 * DAY)]
PINNED = [certificate(SERVER, MAIN, MAIN, SERVER)]


def authorized(number: int = 1, clone: str = "c1", at: int = NOON, **more: Any) -> Json:
    """The answer to an authorization; `more` are claims of the lease."""
    return {"status": 200, "body": {"lease": lease(number, iat=at, nbf=at, **more), "certificates": CHAIN, "items": [],
            "expiresAt": iso(at + DAY), "renewAfter": iso(at + DAY // 2), "reportInterval": 180, "serverTime": iso(at),
            "cloneToken": clone, "chain": clone}}  # fmt: skip


def reported(
    results: list[Json], clone: str = "c2", at: int = NOON, renewed: str | None = None, durable: str = "single"
) -> Json:
    """The answer to a report."""
    return {
        "status": 200,
        "body": {
            "results": results,
            "durable": durable,
            "lease": renewed,
            "serverTime": iso(at),
            "cloneToken": clone,
            "chain": clone,
        },
    }


def older(answer: Json) -> Json:
    """An answer as 0.1.0 gave it."""
    return {**answer, "body": {name: value for name, value in answer["body"].items() if name != "cloneToken"}}


def refused(code: int, status: int = 403) -> Json:
    """A refusal."""
    return {"status": status, "body": {"type": "about:blank", "title": "Refused", "status": status, "code": code,
            "detail": f"Refused with {code}.", "requestId": "r1"}}  # fmt: skip


def unreadable() -> Json:
    """A refusal of a report for the first entry's usage."""
    told = refused(140, 400)
    return {**told, "body": {**told["body"], "field": "reports[0].usage"}}


def counted(slot: int, status: str = "counted", code: int | None = None) -> Json:
    """What the answer to a report says about an entry."""
    return {"slot": iso(slot), "status": status, "code": code, "detail": None}
