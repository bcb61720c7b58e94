"""What is answered as JSON, made in pieces: a call that encodes a large answer all at once would hold the interpreter,
and with it every other client's call (docs/design/architecture.md, Reads)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any, get_args

import msgspec
from msgspec import Struct

FEW = 32
"""Values of a list that are encoded in one call."""
_encode = msgspec.json.Encoder().encode
_PLAIN = frozenset((str, int, float, bool, type(None)))


def as_json(model: Any) -> Any:
    """A model as objects and values of JSON, by the names of JSON; a tuple stays one."""
    return msgspec.to_builtins(model)


def pieces(value: Any) -> Iterator[bytes]:
    """JSON of a read model, or of what is in one: each piece is that of few values."""
    if _is_short(value):
        yield _short(value)
    elif isinstance(value, Struct):
        yield from _of_fields(value)
    else:
        yield from _of_values(value)


def _of_fields(model: Struct) -> Iterator[bytes]:
    before = b"{"
    for field in msgspec.structs.fields(model):
        value = getattr(model, field.name)
        if value is not field.default:  # as msgspec leaves it out
            yield before + _encode(field.encode_name) + b":"
            yield from pieces(value)
            before = b","
    yield b"}" if before == b"," else b"{}"


def _of_values(values: Any) -> Iterator[bytes]:
    named = isinstance(values, dict)
    before, end = (b"{", b"}") if named else (b"[", b"]")
    few: list[Any] = []
    for one in values.items() if named else values:
        short = _is_short(one[1] if named else one)
        if short:
            few.append(one)
        if few and (len(few) == FEW or not short):
            yield before + _short(dict(few) if named else few)[1:-1]
            before, few = b",", []
        if not short:
            yield before + (_encode(str(one[0])) + b":" if named else b"")
            yield from pieces(one[1] if named else one)
            before = b","
    yield (before + _short(dict(few) if named else few)[1:-1] if few else b"") + end


def _is_short(value: Any) -> bool:
    """Whether a value is encoded in no time."""
    kind: Any = type(value)
    if kind in _PLAIN:
        return True
    if isinstance(value, Struct):
        return all(_is_short(getattr(value, name)) for name in _holding(kind))
    if not isinstance(value, dict | list | tuple):
        return True
    return len(value) <= FEW and all(map(_is_short, value.values() if isinstance(value, dict) else value))


@cache
def _holding(kind: type[Struct]) -> tuple[str, ...]:
    """The fields of a model whose values may hold others."""
    fields = msgspec.structs.fields(kind)
    return tuple(field.name for field in fields if not _is_plain(field.type))


def _is_plain(kind: Any) -> bool:
    return kind in _PLAIN or (
        not hasattr(kind, "__origin__") and bool(get_args(kind)) and _PLAIN.issuperset(get_args(kind))
    )


def _short(value: Any) -> bytes:
    try:
        return _encode(value)
    except UnicodeEncodeError:  # a path whose bytes are no text
        return json.dumps(as_json(value)).encode()
