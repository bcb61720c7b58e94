"""Who may do what in the portal, and what makes a password good enough (docs/design/administering.md, Accounts)."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from lts.rules.values.text import nfc

OWNER = "admin"
"""The user that always exists once the server is set up, and cannot be renamed."""
ADMINISTRATOR, READER = "administrator", "reader"
ROLES = (ADMINISTRATOR, READER)
MIN_PASSWORD, MAX_PASSWORD = 10, 256
MIN_DIFFERENT = 5


@dataclass(frozen=True)
class Account:
    """Who calls: `actor` is the name in the audit log, `session` is the id of the browser's session, None for a
    token."""

    name: str
    role: str
    actor: str
    session: str | None = None

    @property
    def may_change(self) -> bool:
        """Whether more than reading is allowed."""
        return self.role == ADMINISTRATOR

    # what Flask-Login asks of a user
    is_authenticated = True
    is_active = True
    is_anonymous = False

    def get_id(self) -> str:
        """The name, for Flask-Login."""
        return self.name


def normal_password(text: str) -> str:
    """One form of the same characters, however they were typed (RFC 8265, 4.2); far too long ones stay as they are."""
    return nfc(text, MAX_PASSWORD)


def password_fault(password: str, user: str) -> tuple[str, str] | None:
    """(code, sentence) about what is wrong with a new password of `user`, None if it is good."""
    if len(password) < MIN_PASSWORD:
        return "short-password", f"Use at least {MIN_PASSWORD} characters; a few words that you remember are best."
    if len(password) > MAX_PASSWORD:
        return "long-password", f"Use at most {MAX_PASSWORD} characters."
    if any(unicodedata.category(char) in ("Cc", "Cs") for char in password):
        return "control-character", "The password holds a control character; type it again."
    if len(set(password)) < MIN_DIFFERENT or user.casefold() in (password.casefold(), password.casefold()[::-1]):
        return "weak-password", "This password is guessed easily; use a few words that you remember."
    return None


def plain_code(text: str) -> bytes:
    """A set-up code as typed, without blanks, hyphens and case."""
    return "".join(char for char in text.upper() if char.isalnum()).encode("utf-8", "replace")
