"""JSON, strictly read (RFC 8259): the one reader that refuses what json.loads lets through.

Refused are duplicate names in an object, NaN and Infinity, numbers that are infinite or over 20 digits, and
more than 32 levels; by `strict_json` also halves of surrogate pairs. Needs the standard library only, since the client
library carries it. What a value means is decided elsewhere. The work is linear in the text: nothing is searched for
before the parser has read it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

MAX_DEPTH = 32
MAX_DIGITS = 20
_SHOWN = 40
TWICE = "appears twice"
NOT_JSON = "is not JSON"
TOO_LARGE = "is too large a number"


class TooDeep(ValueError):
    """The text is nested deeper than MAX_DEPTH levels."""

    def __init__(self) -> None:
        super().__init__(f"Nested deeper than {MAX_DEPTH} levels.")


def strict_json(data: bytes | str) -> Any:
    """The value in `data` (bytes are UTF-8). Raises ValueError with a sentence."""
    try:
        text = data.decode("utf-8") if isinstance(data, bytes) else data
        value = parse(text, _refuse)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"Not JSON: {error}.") from error
    if "\\u" in text and not is_unicode(value):
        raise ValueError("A text holds half of a surrogate pair.")
    return value


def parse(text: str, fault: Callable[[str, str, Any], Any]) -> Any:
    """The value in `text`. Valid JSON that is refused is passed to `fault`, whose result replaces it.

    Arguments of `fault`: the part at fault (a name, or the number or literal as written, truncated), the fault (the
    rest of a sentence), and the value of json.loads (for a number its digits). Raises json.JSONDecodeError, TooDeep,
    and what `fault` raises.
    """

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(found)
        if len(members) < len(found):
            members.clear()
            for name, value in found:
                members[name] = fault(name, TWICE, value) if name in members else value
        return members

    def real(digits: str) -> Any:
        value = float(digits)
        return fault(_cut(digits), TOO_LARGE, digits) if value in (float("inf"), float("-inf")) else value

    def whole(digits: str) -> Any:
        return int(digits) if len(digits) <= MAX_DIGITS else fault(_cut(digits), TOO_LARGE, digits)

    def word(name: str) -> Any:
        return fault(name, NOT_JSON, name)

    try:
        value = json.loads(text, object_pairs_hook=pairs, parse_constant=word, parse_float=real, parse_int=whole)
    except RecursionError as error:
        raise TooDeep from error
    if text.count("[") + text.count("{") > MAX_DEPTH and _is_deep(value):
        raise TooDeep
    return value


def is_unicode(value: Any) -> bool:
    """Whether no text in a value read from JSON holds half of a surrogate pair, which UTF-8 cannot write."""
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _refuse(what: str, detail: str, _value: Any) -> Any:
    raise ValueError(f"{_cut(what)!r} {detail}.")


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _is_deep(value: Any) -> bool:
    """Whether lists and objects are nested deeper than MAX_DEPTH; goes down level by level."""
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, (dict, list))
        ]
    return bool(level)
