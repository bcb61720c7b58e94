"""License files as editors, mail programs and people leave them (docs/design/license-files.md, The file)."""

from __future__ import annotations

import json
import random
import re
import unicodedata
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lts.crypto import SigningKey, canonical_json
from lts.errors import LicenseFileError, TokenError
from lts.protocol import DAY_SECONDS, iso
from lts.rules.licensing import armor, licensefile
from lts.rules.licensing.licensefile import License
from lts.rules.metering.terms import in_expiry_grace
from lts.rules.values import domains
from lts.vendor import issuing
from tests.soak.fuzz_licensefile import UUID, VENDOR, attempt, good, mangled, odd, signed, survives
from tests.support.kit import DAY, NOON, item

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
        assert same(("许可证如下" * 100 + TEXT).encode(encoding))


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.replace("\n", "\r\n"),
        lambda t: t.replace("\n", "\r"),
        lambda t: t + "\n\n   \t  ",
        lambda t: t.rstrip("\n"),
        lambda t: t.replace("\n", " "),
        lambda t: t.replace("\n", "=20\n"),
        lambda t: t.replace("\n", "\u00a0\u200b\n"),
        lambda t: t.replace("BEGIN LTS ", "BEGIN LTS\n").replace("\n", "\n> "),
        lambda t: re.sub(r"(?m)^", "> ", t),
        lambda t: re.sub(r"(.{30})", "\\1\n", t[t.index("-----BEGIN") + len(armor.BEGIN) :]).join([armor.BEGIN, ""]),
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
        ((armor.BEGIN + "\n" + TEXT).encode(), "several-licenses"),
        (TEXT.replace(armor.END, "").encode(), "no-license"),
        (f"{armor.END}\n{armor.BEGIN}\n".encode(), "no-license"),
        (TEXT.encode()[: len(TEXT) // 2], "no-license"),
        (armor.wrap("a.b.c").encode(), "damaged"),
    ],
)
def test_what_is_no_license_file_says_what_to_do(data: bytes, code: str) -> None:
    with pytest.raises(LicenseFileError) as caught:
        licensefile.read(data)
    assert caught.value.code == code
    assert caught.value.detail.endswith(".")


def test_the_readable_part_is_for_eyes_only() -> None:
    assert same(TEXT.replace("until 2027", "until 3000").encode())


