"""Large and packed bodies of the client API: what is read of them, and under which lease."""

from __future__ import annotations

import gzip
import json
import random
from base64 import b64encode
from itertools import pairwise
from typing import Any

import pytest

from lts.config import RateLimits
from lts.protocol import iso
from lts.web.client import reports
from lts.web.wire import body as web_body
from lts.web.wire import messages
from lts.web.wire.bodytree import LARGE_BYTES
from tests.support.kit import NOON, Lab
from tests.web.conftest import Web, problem


def limits_of_unpacking(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Up to how many bytes each packed body is unpacked from here on."""
    limits: list[int] = []
    unpack = web_body._unzip

    def unzip(data: bytes, limit: int, plain: bytearray) -> bytes:
        limits.append(limit)
        return unpack(data, limit, plain)

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


@pytest.mark.parametrize("cuts", [[1], [1, 2, 3], [0, 40], [60]])
def test_a_large_gzip_body_may_begin_with_short_members(web: Web, cuts: list[int]) -> None:
    entry = {"slot": iso(NOON), "usage": {"QR": 1}}
    noise = b64encode(random.Random(1).randbytes(LARGE_BYTES)).decode()  # packed, still over 64 KiB
    data = json.dumps({"lease": web.authorize().json["lease"], "reports": [entry], "note": noise}).encode()
    pieces = [data[start:end] for start, end in pairwise([0, *cuts, len(data)])]
    packed = b"".join(map(gzip.compress, pieces))
    assert len(packed) > LARGE_BYTES
    assert web.call("POST", "/api/v1/report", packed, HTTP_CONTENT_ENCODING="gzip").status == 200
    hidden = gzip.compress(b" ") * web_body.MAX_MEMBERS + packed
    assert web.call("POST", "/api/v1/report", hidden, HTTP_CONTENT_ENCODING="gzip").status == 400
