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

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lts.crypto import SigningKey, b64url, jws_header, sign_jws
from lts.protocol import CERTIFICATE_TYPE, LEASE_TYPE, RECEIPT_TYPE, LicenseKey, iso

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "tests" / "vectors"
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


def _authorized(number: int = 1, clone: str = "c1", at: int = NOON, **more: Any) -> Json:
    return {"status": 200, "body": {"lease": lease(number, iat=at, nbf=at, **more), "certificates": CHAIN, "items": [],
            "expiresAt": iso(at + DAY), "renewAfter": iso(at + DAY // 2), "reportInterval": 180, "serverTime": iso(at),
            "cloneToken": clone, "chain": clone}}  # fmt: skip


def _reported(
    results: list[Json], clone: str = "c2", at: int = NOON, renewed: str | None = None, durable: str = "single"
) -> Json:
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


def _older(answer: Json) -> Json:
    """An answer as 0.1.0 gave it."""
    return {**answer, "body": {name: value for name, value in answer["body"].items() if name != "cloneToken"}}


def _refused(code: int, status: int = 403) -> Json:
    return {"status": status, "body": {"type": "about:blank", "title": "Refused", "status": status, "code": code,
            "detail": f"Refused with {code}.", "requestId": "r1"}}  # fmt: skip


def _unreadable() -> Json:
    told = _refused(140, 400)
    return {**told, "body": {**told["body"], "field": "reports[0].usage"}}


def _counted(slot: int, status: str = "counted", code: int | None = None) -> Json:
    return {"slot": iso(slot), "status": status, "code": code, "detail": None}


HTML = {"status": 200, "text": "<!doctype html><title>Welcome to our network</title>"}
SILENCE: Json = {"status": 0}
"""The answer is broken off."""
_NEVER: list[tuple[str, int]] = [
    ("QR", 400_001), ("QR", 0), ("QR", 1_000_001), ("", 1), ("x" * 201, 1), ("a\x07b", 1), ("a\u2028b", 1), (" ", 1),
    ("\u200b", 1), ("a" + "\u0301" * 32, 1),
]  # fmt: skip
"""(type, count) of uses that no server counts, once 600,000 of QR are."""
_OPENING: Json = {"do": "authorize", "asks": [{"path": "authorize", "answer": _authorized()}], "result": {"ok": True}}


def _asks(path: str, answer: Json, server: int = 0, **body: Any) -> Json:
    return {"path": path, "server": server, "body": body, "answer": answer}


def _report(count: int, answer: Json, slot: int = NOON, number: int = 1, **body: Any) -> Json:
    return _asks("report", answer, lease=lease(number), reports=[{"slot": iso(slot), "usage": {"QR": count}}], **body)


def scenarios() -> list[Json]:
    """What a client must do, step by step: the calls made on it, the requests that must come, what it must say."""
    return [
        {"name": "authorizes with what it was opened with, and sends each clone token back", "steps": [
            {"do": "authorize", "asks": [_asks("authorize", _authorized(), handshakeCode=CODE, deviceId=DEVICE, product=PRODUCT,
                                               cloneToken=None)], "result": {"ok": True}},
            {"do": "authorize", "asks": [_asks("authorize", _authorized(2, "c2"), cloneToken="c1")], "result": {"ok": True}},
            {"do": "allowed", "module": "QR", "result": {"ok": True}},
            {"do": "allowed", "module": "OCR", "result": {"ok": False}}]},
        {"name": "goes on with the clone token of a server of 0.1.0, which calls it chain", "steps": [
            {"do": "authorize", "asks": [_asks("authorize", _older(_authorized()), chain=None)], "result": {"ok": True}},
            {"do": "flush", "asks": [_asks("report", _older(_reported([_counted(NOON)])), chain="c1")]},
            {"do": "flush", "asks": [_asks("report", _older(_reported([_counted(NOON)], "c3")), chain="c2")]}]},
        {"name": "reports the count so far of a slot, not the growth", "steps": [
            _OPENING, {"do": "use", "type": "QR", "count": 3},
            {"do": "flush", "asks": [_report(3, _reported([_counted(NOON)]), cloneToken="c1")]},
            {"do": "use", "type": "QR", "count": 2},
            {"do": "flush", "asks": [_report(5, _reported([_counted(NOON)], "c3"), cloneToken="c2")]}]},
        {"name": "reports again what was not confirmed", "steps": [
            _OPENING, {"do": "use", "type": "QR", "count": 3},
            {"do": "flush", "asks": [_report(3, SILENCE)], "result": {"error": "Unreachable"}},
            {"do": "flush", "asks": [_report(3, _reported([_counted(NOON)]))]}]},
        {"name": "says that it lives when nothing waits", "steps": [
            _OPENING,
            {"do": "flush", "asks": [_asks("report", _reported([_counted(NOON)]), reports=[{"usage": {}}])]}]},
        {"name": "keeps a slot that is ahead (142) and drops one that is too old (143)", "steps": [
            _OPENING, {"do": "use", "type": "QR", "count": 1},
            {"do": "flush", "asks": [_report(1, _reported([_counted(NOON, "rejected", 142)]))]},
            {"do": "flush", "asks": [_report(1, _reported([_counted(NOON, "rejected", 143)], "c3"))]},
            {"do": "flush", "asks": [_asks("report", _reported([_counted(NOON)], "c4"), reports=[{"usage": {}}])]}]},
        {"name": "keeps what one server of a pair has alone (durable local)", "steps": [
            _OPENING, {"do": "use", "type": "QR", "count": 4},
            {"do": "flush", "asks": [_report(4, _reported([_counted(NOON)], durable="local"))]},
            {"do": "flush", "asks": [_report(4, _reported([_counted(NOON, "unchanged")], "c3", durable="both"))]},
            {"do": "flush", "asks": [_asks("report", _reported([_counted(NOON)], "c4"), reports=[{"usage": {}}])]}]},
        {"name": "sends usage with the lease under which it happened", "steps": [
            _OPENING, {"do": "use", "type": "QR", "count": 3},
            {"do": "clock", "now": NOON + 180},
            {"do": "authorize", "asks": [_asks("authorize", _authorized(2, "c2", NOON + 180))], "result": {"ok": True}},
            {"do": "flush", "asks": [_report(3, _reported([_counted(NOON)], "c3", NOON + 180), number=1)]}]},
        {"name": "goes on with its counts over a renewal and a rename of the handshake code", "steps": [
            {"do": "authorize", "asks": [_asks("authorize", _authorized(code=7))], "result": {"ok": True}},
            {"do": "use", "type": "QR", "count": 3},
            {"do": "authorize", "asks": [_asks("authorize", _authorized(2, "c2", code=7, hs=RENAMED))], "result": {"ok": True}},
            {"do": "use", "type": "QR", "count": 2},
            {"do": "flush", "asks": [_asks("report", _reported([_counted(NOON)], "c3"), lease=lease(code=7), reports=[
                {"slot": iso(NOON), "usage": {"QR": 5}}])]}]},
        {"name": "goes on with its counts when the server begins to tell numbers", "steps": [
            _OPENING, {"do": "use", "type": "QR", "count": 3},
            {"do": "authorize", "asks": [_asks("authorize", _authorized(2, "c2", code=7))], "result": {"ok": True}},
            {"do": "use", "type": "QR", "count": 2},
            {"do": "flush", "asks": [_report(5, _reported([_counted(NOON)], "c3"))]}]},
        {"name": "counts apart for codes of the same name, told by their numbers", "steps": [
            {"do": "authorize", "asks": [_asks("authorize", _authorized(code=7))], "result": {"ok": True}},
            {"do": "use", "type": "QR", "count": 3},
            {"do": "flush", "asks": [_asks("report", _reported([_counted(NOON)]), lease=lease(code=7))]},
            {"do": "authorize", "asks": [_asks("authorize", _authorized(2, "c3", code=8))], "result": {"ok": True}},
            {"do": "use", "type": "QR", "count": 2},
            {"do": "flush", "asks": [_asks("report", _reported([_counted(NOON)], "c4"), lease=lease(2, code=8), reports=[
                {"slot": iso(NOON), "usage": {"QR": 2}}])]}]},
        {"name": "refuses what no server would count, and counts nothing of it", "steps": [
            _OPENING, {"do": "use", "type": "QR", "count": 600_000},
            *({"do": "use", "type": name, "count": count, "result": {"error": "Invalid"}} for name, count in _NEVER),
            {"do": "use", "type": "QR", "count": 400_000},
            {"do": "flush", "asks": [_report(10**6, _reported([_counted(NOON)]))]}]},
        {"name": "counts a name in all spellings as one", "steps": [
            _OPENING, {"do": "use", "type": "caf\u00e9", "count": 1}, {"do": "use", "type": "cafe\u0301", "count": 2},
            {"do": "flush", "asks": [_asks("report", _reported([_counted(NOON)]), reports=[
                {"slot": iso(NOON), "usage": {"caf\u00e9": 3}}])]}]},
        {"name": "drops what the server cannot read, and reports under the other leases", "steps": [
            _OPENING, {"do": "use", "type": "QR", "count": 1}, {"do": "clock", "now": NOON + 200},
            {"do": "authorize", "asks": [_asks("authorize", _authorized(2, "c2", NOON + 200))], "result": {"ok": True}},
            {"do": "use", "type": "QR", "count": 2},
            {"do": "flush", "asks": [
                _report(1, _unreadable()),
                _asks("report", _reported([_counted(NOON + 180)], "c3", NOON + 200), lease=lease(2, iat=NOON + 200, nbf=NOON + 200),
                      reports=[{"slot": iso(NOON + 180), "usage": {"QR": 2}}])],
             "result": {"error": "Refused", "code": 140}},
            {"do": "flush", "asks": [_asks("report", _reported([_counted(NOON + 180)], "c4", NOON + 200), reports=[{"usage": {}}])]}]},
        {"name": "keeps a report that is refused for its envelope, and reports under the other leases", "steps": [
            _OPENING, {"do": "use", "type": "QR", "count": 1}, {"do": "clock", "now": NOON + 200},
            {"do": "authorize", "asks": [_asks("authorize", _authorized(2, "c2", NOON + 200))], "result": {"ok": True}},
            {"do": "use", "type": "QR", "count": 2},
            {"do": "flush", "asks": [
                _report(1, _refused(140, 400)),
                _asks("report", _reported([_counted(NOON + 180)], "c3", NOON + 200), lease=lease(2, iat=NOON + 200, nbf=NOON + 200))],
             "result": {"error": "Refused", "code": 140}},
            {"do": "flush", "asks": [_report(1, _reported([_counted(NOON)], "c4", NOON + 200))], "result": {"ok": [_counted(NOON)]}}]},
        {"name": "sends what is over 30 days old by its own clock, and leaves it to the server to refuse it", "steps": [
            _OPENING, {"do": "use", "type": "QR", "count": 3}, {"do": "clock", "now": NOON + 31 * DAY},
            {"do": "flush", "asks": [_report(3, _reported([_counted(NOON)]))]}]},
        {"name": "counts each slot on its own", "steps": [
            _OPENING, {"do": "use", "type": "QR", "count": 3}, {"do": "clock", "now": NOON + 200},
            {"do": "use", "type": "QR", "count": 4},
            {"do": "flush", "asks": [_asks("report", _reported([_counted(NOON), _counted(NOON + 180)], at=NOON + 200), reports=[
                {"slot": iso(NOON), "usage": {"QR": 3}}, {"slot": iso(NOON + 180), "usage": {"QR": 4}}])]}]},
        {"name": "works offline until the lease ends, and not longer", "steps": [
            _OPENING, {"do": "clock", "now": NOON + DAY - 1}, {"do": "allowed", "module": "QR", "result": {"ok": True}},
            {"do": "clock", "now": NOON + DAY}, {"do": "allowed", "module": "QR", "result": {"ok": False}},
            {"do": "use", "type": "QR", "count": 1, "result": {"error": "Refused", "code": 111}}]},
        {"name": "gains nothing from a clock that is set back", "steps": [
            _OPENING, {"do": "clock", "now": NOON + DAY}, {"do": "allowed", "module": "QR", "result": {"ok": False}},
            {"do": "clock", "now": NOON}, {"do": "allowed", "module": "QR", "result": {"ok": False}}]},
        {"name": "keeps lease, identity and unsent usage over a restart", "steps": [
            _OPENING, {"do": "use", "type": "QR", "count": 3}, {"do": "reopen"},
            {"do": "allowed", "module": "QR", "result": {"ok": True}},
            {"do": "flush", "asks": [_report(3, _reported([_counted(NOON)]), cloneToken="c1")]}]},
        {"name": "goes on with the lease at hand when no server answers", "steps": [
            _OPENING,
            {"do": "authorize", "asks": [_asks("authorize", SILENCE)], "result": {"ok": True}},
            {"do": "authorize", "asks": [_asks("authorize", HTML)], "result": {"ok": True}}]},
        {"name": "tells an answer that is not from LTS from a refusal", "steps": [
            {"do": "authorize", "asks": [_asks("authorize", HTML)], "result": {"error": "Unreachable"}},
            {"do": "authorize", "asks": [_asks("authorize", {"status": 502, "text": "bad gateway"})], "result": {"error": "Unreachable"}},
            {"do": "authorize", "asks": [_asks("authorize", _refused(106))], "result": {"error": "Refused", "code": 106}}]},
        {"name": "asks the standby when the main does not serve", "servers": 2, "steps": [
            {"do": "authorize", "asks": [_asks("authorize", _refused(100, 503)), _asks("authorize", _authorized(), 1)],
             "result": {"ok": True}}]},
        {"name": "asks the standby when the main is gone", "servers": 2, "steps": [
            {"do": "authorize", "asks": [_asks("authorize", SILENCE), _asks("authorize", _authorized(), 1)], "result": {"ok": True}}]},
        {"name": "does not ask the standby after a refusal by the license", "servers": 2, "steps": [
            {"do": "authorize", "asks": [_asks("authorize", _refused(120))], "result": {"error": "Refused", "code": 120}}]},
        {"name": "believes no lease that does not verify, nor one of another device", "steps": [
            {"do": "authorize", "asks": [_asks("authorize", _with_lease(lease(1, STRANGER)))], "result": {"error": "NotTrusted"}},
            {"do": "authorize", "asks": [_asks("authorize", _with_lease(lease(1, sub=OTHER_DEVICE)))], "result": {"error": "NotTrusted"}},
            {"do": "allowed", "module": "QR", "result": {"ok": False}}]},
        {"name": "follows the server's clock", "opened": {"now": NOON - 5000}, "steps": [
            _OPENING, {"do": "use", "type": "QR", "count": 1},
            {"do": "flush", "asks": [_report(1, _reported([_counted(NOON)]))]}]},
        {"name": "gives the seat back with its lease", "steps": [
            _OPENING, {"do": "release", "asks": [{**_asks("report", _reported([_counted(NOON)])), "optional": True},
                                                 _asks("release", {"status": 204}, lease=lease())]},
            {"do": "allowed", "module": "QR", "result": {"ok": False}}]},
    ]  # fmt: skip


def _with_lease(text: str) -> Json:
    answer = _authorized()
    return {**answer, "body": {**answer["body"], "lease": text}}


def receipts() -> list[Json]:
    """Answers to reports, and whether a client may accept them as the server's: the certificates are those that came
    with the lease which the report names."""
    usage = {"slot": iso(NOON), "usage": {"QR": 3}}
    body = json.dumps({"lease": lease(), "reports": [usage] * 4})
    results = [_counted(NOON), _counted(NOON), _counted(NOON, "rejected", 142), _counted(NOON, "unchanged")]
    digest = b64url(hashlib.sha256(body.encode()).digest())
    said = {"body": digest, "results": "2c 1r142 1u", "durable": "single"}

    def receipt(key: SigningKey = SERVER, typ: str = RECEIPT_TYPE, receipt: Json = said, **more: Any) -> str:
        claims = {"iss": MAIN, "sub": DEVICE, "iat": NOON, "origin": "00112233445566aa", "serial": 7,
                  "head": "c0ffee00", "receipt": receipt, **more}  # fmt: skip
        return jws(claims, key, typ)

    def answer(**more: Any) -> Json:
        told: Json = _reported(results)["body"]
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
        ("results that are not those of the receipt", answer(receipt=receipt(), results=[_counted(NOON)] * 4), False),
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
