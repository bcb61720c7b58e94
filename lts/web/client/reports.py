"""Reading the body of POST /api/v1/report: one bad entry never jams the rest.

See docs/design/charging.md, Entries of a report.

The fast way takes reports in which every entry is good; on any doubt the body is read the careful way, which judges
entry by entry. Both give the same entries.
"""

from __future__ import annotations

import contextlib
from collections.abc import Container, Iterable
from functools import lru_cache
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from lts.errors import Malformed, TooLarge
from lts.protocol import MAX_COUNT, MAX_REPORT_SLOTS, parse_iso, slot_of
from lts.rules.metering.usage import BadEntry, Entry, Span
from lts.rules.metering.workload import MAX_TYPES_OF_ENTRY
from lts.rules.values.text import nfc, too_many_marks
from lts.web.wire.bodytree import Found, Tree, path_text, read_tree, shown
from lts.web.wire.messages import (
    UNREADABLE,
    InstanceNumber,
    JwsText,
    LastCloneToken,
    OldName,
    adds_up,
    careful,
    clone_token,
    has_controls,
    words_of,
)

MAX_VALUES = 400_000
"""In a report that has to be read the careful way; 15,000 slots of a dozen types are half of it."""
MAX_TYPE_LENGTH = 200
_LEAST_OF_TYPE = len('"a":0')
MAX_SLOT_LENGTH = 40
_KNOWN_SLOTS = 20_000
_KNOWN_TYPES = 10_000
_NO_NAME = f"is not a type name: 1 to {MAX_TYPE_LENGTH} characters, no control characters, up to 30 marks in a row"
_TOO_MANY = f"names over {MAX_TYPES_OF_ENTRY} types"
_COUNT = f"must be a whole number from 0 to {MAX_COUNT}"

Slot = Annotated[str, Meta(max_length=MAX_SLOT_LENGTH, description="A time in the 3-minute slot, RFC 3339 with offset")]
Count = Annotated[int, Meta(ge=0, le=MAX_COUNT)]


class ReportEntry(Struct, gc=False):
    """One slot of a report: counts so far by type, `{}` a sign of life."""

    slot: Slot
    usage: dict[str, Count]
    instances: InstanceNumber | None | UnsetType = UNSET


class ReportMessage(Struct, rename="camel"):
    """Body of POST /api/v1/report."""

    lease: JwsText
    reports: list[ReportEntry]
    clone_token: LastCloneToken = UNSET
    chain: OldName = UNSET


class _Envelope(Struct, rename="camel"):
    lease: JwsText
    reports: list[Any]
    clone_token: LastCloneToken = UNSET
    chain: OldName = UNSET


class _Entries(Struct):
    reports: list[msgspec.Raw]


class _Loose(Struct):
    slot: Slot
    usage: dict[str, Any]
    instances: InstanceNumber | None | UnsetType = UNSET


class Report(NamedTuple):
    """What a report says; `entries` in the order sent, `counts` of them all, `names` of types in them, how many of them
    are `refused`; `span` theirs where all can be read."""

    lease: str
    clone_token: str | None
    entries: list[Entry | BadEntry]
    counts: int
    names: int
    refused: int = 0
    span: Span | None = None


_decode = msgspec.json.Decoder(ReportMessage).decode
_decode_entries = msgspec.json.Decoder(_Entries).decode
_decode_loose = msgspec.json.Decoder(_Loose).decode
_known_types: set[str] = set()
"""Type names already found good, in NFC and without colons: most entries need one subset check."""


def read_report(body: bytes) -> Report:
    """The report in a body.

    Raises Malformed for a fault of the envelope; TooLarge for over 15,000 entries.
    """
    message = _decoded(body)
    read = None if message is None else _fast(body, message)
    if read is not None:
        return read
    apart = _apart(body)
    large = _of_too_many_types(map(_loose, apart) if message is None else message.reports)
    return _careful(read_tree(_without(body, apart, large) if large else body, "reports", MAX_VALUES), large)


def read_lease(body: bytes) -> str:
    """The lease of a report, however it is written, before anything is done with its entries. Raises Malformed."""
    tree = read_tree(body, "reports")
    return careful(Tree(tree.value, tuple(f for f in tree.faults if f.path[:1] != ("reports",))), _Envelope).lease


def _apart(body: bytes) -> list[msgspec.Raw]:
    """The entries of a body that is JSON, unread, at little cost; none of another. Raises TooLarge."""
    entries: list[msgspec.Raw] = []
    with contextlib.suppress(*UNREADABLE):
        entries = _decode_entries(body).reports
    if len(entries) > MAX_REPORT_SLOTS:
        raise TooLarge(f"A report holds up to {MAX_REPORT_SLOTS} slots; send the rest in another report.")
    return entries


def _decoded(body: bytes) -> ReportMessage | None:
    try:
        return _decode(body)
    except UNREADABLE:
        return None


def _loose(entry: msgspec.Raw) -> _Loose | None:
    """An entry that may be of too many types."""
    if len(memoryview(entry)) > MAX_TYPES_OF_ENTRY * _LEAST_OF_TYPE:
        with contextlib.suppress(*UNREADABLE):
            return _decode_loose(entry)
    return None


def _of_too_many_types(entries: Iterable[ReportEntry | _Loose | None]) -> dict[int, BadEntry]:
    """Entries of too many types, by position: they are refused whatever else they hold, and need not be read the
    careful way."""
    return {
        n: BadEntry(_shown_slot(sent.slot), f"reports[{n}].usage", _TOO_MANY)
        for n, sent in enumerate(entries)
        if sent is not None and len(sent.usage) > MAX_TYPES_OF_ENTRY
    }


