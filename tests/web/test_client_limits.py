"""How often devices and addresses may call the client API."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest

from lts.config import RateLimits
from lts.errors import Refusal
from lts.protocol import DAY_SECONDS, iso
from lts.rules.metering import workload
from lts.rules.pair import REFUSING, SERVING
from lts.service.core.newcomers import Newcomers
from lts.service.maintenance import attention
from lts.web.client import limits, reports
from lts.web.client.limits import Limits
from lts.web.wire import messages
from tests.support.kit import NOON, Lab, item
from tests.web.conftest import DEVICE, Web, problem


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


def test_a_device_that_proves_itself_pays_for_itself_at_its_address(server: Lab) -> None:
    web = Web(server, RateLimits(device_requests_per_minute=1, device_burst=3))
    other = "6f1c2b7e-8c1d-4a0e-9a57-0c6a2f7a1b12"
    token, its = web.authorize().json["chain"], web.authorize(deviceId=other).json["chain"]
    assert [asked_from(web, "192.0.2.1", chain=token) for _ in range(4)] == [200, 200, 200, 429]
    assert asked_from(web, "192.0.2.1", deviceId=other, chain=its) == 200, "another device"
    assert asked_from(web, "192.0.2.2", chain=token) == 200, "who knows a device's identity can be given its tokens"
    assert asked_from(web, "192.0.2.9", chain=its) == 200, "another device's token proves nothing"
    assert asked_from(web, "192.0.2.9", deviceId=other, chain=its) == 200


def test_a_stranger_with_a_lease_of_a_device_uses_up_nothing_of_what_it_may_ask(server: Lab) -> None:
    web = Web(server, RateLimits())
    mine = web.authorize().json
    stranger = web.call("POST", "/api/v1/authorize", web.asking(), REMOTE_ADDR="192.0.2.66").json
    slots = [{"slot": iso(NOON - 180 * n), "usage": {f"type {t}": 0 for t in range(40)}} for n in range(2000)]
    sent = {"lease": stranger["lease"], "cloneToken": stranger["cloneToken"], "reports": slots}
    assert web.call("POST", "/api/v1/report", sent, REMOTE_ADDR="192.0.2.66").status == 200
    assert web.call("POST", "/api/v1/report", sent, REMOTE_ADDR="192.0.2.66").status == 429
    assert web.call("POST", "/api/v1/report", {**sent, "reports": slots[:1], "lease": mine["lease"],
                                               "cloneToken": mine["cloneToken"]}).status == 200  # fmt: skip


@pytest.fixture
def few(server: Lab, monkeypatch: pytest.MonkeyPatch) -> Web:
    """The application, where an address may bring three new devices at once."""
    monkeypatch.setattr(limits, "UNPROVEN_BURST", 3)
    monkeypatch.setattr(limits, "UNPROVEN_PER_MINUTE", 1)
    return Web(server, RateLimits(1000, 1000, 1000))


def fleet(first: int) -> list[str]:
    return [f"00000000-0000-4000-8000-{first + number:012x}" for number in range(4)]


def test_new_devices_of_an_address_with_one_code_share_a_limit_and_the_administrator_sees_it(few: Web) -> None:
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
def test_an_address_with_too_many_refusals_gets_that_answer_before_its_body_is_processed(
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


@pytest.mark.parametrize(("entries", "types"), [(2500, 1), (25, 100)])
def test_a_large_report_counts_as_several_requests_and_is_taken_whole(server: Lab, entries: int, types: int) -> None:
    web = Web(server, RateLimits(device_requests_per_minute=1, device_burst=4, address_refusals_per_minute=1000))
    lease = web.authorize().json["lease"]
    entry = {"slot": iso(NOON), "usage": {f"t{number}": 1 for number in range(types)}}
    assert web.report([entry], lease).status == 200
    assert web.report([entry] * entries, lease).status == 200
    assert web.report([entry], lease).status == 429


def test_a_report_is_charged_by_its_work() -> None:
    assert workload.units_of(480, 480, 1, 1, 2) == 0, "a day of one type is an ordinary report"
    assert workload.units_of(14_400, 14_400 * 12, 12, 20, 30) == 530, "the month in the text"
    assert workload.units_of(29, 29, 1, 1, 29) == 67, "a count a day"
    assert workload.units_of(300, 60_000, 60_000, 1, 2) == 660, "names that may be new"
    assert workload.units_of(7200, 0, 0, 100, 1) == 724, "presence in many items, 80 beyond the first 20"


def test_a_report_of_many_days_is_charged_for_their_rows(server: Lab) -> None:
    web = Web(server, RateLimits(device_requests_per_minute=1, device_burst=5, address_refusals_per_minute=1000))
    lease = web.authorize().json["lease"]
    days = [{"slot": iso(NOON - DAY_SECONDS * day), "usage": {"QR": 1}} for day in range(4)]
    assert web.report(days[:2], lease).status == 200
    assert web.report(days, lease).status == 200
    assert web.report(days[:1], lease).status == 429


def test_presence_in_many_items_is_charged(server: Lab) -> None:
    web = Web(server, RateLimits(device_requests_per_minute=1, device_burst=4, address_refusals_per_minute=1000))
    modules = [f"M{n}" for n in range(20)]
    server.load(*[item(f"i{n}", modules=[name]) for n, name in enumerate(modules)], license_id="many")
    lease = web.authorize(handshakeCode="216998-many", modules=modules).json["lease"]
    alive = [{"slot": iso(NOON - 360 * n), "usage": {}} for n in range(200)]
    assert web.report(alive, lease).status == 200
    assert web.report(alive[:1], lease).status == 429


def test_large_reports_of_an_address_share_a_limit(server: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "WORK_BURST", 9)
    monkeypatch.setattr(limits, "WORK_PER_MINUTE", 1)
    web = Web(server, RateLimits(1000, 1000, 1000))
    large = [{"slot": iso(NOON), "usage": {"QR": 1}}] * 2500
    leases = [web.authorize(deviceId=str(UUID(int=n + 1))).json["lease"] for n in range(4)]
    sent = [{"lease": lease, "reports": large} for lease in leases]
    found = [web.call("POST", "/api/v1/report", one, REMOTE_ADDR="192.0.2.1") for one in sent]
    assert [answer.status for answer in found] == [200, 200, 429, 429]
    assert "large reports from this address" in found[3].json["detail"]
    with monkeypatch.context() as patch:
        patch.setattr(reports, "read_report", None)
        early = web.call("POST", "/api/v1/report", sent[3], REMOTE_ADDR="192.0.2.1")
    assert early.status == 429, "told before it is read"
    small = {"lease": leases[3], "reports": large[:9]}
    assert web.call("POST", "/api/v1/report", small, REMOTE_ADDR="192.0.2.1").status == 200
    for address in ("192.0.2.2", "127.0.0.1", "127.0.0.1"):
        assert web.call("POST", "/api/v1/report", sent[3], REMOTE_ADDR=address).status == 200


def refused_body(lease: str) -> dict[str, Any]:
    """A report that is read the careful way to its end and refused: 5,000 numbers in a field that no version knows."""
    return {"lease": lease, "reports": [{"slot": "x", "usage": {}}], "more": [1] * 5000}


def test_a_large_report_that_is_refused_is_charged_to_its_device(server: Lab) -> None:
    web = Web(server, RateLimits(device_requests_per_minute=1, device_burst=4, address_refusals_per_minute=1000))
    lease = web.authorize().json["lease"]
    entry = {"slot": iso(NOON), "usage": {"QR": 1}}
    assert web.report([entry], lease).status == 200
    assert web.call("POST", "/api/v1/report", refused_body(lease)).status == 400
    assert web.report([entry], lease).status == 429


def test_a_large_release_is_charged_to_its_device(server: Lab) -> None:
    web = Web(server, RateLimits(device_requests_per_minute=1, device_burst=4, address_refusals_per_minute=1000))
    lease = web.authorize().json["lease"]
    assert web.call("POST", "/api/v1/release", {"lease": lease, "more": "x" * (200 << 10)}).status == 204
    assert web.call("POST", "/api/v1/release", {"lease": lease}).status == 429


@pytest.mark.parametrize(("good", "status"), [(0, 400), (1, 200)])
def test_entries_that_are_refused_are_charged_for_the_search_for_their_faults(
    server: Lab, good: int, status: int
) -> None:
    web = Web(server, RateLimits(device_requests_per_minute=1, device_burst=4, address_refusals_per_minute=1000))
    lease = web.authorize().json["lease"]
    entry = {"slot": iso(NOON), "usage": {"QR": 1}}
    assert web.report([entry], lease).status == 200
    sent = {"lease": lease, "reports": [entry] * good + [{}] * 700}
    answer = web.call("POST", "/api/v1/report", sent)
    assert answer.status == status
    if not good:
        assert answer.json["detail"] == "reports[0].slot is missing."
    assert web.report([entry], lease).status == 429


def test_large_reports_that_are_refused_are_charged_to_their_address(
    server: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "WORK_BURST", 9)
    monkeypatch.setattr(limits, "WORK_PER_MINUTE", 1)
    web = Web(server, RateLimits(1000, 1000, 1000))
    leases = [web.authorize(deviceId=str(UUID(int=n + 1))).json["lease"] for n in range(4)]
    bodies = [refused_body(lease) for lease in leases]
    found = [web.call("POST", "/api/v1/report", one, REMOTE_ADDR="192.0.2.1").status for one in bodies]
    assert found == [400, 400, 429, 429]
    with monkeypatch.context() as patch:
        patch.setattr(reports, "read_report", None)
        assert web.call("POST", "/api/v1/report", bodies[3], REMOTE_ADDR="192.0.2.1").status == 429, "before it is read"


def test_what_is_charged_before_a_report_is_read_is_no_more_than_its_work() -> None:
    for entries, types in ((1, 1), (700, 1), (3000, 3), (200, 200)):
        usage = {f"t{n}": 1 for n in range(types)}
        body = json.dumps({"lease": "a.b.c", "reports": [{"slot": iso(NOON), "usage": usage}] * entries}).encode()
        work = max(workload.units_of(entries, entries * types, types, 1, 1), len(body) >> 16)
        assert work - 3 <= workload.least_units(body) <= work


def test_a_report_that_was_let_in_is_taken_whole_whatever_it_turns_out_to_be(
    server: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "WORK_BURST", 3)
    web = Web(server, RateLimits(1000, 1000, 1000))
    lease = web.authorize().json["lease"]
    days = [{"slot": iso(NOON - DAY_SECONDS * n), "usage": {f"t{t}": 1 for t in range(50)}} for n in range(40)]
    sent = {"lease": lease, "reports": days}
    assert workload.least_units(json.dumps(sent).encode()) == 2, "the address has paid that when the rest is known"
    found = [web.call("POST", "/api/v1/report", sent, REMOTE_ADDR="192.0.2.1").status for _ in range(2)]
    assert found == [200, 429]


def test_a_standby_that_refuses_does_not_use_up_an_address(server: Lab) -> None:
    web = Web(server, RateLimits(1000, 1000, address_refusals_per_minute=3))
    web.lab.ctx.running.status = REFUSING
    assert {web.authorize().status for _ in range(10)} == {503}
    web.lab.ctx.running.status = SERVING
    assert web.authorize().status == 200