def test_a_file_full_of_armor_lines_is_refused_without_ado() -> None:
    lines = (armor.BEGIN + "\n") * ((1 << 20) // (len(armor.BEGIN) + 1))  # quadratic time would never end here
    with pytest.raises(LicenseFileError):
        licensefile.read(lines.encode())


def test_every_change_of_the_signed_part_is_called_a_change() -> None:
    head, payload, signature = FILE.jws.split(".")
    for at in range(0, len(payload) - 1, 7):
        other = "A" if payload[at] != "A" else "B"
        changed = f"{head}.{payload[:at]}{other}{payload[at + 1 :]}.{signature}"
        with pytest.raises(LicenseFileError) as caught:
            licensefile.read(armor.wrap(changed).encode())
        assert caught.value.code == "bad-signature"


@pytest.mark.parametrize("change", ["expiry", "quota", "order"])
def test_an_edited_file_is_refused_whatever_sensible_thing_it_says(change: str) -> None:
    made = issuing.payload_of(FILE)
    if change == "expiry":
        made["items"][0]["expiresAt"] = "3000-01-01T00:00:00Z"
    elif change == "quota":
        made["items"][0]["quota"] += 1
    else:
        made["items"].reverse()
    other = armor.extract(signed(canonical_json(made))).split(".")
    text = ".".join([FILE.jws.split(".")[0], other[1], FILE.jws.split(".")[2]])
    with pytest.raises(LicenseFileError) as caught:
        licensefile.read(armor.wrap(text).encode())
    assert "signature does not match" in caught.value.detail


def test_a_file_is_verified_against_the_key_that_is_trusted_not_the_one_it_names() -> None:
    licensefile.verify(FILE, VENDOR.key.public)
    with pytest.raises(TokenError):
        licensefile.verify(FILE, SigningKey.generate().public)


def test_another_signed_text_of_the_vendor_is_no_license() -> None:
    with pytest.raises(LicenseFileError) as caught:
        licensefile.read(signed(FILE.payload, typ="lts-certificate+jws"))
    assert caught.value.code == "no-license"


def test_a_file_that_names_another_vendor_key_than_its_signers_is_refused() -> None:
    made = issuing.payload_of(FILE)
    made["vendor"]["keyId"] = SigningKey.generate().kid
    with pytest.raises(LicenseFileError) as caught:
        licensefile.read(signed(canonical_json(made)))
    assert caught.value.code == "bad-vendor"


@pytest.mark.parametrize(
    "changes",
    [
        {"servers": []},
        {"servers": [{"uuid": UUID}, {"uuid": "{" + UUID.lower() + "}"}]},
        {"servers": [{"uuid": UUID[:-1] + str(number)} for number in range(3)]},
        {"servers": [{"uuid": "nonsense"}]},
        {"activatedAt": None},
    ],
)
def test_an_activated_file_names_one_or_two_servers_and_its_time(changes: dict[str, Any]) -> None:
    assert licensefile.read(signed(canonical_json(good()))).servers[0].uuid == UUID
    with pytest.raises(LicenseFileError):
        licensefile.read(signed(canonical_json({**good(), **changes})))


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
        ({"startsAt": "0001-01-01T00:00:00+14:00"}, "startsAt"),
        ({"expiresAt": "9999-12-31T23:59:59-01:00"}, "expiresAt"),
        ({"product": "\u200d"}, "product"),
        ({"expiresAt": "2020-01-01"}, "expiresAt"),
        ({"activePeriod": "weekly"}, "activePeriod"),
        ({"deploymentTypes": ["toaster"]}, "deploymentTypes"),
        ({"chargeWay": "domain"}, "domains"),
        ({"chargeWay": "domain", "domains": ["co.uk"]}, "domains"),
        ({"chargeWay": "domain", "domains": ["com"]}, "domains"),
        ({"chargeWay": "domain", "domains": ["*.example.com"]}, "domains"),
        ({"chargeWay": "domain", "domains": ["https://example.com"]}, "domains"),
        ({"chargeWay": "concurrentInstance"}, "deploymentTypes"),
        ({"graceQuota": 101}, "graceQuota"),
        ({"modules": "QR"}, "modules"),
        ({"maxOfflineDays": 0.5}, "maxOfflineDays"),
    ],
)
def test_a_bad_item_is_named_with_its_field(changes: dict[str, Any], word: str) -> None:
    with pytest.raises(LicenseFileError) as caught:
        licensefile.read(signed(canonical_json(payload(**changes))))
    assert "item 2" in caught.value.detail
    assert word in caught.value.detail
    assert ("(two)" in caught.value.detail) == ("itemId" not in changes)


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
    made = payload(color="red")
    made["future"] = {"a": 1}
    assert len(licensefile.read(signed(canonical_json(made))).items) == 2
    with pytest.raises(LicenseFileError) as caught:
        issuing.issue({"licenseId": "1", "organizationId": "2", "items": [item(color="red")]}, VENDOR.key, "V", NOON)
    assert "color" in caught.value.detail


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


def one_form(text: str) -> str:
    """As the reader of a file takes a text."""
    return unicodedata.normalize("NFC", text.strip()).strip()


NAMES = st.text(
    st.characters(exclude_categories=("Cc", "Cf", "Cs", "Zl", "Zp", "Co", "Cn")), min_size=1, max_size=40
).filter(lambda text: text.strip())


@settings(max_examples=60, deadline=None)
@given(
    st.lists(NAMES, min_size=1, max_size=4, unique_by=one_form),
    st.integers(0, 10**12),
    NAMES,
    st.randoms(use_true_random=False),
)
def test_whatever_names_and_quotas_say_a_mangled_file_reads_the_same(
    modules: list[str], quota: int, product: str, rng: random.Random
) -> None:
    made = VENDOR.issue(item(modules=modules, quota=quota, product=product))
    read: License = licensefile.read(survives(licensefile.render(made), rng))
    assert (read.digest, read.items) == (made.digest, made.items)


def test_random_and_mutated_bytes_raise_nothing_but_a_license_file_error() -> None:
    rng = random.Random(7)
    for _ in range(1500):
        attempt(mangled(TEXT.encode(), rng))


def test_whatever_a_vendor_signs_raises_nothing_but_a_license_file_error_and_what_is_read_renders() -> None:
    rng, start = random.Random(7), good()
    read = [attempt(signed(odd(start, rng))) for _ in range(1500)]
    assert any(read)
    assert not all(read)


@pytest.mark.parametrize("end", ["permanent", "never", None])
def test_never_is_said_in_several_ways(end: str | None) -> None:
    assert VENDOR.issue(item(expiresAt=end)).items[0].expires_at is None


@pytest.mark.parametrize(
    ("end", "read"),
    [
        ("2038-01-19T03:14:08Z", "2038-01-19T03:14:08Z"),
        ("2099-12-31", "2100-01-01T00:00:00Z"),
        ("9999-12-31", "9999-12-31T23:59:59Z"),
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
    ],
)
def test_far_ends_are_read_to_the_second_and_rendered(end: str, read: str) -> None:
    made = VENDOR.issue(item(expiresAt=end))
    ends = made.items[0].expires_at
    assert ends is not None
    assert iso(ends) == read
    assert f"until {end[:10]}" in licensefile.render(made)


