"""Bounds of the smaller rules: pages, rates, keys, labels, calendars, certificates, the order of items."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from typing import Any

import pytest

from lts.crypto import SigningKey
from lts.errors import LicenseFileError, TokenError
from lts.protocol import DAY_SECONDS
from lts.rules import labels
from lts.rules.alerting.attention import delegation_notice, happened_notice, items_notices, nobody_notice
from lts.rules.alerting.calendar import calendar
from lts.rules.alerting.notices import ERROR, HINT, WARNING
from lts.rules.licensing import activation, armor, filekind, vendorkey
from lts.rules.licensing.catalog import ACTIVE, CodeItem, LicenseItem, default_order
from lts.rules.licensing.certificates import CertificateChain, Certificates, Certified
from lts.rules.metering.likeness import Caller, likeness_of
from lts.rules.metering.ratelimit import admit
from lts.rules.metering.verdicts import explain, of_item
from lts.rules.statistics.usagetable import usage_csv
from lts.rules.values.paging import Page, page_of
from lts.rules.values.plural import counted
from tests.rules.test_authorize_rules import GOOD
from tests.rules.test_lists import item as plain_item
from tests.support.kit import DAY

NOON = DAY + 12 * 3600


def test_a_burst_is_admitted_and_then_one_at_each_interval() -> None:
    due, waits = None, []
    for now in (0.0, 0.0, 0.0, 9.0, 10.0, 100.0, 100.0, 100.0):
        due, wait = admit(due, now, 10.0, 2)
        waits.append(wait)
    assert waits == [0.0, 0.0, 10.0, 1.0, 0.0, 0.0, 0.0, 10.0]


def test_pages_begin_where_the_one_before_ended() -> None:
    assert [Page(number=number, size=20).offset for number in (1, 2, 3)] == [0, 20, 40]
    assert Page(number=3).offset == 0
    assert page_of([3, 1, 2], Page(), str, {}) == ([3, 1, 2], 3)


def test_a_fingerprint_is_eight_groups_of_four() -> None:
    shown = vendorkey.fingerprint("kid")
    assert re.fullmatch(r"[A-Z2-7]{4}(-[A-Z2-7]{4}){7}", shown)
    assert vendorkey.is_fingerprint(shown.lower().replace("-", " "), "kid")
    assert not vendorkey.is_fingerprint(shown[:-1], "kid")


def test_a_key_file_has_64_kib_at_most() -> None:
    key = SigningKey.generate()
    text = vendorkey.build("Vendor", key, NOON).encode()
    assert vendorkey.read(text.ljust(64 << 10)).key.kid == key.kid
    with pytest.raises(TokenError, match="larger than 64 KiB"):
        vendorkey.read(text.ljust((64 << 10) + 1))


def test_a_request_and_a_license_file_have_1_mib_at_most() -> None:
    key = SigningKey.generate()
    uuid = "6F1C2B7E-8C1D-4A0E-9A57-0C6A2F7A1B11"
    text = activation.build(uuid, key, ("mac:1",), "weak", NOON)
    assert text.startswith('{\n  "format": "LTS activation request",\n')
    assert activation.read(text.ljust(1 << 20)).labels == ("mac:1",)
    for wrong in (text.ljust((1 << 20) + 1), activation.build(uuid, key, ("mac:1",), "none", NOON)):
        with pytest.raises(LicenseFileError):
            activation.read(wrong)
    license_text = armor.wrap("a" * 100)
    assert armor.extract(license_text.ljust(1 << 20).encode()) == "a" * 100
    with pytest.raises(LicenseFileError, match="larger than 1 MiB"):
        armor.extract(license_text.ljust((1 << 20) + 1).encode())


def test_a_license_is_written_in_lines_of_64_characters_that_break_anywhere() -> None:
    assert armor.wrap("ab-" * 30).splitlines()[1:-1] == [("ab-" * 30)[:64], ("ab-" * 30)[64:]]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (f"{armor.BEGIN}{armor.END}", None),
        (f"{armor.BEGIN}x{armor.END}{armor.END}", "several-licenses"),
        (f"{armor.BEGIN}{armor.BEGIN}x{armor.END}", "several-licenses"),
        (armor.BEGIN, "no-license"),
        (armor.END, "no-license"),
        (armor.END + armor.BEGIN, "no-license"),
    ],
)
def test_a_license_has_one_beginning_and_one_end(text: str, code: str | None) -> None:
    if code is None:
        assert armor.extract(text.encode()) == ""
        return
    with pytest.raises(LicenseFileError) as caught:
        armor.extract(text.encode())
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"PK\x03\x04" + bytes(26) + b"lts.db", filekind.BACKUP),
        (b"PK\x03\x04" + bytes(27) + b"lts.db", filekind.OTHER_ARCHIVE),
        (b"SQLite format 3\x00", filekind.DATABASE),
        (b"SQLite format 3", None),
        (armor.BEGIN.encode(), filekind.LICENSE),
        (armor.BEGIN.encode("utf-16-be"), filekind.LICENSE),
        (b'{"kty": "OKP"}', filekind.OTHER_KEY),
        (b'{"jwk": {}}', filekind.PUBLIC_KEY),
        (b'{"organizationId": "1"}', filekind.SPEC),
        (b'{"port": 1}', filekind.CONFIGURATION),
        (b'{"items": []}', filekind.CHANGES),
        (b'{"items": [], "x": 1}', None),
        (b"{}", None),
        (b"LTS2x", filekind.LICENSE_KEY),
        (b"-----BEGIN PRIVATE KEY-----\nx", filekind.PRIVATE_KEY),
        (b"-----BEGIN CERTIFICATE-----\nx", filekind.OTHER_KEY),
        (b" \x00\r\n", filekind.EMPTY),
        (b"hello", None),
    ],
)
def test_a_file_is_known_by_its_beginning(data: bytes, kind: filekind.FileKind | None) -> None:
    assert filekind.kind_of(data) == kind


@pytest.mark.parametrize(
    ("labels_of", "word"),
    [
        (("mac:1", "processor-id:p", "machine-id:m"), "strong"),
        (("mac:1", "machine-id:m"), "weak"),
        (("processor-id:p", "processor-id:q", "processor-id:r"), "weak"),
        ((), "weak"),
    ],
)
def test_a_binding_is_strong_by_three_labels_one_of_them_unique(labels_of: tuple[str, ...], word: str) -> None:
    assert labels.binding(labels_of) == word


@pytest.mark.parametrize(
    ("known", "present", "verdict"),
    [
        (("mac:1", "mac:2", "mac:3"), ("mac:1", "mac:4"), (False, 1, 3)),
        (("mac:1", "mac:2", "mac:3", "mac:4"), ("mac:1", "mac:2"), (True, 2, 4)),
        (("mac:1", "processor-id:p"), ("processor-id:p",), (False, 1, 2)),
        (("processor-id:p",), (), (True, 0, 1)),
        ((), ("mac:1",), (True, 0, 0)),
    ],
)
def test_how_many_labels_match_is_shown(known: Any, present: Any, verdict: tuple[bool, int, int]) -> None:
    found = labels.compare(known, present)
    assert (found.same, found.matching, found.known) == verdict
    assert found.learnt == (tuple(one for one in present if one not in known) if found.same else ())


@pytest.mark.parametrize(
    ("address", "physical"),
    [("f4:8e:38:12:34:56", True), ("f48e38123456", True), ("f4-8e-38-12-34-5g", False), ("f4:8e:38:12:34", False),
     ("f5:8e:38:12:34:56", False), ("f6:8e:38:12:34:56", False), ("f8:8e:38:12:34:56", True),
     ("00:00:00:00:00:01", True), ("00:0c:29:12:34:56", False), ("08:00:27:12:34:56", False)],
)  # fmt: skip
def test_an_address_is_of_an_adapter_by_its_two_lowest_bits_and_maker(address: str, *, physical: bool) -> None:
    assert labels.is_physical_mac(address) is physical


@pytest.mark.parametrize(
    ("serial", "placeholder"),
    [("abc", True), ("abcd", False), ("a.b.c.d", False), ("xxxx", True), ("xxxy", False), ("123456789", True),
     ("0123456789ABCDE", True), ("12345678", False), ("12345678901234567", False), ("System Serial Number", True)],
)  # fmt: skip
def test_a_serial_has_four_letters_or_digits_that_are_no_placeholder(serial: str, *, placeholder: bool) -> None:
    assert labels.is_placeholder(serial) is placeholder


def test_devices_look_alike_whatever_the_version_of_their_program() -> None:
    first = likeness_of(b"k", Caller("192.0.2.1", "Browser/12.3_4 (X)"))
    assert first == likeness_of(b"k", Caller("192.0.2.1", "Browser/13 (X)"))
    others = ("192.0.2.2", "Browser/12 (X)"), ("192.0.2.1", "Other")
    assert len({first, *(likeness_of(b"k", Caller(*one)) for one in others)}) == 3
    assert likeness_of(b"k", Caller("a", "x" * 512)) == likeness_of(b"k", Caller("a", "x" * 512 + "y"))
    assert likeness_of(b"k", Caller("a", "x" * 511)) != likeness_of(b"k", Caller("a", "x" * 511 + "y"))
    assert {likeness_of(b"k", Caller("a", "b" * n)) < 0 for n in range(20)} == {True, False}
    assert all(-(1 << 31) <= likeness_of(b"k", Caller("a", "b" * n)) < 1 << 31 for n in range(20))


@pytest.mark.parametrize(
    ("state", "expires", "last", "events"),
    [
        ("active", NOON, None, ["end"]),
        ("grace", NOON, None, ["end"]),
        ("pending", NOON, None, ["end"]),
        ("expired", NOON, None, []),
        ("active", None, None, []),
        ("active", None, 20790, ["forecast"]),
        ("pending", None, 20790, []),
        ("grace", NOON, 20790, ["end", "forecast"]),
    ],
)
def test_a_calendar_has_the_end_and_the_forecast_of_an_item(
    state: str, expires: int | None, last: int | None, events: list[str]
) -> None:
    items = [plain_item(state=state, expires_at=expires, product="a;b,c\\d")]
    text = calendar(items, {} if last is None else {1: last}, "uuid", NOON)
    assert re.findall(r"UID:(\w+)-1@uuid\r\n", text) == events
    assert text.count("TRIGGER:-P7D") == events.count("end")
    assert text.count("a\\;b\\,c\\\\d") == events.count("end") * 2 + events.count("forecast")


def test_a_line_of_a_calendar_has_75_bytes_at_most() -> None:
    text = calendar([plain_item(expires_at=NOON, product="\u5009" * 60)], {}, "uuid", NOON)
    lines = text.split("\r\n")
    assert max(len(line.encode()) for line in lines) in (73, 74, 75)
    ascii_lines = calendar([plain_item(expires_at=NOON, product="x" * 200)], {}, "uuid", NOON).split("\r\n")
    assert max(map(len, ascii_lines)) == 75
    assert (lines[0], lines[-2:]) == ("BEGIN:VCALENDAR", ["END:VCALENDAR", ""])
    assert "DTSTAMP:20261125T120000Z" in lines
    assert "DTSTART;VALUE=DATE:20261125" in lines
    assert "\u5009" * 60 in text.replace("\r\n ", "")


@pytest.mark.parametrize("count", range(160))
def test_a_line_of_a_calendar_is_folded_at_any_length_and_only_where_it_must_be(count: int) -> None:
    text = calendar([plain_item(expires_at=NOON, product="x" * count)], {}, "uuid", NOON)
    whole = text.replace("\r\n ", "").split("\r\n")
    folds = [0 if len(line) <= 75 else -(-(len(line) - 75) // 74) for line in whole]
    assert text.count("\r\n ") == sum(folds)


@pytest.mark.parametrize("char", ["x", "\u00e9", "\u5009", "\U0001f600"])
def test_what_a_calendar_costs_grows_with_its_lines_and_not_with_their_characters(char: str) -> None:
    def text(count: int) -> str:
        return calendar([plain_item(expires_at=NOON, product=char * count)], {}, "uuid", NOON)

    assert char * 900 in text(900).replace("\r\n ", "")
    assert max(len(line.encode()) for line in text(900).split("\r\n")) <= 75
    calls: list[str] = []
    sys.setprofile(lambda frame, event, argument: calls.append(event))
    try:
        lines = text(9000).count("\r\n")
    finally:
        sys.setprofile(None)
    assert len(calls) < 10 * lines + 200


@pytest.mark.parametrize(
    ("until", "hours"), [(NOON + 7200, "2 more hours"), (NOON + 3601, "2 more hours"), (NOON + 3600, "1 more hour"),
                         (NOON, "0 more hours"), (NOON - 7200, "0 more hours")],
)  # fmt: skip
def test_the_end_of_a_delegation_is_shown_by_the_hour(until: int, hours: str) -> None:
    assert f"for {hours} (until" in delegation_notice(until, NOON, for_good=False).detail
    promoted = delegation_notice(until, NOON, for_good=True)
    assert promoted.code == "pair-delegation-promoted"
    assert promoted.detail.endswith("Z). Send the vendor its activation request.")


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        ({"expires_at": NOON + 30 * DAY_SECONDS + 1}, []),
        ({"expires_at": NOON + 30 * DAY_SECONDS}, ["item-ends"]),
        ({"state": "expired", "expires_at": NOON - 30 * DAY_SECONDS}, []),
        ({"state": "expired", "expires_at": NOON - 30 * DAY_SECONDS + 1}, ["item-expired"]),
        ({"quota": 1000, "used": 799}, []),
        ({"quota": 1000, "used": 800}, ["quota-nearly-used"]),
        ({"quota": 0, "used": 1}, []),
        ({"state": "grace", "expires_at": NOON, "used": 100}, ["item-in-grace", "quota-nearly-used"]),
        ({"state": "revoked", "used": 100}, []),
    ],
)
def test_attention_is_drawn_30_days_before_an_end_and_at_80_percent(changes: dict[str, Any], codes: list[str]) -> None:
    assert [notice.code for notice in items_notices([plain_item(**changes)], NOON)] == codes


def test_what_is_nearly_used_is_shown_in_percent_and_what_happened_with_its_way_back() -> None:
    [notice] = items_notices([plain_item(quota=1000, used=999)], NOON)
    assert (notice.level, notice.params["percent"]) == (WARNING, 99)
    [notice] = items_notices([plain_item(quota=1000, used=1000)], NOON)
    assert (notice.level, notice.params["percent"]) == (ERROR, 100)
    for paired, suffix in ((False, ""), (True, "-in-pair")):
        for kept, level, anew in (("replaced-1", HINT if paired else WARNING, ""), ("", HINT, "-anew")):
            for action in ("restored", "restore-undone"):
                found = happened_notice(action, NOON, "admin", kept, paired=paired)
                assert (found.code, found.level) == (f"{action}{anew}{suffix}", level)
                assert ("--undo" in found.detail, "there before" in found.detail) == (bool(kept), bool(kept))
                assert found.detail.endswith(".")


def test_it_is_shown_that_nobody_is_authorized_where_no_item_does() -> None:
    bad = plain_item(state="invalid", reason="It is bound elsewhere.")
    [notice] = nobody_notice([bad, bad, plain_item(state="archived")])
    assert notice.detail == "No license item authorizes anybody: It is bound elsewhere."
    for state in ("active", "grace", "pending"):
        assert nobody_notice([bad, plain_item(state=state)]) == []
    assert nobody_notice([plain_item(state="expired")]) == []


def test_the_end_of_grace_is_alerted() -> None:
    [notice] = items_notices([plain_item(state="grace", expires_at=NOON)], NOON)
    assert "works in grace until 2026-12-02, 12:00 UTC." in notice.detail


def held(key: int, **changes: Any) -> CodeItem:
    return CodeItem(LicenseItem(key, "1", "vendor", "o", replace(GOOD, **changes), ACTIVE))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"expires_at": NOON}, {"expires_at": None}),
        ({"expires_at": NOON}, {"expires_at": NOON + 1}),
        ({"product_versions": ("8",)}, {"product_versions": ("*",)}),
        ({"product_versions": ("8",)}, {"product_versions": ("8", "9")}),
        ({"editions": ("a",)}, {"editions": ()}),
        ({"deployment_types": ("server", "mobile")}, {"deployment_types": ()}),
        ({"modules": ("A",)}, {"modules": ("A", "B")}),
        ({"domains": ()}, {"domains": ("example.com",)}),
        ({"max_offline_days": 8}, {"max_offline_days": None}),
        ({"max_offline_days": None}, {"max_offline_days": 6}),
        ({"quota": 11}, {"quota": 10}),
    ],
)
def test_of_two_items_the_one_that_ends_first_or_is_more_specific_is_used_first(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    for one, other in ((held(1, **first), held(2, **second)), (held(2, **first), held(1, **second))):
        assert default_order([other, one]) == (one, other)


def test_the_chain_of_a_lease_is_that_of_the_key_that_most_of_its_licenses_certify() -> None:
    own = Certified({("v", "1"): "one"}, {"v": "vendor"}, ())
    mains = Certified({("v", "1"): "main one", ("v", "2"): "main two"}, {"w": "other"}, ("rest",))
    both = Certificates((own, mains), ("bare",))
    assert both.chain_of([("v", "1")]) == CertificateChain(("one",))
    assert both.chain_of([("v", "2"), ("v", "1"), ("v", "2")]) == CertificateChain(("main two", "rest"), ("main one",))
    assert both.chain_of([("v", "3"), ("w", "4")]) == CertificateChain(("vendor",))
    assert both.chain_of([("w", "4")]) == CertificateChain(("other", "rest"))
    assert both.chain_of([("x", "5")]) == CertificateChain(("bare",))


@pytest.mark.parametrize(
    ("by", "head"),
    [("type", "all"), ("hour", "hour (UTC)"), ("day", "day (UTC)"), ("device", "device"),
     ("reports", "day (UTC)"), ("authorizations", "day (UTC)")],
)  # fmt: skip
def test_a_usage_table_is_headed_by_what_it_is_grouped_by(by: str, head: str) -> None:
    text = usage_csv(by, [("g", "QR", 7)])
    assert text == f"\ufeff{head},type,units\r\ng,QR,7\r\n"


@pytest.mark.parametrize(
    ("code", "named"),
    [(0, False), (106, False), (124, False), (103, True), (107, True), (111, True), (120, True)],
)
def test_a_verdict_on_an_item_names_it(code: int, *, named: bool) -> None:
    assert explain(code, held(1).item).endswith("(item good).") is named
    assert "item good" not in explain(code, None)


def test_an_item_for_another_product_does_not_speak_of_the_whole_code() -> None:
    assert of_item(106) == "The item is for another product."
    assert of_item(112) == explain(112, None)


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 devices"), (1, "1 device"), (2, "2 devices"), (1234, "1,234 devices")]
)
def test_a_number_stands_with_its_noun(number: int, text: str) -> None:
    assert counted(number, "device") == text
    assert counted(number, "mouse", "mice").endswith("mouse" if number == 1 else "mice")
