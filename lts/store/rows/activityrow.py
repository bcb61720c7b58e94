"""A day's activity of an item or a code in one blob: active instances in each slot, then the devices of the day.

4 bytes a count, or 8 where one of them needs more.
"""

from __future__ import annotations

from array import array

from lts.protocol import SLOTS_PER_DAY

_COUNTS = SLOTS_PER_DAY + 1
_MOST = (1 << 32) - 1


def decode(data: bytes) -> array[int]:
    """The counts of a stored row, b"" = none."""
    return array("Q", array("I", data) if len(data) == 4 * _COUNTS else data or bytes(8 * _COUNTS))


def encode(counts: array[int]) -> bytes:
    return counts.tobytes() if max(counts) > _MOST else array("I", counts).tobytes()
