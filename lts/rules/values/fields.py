"""Reading a JSON object field by field, with faults that name the place and say what is wrong."""

from __future__ import annotations

import unicodedata
from typing import Any

from lts.errors import LicenseFileError
from lts.protocol import DAY_SECONDS, NEVER, parse_iso
from lts.rules.values.text import nfc

MAX_TEXT = 500
MAX_LIST = 1000
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_JOINERS = "\u200c\u200d"  # needed by Persian words and by emoji
_YEAR_1 = parse_iso("0001-01-01T00:00:00Z")  # with an offset a time can be before that


class Fields:
    """A JSON object that is being read; `where` describes it in faults."""

    def __init__(self, value: Any, where: str) -> None:
        self.where = where
        if not isinstance(value, dict):
            raise LicenseFileError("bad-field", f"{where.capitalize()} is not a JSON object.", field=where)
        self._value: dict[str, Any] = value
        self._asked: set[str] = set()

    def call(self, name: str) -> None:
        """Faults name this object so too."""
        self.where += f" ({name})"

    def fault(self, name: str, what: str) -> LicenseFileError:
        return LicenseFileError("bad-field", f"In {self.where}, {name} {what}.", field=f"{self.where}: {name}")

    def get(self, name: str) -> Any:
        """The raw value, None if absent."""
        self._asked.add(name)
        return self._value.get(name)

    def has(self, name: str) -> bool:
        """Whether the field is there, even if null."""
        return name in self._value

    def refuse_unknown(self) -> None:
        """Raises the fault for a field that nobody asked for."""
        for name in self._value:
            if name not in self._asked:
                raise self.fault(name, "is not a known field")

    def text(self, name: str, *, optional: bool = False, limit: int = MAX_TEXT) -> str:
        """A text in NFC without hidden characters; "" when optional and absent."""
        value = self.get(name)
        if value is None and optional:
            return ""
        if not isinstance(value, str) or (not value.strip() and not optional):
            raise self.fault(name, "must be a text")
        return self._clean(name, value, limit)

    def _clean(self, name: str, value: str, limit: int) -> str:
        clean = nfc(value.strip(), limit).strip()
        if len(clean) > limit:
            raise self.fault(name, f"is longer than {limit} characters")
        if not clean.isprintable() and any(
            unicodedata.category(char) in _HIDDEN and char not in _JOINERS for char in clean
        ):
            raise self.fault(name, "holds a control or invisible character")
        if clean and not clean.strip(_JOINERS):
            raise self.fault(name, "holds invisible characters only")
        return clean

    def texts(self, name: str, *, optional: bool = False, limit: int = MAX_TEXT) -> tuple[str, ...]:
        """A list of texts; () when optional and absent."""
        value = self.get(name)
        if value is None and optional:
            return ()
        if not isinstance(value, list) or len(value) > MAX_LIST * 10:
            raise self.fault(name, "must be a list of texts")
        for entry in value:
            if not isinstance(entry, str) or not entry.strip():
                raise self.fault(name, "must be a list of texts")
        return tuple(self._clean(name, entry, limit) for entry in value)

    def integer(self, name: str, low: int, high: int, *, default: int | None = None) -> int:
        """A whole number from low to high; `default` when absent."""
        value = self.get(name)
        if value is None and default is not None:
            return default
        if type(value) is not int:
            raise self.fault(name, "must be a whole number")
        if not low <= value <= high:
            raise self.fault(name, f"must be from {low} to {high}, not {value}")
        return value

    def boolean(self, name: str, *, default: bool) -> bool:
        value = self.get(name)
        if value is None:
            return default
        if type(value) is not bool:
            raise self.fault(name, "must be true or false")
        return value

    def one_of(self, name: str, allowed: tuple[str, ...], *, default: str | None = None) -> str:
        value = self.get(name)
        if value is None and default is not None:
            return default
        if value not in allowed or not isinstance(value, str):
            raise self.fault(name, f"must be one of {', '.join(allowed)}, not {str(value)[:40]!r}")
        return value

    def time(self, name: str, *, optional: bool = False, end: bool = False) -> int | None:
        """UTC seconds of an RFC 3339 time, or of a date: the beginning of that day, as an `end` its end (24:00 UTC)."""
        value = self.get(name)
        if value is None and optional:
            return None
        try:
            if isinstance(value, str):
                alone = len(value) == len("2026-11-25")
                seconds = parse_iso(f"{value}T00:00:00Z" if alone else value)
                if _YEAR_1 <= seconds < NEVER:
                    return min(seconds + DAY_SECONDS, NEVER - 1) if alone and end else seconds
        except ValueError:
            pass
        raise self.fault(name, "must be a date such as 2026-11-25, or a time such as 2026-11-25T00:00:00Z")

    def object(self, name: str) -> Fields:
        return Fields(self.get(name), f"{name} of {self.where}")

    def objects(self, name: str, *, optional: bool = False) -> list[Fields]:
        value = self.get(name)
        if value is None and optional:
            return []
        if not isinstance(value, list):
            raise self.fault(name, "must be a list")
        return [Fields(entry, f"{name.removesuffix('s')} {position}") for position, entry in enumerate(value, start=1)]