def _without(body: bytes, entries: list[msgspec.Raw], left_out: Container[int]) -> bytes:
    """A body with 0 in place of its entries at some positions."""
    kept, end = [], 0
    for n, entry in enumerate(entries):
        if n in left_out:
            begin = body.index(entry, end)
            kept += [body[end:begin], b"0"]
            end = begin + len(memoryview(entry))
    return b"".join([*kept, body[end:]])


def _fast(body: bytes, message: ReportMessage) -> Report | None:
    try:
        if not 0 < len(message.reports) <= MAX_REPORT_SLOTS:
            return None
        usages = [sent.usage for sent in message.reports]
        texts = [sent.slot for sent in message.reports]
        instances = [sent.instances for sent in message.reports]
        types = set().union(*usages)
        if len(types) > MAX_TYPES_OF_ENTRY and max(map(len, usages)) > MAX_TYPES_OF_ENTRY:
            return None
        if not types <= _known_types and not all(map(_learn, usages)):
            return None
        counts = sum(map(len, usages))
        colons = 2 + message.lease.count(":") + 2 * len(texts) + counts + "".join(texts).count(":")
        if instances.count(UNSET) < len(instances):
            colons += sum(n is not UNSET for n in instances)
            ran: list[int | None] = [None if isinstance(n, UnsetType) else n for n in instances]
        else:
            ran = [None] * len(instances)
        slots = [*map(_slot, texts)]
        entries: list[Entry | BadEntry] = [*map(Entry, slots, texts, usages, ran)]
    except (*UNREADABLE, ValueError):
        return None
    for token in (message.clone_token, message.chain):
        if token is not UNSET:
            colons += 1 + (token or "").count(":")
    if not adds_up(body, colons):
        return None
    token = clone_token(message.clone_token, message.chain)
    return Report(message.lease, token, entries, counts, len(types), span=Span(min(slots), max(slots)))


@lru_cache(maxsize=_KNOWN_SLOTS)
def _slot(text: str) -> int:
    return slot_of(parse_iso(text))


def _learn(usage: dict[str, int]) -> bool:
    """Whether all types are good as they are; they are remembered then."""
    if any(":" in name or _type_name(name) != name for name in usage):
        return False
    if len(_known_types) + len(usage) > _KNOWN_TYPES:
        _known_types.clear()
    _known_types.update(usage)
    return True


def _type_name(name: str) -> str | None:
    """The name in NFC, or None. None too if its marks would have to be sorted: a report has many."""
    if too_many_marks(name):
        return None
    name = name if name.isascii() else nfc(name, MAX_TYPE_LENGTH)
    if not 0 < len(name) <= MAX_TYPE_LENGTH or (not name.isprintable() and has_controls(name)):
        return None
    return name


def _careful(tree: Tree, refused: dict[int, BadEntry]) -> Report:
    """The report in a tree, with the entries at some positions `refused` already."""
    inside: dict[int, Found] = {}
    outside: list[Found] = []
    for found in tree.faults:
        match found.path:
            case ("reports", int(position), *_):
                inside.setdefault(position, found)
            case _:
                outside.append(found)
    envelope = careful(Tree(tree.value, tuple(outside)), _Envelope)
    if not envelope.reports:
        raise Malformed("reports is empty; send at least one slot.", field="reports")
    entries = [refused.get(n) or _entry(sent, n, inside.get(n)) for n, sent in enumerate(envelope.reports)]
    usages = [entry.usage for entry in entries if isinstance(entry, Entry)]
    counts, names = sum(map(len, usages)), len(set().union(*usages))
    token = clone_token(envelope.clone_token, envelope.chain)
    slots = [entry.slot for entry in entries if isinstance(entry, Entry)]
    span = Span(min(slots), max(slots)) if len(slots) == len(entries) else None
    return Report(envelope.lease, token, entries, counts, names, len(entries) - len(slots), span)


def _entry(sent: Any, position: int, found: Found | None) -> Entry | BadEntry:
    where = f"reports[{position}]"
    text = sent.get("slot") if isinstance(sent, dict) else None
    text = _shown_slot(text) if isinstance(text, str) else None
    if found is not None:
        return BadEntry(text, path_text(found.path), found.detail)
    try:
        entry = msgspec.convert(sent, _Loose)
    except UNREADABLE as error:
        return _refused(text, where, error)
    try:
        slot = _slot(entry.slot)
    except ValueError as error:
        return BadEntry(text, f"{where}.slot", f"is {error}")
    usage = _usage(entry.usage, f"{where}.usage")
    if isinstance(usage, tuple):
        return BadEntry(text, *usage)
    return Entry(slot, entry.slot, usage, entry.instances or None)


def _shown_slot(text: str) -> str | None:
    return text if len(text) <= MAX_SLOT_LENGTH and text.isprintable() else None


def _refused(text: str | None, where: str, error: Exception) -> BadEntry:
    detail, field = words_of(error)
    if field == "body":
        return BadEntry(text, where, detail.replace("The body: ", "").rstrip("."))
    return BadEntry(text, f"{where}.{field}", detail.removeprefix(f"{field}: ").removeprefix(f"{field} ").rstrip("."))


def _usage(sent: dict[str, Any], where: str) -> dict[str, int] | tuple[str, str]:
    """The counts by type in NFC, or (field, fault)."""
    if len(sent) > MAX_TYPES_OF_ENTRY:
        return where, _TOO_MANY
    usage: dict[str, int] = {}
    for name, count in sent.items():
        field = f"{where}.{shown(name)}"
        normal = _type_name(name)
        if normal is None:
            return field, _NO_NAME
        if type(count) is not int or not 0 <= count <= MAX_COUNT:
            return field, _COUNT
        if normal in usage:
            return field, "appears twice (in two spellings of one name)"
        usage[normal] = count
    return usage
