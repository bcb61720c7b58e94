"""Text of any length is put into one form in linear time, or refused for its length."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lts.errors import AdminError, LicenseFileError
from lts.rules.accounts import MAX_PASSWORD, normal_password
from lts.rules.licensing.catalog import Catalog
from lts.rules.licensing.serverurls import clean_url
from lts.rules.values import domains
from lts.rules.values.addresses import read_address
from lts.rules.values.fields import Fields
from lts.rules.values.paging import plain
from lts.rules.values.text import clean_name, nfc, normal, one_line, too_many_marks
from lts.service.access.accounts import plain_name
from lts.service.alerting.alertsettings import clean_webhook_url
from lts.service.licensing import handshakes
from tests.support.cost import assert_linear

LARGEST = 120_000
SETTLED = unicodedata.normalize("NFC", "e\u0301" * MAX_PASSWORD)


def out_of_order(size: int) -> str:
    """Combining characters that all have to change places."""
    return "\u0345" * (size // 2) + "\u0316" * (size // 2)


def doubles(size: int) -> str:
    """Characters that are no marks by themselves, and two each in NFC."""
    return "\u0f73" * size


def in_an_address(text: str) -> object:
    """Read as the name before a mail address."""
    return read_address(f"{text} <a@example.com>", "to")


READERS: dict[str, Callable[[str], Any]] = {
    "password": normal_password,
    "license file": lambda text: Fields({"name": text}, "the file").text("name"),
    "name": lambda text: clean_name(text, "The name"),
    "handshake code": lambda text: handshakes.find(Catalog(), text),
    "name before an address": in_an_address,
    "domain of an address": lambda text: read_address(f"a@{text}.com", "to"),
    "domain of a binding": domains.binding_fault,
    "user": plain_name,
    "any text": normal,
    "searched text": plain,
    "webhook": lambda text: clean_webhook_url(f"https://{text}.com/"),
    "server": lambda text: clean_url(f"https://{text}.com/"),
}


@pytest.mark.parametrize("make", [out_of_order, doubles])
@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_combining_characters_in_any_order_cost_linear_time(
    read: Callable[[str], Any], make: Callable[[int], str]
) -> None:
    assert_linear(make, read, LARGEST)


MARKS = "\u0301\u0316\u0327\u0334\u0344\u0345\u0f71\u0f72\u0f73\u0f75\u0f80\u0f81\u3099\U0001d165"


@given(
    st.text(alphabet=MARKS, min_size=20, max_size=80), st.text(alphabet=MARKS + "ae\u03b1\u1100\uac00 ", max_size=80)
)
def test_long_rows_of_marks_are_put_into_the_order_of_nfc(row: str, text: str) -> None:
    for given_text in (row, text + row, "e" + row + text):
        assert normal(given_text) == unicodedata.normalize("NFC", given_text)


def test_a_row_of_marks_is_measured_in_nfc() -> None:
    assert not too_many_marks("a" + "\u0301" * 30)
    assert too_many_marks("a" + "\u0301" * 31)
    assert not too_many_marks("a\u0301" * 31)
    assert all(too_many_marks("a" * n + "\u0301" * 31 + "b" * 40) for n in range(70))
    double = [chr(code) for code in range(sys.maxunicode + 1) if not unicodedata.combining(chr(code))
              and unicodedata.combining(unicodedata.normalize("NFD", chr(code))[0])]  # fmt: skip
    assert double == ["\u0f73", "\u0f75", "\u0f81"]
    for one in double:
        assert too_many_marks(one * 31)


def test_a_character_of_nfc_stands_for_four_at_most() -> None:
    assert max(len(unicodedata.normalize("NFD", chr(code))) for code in range(sys.maxunicode + 1)) == 4


def test_a_text_within_its_limit_in_nfc_is_put_into_nfc() -> None:
    longest = "\u03b1\u0313\u0300\u0345"
    assert nfc(longest * 100, 100) == "\u1f82" * 100
    assert nfc(longest * 100 + "a", 100) == longest * 100 + "a"


def test_a_password_typed_in_parts_is_that_typed_in_wholes() -> None:
    assert normal_password("e\u0301" * MAX_PASSWORD) == SETTLED


def test_a_name_far_over_its_limit_is_refused_as_too_long() -> None:
    with pytest.raises(AdminError, match="longer than 100 characters"):
        clean_name(out_of_order(LARGEST), "The name")


def test_for_an_invalid_time_the_message_says_that_a_date_alone_is_enough() -> None:
    for wrong in ("tomorrow", "2026-13-01", "2026-11-25T00:00", 7, None):
        with pytest.raises(
            LicenseFileError, match=r"a date such as 2026-11-25, or a time such as 2026-11-25T00:00:00Z"
        ):
            Fields({"expiresAt": wrong}, "items[0]").time("expiresAt", end=True)
    assert Fields({"expiresAt": "2026-11-25"}, "items[0]").time("expiresAt") is not None


@pytest.mark.parametrize(
    ("given", "kept"),
    [(" a b ", "a b"), ("x" * 100, "x" * 100), ("e\u0301" * 100, "\u00e9" * 100), ("a\u200db", "a\u200db")],
)
def test_a_name_is_kept_trimmed_and_in_nfc(given: str, kept: str) -> None:
    assert clean_name(given, "The name") == kept


@pytest.mark.parametrize(
    ("given", "code"),
    [("", "empty-name"), (" ", "empty-name"), ("x" * 101, "long-name"), ("a\u200bb", "invisible-character"),
     ("\u200d", "invisible-character"), ("\u2800", "invisible-character"), ("a\u3164", "invisible-character"),
     ("\u200d \u200c", "invisible-character"), ("a\x00", "invisible-character")],
)  # fmt: skip
def test_a_name_that_cannot_be_told_from_others_is_refused(given: str, code: str) -> None:
    with pytest.raises(AdminError) as caught:
        clean_name(given, "The name")
    assert caught.value.code == code
    assert clean_name("abc", "The name", 3) == "abc"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (b"no\r\n such\tuser ", "no such user"),
        (b"\x1b[2J\x1b]0;x\x07 gone\x00", "\ufffd[2J\ufffd]0;x\ufffd gone\ufffd"),
        ("\u202eresu\u2066 \u200bx", "\ufffdresu\ufffd \ufffdx"),
        ("a\u2028b\x85c\x9bd", "a b c\ufffdd"),
        (b"\xff ok", "\ufffd ok"),
        ("\u4e2d\u6587 \u00e9", "\u4e2d\u6587 \u00e9"),
        ("x" * 500, "x" * 200),
    ],
)
def test_what_another_server_says_is_one_line_that_nothing_obeys(said: bytes | str, shown: str) -> None:
    assert one_line(said) == shown
