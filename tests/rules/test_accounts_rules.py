"""What makes a password good enough, and when a session has ended."""

from __future__ import annotations

import pytest

from lts.rules.accounts import Account, password_fault, plain_code
from lts.rules.sessions import session_ended

BEGUN = 1_800_000_000
HOUR, DAY = 3600, 86400


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("abcdefghi", "short-password"),
        ("abcdefghij", None),
        ("abcdefgh" * 32, None),
        ("abcdefgh" * 32 + "a", "long-password"),
        ("abcdabcdabcd", "weak-password"),
        ("abcdeabcdeab", None),
        ("jane.van.dam", "weak-password"),
        ("MAD.NAV.ENAJ", "weak-password"),
        ("jane.van.dam.", None),
        ("with\x00control", "control-character"),
        ("a surrogate \ud800", "control-character"),
    ],
)
def test_a_password_has_10_to_256_characters_of_5_kinds_and_is_not_the_name(password: str, code: str | None) -> None:
    assert (password_fault(password, "Jane.van.Dam") or (None,))[0] == code


@pytest.mark.parametrize(
    ("seen", "now", "ended"),
    [
        (0, 12 * HOUR, False),
        (0, 12 * HOUR + 1, True),
        (30 * DAY, 30 * DAY, False),
        (30 * DAY, 30 * DAY + 1, True),
    ],
)
def test_a_session_ends_after_12_hours_without_use_and_after_30_days(seen: int, now: int, *, ended: bool) -> None:
    assert session_ended(BEGUN, BEGUN + seen, BEGUN + now) is ended


def test_a_code_is_read_without_blanks_hyphens_and_case() -> None:
    assert plain_code(" ab2-CD3 e\t") == b"AB2CD3E"


@pytest.mark.parametrize(("role", "may_change"), [("administrator", True), ("reader", False)])
def test_an_administrator_changes_and_a_reader_looks(role: str, *, may_change: bool) -> None:
    account = Account("jane", role, "jane")
    assert account.may_change is may_change
    assert (account.is_authenticated, account.is_active, account.is_anonymous) == (True, True, False)