def test_a_date_alone_begins_or_ends_with_its_day() -> None:
    day = "2026-11-25"
    made = VENDOR.issue(item(startsAt=day, expiresAt=day)).items[0]
    assert (made.starts_at, made.expires_at) == (DAY, DAY + DAY_SECONDS)
    assert not in_expiry_grace(made, DAY + DAY_SECONDS - 1)
    assert in_expiry_grace(made, DAY + DAY_SECONDS)
    begins = VENDOR.issue(item(startsAt=day, expiresAt=None, trial=True)).items[0]
    assert iso(begins.starts_at) == "2026-11-25T00:00:00Z"
    with pytest.raises(LicenseFileError, match="before startsAt"):
        VENDOR.issue(item(startsAt="2026-11-26", expiresAt=day))


def test_a_file_of_an_earlier_version_is_read_by_the_same_rule() -> None:
    """Its end lies a day later than that version took it for; whoever imports it again gets no other end."""
    read = licensefile.read(signed(canonical_json(payload(expiresAt="2026-11-25"))))
    assert read.items[1].expires_at == DAY + DAY_SECONDS


def test_what_vendors_may_sell_no_more_is_still_read() -> None:
    odd = payload(productVersions=["8.2", "v8"], modules=["QR", "QR"], domains=["xn--"])
    assert licensefile.read(signed(canonical_json(odd))).items[1].modules == ("QR", "QR")


def test_names_are_one_however_composed_and_keep_the_joiners_of_words() -> None:
    word = "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"
    made = VENDOR.issue(item(product="cafe\u0301", description=word))
    assert (made.items[0].product, made.items[0].description) == ("café", word)
    with pytest.raises(LicenseFileError):
        VENDOR.issue(item("caf\u00e9"), item("cafe\u0301"))


def test_a_name_that_looks_like_an_armor_spoils_no_file() -> None:
    made = VENDOR.issue(item(product=armor.BEGIN + armor.END))
    assert licensefile.read(licensefile.render(made).encode()).digest == made.digest


@pytest.mark.parametrize(
    ("domain", "is_suffix"),
    [("com", True), ("co.uk", True), ("github.io", True), ("example.com", False), ("localhost", False)],
)
def test_only_what_anybody_can_register_under_is_a_public_suffix(domain: str, is_suffix: bool) -> None:
    assert domains.is_public_suffix(domain) == is_suffix
    assert domains.matches_any("one." + domain, domains.hosts((domain,))) != is_suffix


def test_the_first_revision_adds_and_the_same_file_again_changes_nothing() -> None:
    assert licensefile.compare(None, FILE).added == ("one", "two")
    again = licensefile.compare(FILE, FILE)
    assert (again.status, again.added, again.renewed, again.unchanged) == ("already-imported", (), (), ("one", "two"))


def test_a_higher_revision_says_item_by_item_what_it_changes() -> None:
    changes = {"items": [{"itemId": "one", "quota": 7}, item("three")], "remove": ["two"]}
    newer = issuing.amend(FILE, changes, VENDOR.key, "Vendor")
    made = licensefile.compare(FILE, newer)
    assert (made.status, made.added, made.renewed, made.revoked, made.unchanged) == (
        "renewal", ("three",), ("one",), ("two",), (),
    )  # fmt: skip
    revoked = licensefile.compare(FILE, issuing.revoke(FILE, ["two"], VENDOR.key, "Vendor"))
    assert (revoked.revoked, revoked.unchanged) == (("two",), ("one",))
    with pytest.raises(LicenseFileError) as caught:
        licensefile.compare(newer, FILE)
    assert caught.value.code == "older-revision"


def test_the_same_revision_with_another_content_is_refused_naming_both_digests() -> None:
    one = issuing.amend(FILE, {"items": [{"itemId": "one", "quota": 7}]}, VENDOR.key, "Vendor")
    other = issuing.amend(FILE, {"items": [{"itemId": "one", "quota": 8}]}, VENDOR.key, "Vendor")
    with pytest.raises(LicenseFileError) as caught:
        licensefile.compare(one, other)
    assert caught.value.code == "same-revision"
    assert one.digest[:16] in caught.value.detail
    assert other.digest[:16] in caught.value.detail


def test_the_payload_says_what_the_guide_says() -> None:
    made = json.loads(FILE.payload)
    assert (made["licenseTextVersion"], made["licenseStatus"], made["revision"]) == ("2.0", "New", 1)
    assert made["vendor"] == {"name": "Vendor", "keyId": VENDOR.key.kid}
