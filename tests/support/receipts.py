"""A receipt checked as docs/protocol.md says it, by nothing of the server's: as a client in another language does."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

Json = dict[str, Any]


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _signed(token: str, x: str, typ: str) -> Json:
    """The claims of a token of this type by the key with this `x`; fails where they are not to be believed."""
    head, payload, signature = token.split(".")
    header = json.loads(_bytes(head))
    canonical = json.dumps({"crv": "Ed25519", "kty": "OKP", "x": x}, separators=(",", ":"))
    assert header["typ"] == typ
    assert header["kid"] == _text(hashlib.sha256(canonical.encode()).digest())
    Ed25519PublicKey.from_public_bytes(_bytes(x)).verify(_bytes(signature), f"{head}.{payload}".encode())
    claims: Json = json.loads(_bytes(payload))
    return claims


def in_short(results: list[Json]) -> str:
    """The results of an answer in the short form, one entry after another."""
    runs: list[list[Any]] = []
    for result in results:
        word = result["status"][0] + ("" if result["code"] is None else str(result["code"]))
        if runs and runs[-1][1] == word:
            runs[-1][0] += 1
        else:
            runs.append([1, word])
    return " ".join(f"{n}{word}" for n, word in runs)


def certificate(token: str, x: str) -> Json:
    """The claims of a certificate by the key with this `x`."""
    return _signed(token, x, "lts-certificate+jws")


def check(answer: Json, body: bytes, device: str, chain: list[str], vendor: str) -> Json:
    """The claims that vouch for a 200 of report on `body` (as it was before compression); fails where nothing does.

    `chain` holds the certificates that came with the lease sent, `vendor` the `x` of the vendor's key.
    """
    assert (answer["lease"] is None) != (answer["receipt"] is None)
    server, key = "", vendor
    for one in answer["certificates"] or chain:
        found = certificate(one, key)
        server, key = found["sub"], found["cnf"]["jwk"]["x"]
    if answer["lease"] is None:
        claims = _signed(answer["receipt"], key, "lts-receipt+jws")
    else:
        claims = _signed(answer["lease"], key, "lts-lease+jws")
    assert (claims["iss"], claims["sub"]) == (server, device)
    assert claims["receipt"] == {
        "body": _text(hashlib.sha256(body).digest()),
        "results": in_short(answer["results"]),
        "durable": answer["durable"],
    }
    return claims
