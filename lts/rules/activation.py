"""The activation request: what a vendor needs to bind a licence to a server (product.md, Licence file)."""

from __future__ import annotations

import json
from dataclasses import dataclass

from lts.crypto import PublicKey, SigningKey, canonical_json, jws_header, read_jws, sign_jws, strict_json
from lts.errors import LicenseFileError, TokenError
from lts.rules.licensefile import normal_uuid

FORMAT = "LTS activation request"


@dataclass(frozen=True)
class ActivationRequest:
    """A server's identity: LTS UUID, public key, label fingerprints, binding strong or weak."""

    uuid: str
    key: PublicKey
    labels: tuple[str, ...]
    binding: str


def build(uuid: str, key: SigningKey, labels: tuple[str, ...], binding: str, now: int) -> str:
    """The request as JSON text, signed by the server's own key. `now` in UTC seconds."""
    claims = {
        "sub": uuid,
        "cnf": {"jwk": key.public.jwk},
        "labels": list(labels),
        "binding": binding,
        "iat": now,
    }
    token = sign_jws(jws_header(key.public, "lts-activation+jws"), canonical_json(claims), key)
    return json.dumps({"format": FORMAT, "version": 1, "uuid": uuid, "request": token}, indent=2) + "\n"


def read(data: bytes) -> ActivationRequest:
    """Raises LicenseFileError when the file is no activation request or its signature does not match."""
    try:
        outer = strict_json(data.removeprefix(b"\xef\xbb\xbf"))
        if not isinstance(outer, dict) or outer.get("format") != FORMAT:
            raise TokenError("It lacks its format.")
        jws = read_jws(str(outer.get("request")))
        claims = jws.claims()
        confirmed = claims.get("cnf")
        key = PublicKey.from_jwk(confirmed.get("jwk") if isinstance(confirmed, dict) else None)
        jws.verify(key)
    except (ValueError, TokenError) as error:
        raise LicenseFileError(
            "bad-request", f"The file is not a sound activation request ({error}); download it again."
        ) from error
    uuid = normal_uuid(str(claims.get("sub")))
    labels = claims.get("labels")
    if uuid is None or not isinstance(labels, list):
        raise LicenseFileError("bad-request", "The activation request names no LTS UUID; download it again.")
    return ActivationRequest(uuid, key, tuple(str(label) for label in labels), str(claims.get("binding")))
