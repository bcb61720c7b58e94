"""The three client calls and health: translation, refusals, CORS, limits."""

from __future__ import annotations

import gzip
import json
import logging
import re
from typing import Any

import pytest

from lts.config import RateLimits
from lts.errors import HTTP_STATUS, CannotStore, DataFolderError, Refusal
from lts.protocol import DAY_SECONDS, iso
from lts.service import attention
from lts.service.newcomers import Newcomers
from lts.store import devices
from lts.web import body as web_body
from lts.web import messages, ratelimit, reports
from lts.web.bodytree import LARGE_BYTES
from lts.web.ratelimit import Limits
from tests.support.kit import NOON, Lab
from tests.web.conftest import DEVICE, Answer, Web

CALLS = ("authorize", "report", "release")


def problem(answer: Answer) -> Any:
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers
    document = answer.json
    assert document["status"] == answer.status
    assert document["title"]
    assert document["detail"]
    assert document["requestId"] == answer.headers["x-request-id"]
    return document


def test_authorize_answers_as_promised(web: Web) -> None:
    answer = web.authorize(modules=["QR"])
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    told = answer.json
    assert set(told) == {
        "lease", "certificates", "licenseCertificates", "items", "expiresAt", "renewAfter", "reportInterval",
        "serverTime", "cloneToken", "chain",
    }  # fmt: skip
    assert told["items"] == [{"itemId": "one", "chargeWay": "scan", "modules": ["QR"], "grace": False}]
    assert told["reportInterval"] == 180
    assert told["serverTime"] == iso(NOON)
    assert told["lease"].count(".") == 2


def test_a_report_answers_for_each_entry_in_order(web: Web) -> None:
    lease = web.authorize().json["lease"]
    answer = web.report(
        [
            {"slot": iso(NOON), "usage": {"QR": 3}},
            {"slot": iso(NOON), "usage": {"QR": 3.5}},
            {"slot": iso(NOON + 3600), "usage": {"QR": 1}},
        ],
        lease,
    )
    assert answer.status == 200
    told = answer.json
    assert set(told) == {
        "results", "durable", "lease", "expiresAt", "renewAfter", "receipt", "certificates", "serverTime", "cloneToken",
        "chain",
    }  # fmt: skip
    assert [(r["status"], r["code"]) for r in told["results"]] == [
        ("counted", None),
        ("rejected", 140),
        ("rejected", 142),
    ]
    assert "reports[1].usage.QR" in told["results"][1]["detail"]
    assert told["results"][0]["slot"] == iso(NOON)


def test_release_answers_204_again_and_again(web: Web) -> None:
    lease = web.authorize().json["lease"]
    for _ in range(2):
        answer = web.call("POST", "/api/v1/release", {"lease": lease})
        assert (answer.status, answer.body) == (204, b"")
        assert answer.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize("prefix", ["", "/lts"])
def test_the_paths_answer_with_and_without_the_prefix(web: Web, prefix: str) -> None:
    assert web.call("POST", f"{prefix}/api/v1/authorize", web.asking()).status == 200
    assert web.call("GET", f"{prefix}/api/v1/health").json["status"] == "serving"
    assert web.call("GET", f"{prefix}/api/v1/openapi.json").json["openapi"] == "3.1.0"
    assert web.call("POST", f"{prefix}x/api/v1/authorize", web.asking()).status == 404


