"""Texts from outside in one form of the same characters (NFC), at a cost in proportion to their length."""

from __future__ import annotations

import unicodedata

_LONGEST_PARTS = 4
"""Most characters that one character of NFC stands for: Unicode Standard Annex 15, maximum expansion of NFD in
UTF-32."""


def nfc(text: str, limit: int) -> str:
    """The text in NFC, to be held by the caller to `limit` characters.

    Putting thousands of combining characters into their order costs the square of their number. Over 4 × `limit`
    characters are over `limit` in NFC too: such a text comes back as it is, for the caller to refuse.
    """
    return text if len(text) > _LONGEST_PARTS * limit else unicodedata.normalize("NFC", text)
