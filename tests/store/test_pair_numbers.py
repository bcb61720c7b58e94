"""Numbers in the other server's changes become this database's: each field of each kind of change is listed here."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest

from lts.store.changes import records
from lts.store.changes.records import SHAPES, Record
from lts.store.tables.pair import CODE, DEVICE, ITEM, TYPE, resolve

OURS = {(what, 5): 100 + what for what in (DEVICE, CODE, ITEM, TYPE)}
"""What the other server calls 5 is 100 and more here."""
SEATS = {"seats.0.item": ITEM, "seats.0.codes.0": CODE}
NUMBERED: dict[type[Record], dict[str, int]] = {
    records.GrantsEndChange: {"items.0.0": ITEM},
    records.CodeChange: {"code": CODE, "items.0.0": ITEM},
    records.CodeRemovalChange: {"code": CODE},
    records.GrantChange: {"device": DEVICE, "code": CODE, **SEATS},
    records.ReportChange: {"device": DEVICE, "code": CODE, **SEATS, "runs.0.item": ITEM, "runs.0.type": TYPE},
    records.ReleaseChange: {"device": DEVICE, "seats.0.0": ITEM},
    records.RefusalsChange: {"counts.0.0": CODE},
    records.CloneTokenChange: {"device": DEVICE},
}
"""The fields that are numbers of things that both servers may have numbered."""
_SEAT = "seats.0.grant seats.0.lasts seats.0.flags seats.0.age seats.0.instances"
PLAIN: dict[type[Record], str] = {
    records.OriginChange: "numbers",
    records.EpochChange: "epoch generation knows.0.2",
    records.LicenseChange: "revision items.0.1",  # of new items: `apply` learns them
    records.ArchiveChange: "revision toggle",
    records.GrantsEndChange: "items.0.1",
    records.CodeChange: "items.0.1",
    records.TypeChange: "type",  # of a new type: `apply` learns it
    records.GrantChange: f"given lag likeness {_SEAT}",
    records.ReportChange: f"branch given lag apart {_SEAT} runs.0.back runs.0.counts.0",
    records.ReleaseChange: "seats.0.1",
    records.RefusalsChange: "counts.0.1 counts.0.2",
    records.DayClosingChange: "day piece.0 piece.1",
    records.AlertChange: "levels.0.1 levels.0.2 seen.0.2",
    records.CloneTokenChange: "given lag",
}
"""The fields that are other whole numbers."""


def filled(kind: Any) -> Any:
    """A value of a type in which each whole number is 5."""
    inner = get_args(kind)
    if get_origin(kind) in (types.UnionType, Union):
        return filled(int if int in inner else inner[0])
    if get_origin(kind) is tuple:
        return tuple(map(filled, inner[:1] if inner[1:] == (Ellipsis,) else inner))
    if kind == list[int]:
        return [5]
    if isinstance(kind, type) and issubclass(kind, Record):
        return kind(**{name: filled(hint) for name, hint in get_type_hints(kind).items() if not name.startswith("_")})
    return 5 if kind is int else None if kind is Any else (get_origin(kind) or kind)()


def numbers_in(value: Any, path: str = "") -> Iterator[tuple[str, int]]:
    """Each whole number in a record, by its path."""
    if type(value) is int:
        yield path, value
    elif isinstance(value, Record):
        for name, one in msgspec.structs.asdict(value).items():
            yield from numbers_in(one, f"{path}.{name}".lstrip("."))
    elif isinstance(value, list | tuple):
        for n, one in enumerate(value):
            yield from numbers_in(one, f"{path}.{n}")


@pytest.mark.parametrize("kind", SHAPES.values(), ids=lambda kind: kind.__name__)
def test_each_number_of_a_thing_becomes_the_one_here_and_no_other_does(kind: type[Record]) -> None:
    class Open:
        aliases = OURS

    tx: Any = Open()
    known, plain = NUMBERED.get(kind, {}), PLAIN.get(kind, "").split()
    wanted = {path: 100 + what for path, what in known.items()} | dict.fromkeys(plain, 5)
    assert dict(numbers_in(resolve(tx, filled(kind)))) == wanted
