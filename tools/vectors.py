"""`python3 -m tools.vectors`: makes tests/vectors/*.json, the same each time: keys, leases, chains,
receipts, scenarios.

docs/protocol.md, Vectors, describes each file. All keys are made of fixed bytes and are worth nothing.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lts.crypto import SigningKey, b64url
from lts.protocol import CERTIFICATE_TYPE, LEASE_TYPE, RECEIPT_TYPE, LicenseKey, iso
from tools.samples import (
    CHAIN,
    CODE,
    DAY,
    DEVICE,
    MAIN,
    NOON,
    OTHER_DEVICE,
    OTHER_VENDOR,
    PINNED,
    PRODUCT,
    SERVER,
    SPARE,
    SPARE_CHAIN,
    STANDBY,
    STRANGER,
    VENDOR,
    Json,
    certificate,
    counted,
    jws,
    lease,
    reported,
)
from tools.scenarios import scenarios

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "tests" / "vectors"


def _swapped(text: str, at: int) -> str:
    return text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]


def verification() -> list[Json]:
    """Leases with their chains: which are to be believed, given the vendor's key (null = none)."""
    good = lease()
    spare = lease(2, SPARE, iss=STANDBY)
    head, payload, signature = good.split(".")
    cases: list[tuple[str, str, list[str], SigningKey | None, bool]] = [
        ("a lease of a server that the vendor certifies", good, CHAIN, VENDOR, True),
        ("a lease of a standby that the main certifies", spare, SPARE_CHAIN, VENDOR, True),
        ("a self-signed server, no vendor's key", good, PINNED, None, True),
        ("a self-signed server, though there is a vendor's key", good, PINNED, VENDOR, False),
        ("a server of another vendor", good, CHAIN, OTHER_VENDOR, False),
        ("no certificate", good, [], VENDOR, False),
        ("a lease signed by a stranger", lease(1, STRANGER), CHAIN, VENDOR, False),
        ("a standby's lease with the main's chain alone", spare, CHAIN, VENDOR, False),
        ("a lease in another server's name", lease(1, SERVER, iss=STANDBY), CHAIN, VENDOR, False),
        ("a delegation that had ended when the lease was issued",
         lease(2, SPARE, iss=STANDBY, iat=NOON + 8 * DAY, exp=NOON + 9 * DAY), SPARE_CHAIN, VENDOR, False),
        ("a delegation that has ended since", lease(2, SPARE, iss=STANDBY, exp=NOON + 30 * DAY), SPARE_CHAIN, VENDOR, True),
        ("a delegation by a stranger", spare,
         [*CHAIN, certificate(STRANGER, MAIN, STANDBY, SPARE, exp=NOON + 7 * DAY)], VENDOR, False),
        ("a changed payload", f"{head}.{_swapped(payload, 40)}.{signature}", CHAIN, VENDOR, False),
        ("a changed signature", f"{head}.{payload}.{_swapped(signature, 20)}", CHAIN, VENDOR, False),
        ("a changed certificate", good, [_swapped(CHAIN[0], len(CHAIN[0]) - 30)], VENDOR, False),
        ("a lease of 0.1.0", lease(1, origin=None, head=None), CHAIN, VENDOR, True),
        ("claims that are new to the client", lease(1, newer={"deep": [1]}), CHAIN, VENDOR, True),
        ("the type of a certificate on a lease", lease(1, typ=CERTIFICATE_TYPE), CHAIN, VENDOR, False),
        ("the type of a receipt on a lease", lease(1, typ=RECEIPT_TYPE), CHAIN, VENDOR, False),
        ("the type of a lease on a certificate", good,
         [jws({"iss": VENDOR.kid, "sub": MAIN, "cnf": {"jwk": SERVER.public.jwk}, "iat": NOON - DAY}, VENDOR, LEASE_TYPE)],
         VENDOR, False),
        ("two parts", f"{head}.{payload}", CHAIN, VENDOR, False),
        ("no token at all", "lease", CHAIN, VENDOR, False),
    ]  # fmt: skip
    return [
        {
            "name": name,
            "lease": text,
            "certificates": chain,
            "vendorKey": key.public.x if key else None,
            "believed": believed,
        }
        for name, text, chain, key, believed in cases
    ]


