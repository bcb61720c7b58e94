"""Licence files as editors, mail programs and people leave them (cases.md, import)."""

from __future__ import annotations

import json
import random
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lts.crypto import canonical_json, jws_header, sign_jws
from lts.errors import LicenseFileError
from lts.rules import armour, licensefile
from lts.rules.licensefile import License
from lts.vendor import issuing
from tests.fuzz_licensefile import mangled, survives
from tests.kit import NOON, Vendor, item

VENDOR = Vendor()
FILE = VENDOR.issue(item("one"), item("two", "device", 5))
TEXT = licensefile.render(FILE)


def same(data: bytes) -> bool:
    read = licensefile.read(data)
    return (read.digest, [i.item_id for i in read.items]) == (FILE.digest, ["one", "two"])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_any_encoding_an_editor_saves_in_reads_the_same(encoding: str) -> None:
    assert same(TEXT.encode(encoding))
    if encoding in ("utf-16-le", "utf-16-be"):
        assert same("\ufeff".encode(encoding) + TEXT.encode(encoding))


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.replace("\n", "\r\n"),
        lambda t: t.replace("\n", "\r"),
        lambda t: t + "\n\n   \t  ",
        lambda t: t.rstrip("\n"),
        lambda t: t.replace("\n", " "),
        lambda t: re.sub(r"(?m)^", "> ", t),
        lambda t: re.sub(r"(.{30})", "\\1\n", t[t.index("-----BEGIN") + len(armour.BEGIN) :]).join([armour.BEGIN, ""]),
        lambda t: "Dear customer,\n\n" + t + "\nKind regards\n",
    ],
)
def test_line_ends_wrapping_and_quoting_do_not_matter(change: Any) -> None:
    assert same(change(TEXT).encode())


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty"),
        (b"  \r\n\t", "empty"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 10, "no-license"),
        (b"x" * ((1 << 20) + 1), "too-large"),
        ((TEXT + TEXT).encode(), "several-licenses"),
        (TEXT.replace(armour.END, "").encode(), "no-license"),
        (TEXT.encode()[: len(TEXT) // 2], "no-license"),
        (armour.wrap("a.b.c").encode(), "damaged"),
    ],
)
def test_what_is_no_license_file_says_what_to_do(data: bytes, code: str) -> None:
    with pytest.raises(LicenseFileError) as caught:
        licensefile.read(data)
    assert caught.value.code == code
    assert caught.value.detail.endswith(".")


def test_the_readable_part_is_for_eyes_only() -> None:
    assert same(TEXT.replace("until 2027", "until 3000").encode())


def test_every_change_of_the_signed_part_is_refused() -> None:
    head, payload, signature = FILE.jws.split(".")
    for at in range(0, len(payload), 7):
        other = "A" if payload[at] != "A" else "B"
        changed = f"{head}.{payload[:at]}{other}{payload[at + 1 :]}.{signature}"
        with pytest.raises(LicenseFileError):
            licensefile.read(armour.wrap(changed).encode())


def signed(payload: Any) -> bytes:
    """A payload as no honest tool would make it, honestly signed."""
    key = VENDOR.key
    text = canonical_json(payload) if not isinstance(payload, bytes) else payload
    return armour.wrap(sign_jws(jws_header(key.public, "t", jwk=key.public.jwk), text, key)).encode()


def payload(**changes: Any) -> dict[str, Any]:
    """The good payload with its second item changed."""
    made = issuing.payload_of(FILE)
    made["items"][1].update(changes)
    return made


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"chargeWay": "minute"}, "chargeWay"),
        ({"quota": -1}, "quota"),
        ({"quota": 1.5}, "quota"),
        ({"quota": "5"}, "quota"),
        ({"quota": True}, "quota"),
        ({"quota": 10**15}, "quota"),
        ({"itemId": "one"}, "itemId"),
        ({"itemId": "a\u0000b"}, "itemId"),
        ({"itemId": "x" * 501}, "itemId"),
        ({"product": None}, "product"),
        ({"startsAt": "yesterday"}, "startsAt"),
        ({"expiresAt": "2020-01-01"}, "expiresAt"),
        ({"activePeriod": "weekly"}, "activePeriod"),
        ({"deploymentTypes": ["toaster"]}, "deploymentTypes"),
        ({"chargeWay": "domain"}, "domains"),
        ({"chargeWay": "domain", "domains": ["co.uk"]}, "domains"),
        ({"chargeWay": "concurrentInstance"}, "deploymentTypes"),
        ({"graceQuota": 101}, "graceQuota"),
        ({"modules": "QR"}, "modules"),
        ({"maxOfflineDays": 0.5}, "maxOfflineDays"),
    ],
)
def test_a_bad_item_is_named_with_its_field(changes: dict[str, Any], word: str) -> None:
    with pytest.raises(LicenseFileError) as caught:
        licensefile.read(signed(payload(**changes)))
    assert "item 2" in caught.value.detail
    assert word in caught.value.detail


