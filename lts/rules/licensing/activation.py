"""The activation request: what a vendor needs to bind a license to a server.

See docs/design/license-files.md, Issue and activate.

It only proves that the server holds the key it names: whose server it is, the vendor must know.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from lts.crypto import PublicKey, SigningKey, canonical_json, jws_header, read_jws, sign_jws
from lts.errors import LicenseFileError, TokenError
from lts.rules.licensing import armor
from lts.rules.licensing.licensefile import normal_uuid
from lts.strictjson import strict_json

FORMAT = "LTS activation request"
VERSION = 1
JWS_TYPE = "lts-activation+jws"


@dataclass(frozen=True, slots=True)
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
    token = sign_jws(jws_header(key.public, JWS_TYPE), canonical_json(claims), key)
    return json.dumps({"format": FORMAT, "version": VERSION, "uuid": uuid, "request": token}, indent=2) + "\n"


def read(data: bytes | str) -> ActivationRequest:
    """Raises LicenseFileError if the file is not an activation request or its signature does not match."""
    try:
        outer, claims, key = _opened(data if isinstance(data, str) else armor.decode(data, FORMAT))
    except (ValueError, TokenError) as error:
        raise LicenseFileError(
            "bad-request", f"The file is not a valid activation request ({error}); download it again."
        ) from error
    uuid = normal_uuid(str(claims.get("sub")))
    if uuid is None or normal_uuid(str(outer.get("uuid", uuid))) != uuid:
        raise LicenseFileError("bad-request", "The activation request names no LTS UUID, or two; download it again.")
    labels, binding = claims.get("labels"), claims.get("binding")
    if not isinstance(labels, list) or binding not in ("strong", "weak"):
        raise LicenseFileError("bad-request", "The activation request has no labels; download it again.")
    return ActivationRequest(uuid, key, tuple(str(label) for label in labels), str(binding))


def _opened(text: str) -> tuple[dict[str, Any], dict[str, Any], PublicKey]:
    """The file's fields, the claims signed in it, and the key that signed them and that they name."""
    if len(text) > armor.MAX_BYTES:
        raise TokenError("It is larger than 1 MiB.")
    outer = strict_json(text.removeprefix("\ufeff"))
    if not isinstance(outer, dict) or outer.get("format") != FORMAT:
        raise TokenError("It has no format.")
    if outer.get("version") != VERSION:
        raise TokenError("Its version is unknown; update LTS.")
    jws = read_jws(str(outer.get("request")), None)
    if jws.header.get("typ") != JWS_TYPE:
        raise TokenError("What it holds is signed, but is not a request.")
    claims = jws.claims()
    confirmed = claims.get("cnf")
    key = PublicKey.from_jwk(confirmed.get("jwk") if isinstance(confirmed, dict) else None)
    jws.verify(key)
    return outer, claims, key
