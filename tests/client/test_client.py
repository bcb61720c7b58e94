"""The client library against a real server over HTTP, and against answers no honest server gives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lts.client import Client, NotTrusted, Refused, Unreachable
from lts.protocol import LicenseKey, parse_iso, slot_of
from tests.client.conftest import client
from tests.support.kit import Lab, Vendor, item


def test_use_counts_once_whatever_is_flushed_how_often(served: Lab, tmp_path: Path) -> None:
    served.load(item())
    with client(served, tmp_path / "state") as licensed:
        assert licensed.allowed("QR")
        assert not licensed.allowed("OCR")
        licensed.use("QR", 3)
        licensed.flush()
        licensed.use("QR", 2)
        licensed.flush()
        licensed.flush()
        served.time.forward(180)
        licensed.use("QR")
    assert served.used() == 6


def test_identity_lease_and_unsent_usage_survive_a_restart(served: Lab, tmp_path: Path) -> None:
    served.load(item())
    first = client(served, tmp_path / "state")
    first.authorize()
    first.use("QR", 4)
    again = client(served, tmp_path / "state")
    assert again.device_id == first.device_id
    assert again.allowed("QR")
    again.flush()
    assert served.used() == 4


def test_a_refusal_carries_its_code_and_what_to_do(served: Lab) -> None:
    served.load(item())
    with pytest.raises(Refused) as caught:
        client(served, product="writer").authorize()
    assert (caught.value.code, caught.value.number) == (106, -20106)
    assert len(caught.value.request_id) > 5


def test_a_lease_works_offline_until_it_ends_and_not_longer(served: Lab, tmp_path: Path) -> None:
    served.load(item())
    licensed = client(served, tmp_path / "state")
    lease = licensed.authorize()
    offline = client(served, tmp_path / "state", transport=Answers(None))
    assert offline.authorize() == lease
    served.time.forward(7 * 86400 - 1)
    assert offline.allowed("QR")
    served.time.forward(2)
    assert not offline.allowed("QR")
    with pytest.raises(Unreachable):
        offline.authorize()
    with pytest.raises(Refused):
        offline.use("QR")


def test_setting_the_local_clock_back_does_not_lengthen_a_lease_before_its_issue(served: Lab) -> None:
    served.load(item())
    licensed = client(served)
    lease = licensed.authorize()
    served.time.wall -= 10 * 86400
    assert licensed.now() == lease.issued_at


def test_a_chain_of_another_vendor_is_not_trusted(served: Lab) -> None:
    served.load(item())
    with pytest.raises(NotTrusted):
        client(served, vendor_key=Vendor().key.public.x).authorize()
    with pytest.raises(NotTrusted):
        client(served, vendor_key=None)
    client(served, vendor_key=None, allow_pinned=True).authorize()


@pytest.mark.parametrize("key", ["…", "abc", "A" * 44])
def test_an_invalid_vendors_key_is_reported_with_what_to_do(key: str) -> None:
    with pytest.raises(NotTrusted, match=r"no vendor's public key: 43 letters.* Copy it whole from the vendor"):
        Client(KEY, product="reader", vendor_key=key)


@pytest.mark.parametrize("key", ["", "LTS2", "LTS2!!!", "LTS1abc", "LTS2e30", "LTS2eyJzIjpb", None])
def test_a_damaged_license_key_is_refused_like_a_code_that_is_not_there(key: str) -> None:
    with pytest.raises(Refused, match="Copy it whole from the portal") as caught:
        Client(key, product="reader", allow_pinned=True)
    assert (caught.value.code, caught.value.number) == (101, -20101)
    assert "license key" in caught.value.advice


def test_release_reports_first_and_frees_the_seat(served: Lab) -> None:
    served.load(item(way="device", quota=1, graceQuota=0))
    licensed = client(served)
    licensed.authorize()
    licensed.use("QR", 2)
    licensed.release()
    assert served.live() == 0
    assert licensed.lease is None
    with served.ctx.store.reader() as db:
        assert db.execute("SELECT sum(units) FROM usage_hours").get == 2


class Answers:
    """A transport that gives the answers it was made with, None = nobody there."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def post(self, url: str, body: dict[str, Any], timeout: float) -> tuple[int, dict[str, Any]]:
        self.asked.append(url)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer is None:
            raise Unreachable("nobody there")
        status, fields = answer
        return status, fields


KEY = LicenseKey(("http://main/lts/", "http://standby/lts"), "216998", "216998-100", None, None).encode()


def fake(*answers: Any) -> tuple[Client, Answers]:
    transport = Answers(*answers)
    return Client(KEY, product="reader", vendor_key=Vendor().key.public.x, transport=transport), transport


def refusal(code: int) -> tuple[int, dict[str, Any]]:
    return 503, {"code": code, "detail": "no", "requestId": "r"}


@pytest.mark.parametrize("first", [None, refusal(100), refusal(150), (502, {"html": "bad gateway"})])
def test_the_standby_is_tried_when_the_main_does_not_serve(first: Any) -> None:
    made, transport = fake(first, refusal(111))
    with pytest.raises(Refused) as caught:
        made.authorize()
    assert caught.value.code == 111
    assert transport.asked == ["http://main/lts/api/v1/authorize", "http://standby/lts/api/v1/authorize"]


def test_a_final_refusal_of_the_main_is_not_asked_again_elsewhere() -> None:
    made, transport = fake(refusal(120))
    with pytest.raises(Refused):
        made.authorize()
    assert len(transport.asked) == 1


def test_an_answer_that_is_not_of_a_license_server_is_unreachable() -> None:
    made, _ = fake((200, {"lease": "x", "certificates": [], "chain": "c"}))
    with pytest.raises(Unreachable):
        made.authorize()


def test_local_reports_are_kept_and_sent_again_until_both_have_them(served: Lab) -> None:
    served.load(item())
    licensed = client(served)
    licensed.authorize()
    licensed.use("QR", 2)
    real = licensed._servers

    class Local:
        def call(self, name: str, body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
            url, answer = real.call(name, body)
            return url, {**answer, "durable": "local"}

    licensed._servers = Local()  # type: ignore[assignment]  # the edge of the network
    licensed.flush()
    licensed._servers = real
    assert licensed.flush()[0]["status"] == "unchanged"
    assert served.used() == 2


def test_usage_under_a_lease_the_server_no_longer_takes_holds_up_nothing_else(served: Lab) -> None:
    served.load(item())
    licensed = client(served)
    licensed.authorize()
    licensed.use("QR", 2)
    licensed._state._db.execute("UPDATE leases SET lease = lease || 'x'")
    served.time.forward(180)
    licensed.authorize()
    licensed.use("QR", 5)
    assert sorted((r["status"], r.get("code")) for r in licensed.flush()) == [("counted", None), ("rejected", 141)]
    assert served.used() == 5


def test_slots_are_named_by_their_begin(served: Lab) -> None:
    served.load(item())
    licensed = client(served)
    licensed.authorize()
    answer = licensed.report({"QR": 1})
    assert parse_iso(answer["results"][0]["slot"]) % 180 == 0
    assert slot_of(parse_iso(answer["results"][0]["slot"])) == slot_of(served.time.now)
    assert json.dumps(answer)
