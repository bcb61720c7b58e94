"""What a server signs of a report (docs/protocol.md, Receipts): in the renewed lease, else in a receipt of its own."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from lts.crypto import jws_header, sign_jws, unb64url
from lts.protocol import CERTIFICATE_TYPE, DAY_SECONDS, LEASE_TYPE, RECEIPT_TYPE, SLOT_SECONDS, iso, parse_iso
from lts.service.licensing.licenses import Choice
from tests.support import receipts
from tests.support.kit import NOON, item
from tests.web.conftest import DEVICE, Answer, Web


def sent(lease: str, *reports: Any) -> bytes:
    """A report's body with blanks that no program would write the same way again."""
    return json.dumps({"lease": lease, "reports": list(reports)}, indent=3).encode()


def post(web: Web, body: bytes, **environ: str) -> Answer:
    return web.call("POST", "/api/v1/report", body, **environ)


def checked(web: Web, authorized: Answer, answer: Answer, body: bytes) -> Any:
    assert answer.status == 200
    return receipts.check(answer.json, body, DEVICE, authorized.json["certificates"], web.lab.vendor.key.public.x)


def test_a_renewed_lease_carries_the_receipt_and_the_answer_has_its_times(web: Web) -> None:
    authorized = web.authorize()
    web.lab.time.forward(SLOT_SECONDS)
    body = sent(authorized.json["lease"], {"slot": iso(NOON), "usage": {"QR": 3}})
    answer = post(web, body)
    claims = checked(web, authorized, answer, body)
    assert (answer.json["receipt"], answer.json["certificates"]) == (None, None)
    assert parse_iso(answer.json["expiresAt"]) == claims["exp"]
    assert claims["iat"] == NOON + SLOT_SECONDS < parse_iso(answer.json["renewAfter"]) < claims["exp"]
    assert claims["receipt"]["results"] == "1c"
    again = post(web, sent(answer.json["lease"], {"slot": iso(NOON), "usage": {"QR": 3}}))
    assert again.json["results"][0]["status"] == "unchanged"


def test_where_no_lease_is_renewed_a_receipt_is_signed(web: Web) -> None:
    authorized = web.authorize()
    web.lab.time.forward(400 * DAY_SECONDS)
    late = iso(web.lab.time.now)
    body = sent(
        authorized.json["lease"],
        *[{"slot": late, "usage": {"QR": n}} for n in (1, 2)],
        *[{"slot": late, "usage": {"QR": -1}}] * 3,
        {"slot": iso(NOON), "usage": {"QR": 1}},
        {"slot": late, "usage": {"QR": 0}},
    )
    answer = post(web, body)
    claims = checked(web, authorized, answer, body)
    assert (answer.json["lease"], answer.json["expiresAt"], answer.json["renewAfter"]) == (None, None, None)
    assert claims["iat"] == web.lab.time.now
    assert claims["receipt"] == {**claims["receipt"], "results": "2c 3r140 1r143 1u", "durable": "single"}


def test_lease_and_receipt_name_the_place_of_the_feed(web: Web) -> None:
    authorized = web.authorize()
    body = sent(authorized.json["lease"], {"slot": iso(NOON), "usage": {"QR": 3}})
    claims = checked(web, authorized, post(web, body), body)
    web.lab.time.forward(400 * DAY_SECONDS)
    ended = checked(web, authorized, post(web, body), body)
    with web.lab.ctx.store.reader() as db:
        rows: dict[Any, Any] = dict(db.execute("SELECT serial, hash FROM changes"))
    for one in (claims, ended):
        assert one["origin"] == web.lab.ctx.identity.incarnation
        assert one["head"] == bytes(rows[one["serial"]]).hex()[:8]
    assert claims["serial"] < ended["serial"]


def test_the_digest_is_that_of_the_body_before_compression(web: Web) -> None:
    authorized = web.authorize()
    body = sent(authorized.json["lease"], {"slot": iso(NOON), "usage": {"QR": 3}})
    packed = gzip.compress(body)
    checked(web, authorized, post(web, packed, HTTP_CONTENT_ENCODING="gzip"), body)


def test_a_receipt_is_no_lease(web: Web) -> None:
    authorized = web.authorize()
    web.lab.time.forward(400 * DAY_SECONDS)
    entry = {"slot": iso(web.lab.time.now), "usage": {"QR": 1}}
    receipt = post(web, sent(authorized.json["lease"], entry)).json["receipt"]
    assert post(web, sent(receipt, entry)).json["code"] == 141
    assert web.call("POST", "/api/v1/release", {"lease": receipt}).json["code"] == 141


@pytest.mark.parametrize("typ", [RECEIPT_TYPE, CERTIFICATE_TYPE, "JWT"])
def test_what_the_servers_key_signed_as_another_type_is_no_lease(web: Web, typ: str) -> None:
    key = web.lab.ctx.identity.key
    payload = unb64url(web.authorize().json["lease"].split(".")[1])
    entry = {"slot": iso(NOON), "usage": {"QR": 1}}
    assert post(web, sent(sign_jws(jws_header(key.public, LEASE_TYPE), payload, key), entry)).status == 200
    assert post(web, sent(sign_jws(jws_header(key.public, typ), payload, key), entry)).json["code"] == 141


def test_a_receipt_that_was_forged_is_not_believed(web: Web) -> None:
    authorized = web.authorize()
    body = sent(authorized.json["lease"], {"slot": iso(NOON), "usage": {"QR": 3}})
    answer = post(web, body)
    checked(web, authorized, answer, body)
    with pytest.raises(AssertionError):
        checked(web, authorized, answer, body + b" ")
    answer.body = answer.body.replace(b'"counted"', b'"unchanged"')
    with pytest.raises(AssertionError):
        checked(web, authorized, answer, body)


def test_a_lease_of_a_report_is_reported_under_in_its_turn(web: Web) -> None:
    lease = web.authorize().json["lease"]
    for count in range(1, 4):
        lease = post(web, sent(lease, {"slot": iso(NOON), "usage": {"QR": count}})).json["lease"]
    assert web.lab.used() == 3


def test_a_lease_over_several_licenses_comes_with_a_certificate_of_each(web: Web) -> None:
    web.lab.load(item("two", modules=["OCR"]), choice=Choice(to_code=web.code), license_id="200")
    web.lab.load(item("three", modules=["DPM"]), choice=Choice(to_code=web.code), license_id="300")
    for modules, licenses in ((["QR"], ["100"]), (["OCR"], ["200"]), (["QR", "OCR", "DPM"], ["100", "200", "300"])):
        told = web.authorize(modules=modules).json
        named = [
            receipts.certificate(one, web.lab.vendor.key.public.x)
            for one in (*told["certificates"], *told["licenseCertificates"])
        ]
        assert [one["licenseId"] for one in named] == licenses
        assert {one["cnf"]["jwk"]["x"] for one in named} == {web.lab.ctx.identity.key.public.x}
        assert len(told["certificates"]) == 1