def test_a_refusal_is_a_problem_with_its_code_and_field(web: Web) -> None:
    document = problem(web.authorize(instances=0))
    assert (document["status"], document["code"], document["field"]) == (400, 140, "instances")
    document = problem(web.authorize(handshakeCode="216998-nowhere"))
    assert (document["status"], document["code"]) == (404, 101)
    assert "field" not in document


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("code", sorted(set(HTTP_STATUS) - {100}))
def test_every_refusal_reaches_the_client_with_cors(
    web: Web, monkeypatch: pytest.MonkeyPatch, call: str, code: int
) -> None:
    lease = web.authorize().json["lease"]

    def refuse(*_: Any) -> None:
        raise Refusal(code, "Because.", retry_after=7 if code in (130, 150) else None)

    monkeypatch.setattr(devices, "find", refuse)
    bodies = {
        "authorize": web.asking(),
        "report": {"lease": lease, "reports": [{"slot": iso(NOON), "usage": {}}]},
        "release": {"lease": lease},
    }
    answer = web.call("POST", f"/api/v1/{call}", bodies[call])
    document = problem(answer)
    assert (answer.status, document["code"]) == (HTTP_STATUS[code], code)
    assert answer.headers.get("retry-after") == ("7" if code in (130, 150) else None)


def test_an_unexpected_fault_is_500_without_details_and_stands_in_the_log(
    web: Web, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def break_down(*_: Any) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(devices, "find", break_down)
    answer = web.authorize()
    document = problem(answer)
    assert (answer.status, document["code"]) == (500, "internal")
    assert b"secret" not in answer.body
    assert document["requestId"] in caplog.text
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("error", [CannotStore(), DataFolderError("/srv/lts is full.")])
def test_a_store_that_fails_is_503_and_shows_no_path(
    web: Web, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(devices, "find", fail)
    answer = web.authorize()
    assert (answer.status, problem(answer)["code"]) == (503, 150)
    assert "retry-after" in answer.headers
    assert b"/srv" not in answer.body


@pytest.mark.parametrize("status", ["standby", "starting"])
def test_a_server_that_does_not_serve_refuses_all_calls_with_100(web: Web, status: str) -> None:
    web.lab.ctx.status = status
    for call in CALLS:
        answer = web.call("POST", f"/api/v1/{call}", web.asking())
        assert (answer.status, problem(answer)["code"]) == (503, 100)
    health = web.call("GET", "/api/v1/health")
    assert (health.status, health.json["status"]) == (503, status)


def test_health_answers_head_and_tells_nothing_secret(web: Web) -> None:
    answer = web.call("GET", "/api/v1/health")
    assert set(answer.json) == {"status", "version"}
    head = web.call("HEAD", "/api/v1/health")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == answer.headers["content-length"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD", "TRACE", "LINK"])
def test_another_method_is_405_and_names_the_right_ones(web: Web, method: str) -> None:
    answer = web.call(method, "/api/v1/authorize")
    assert answer.status == 405
    assert answer.headers["allow"] == "POST, OPTIONS"
    assert answer.headers["access-control-allow-origin"] == "*"


def test_an_unknown_client_path_is_a_problem_with_cors_and_a_portal_path_has_none(web: Web) -> None:
    document = problem(web.call("GET", "/api/v1/nothing-here"))
    assert (document["status"], document["code"]) == (404, "not-found")
    refused = web.call("GET", "/api/v1/admin/status")
    assert refused.status == 401
    assert "access-control-allow-origin" not in refused.headers


@pytest.mark.parametrize("path", ["authorize", "report", "release", "health"])
@pytest.mark.parametrize("origin", ["https://a.example", "null"])
def test_a_preflight_needs_nothing(web: Web, path: str, origin: str) -> None:
    answer = web.call(
        "OPTIONS",
        f"/lts/api/v1/{path}",
        HTTP_ORIGIN=origin,
        HTTP_ACCESS_CONTROL_REQUEST_METHOD="POST",
        HTTP_ACCESS_CONTROL_REQUEST_HEADERS="content-type, X-Custom,authorization, bad name\t",
        HTTP_ACCESS_CONTROL_REQUEST_PRIVATE_NETWORK="true",
    )
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-allow-headers"] == "content-type, X-Custom"
    assert answer.headers["access-control-allow-private-network"] == "true"
    assert answer.headers["access-control-max-age"]
    assert "access-control-allow-credentials" not in answer.headers


def test_a_text_plain_beacon_is_accepted(web: Web) -> None:
    body = json.dumps(web.asking()).encode()
    assert web.call("POST", "/api/v1/authorize", body, CONTENT_TYPE="text/plain;charset=UTF-8").status == 200


def test_a_gzip_body_is_unzipped_also_in_two_members(web: Web) -> None:
    body = json.dumps(web.asking()).encode()
    for data in (gzip.compress(body), gzip.compress(body[:20]) + gzip.compress(body[20:])):
        assert web.call("POST", "/api/v1/authorize", data, HTTP_CONTENT_ENCODING="gzip").status == 200


PACKED = gzip.compress(b"{}", mtime=0)


@pytest.mark.parametrize("data", [b"{}", PACKED[:-4], PACKED + b"tail", b""])
def test_damaged_gzip_is_400(web: Web, data: bytes) -> None:
    answer = web.call("POST", "/api/v1/report", data, HTTP_CONTENT_ENCODING="gzip")
    assert (answer.status, problem(answer)["field"]) == (400, "body")


def test_another_encoding_is_415(web: Web) -> None:
    answer = web.call("POST", "/api/v1/report", b"x", HTTP_CONTENT_ENCODING="br")
    assert (answer.status, problem(answer)["code"]) == (415, "content-encoding")


@pytest.mark.parametrize(("call", "limit"), [("authorize", 64 << 10), ("release", 1 << 20), ("report", 4 << 20)])
def test_a_body_over_its_limit_is_413_plain_and_unzipped(web: Web, call: str, limit: int) -> None:
    fits = b" " * limit
    assert problem(web.call("POST", f"/api/v1/{call}", fits))["code"] == 140
    packed = gzip.compress(b'{"lease": "%s"}' % web.authorize().json["lease"].encode() + fits)
    for data, encoding in ((fits + b" ", ""), (packed, "gzip")):
        answer = web.call("POST", f"/api/v1/{call}", data, HTTP_CONTENT_ENCODING=encoding)
        assert (answer.status, problem(answer)["code"]) == (413, 144)


def test_an_unknown_code_with_an_invisible_character_is_named_in_the_log(
    web: Web, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        document = problem(web.authorize(handshakeCode="216998\u200b-100"))
    assert document["code"] == 101
    assert "U+200B at 6" in caplog.text
    assert document["requestId"] in caplog.text


def test_a_password_is_never_logged_or_told(web: Web, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        answers = [
            web.authorize(handshakeCode="none", sessionPassword="hunter2"),
            web.authorize(sessionPassword=["hunter2"]),
        ]
    assert "hunter2" not in caplog.text
    assert all(b"hunter2" not in answer.body for answer in answers)


def test_a_device_that_asks_too_often_waits_and_no_other_does(server: Lab) -> None:
    web = Web(server, RateLimits(device_requests_per_minute=1, device_burst=3))
    assert [web.authorize().status for _ in range(4)] == [200, 200, 200, 429]
    refused = web.authorize(deviceId=DEVICE.upper())
    assert problem(refused)["code"] == 130
    assert int(refused.headers["retry-after"]) >= 1
    assert web.authorize(deviceId="6f1c2b7e-8c1d-4a0e-9a57-0c6a2f7a1b12").status == 200


def test_who_only_knows_a_device_keeps_neither_its_requests_nor_its_reports_from_it(server: Lab) -> None:
    web = Web(server, RateLimits(device_requests_per_minute=1, device_burst=3))
    lease = web.authorize().json["lease"]
    other = [
        web.call("POST", "/api/v1/authorize", web.asking(handshakeCode="x"), REMOTE_ADDR="192.0.2.7").status
        for _ in range(4)
    ]
    assert other == [404, 404, 404, 429]
    assert web.authorize().status == 200
    assert web.report([{"slot": iso(NOON), "usage": {}}], lease).status == 200


def asked_from(web: Web, address: str, **fields: Any) -> int:
    """Status of an authorization with good fields, changed as given, from an address."""
    return web.call("POST", "/api/v1/authorize", web.asking(**fields), REMOTE_ADDR=address).status


def test_who_knows_code_and_device_spends_nothing_of_what_the_device_may_ask(server: Lab) -> None:
    web = Web(server, RateLimits(device_requests_per_minute=1, device_burst=3))
    first = web.authorize().json
    assert [asked_from(web, "192.0.2.7") for _ in range(4)] == [200, 200, 200, 429]
    assert [asked_from(web, "192.0.2.7", chain="x") for _ in range(2)] == [429, 429]
    assert web.report([{"slot": iso(NOON), "usage": {}}], first["lease"]).status == 200
    assert asked_from(web, "192.0.2.7", chain=first["chain"]) == 200, "the device itself, wherever it is"


def test_a_device_that_proves_itself_pays_for_itself_wherever_it_asks(server: Lab) -> None:
    web = Web(server, RateLimits(device_requests_per_minute=1, device_burst=3))
    other = "6f1c2b7e-8c1d-4a0e-9a57-0c6a2f7a1b12"
    token, its = web.authorize().json["chain"], web.authorize(deviceId=other).json["chain"]
    assert [asked_from(web, f"192.0.2.{number}", chain=token) for number in range(4)] == [200, 200, 200, 429]
    assert asked_from(web, "192.0.2.9", chain=its) == 200, "another device's token proves nothing"
    assert asked_from(web, "192.0.2.9", deviceId=other, chain=its) == 200


@pytest.fixture
def few(server: Lab, monkeypatch: pytest.MonkeyPatch) -> Web:
    """The application, where an address may bring three new devices at once."""
    monkeypatch.setattr(ratelimit, "UNPROVEN_BURST", 3)
    monkeypatch.setattr(ratelimit, "UNPROVEN_PER_MINUTE", 1)
    return Web(server, RateLimits(1000, 1000, 1000))


def fleet(first: int) -> list[str]:
    return [f"00000000-0000-4000-8000-{first + number:012x}" for number in range(4)]


def test_new_devices_of_an_address_with_one_code_share_a_limit_and_the_administrator_is_told(few: Web) -> None:
    token = few.authorize().json["chain"]
    assert [asked_from(few, "192.0.2.7", deviceId=device) for device in fleet(1)] == [200, 200, 200, 429]
    refused = few.call("POST", "/api/v1/authorize", few.asking(), REMOTE_ADDR="192.0.2.7")
    assert problem(refused)["code"] == 130
    assert 0 < int(refused.headers["retry-after"]) <= 60
    assert asked_from(few, "192.0.2.8") == 200, "another address"
    assert asked_from(few, "192.0.2.7", handshakeCode="x") == 404, "another code"
    assert asked_from(few, "192.0.2.7", chain=token) == 200, "a device that proves itself"
    ctx, now = few.lab.ctx, few.lab.time.now
    [notice] = [notice for notice in attention.notices(ctx, now) if notice.code == "many-new-devices"]
    assert notice.params == {"address": "192.0.2.7", "code": few.code}
    assert "192.0.2.7" in notice.detail
    assert few.code in notice.detail
    assert "many-new-devices" not in [notice.code for notice in attention.notices(ctx, now + DAY_SECONDS)]


@pytest.mark.parametrize(
    ("where", "exempt"),
    [
        ({"REMOTE_ADDR": "127.0.0.1"}, True),
        ({"REMOTE_ADDR": "::1"}, True),
        ({"REMOTE_ADDR": "10.0.0.1"}, True),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": "127.0.0.1"}, False),
        ({"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": "192.0.2.7"}, False),
        ({"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": "10.0.0.9, 192.0.2.7"}, False),
        ({"REMOTE_ADDR": "192.0.2.7", "HTTP_X_FORWARDED_FOR": "10.0.0.1"}, False),
    ],
)
def test_this_machine_and_trusted_proxies_may_bring_any_number_of_new_devices(
    few: Web, where: dict[str, str], exempt: bool
) -> None:
    statuses = [few.call("POST", "/api/v1/authorize", few.asking(deviceId=one), **where).status for one in fleet(1)]
    assert statuses == [200, 200, 200, 200 if exempt else 429]


def test_six_hundred_new_devices_a_minute_may_come_from_an_address_and_three_thousand_at_once() -> None:
    limits = Limits(RateLimits(), lambda: 100.0)
    for _ in range(3000):
        limits.unproven("192.0.2.7", "code")
    with pytest.raises(Refusal) as refused:
        limits.unproven("192.0.2.7", "code")
    assert (refused.value.code, refused.value.retry_after) == (130, 1)


def test_the_addresses_of_very_many_new_devices_are_remembered_in_bounds() -> None:
    newcomers = Newcomers()
    for number in [*range(50), 45]:
        newcomers.note(f"192.0.2.{number}", "code", NOON)
    assert [str(notice.params["address"])[8:] for notice in newcomers.notices(NOON)] == [
        "40", "41", "42", "43", "44", "46", "47", "48", "49", "45",
    ]  # fmt: skip


def test_reports_count_against_the_device_of_their_lease(server: Lab) -> None:
    web = Web(server, RateLimits(device_requests_per_minute=1, device_burst=3))
    lease = web.authorize().json["lease"]
    entry = [{"slot": iso(NOON), "usage": {}}]
    assert [web.report(entry, lease).status for _ in range(4)] == [200, 200, 200, 429]


def limits_of_unpacking(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Up to how many bytes each packed body is unpacked from here on."""
    limits: list[int] = []
    unpack = web_body._unzip

    def unzip(data: bytes, limit: int) -> bytes:
        limits.append(limit)
        return unpack(data, limit)

    monkeypatch.setattr(web_body, "_unzip", unzip)
    return limits


@pytest.mark.parametrize("path", ["report", "release"])
def test_nothing_is_unpacked_for_an_address_that_must_wait_but_to_look_for_a_lease_at_the_beginning(
    server: Lab, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    web = Web(server, RateLimits(1000, 1000, address_refusals_per_minute=1))
    lease = web.authorize().json["lease"]
    assert web.authorize(handshakeCode="x").status == 404
    unpacked = limits_of_unpacking(monkeypatch)

    def send(members: dict[str, Any]) -> int:
        packed = gzip.compress(json.dumps(members).encode())
        return web.call("POST", f"/api/v1/{path}", packed, HTTP_CONTENT_ENCODING="gzip").status

    entries = [{"slot": iso(NOON), "usage": {"QR": 1}}] * 3000
    assert send({"reports": entries, "lease": lease}) == 429
    assert send({"lease": "a.b.c", "reports": entries}) == 429
    assert web.call("POST", f"/api/v1/{path}", b"no gzip", HTTP_CONTENT_ENCODING="gzip").status == 429
    assert (
        web.call("POST", f"/api/v1/{path}", json.dumps({"a": " " * LARGE_BYTES, "lease": lease}).encode()).status == 429
    )
    assert max(unpacked) == LARGE_BYTES
    large = {"lease": lease, "reports": entries[:1], "note": " " * LARGE_BYTES}
    assert send(large) in (200, 204)
    assert len([limit for limit in unpacked if limit > LARGE_BYTES]) == 1


def test_only_refusals_count_against_an_address(server: Lab) -> None:
    web = Web(server, RateLimits(1000, 1000, address_refusals_per_minute=3))
    lease = web.authorize().json["lease"]
    assert [web.authorize().status for _ in range(10)] == [200] * 10
    assert [web.authorize(handshakeCode="x").status for _ in range(4)] == [404, 404, 404, 429]
    assert web.authorize().status == 429
    assert web.report([{"slot": iso(NOON), "usage": {}}], lease).status == 200, "usage is never held up"
    assert web.report([{"slot": iso(NOON), "usage": {}}], "a.b.c").status == 429
    other = web.call("POST", "/api/v1/authorize", web.asking(), REMOTE_ADDR="192.0.2.7")
    assert other.status == 200


@pytest.mark.parametrize("path", ["authorize", "report", "release"])
def test_an_address_with_too_many_refusals_is_told_so_before_its_body_is_worked_on(
    server: Lab, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    web = Web(server, RateLimits(1000, 1000, address_refusals_per_minute=3))
    lease = web.authorize().json["lease"]
    assert [web.authorize(handshakeCode="x").status for _ in range(3)] == [404, 404, 404]

    def worked_on(_body: bytes) -> None:
        raise AssertionError("the body was read the careful way")

    for module in (messages, reports):
        monkeypatch.setattr(module, "read_tree", worked_on)
    for body in (b'{"lease": "', b'{"lease": "a.b.c", "reports": 3}', b'{"lease": 3}', b"{}"):
        assert web.call("POST", f"/api/v1/{path}", body).status == 429
    assert web.call("POST", "/api/v1/release", {"lease": lease}).status == 204, "a lease vouches for its request"


@pytest.mark.parametrize("path", ["report", "release"])
def test_a_large_body_is_read_under_a_lease_alone(web: Web, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lease = web.authorize().json["lease"]
    filler = '"' + "x" * LARGE_BYTES + '"'
    monkeypatch.setattr(reports, "read_report", lambda _body: pytest.fail("it was read"))
    monkeypatch.setattr(messages, "read_release", lambda _body: pytest.fail("it was read"))
    without = web.call("POST", f"/api/v1/{path}", f'{{"a": {filler}}}'.encode())
    assert (without.status, problem(without)["field"]) == (400, "lease")
    foreign = web.call("POST", f"/api/v1/{path}", f'{{"lease": "a.b.c", "a": {filler}}}'.encode())
    assert (foreign.status, problem(foreign)["code"]) == (403, 141)
    monkeypatch.undo()
    ours = {"lease": lease, "reports": [{"slot": iso(NOON), "usage": {"QR": 1}}], "a": filler}
    assert web.call("POST", f"/api/v1/{path}", ours).status in (200, 204)


@pytest.mark.parametrize("path", ["report", "release"])
def test_a_body_under_a_lease_that_is_not_ours_is_not_worked_on_whatever_its_size(
    web: Web, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "read_report", lambda _body: pytest.fail("it was read"))
    monkeypatch.setattr(messages, "read_release", lambda _body: pytest.fail("it was read"))
    body = b'{"lease": "a.b.c", "reports": [' + b",".join([b"{}"] * 15_000) + b"]}"
    answer = web.call("POST", f"/api/v1/{path}", body)
    assert (answer.status, problem(answer)["code"]) == (403, 141)


def test_a_body_that_shows_no_lease_is_refused_before_its_entries_are_read(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "_entry", lambda *_: pytest.fail("an entry was read"))
    answer = web.call("POST", "/api/v1/report", b'{"reports": [' + b",".join([b"{}"] * 5000) + b"]}")
    assert (answer.status, problem(answer)["field"]) == (400, "lease")


@pytest.mark.parametrize("member", [rb'"lea\u0073e": "a.b.c"', b'"lease": "a b"'])
def test_a_lease_that_is_written_oddly_is_judged_before_the_entries_too(
    web: Web, member: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "_entry", lambda *_: pytest.fail("an entry was read"))
    answer = web.call("POST", "/api/v1/report", b"{" + member + b', "reports": [' + b",".join([b"{}"] * 5000) + b"]}")
    assert (answer.status, problem(answer)["code"]) == (403, 141)


@pytest.mark.parametrize("filler", ["", "x" * LARGE_BYTES])
def test_the_lease_that_counts_is_that_of_the_report_wherever_another_text_stands(web: Web, filler: str) -> None:
    lease = web.authorize().json["lease"]
    body = {"filler": filler, "reports": [{"slot": iso(NOON), "usage": {"QR": 1}}]}
    answer = web.call("POST", "/api/v1/report", {"meta": {"lease": "old.old.old"}, "lease": lease, **body})
    assert [one["status"] for one in answer.json["results"]] == ["counted"]
    foreign = web.call("POST", "/api/v1/report", {"meta": {"lease": lease}, "lease": "a.b.c", **body})
    assert (foreign.status, problem(foreign)["code"]) == (403, 141), "one lease does not vouch for another"


@pytest.mark.parametrize("limited", [False, True])
@pytest.mark.parametrize("path", ["report", "release"])
def test_in_a_small_body_no_number_of_other_leases_hides_the_one_that_counts(
    server: Lab, path: str, limited: bool
) -> None:
    web = Web(server, RateLimits(1000, 1000, address_refusals_per_minute=1))
    lease = web.authorize().json["lease"]
    if limited:
        assert web.authorize(handshakeCode="x").status == 404
    others = {name: {"lease": "old.old.old"} for name in "abcdefgh"}
    body = {**others, "lease": lease, "reports": [{"slot": iso(NOON), "usage": {"QR": 1}}]}
    assert web.call("POST", f"/api/v1/{path}", body).status in (200, 204)


def test_an_odd_value_beside_other_leases_does_not_hide_the_one_that_counts(web: Web) -> None:
    lease = web.authorize().json["lease"]
    others = ", ".join(f'"{name}": {{"lease": "old.old.old"}}' for name in "abcdefgh")
    entries = f'[{{"slot": "{iso(NOON)}", "usage": {{"QR": 1}}}}, {{"slot": "\\ud800", "usage": {{}}}}]'
    answer = web.call("POST", "/api/v1/report", f'{{{others}, "lease": "{lease}", "reports": {entries}}}'.encode())
    assert [one["status"] for one in answer.json["results"]] == ["counted", "rejected"]


@pytest.mark.parametrize(("entries", "types"), [(2500, 1), (25, 100)])
def test_a_large_report_counts_as_several_requests_and_is_taken_whole(server: Lab, entries: int, types: int) -> None:
    web = Web(server, RateLimits(device_requests_per_minute=1, device_burst=4, address_refusals_per_minute=1000))
    lease = web.authorize().json["lease"]
    entry = {"slot": iso(NOON), "usage": {f"t{number}": 1 for number in range(types)}}
    assert web.report([entry], lease).status == 200
    assert web.report([entry] * entries, lease).status == 200
    assert web.report([entry], lease).status == 429


def test_an_authorization_of_very_many_unknown_members_is_refused_unread(web: Web) -> None:
    few, many = ({f"x{number}": 0 for number in range(n)} for n in (500, messages.MAX_VALUES))
    assert web.authorize(**few).status == 200
    answer = web.authorize(**many)
    assert (answer.status, problem(answer)["field"]) == (400, "body")


@pytest.mark.parametrize("odd", [r"\ud800", "1e999"])
def test_a_neighbors_good_entry_is_counted_beside_an_odd_one_though_its_address_is_limited(
    server: Lab, odd: str
) -> None:
    web = Web(server, RateLimits(1000, 1000, address_refusals_per_minute=1))
    lease = web.authorize().json["lease"]
    assert web.authorize(handshakeCode="x").status == 404
    entry = f'{{"slot": "{iso(NOON)}", "usage": {{"QR": 1}}}}'
    body = f'{{"lease": "{lease}", "reports": [{entry}, {{"slot": "{odd}", "usage": {{}}}}]}}'
    assert [one["status"] for one in web.call("POST", "/api/v1/report", body.encode()).json["results"]] == [
        "counted",
        "rejected",
    ]


@pytest.mark.parametrize("path", ["report", "release"])
def test_a_device_whose_lease_vouches_pays_before_its_body_is_worked_on(server: Lab, path: str) -> None:
    web = Web(server, RateLimits(device_requests_per_minute=1, device_burst=3, address_refusals_per_minute=1))
    lease = web.authorize().json["lease"]
    assert web.authorize(handshakeCode="x").status == 404
    body = b'{"lease": "%s", "usage": {"a": 1, "a": 1}}' % lease.encode()
    assert [web.call("POST", f"/api/v1/{path}", body).status for _ in range(3)] == [429, 429, 429]
    told = [problem(web.call("POST", f"/api/v1/{path}", body))["detail"] for _ in range(2)]
    assert all("from this device" in detail for detail in told)


def test_a_standby_that_refuses_does_not_use_up_an_address(server: Lab) -> None:
    web = Web(server, RateLimits(1000, 1000, address_refusals_per_minute=3))
    web.lab.ctx.status = "standby"
    assert {web.authorize().status for _ in range(10)} == {503}
    web.lab.ctx.status = "serving"
    assert web.authorize().status == 200


def test_metrics_count_calls_by_code_and_are_for_this_machine_or_a_token(web: Web) -> None:
    web.authorize()
    web.authorize(handshakeCode="x")
    page = web.call("GET", "/metrics")
    assert page.headers["content-type"].startswith("text/plain; version=")
    text = page.body.decode()
    assert 'lts_requests_total{call="authorize",code="200"} 1.0' in text
    assert 'lts_requests_total{call="authorize",code="101"} 1.0' in text
    assert 'lts_request_seconds_count{call="authorize"} 2.0' in text
    assert "lts_writer_queue 0.0" in text
    assert web.call("GET", "/metrics", HTTP_X_FORWARDED_FOR="127.0.0.1").status == 403
    assert web.call("GET", "/metrics", REMOTE_ADDR="192.0.2.7").status == 403
    for scheme in ("Bearer", "bearer"):
        told = web.call("GET", "/metrics", REMOTE_ADDR="192.0.2.7", HTTP_AUTHORIZATION=f"{scheme} cli-token")
        assert told.status == 200


@pytest.mark.parametrize(
    ("path", "target"), [("/", "page/"), ("/lts/", "page/"), ("/lts", "lts/"), ("/lts/page", "page/")]
)
def test_the_start_page_is_reached_by_relative_steps(web: Web, path: str, target: str) -> None:
    answer = web.call("GET", path)
    assert answer.status in (302, 308)
    assert answer.headers["location"] == target


def test_the_page_runs_no_scripts_but_its_own_files(web: Web) -> None:
    page = web.call("GET", "/lts/page/")
    assert page.status == 200
    scripts = re.findall(rb"<script[^>]*>([^<]*)</script>", page.body)
    assert scripts
    assert not any(scripts), "no script stands in the page itself"
    assert page.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert page.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["report", "release"])
@pytest.mark.parametrize("shown", [b"", b'"lease": "a.b.c", '], ids=["no lease", "a foreign lease"])
def test_of_a_large_body_no_more_than_its_opening_is_worked_on_without_a_lease(
    web: Web, path: str, shown: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sixty packed reports of 4 MB, sent by an address in good standing, held up everybody for six seconds."""
    limits = limits_of_unpacking(monkeypatch)
    body = b"{" + shown + b'"a": "' + b'\\"lease\\":\\"' * 70_000 + b'", "lease": "a.b.c"}'
    for data, encoding in ((body, ""), (gzip.compress(body), "gzip")):
        answer = web.call("POST", f"/api/v1/{path}", data, HTTP_CONTENT_ENCODING=encoding)
        assert (answer.status, problem(answer)["field"]) == ((403, "lease") if shown else (400, "lease"))
    assert limits == [LARGE_BYTES]


def test_a_device_that_must_wait_has_nothing_large_unpacked(server: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    web = Web(server, RateLimits(1, 1))
    lease = web.authorize().json["lease"]
    monkeypatch.setattr(web_body.Sent, "unpacked", lambda _: pytest.fail("it was unpacked"))
    body = json.dumps({"lease": lease, "reports": [{"slot": iso(NOON), "usage": {}}], "a": " " * LARGE_BYTES}).encode()
    assert web.report([{"slot": iso(NOON), "usage": {}}], lease).status == 200
    assert web.call("POST", "/api/v1/report", gzip.compress(body), HTTP_CONTENT_ENCODING="gzip").status == 429
