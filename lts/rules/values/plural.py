"""Numbers with their nouns, as English writes them."""

from __future__ import annotations


def counted(number: int, one: str, more: str | None = None) -> str:
    """A number with its noun: `1 device`, `2 devices`; `more` if the plural is not just an s."""
    return f"{number:,} {one if number == 1 else more or one + 's'}"
