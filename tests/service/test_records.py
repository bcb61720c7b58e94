"""Devices and the audit log as administrators look through them."""

from __future__ import annotations

from uuid import uuid4

import pytest

from lts.errors import AdminError
from lts.protocol import DAY_SECONDS, iso
from lts.rules.values.paging import Page
from lts.service.access import accounts, auditlog
from lts.service.licensing import handshakes, serverurls
from lts.service.statistics import devicelist
from lts.store.changes import records
from tests.support.kit import NOON, Lab, item

LATER = 1 << 62


def test_devices_are_found_by_the_beginning_of_their_uuid(server: Lab) -> None:
    code = server.load(item("seats", "device", 10))
    known = "6f1c2b7e-8c1d-4a0e-9a57-0c6a2f7a1b11"
    server.authorize(code, device=known)
    for _ in range(3):
        server.authorize(code)
    for text in ("6f1c", "{6F1C2B7E-8C1D", known, known.replace("-", "")):
        found = devicelist.find(server.ctx, Page(text), None, False, False, NOON)
        assert [device.device_id for device in found.devices] == [known]
    assert devicelist.find(server.ctx, Page(), None, False, False, NOON).found == 4
    with pytest.raises(AdminError, match="beginning"):
        devicelist.find(server.ctx, Page("not a uuid"), None, False, False, NOON)


def test_devices_are_filtered_by_item_and_by_live_seats(server: Lab) -> None:
    code = server.load(item("seats", "device", 10, activePeriod="daily"), item("scans"))
    key = next(k for k, entry in server.ctx.store.catalog.items.items() if entry.terms.item_id == "seats")
    server.authorize(code, charge_way="device")
    server.authorize(code, charge_way="scan")
    assert devicelist.find(server.ctx, Page(), key, False, False, NOON).found == 1
    assert devicelist.find(server.ctx, Page(), None, True, False, NOON).found == 1
    assert devicelist.find(server.ctx, Page(), None, True, False, NOON + 2 * DAY_SECONDS).found == 0
    assert devicelist.find(server.ctx, Page(), key, False, False, NOON + 2 * DAY_SECONDS).found == 1


def test_pages_of_devices_hold_each_once_in_order_of_contact(server: Lab) -> None:
    code = server.load(item("seats", "device", 100))
    made = [str(uuid4()) for _ in range(7)]
    for device in made:
        server.time.forward(60)
        server.authorize(code, device=device)
    seen = []
    for number in (1, 2, 3):
        page = Page(sort="contact", descending=True, number=number, size=3)
        seen += devicelist.find(server.ctx, page, None, False, False, server.time.now).devices
    assert [device.device_id for device in seen] == made[::-1]


def test_the_log_says_who_did_what_and_holds_no_secret(server: Lab) -> None:
    code = server.load(item("one"))
    server.time.forward(DAY_SECONDS)
    now = server.time.now
    handshakes.edit(server.ctx, code, {"password": "s3cret of the shop"}, "Ana", now)
    token = accounts.add_token(server.ctx, "nightly", "reader", "Ana", now)
    accounts.add_user(server.ctx, "Bea", "reader", "words of a reader", "Ana", now)
    serverurls.change(server.ctx, ["https://lts.example.com/lts/"], "Bea", now)
    accounts.remove_token(server.ctx, token.id, "Ana", now)
    found = auditlog.search(server.ctx, Page(), (), 0, LATER)
    assert [(line.actor, line.action, line.subject) for line in found.lines][:5] == [
        ("Ana", "token-removed", "nightly"),
        ("Bea", "setting-changed", "serverUrls"),
        ("Ana", "user-added", "Bea"),
        ("Ana", "token-added", "nightly"),
        ("Ana", "code-edited", code),
    ]
    text = str(found)
    for secret in ("s3cret", token.token, token.token.split("_", 2)[2], "argon2", "words of a reader"):
        assert secret not in text
    assert "hasPassword" in text


def test_the_log_says_which_code_was_changed_and_what_it_was_called(server: Lab) -> None:
    server.load(item("one"))
    for _ in range(2):
        handshakes.add(server.ctx, None, {"custom": "shop"}, "Ana", server.time.now)
        handshakes.edit(server.ctx, "216998-shop", {"custom": "till"}, "Ana", server.time.now)
        handshakes.edit(server.ctx, "216998-till", {"note": "n"}, "Ana", server.time.now)
        handshakes.remove(server.ctx, "216998-till", "Ana", server.time.now)
    told = [
        (line.action, line.detail["number"], line.detail["organization"], line.detail.get("formerName"))
        for line in reversed(auditlog.search(server.ctx, Page("ana"), (), 0, LATER).lines)
    ]
    assert told == [
        line
        for number in (2, 3)
        for line in (
            ("code-added", number, "216998", None),
            ("code-edited", number, "216998", "216998-shop"),
            ("code-edited", number, "216998", None),
            ("code-removed", number, "216998", None),
        )
    ]
    with_0_1_0 = records.decode_payload(records.ChangeKind.CODE_REMOVAL, records.encode_payload(["Ana", 7]))
    assert with_0_1_0 == records.CodeRemovalChange("Ana", 7)


def test_the_log_is_searched_filtered_and_cut_by_time(server: Lab) -> None:
    code = server.load(item("one"))
    server.time.forward(DAY_SECONDS)
    handshakes.edit(server.ctx, code, {"note": "Ünïque"}, "Ana", server.time.now)
    by_text = auditlog.search(server.ctx, Page("ana"), (), 0, LATER)
    by_action = auditlog.search(server.ctx, Page(), ("code-edited",), 0, LATER)
    by_time = auditlog.search(server.ctx, Page(), (), server.time.now, LATER)
    for found in (by_text, by_action, by_time):
        assert [line.action for line in found.lines] == ["code-edited"]
        assert found.lines[0].time == iso(server.time.now)
        assert found.found == 1
    assert "license-imported" in by_text.actions
    assert len(auditlog.export(server.ctx, "", (), 0, LATER)) == auditlog.search(server.ctx, Page(), (), 0, LATER).found
