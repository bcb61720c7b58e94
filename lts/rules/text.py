"""Texts from outside in one form of the same characters (NFC), at a cost in proportion to their length."""

from __future__ import annotations

import unicodedata

from lts.errors import AdminError

MAX_NAME = 100
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_JOINERS = "\u200c\u200d"  # needed by Persian words and by emoji
_BLANK_LETTERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")  # letters and marks that show nothing
_LONGEST_PARTS = 4
"""Most characters that one character of NFC stands for: Unicode Standard Annex 15, maximum expansion of NFD in
UTF-32."""


def nfc(text: str, limit: int) -> str:
    """The text in NFC, to be held by the caller to `limit` characters.

    Putting thousands of combining characters into their order costs the square of their number. Over 4 × `limit`
    characters are over `limit` in NFC too: such a text comes back as it is, for the caller to refuse.
    """
    return text if len(text) > _LONGEST_PARTS * limit else unicodedata.normalize("NFC", text)


def clean_name(text: str, what: str, limit: int = MAX_NAME) -> str:
    """NFC and trimmed; refuses control, invisible and over-long names. Raises AdminError."""
    name = nfc(text.strip(), limit).strip()
    if not name:
        raise AdminError("empty-name", f"{what} must not be empty.")
    if len(name) > limit:
        raise AdminError("long-name", f"{what} is longer than {limit} characters.")
    if shows_nothing(name) or any(_is_invisible(char) for char in name if char not in _JOINERS):
        raise AdminError("invisible-character", f"{what} holds a control or invisible character; type it anew.")
    return name


def shows_nothing(name: str) -> bool:
    """Whether all of a name is blank or invisible, so that nobody can tell it from another such name."""
    return all(char.isspace() or _is_invisible(char) for char in name)


def _is_invisible(char: str) -> bool:
    return unicodedata.category(char) in _INVISIBLE or char in _BLANK_LETTERS