def test_duplicate_keys_deep_nesting_and_other_json_are_refused() -> None:
    good = canonical_json(issuing.payload_of(FILE))
    for bad in (
        good.replace(b'"revision":1', b'"revision":1,"revision":2'),
        good.replace(b'"revision":1', b'"revision":NaN'),
        good.replace(b'"revision":1', b'"revision":1e999'),
        b"[" * 100_000,
        b"[]",
        b"null",
        b"\xff\xfe",
        good[:-1],
    ):
        with pytest.raises(LicenseFileError):
            licensefile.read(signed(bad))


def test_unknown_fields_of_a_newer_vendor_tool_are_ignored_but_a_specs_are_not() -> None:
    made = payload(colour="red")
    made["future"] = {"a": 1}
    assert len(licensefile.read(signed(made)).items) == 2
    with pytest.raises(LicenseFileError) as caught:
        issuing.issue({"licenseId": "1", "organizationId": "2", "items": [item(colour="red")]}, VENDOR.key, "V", NOON)
    assert "colour" in caught.value.detail


def test_defaults_are_those_of_the_rules() -> None:
    scan, seat = FILE.items
    assert (scan.grace_quota, seat.grace_quota, seat.active_period, seat.grace_days) == (5, 10, "yearly", 7)
    server = VENDOR.issue(item(way="server", quota=2)).items[0]
    assert (server.active_period, server.max_offline_days) == ("monthly", None)
    concurrent = VENDOR.issue(item(way="concurrentDevice", quota=3)).items[0]
    assert concurrent.overdraft == 3000


def test_the_alias_is_fixed_once_activated() -> None:
    uuid = "6F1C2B7E-8C1D-4A0E-9A57-0C6A2F7A1B11"
    first = issuing.activate(FILE, [uuid], VENDOR.key, "V", NOON)
    assert first.alias == "LTS_100_Date20261125"
    moved = issuing.activate(first, [uuid[:-1] + "2"], VENDOR.key, "V", NOON + 10**7, alias="other")
    assert (moved.alias, moved.revision) == (first.alias, 2)


NAMES = st.text(
    st.characters(exclude_categories=("Cc", "Cf", "Cs", "Zl", "Zp", "Co", "Cn")), min_size=1, max_size=40
).filter(lambda text: text.strip())


@settings(max_examples=60, deadline=None)
@given(st.lists(NAMES, min_size=1, max_size=4), st.integers(0, 10**12), NAMES, st.randoms(use_true_random=False))
def test_whatever_names_and_quotas_say_a_mangled_file_reads_the_same(
    modules: list[str], quota: int, product: str, rng: random.Random
) -> None:
    made = VENDOR.issue(item(modules=modules, quota=quota, product=product))
    read: License = licensefile.read(survives(licensefile.render(made), rng))
    assert (read.digest, read.items) == (made.digest, made.items)


def test_random_and_mutated_bytes_raise_nothing_but_a_license_file_error() -> None:
    rng = random.Random(7)
    for _ in range(3000):
        data = mangled(TEXT.encode(), rng)
        try:
            licensefile.read(data)
        except LicenseFileError:
            continue


def test_the_payload_says_what_the_guide_says() -> None:
    made = json.loads(FILE.payload)
    assert (made["licenseTextVersion"], made["licenseStatus"], made["revision"]) == ("2.0", "New", 1)
    assert made["vendor"] == {"name": "Vendor", "keyId": VENDOR.key.kid}
