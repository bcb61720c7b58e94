"""How much work a report is, and the pieces that it is worked off in (docs/design/charging.md, Large reports).

Pure. Work is counted in counts: one for each type of an entry, and one for each item that the entry is presence in.
"""

from __future__ import annotations

from collections.abc import Sequence

from lts.protocol import SLOTS_PER_DAY
from lts.rules.licensing.catalog import LIGHT_ITEMS
from lts.rules.metering.usage import BadEntry, Entry, Span

PIECE = 9000
"""Work of a piece: 10 to 50 ms."""
DAY = 2500
"""What a day adds to a piece, since its whole row is read and written, and each beyond the second to what a report is
charged."""
MAX_TYPES_OF_ENTRY = 200
"""Types of an entry."""
UNIT = 1000
"""Work that counts as one request more."""
UNIT_BYTES = 64 << 10
"""Bytes of a body that count as one request more, whatever is in them."""
UNIT_PACKED_BYTES = 24 << 10
"""Bytes of a compressed body that cost as much CPU to decompress, whatever they contain."""
REFUSED = 5
"""What an entry that is refused adds to what a report is charged: it is read again, to name its fault."""
NAME = 10
"""What a type name adds to what a report is charged, however often it occurs: it may be new."""
ITEM = 50
"""What each item beyond the first LIGHT_ITEMS adds to what a call is charged."""


def units_of(entries: int, counts: int, names: int, items: int, days: int, refused: int = 0) -> int:
    """How many more requests a report counts as: of so many entries, with so many refused, counts in them, type names
    and days, under a lease of so many items. Two days are in any report around midnight."""
    work = entries * items + counts + NAME * names + REFUSED * refused
    if items > LIGHT_ITEMS:
        work += ITEM * (items - LIGHT_ITEMS)
    return (work + DAY * (days - 2) if days > 2 else work) // UNIT


def units_of_items(items: int) -> int:
    """How many more requests an authorization counts as, by how many items are checked for it."""
    return max(items - LIGHT_ITEMS, 0) * ITEM // UNIT


def weight_of(items: int) -> int:
    """The weight in the writer's group of an operation on this many items."""
    return items if items > LIGHT_ITEMS else 0


def least_units(body: bytes, packed: int = 0) -> int:
    """How many requests more a body surely is as much work as, before it is read: by its bytes, by those it was packed
    in, and by its commas: an accepted report has one for each count and one for each entry. A refused one is no
    cheaper.
    """
    return max(len(body) // UNIT_BYTES, packed // UNIT_PACKED_BYTES, body.count(b",") // UNIT)


def days_of(entries: Sequence[Entry | BadEntry], span: Span | None = None) -> int:
    """How many days a report is about. `span` is that of the entries where it is known."""
    if span is not None and span.days == 1:
        return 1
    return len({entry.slot // SLOTS_PER_DAY for entry in entries if isinstance(entry, Entry)})


def is_one_piece(entries: int, items: int, days: int) -> bool:
    """Whether a report of so many entries and days under a lease of so many items is surely at most one piece."""
    return entries * (items + MAX_TYPES_OF_ENTRY) + DAY * days <= PIECE


def cut(entries: Sequence[Entry], items: int) -> list[list[int]]:
    """The pieces of a report, as places of its entries in the order of their slots; those of one slot stay in order."""
    pieces: list[list[int]] = []
    left, day = 0, -1
    for place in sorted(range(len(entries)), key=lambda place: entries[place].slot):
        entry = entries[place]
        work, of_day = items + len(entry.usage), entry.slot // SLOTS_PER_DAY
        if of_day != day:
            left -= DAY
        if work > left:
            pieces.append([])
            left = PIECE - DAY
        pieces[-1].append(place)
        left -= work
        day = of_day
    return pieces
