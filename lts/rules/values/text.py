"""Texts from outside in one form of the same characters (NFC), at a cost in proportion to their length."""

from __future__ import annotations

import unicodedata
from itertools import groupby

from lts.errors import AdminError

MAX_NAME = 100
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
"""Not Cn: what this Unicode does not assign, a later one may show, and a client may know it."""
_JOINERS = "\u200c\u200d"  # needed by Persian words and by emoji
_BLANK_LETTERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")  # letters and marks that show nothing
_LONGEST_PARTS = 4
"""Most characters that one character of NFC replaces: Unicode Standard Annex 15, maximum expansion of NFD in
UTF-32."""
MOST_MARKS = 30
"""Combining marks in a row that a text of any language has at most: Unicode Standard Annex 15, stream-safe text."""
_DOUBLE_MARKS = "\u0f73\u0f75\u0f81"
"""Starters by their own class that are two marks of NFC; no later version of Unicode adds to them."""


def normal(text: str) -> str:
    """The text in NFC, at a cost in proportion to its length.

    Python puts the marks of a long row into their order one by one, which costs the square of their number: they are
    sorted before that.
    """
    if too_many_marks(text):
        apart = "".join([unicodedata.normalize("NFD", char) for char in text])
        rows = [list(row) for _, row in groupby(apart, lambda char: unicodedata.combining(char) > 0)]
        text = "".join([char for row in rows for char in sorted(row, key=unicodedata.combining)])
    return unicodedata.normalize("NFC", text)


def too_many_marks(text: str) -> bool:
    """Whether there are more combining marks in a row than in any language."""
    if len(text) <= MOST_MARKS or text.isascii():
        return False
    for double in _DOUBLE_MARKS:
        text = text.replace(double, "\u0f71\u0f72")
    if not any(map(unicodedata.combining, text[MOST_MARKS :: MOST_MARKS + 1])):
        return False  # a longer row would reach over one of these
    classes = bytes(map(unicodedata.combining, text))
    return max(map(len, classes.split(b"\0"))) > MOST_MARKS


def nfc(text: str, limit: int) -> str:
    """The text in NFC; the caller checks that it has at most `limit` characters.

    Over 4 × `limit` characters are over `limit` in NFC too: such a text is returned as it is, for the caller to refuse.
    """
    return text if len(text) > _LONGEST_PARTS * limit else normal(text)


def clean_name(text: str, what: str, limit: int = MAX_NAME) -> str:
    """NFC and trimmed; refuses control, invisible and over-long names. Raises AdminError."""
    name = nfc(text.strip(), limit).strip()
    if not name:
        raise AdminError("empty-name", f"{what} must not be empty.")
    if len(name) > limit:
        raise AdminError("long-name", f"{what} is longer than {limit} characters.")
    if shows_nothing(name) or any(_is_invisible(char) for char in name if char not in _JOINERS):
        raise AdminError("invisible-character", f"{what} holds a control or invisible character; type it again.")
    return name


def one_line(words: bytes | str, limit: int = 200) -> str:
    """What another server said, as a part of a sentence: one line of at most so many characters, which no terminal
    obeys (controls) and which turns no text around (marks of writing direction)."""
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
    plain = " ".join(text[: 10 * limit].split())[:limit]
    return "".join("\ufffd" if char not in _JOINERS and _is_invisible(char) else char for char in plain)


def shows_nothing(name: str) -> bool:
    """Whether all of a name is blank or invisible, so that it looks like any other such name."""
    return all(char.isspace() or _is_invisible(char) for char in name)


def _is_invisible(char: str) -> bool:
    return unicodedata.category(char) in _INVISIBLE or char in _BLANK_LETTERS
