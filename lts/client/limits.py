"""What a report may say of a slot (docs/protocol.md, Report). A count that no server would accept is refused when the
application makes it, so that the server does not refuse the rest of its report too."""

from __future__ import annotations

import re
import threading
import unicodedata

from lts.protocol import MAX_COUNT

MAX_TYPES = 200
"""Of one entry of a report; more types of a slot go into several."""
MAX_NAME = 200
_MOST_MARKS = 30
_LONGEST_PARTS = 4
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_INVISIBLE = frozenset({"Cf", "Co", "Zs"})
_BLANK_LETTERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
Counter = tuple[str, str, str]
"""(code, item, type) that is counted."""


def type_name(text: str) -> str:
    """The name of a type in NFC. Raises ValueError for one that no server counts."""
    normal = text
    if isinstance(text, str) and 0 < len(text) <= _LONGEST_PARTS * MAX_NAME:
        normal = unicodedata.normalize("NFC", text)
        if len(normal) <= MAX_NAME and not _CONTROLS.search(normal) and not _too_many_marks(normal):
            return normal
    raise ValueError(
        f"A type name has 1 to {MAX_NAME} characters, no control characters, up to {_MOST_MARKS} marks in a row;"
        f" not {normal!r:.60}."
    )


def shows_nothing(name: str) -> bool:
    """Whether no character of a name is visible."""
    return all(unicodedata.category(char) in _INVISIBLE or char in _BLANK_LETTERS for char in name)


def _too_many_marks(name: str) -> bool:
    row = 0
    for char in unicodedata.normalize("NFD", name):
        row = row + 1 if unicodedata.category(char).startswith("M") else 0
        if row > _MOST_MARKS:
            return True
    return False


class SlotSums:
    """What this process used in the present slot. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._slot = 0
        self._sums: dict[Counter, int] = {}

    def add(self, slot: int, counter: Counter, count: int) -> None:
        """Take a count in. Raises ValueError, and takes nothing, over what a slot can hold."""
        with self._lock:
            if slot != self._slot:
                self._slot, self._sums = slot, {}
            total = self._sums.get(counter, 0) + count
            if total > MAX_COUNT:
                raise ValueError(f"{counter[-1]!r} was used {total - count} times in this slot; it holds {MAX_COUNT}.")
            self._sums[counter] = total
