"""The three client calls and health: translation, refusals, CORS."""

from __future__ import annotations

import gzip
import json
import logging
import re
from typing import Any

import pytest

from lts.errors import HTTP_STATUS, CannotStore, DataFolderError, Refusal
from lts.protocol import iso
from lts.rules.pair import REFUSING, REPLACED, STARTING, ServingStatus
from lts.store.tables import devices
from tests.support.kit import NOON
from tests.web.conftest import Web, problem

CALLS = ("authorize", "report", "release")


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


def test_an_unexpected_fault_is_500_without_details_and_is_logged(
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


@pytest.mark.parametrize("status", [REFUSING, STARTING, REPLACED])
def test_a_server_that_does_not_serve_refuses_all_calls_with_100(web: Web, status: ServingStatus) -> None:
    web.lab.ctx.running.status = status
    for call in CALLS:
        answer = web.call("POST", f"/api/v1/{call}", web.asking())
        assert (answer.status, problem(answer)["code"]) == (503, 100)
    health = web.call("GET", "/api/v1/health")
    assert (health.status, health.json["status"]) == (503, status)


def test_health_answers_head_and_shows_nothing_secret(web: Web) -> None:
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


def test_a_password_is_never_logged_or_shown(web: Web, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        answers = [
            web.authorize(handshakeCode="none", sessionPassword="hunter2"),
            web.authorize(sessionPassword=["hunter2"]),
        ]
    assert "hunter2" not in caplog.text
    assert all(b"hunter2" not in answer.body for answer in answers)


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