def license_keys() -> list[Json]:
    """License key strings, with what they hold (null = refused)."""
    whole = LicenseKey(
        ("https://lts.example.com/lts/", "https://standby.example.com/lts/"),
        "216998",
        CODE,
        "s3cret é 许可",
        VENDOR.kid,
    )
    fingerprint = LicenseKey(("https://10.0.0.7/lts/",), None, CODE, None, None, "sha256-of-a-certificate")
    newer = "LTS2" + b64url(json.dumps({"s": ["http://127.0.0.1/"], "newer": {"deep": [1]}}).encode())
    small = LicenseKey(("http://127.0.0.1:48080/lts/",), None, CODE, None, None)
    text = whole.encode()
    return [
        {"name": "everything", "text": text, "fields": _fields(whole)},
        {"name": "a server and a code", "text": small.encode(), "fields": _fields(small)},
        {"name": "a fingerprint", "text": fingerprint.encode(), "fields": _fields(fingerprint)},
        {
            "name": "a field that is new to the client",
            "text": newer,
            "fields": _fields(LicenseKey(("http://127.0.0.1/",), None, None, None, None)),
        },
        {
            "name": "a fingerprint that is none",
            "text": "LTS2" + b64url(b'{"s":["http://127.0.0.1/"],"f":1}'),
            "fields": None,
        },
        {"name": "blanks and line ends around it", "text": f"  {text}\r\n", "fields": _fields(whole)},
        {"name": "nothing", "text": "", "fields": None},
        {"name": "another beginning", "text": "LTS1" + text[4:], "fields": None},
        {"name": "cut off", "text": text[:-7], "fields": None},
        {"name": "not base64url", "text": "LTS2" + "!" * 20, "fields": None},
        {"name": "no server", "text": "LTS2eyJzIjpbXX0", "fields": None},
        {"name": "a list", "text": "LTS2W10", "fields": None},
    ]


def _fields(key: LicenseKey) -> Json:
    return {"s": list(key.servers), "o": key.organization_id, "h": key.handshake_code, "p": key.session_password,
            "k": key.vendor_kid, "f": key.fingerprint}  # fmt: skip


def receipts() -> list[Json]:
    """Answers to reports, and whether a client may accept them as the server's: the certificates are those that came
    with the lease which the report names."""
    usage = {"slot": iso(NOON), "usage": {"QR": 3}}
    body = json.dumps({"lease": lease(), "reports": [usage] * 4})
    results = [counted(NOON), counted(NOON), counted(NOON, "rejected", 142), counted(NOON, "unchanged")]
    digest = b64url(hashlib.sha256(body.encode()).digest())
    said = {"body": digest, "results": "2c 1r142 1u", "durable": "single"}

    def receipt(key: SigningKey = SERVER, typ: str = RECEIPT_TYPE, receipt: Json = said, **more: Any) -> str:
        claims = {"iss": MAIN, "sub": DEVICE, "iat": NOON, "origin": "00112233445566aa", "serial": 7,
                  "head": "c0ffee00", "receipt": receipt, **more}  # fmt: skip
        return jws(claims, key, typ)

    def answer(**more: Any) -> Json:
        told: Json = reported(results)["body"]
        return {**told, "expiresAt": None, "renewAfter": None, "receipt": None, "certificates": None, **more}

    renewed: Json = {"expiresAt": iso(NOON + DAY), "renewAfter": iso(NOON + DAY // 2)}
    cases: list[tuple[str, Json, bool]] = [
        ("a receipt", answer(receipt=receipt()), True),
        ("a renewed lease", answer(lease=lease(2, receipt=said), **renewed), True),
        ("the other server of the pair, with the certificates of its key",
         answer(receipt=receipt(SPARE, iss=STANDBY), certificates=SPARE_CHAIN), True),
        ("the other server of the pair without certificates", answer(receipt=receipt(SPARE, iss=STANDBY)), False),
        ("neither lease nor receipt", answer(), False),
        ("a renewed lease without a receipt", answer(lease=lease(2), **renewed), False),
        ("a receipt by a stranger", answer(receipt=receipt(STRANGER)), False),
        ("a receipt for another device", answer(receipt=receipt(sub=OTHER_DEVICE)), False),
        ("a receipt of another type", answer(receipt=receipt(typ=LEASE_TYPE)), False),
        ("a receipt of another report", answer(receipt=receipt(receipt={**said, "body": digest[::-1]})), False),
        ("results that are not those of the receipt", answer(receipt=receipt(), results=[counted(NOON)] * 4), False),
        ("a durable that is not that of the receipt", answer(receipt=receipt(), durable="both"), False),
    ]  # fmt: skip
    return [
        {"name": name, "body": body, "answer": told, "certificates": CHAIN, "deviceId": DEVICE,
         "vendorKey": VENDOR.public.x, "believed": believed}
        for name, told, believed in cases
    ]  # fmt: skip


FILES: dict[str, Callable[[], Any]] = {
    "license-keys.json": license_keys,
    "verification.json": verification,
    "receipts.json": receipts,
    "scenarios.json": lambda: {
        "vendorKey": VENDOR.public.x, "deviceId": DEVICE, "product": PRODUCT, "handshakeCode": CODE, "now": NOON,
        "scenarios": scenarios(),
    },
}  # fmt: skip


def text_of(name: str) -> str:
    """A file's text."""
    return json.dumps(FILES[name](), indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def main() -> int:
    """Write all files."""
    FOLDER.mkdir(exist_ok=True)
    for name in FILES:
        (FOLDER / name).write_text(text_of(name), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
