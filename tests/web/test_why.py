"""What *Why?* keeps of refused requests (docs/design/authorizing.md, Kept for Why?)."""

from __future__ import annotations

import json
import logging

import pytest

from lts.errors import NotVerified
from lts.protocol import iso
from lts.service.core import refusals
from lts.service.core.refusals import KEPT, AskedRequest, Refusals, RefusedRequest
from tests.support.kit import NOON
from tests.support.leases import signed
from tests.support.wait import wait_until
from tests.web.conftest import DEVICE, Answer, Served, Web
from tests.web.test_portal_api import caller

ENTRY = [{"slot": iso(NOON), "usage": {"QR": 1}}]


def found(web: Web, answer: Answer) -> list[tuple[object, ...]]:
    """What the page shows when the request id of an answer is looked up there."""
    status, told = caller(web.lab)("GET", f"/why?q={answer.json['requestId']}")
    assert status == 200
    return [(one["code"], one["handshakeCode"], one["detail"], one["asked"]) for one in told["refused"]]


def of_another_code(web: Web) -> str:
    """A lease by this server's key whose code it does not know, as a restore leaves it."""
    claims = {"iss": web.lab.ctx.leases.issuer, "sub": DEVICE, "jti": "x-1", "iat": NOON, "nbf": NOON,
              "exp": NOON + 600, "hs": "216998-gone", "code": 77, "items": [], "serial": 1}  # fmt: skip
    return signed(web.lab, claims)


def test_a_report_refused_for_its_lease_is_found_by_its_request_id_with_the_device(web: Web) -> None:
    answer = web.report(ENTRY, of_another_code(web))
    assert (answer.status, answer.json["code"]) == (403, 141)
    told = answer.json["detail"]
    assert found(web, answer) == [(141, "216998-gone", told, {"call": "report", "device": DEVICE})]


@pytest.mark.parametrize("call", ["report", "release"])
def test_what_is_refused_for_a_lease_that_does_not_verify_is_found_and_nothing_that_it_says(
    web: Web, call: str
) -> None:
    other = f"{of_another_code(web).rpartition('.')[0]}.{'A' * 86}"
    answer = web.call("POST", f"/api/v1/{call}", {"lease": other, "reports": ENTRY})
    assert (answer.status, answer.json["code"]) == (403, 141)
    assert found(web, answer) == [(141, None, answer.json["detail"], {"call": call, "device": None})]


def test_refused_reports_are_no_failed_authorizations(web: Web) -> None:
    web.report(ENTRY, of_another_code(web))
    web.authorize(handshakeCode="216998-none")
    web.lab.ctx.refusals.flush(web.lab.ctx.store, NOON)
    assert web.lab.rows("SELECT what, n FROM tallies") == [(101, 1)]


@pytest.mark.parametrize("call", ["authorize", "report", "release"])
def test_what_cannot_be_read_is_not_kept(web: Web, call: str) -> None:
    before = found(web, refused := web.authorize(handshakeCode="216998-none"))
    for body in (b"{", b"x" * (2 << 20), json.dumps({"lease": 3, "deviceId": "no"}).encode()):
        answer = web.call("POST", f"/api/v1/{call}", body)
        assert answer.json["code"] in (140, 144)
        assert found(web, answer) == []
    assert found(web, refused) == before != []


def one(number: int, code: int, name: str | None = None) -> RefusedRequest:
    """A refusal of its own."""
    if code == 141:
        error = NotVerified("no", device=DEVICE if name else None, handshake_code=name)
        return refusals.of_lease("report", error, f"id-{number}", NOON + number)
    return RefusedRequest(NOON + number, f"id-{number}", code, "no", name, AskedRequest(device=DEVICE), ())


@pytest.mark.parametrize("by", ["kept", "taken", "noted"])
@pytest.mark.parametrize("stranger", [101, 121, 123, 141])
def test_who_shows_nothing_of_this_server_pushes_out_no_more_than_half(stranger: int, by: str) -> None:
    kept = Refusals()
    for number in range(KEPT):
        kept.keep(one(number, 141 if number % 2 else 120, "a-b"))
    flood = [one(number, stranger) for number in range(KEPT, 3 * KEPT)]
    if by == "taken":
        kept.take(flood)
    for refused in flood if by != "taken" else ():
        if by == "noted":
            kept.note(0, refused)
        else:
            kept.keep(refused)
    codes = [refused.code for refused in kept.latest() if refused.handshake_code]
    assert len(kept.latest()) == KEPT
    assert len(codes) == KEPT // 2
    assert next(refused.request_id for refused in kept.latest()) == f"id-{3 * KEPT - 1}"
    assert min(refused.time for refused in kept.latest() if refused.handshake_code) == NOON + KEPT // 2


def test_where_nobody_known_is_refused_strangers_have_all_of_it() -> None:
    kept = Refusals()
    for number in range(KEPT + 20):
        kept.keep(one(number, 101))
    assert [refused.time - NOON for refused in kept.latest()] == list(range(KEPT + 19, 19, -1))


@pytest.mark.parametrize("size", [1 << 20, 9 << 20])
def test_what_is_turned_away_by_its_header_is_found_in_the_log(
    served: Served, size: int, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        connection = served.connect()
        connection.putrequest("POST", "/api/v1/authorize")
        connection.putheader("Content-Length", str(size))
        connection.endheaders()
        told = json.loads(connection.getresponse().read())
        connection.close()
        assert told["code"] == 144
        wait_until(lambda: told["requestId"] in caplog.text, "its line in the log")


def test_of_many_items_the_first_are_named_and_how_many_more_there_were(web: Web) -> None:
    tried = tuple((f"item-{n}", 102) for n in range(60))
    web.lab.ctx.refusals.keep(
        RefusedRequest(
            NOON,
            "many",
            102,
            "no",
            None,
            AskedRequest(device=DEVICE),
            tried,
            ("scan",) * 60,
            caps=((4, 4), *[None] * 58, (7, 9)),
        )
    )
    status, told = caller(web.lab)("GET", "/why?q=many")
    [shown] = told["refused"]
    assert (status, len(shown["items"]), shown["moreItems"]) == (200, 50, 10)
    assert shown["items"][49] == {"itemId": "item-49", "code": 102, "chargeWay": "scan", "cap": None}
    assert shown["items"][0]["cap"] == {"cap": 4, "used": 4}
