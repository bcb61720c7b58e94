"""The careful reader of a body: slow, but it says where a fault is, and continues if that is allowed.

The readers of messages use it when msgspec has refused a body or a quick count did not add up.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

from lts.errors import Malformed
from lts.strictjson import MAX_DEPTH, NOT_JSON, TooDeep, is_unicode, parse

MAX_VALUES = 20_000
"""In a body; their number is guessed from the marks between them, so that it is known before the work."""
MAX_FAULTS = 50_000
LARGE_BYTES = 64 << 10
"""Bodies over it are read one after another, so that their values do not fill the memory together."""
_one_large = threading.Lock()
BODY = "body"
"""The `field` of a fault that belongs to no member."""
_PLAIN_NAME = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029]*\Z")


class BodyFault(NamedTuple):
    """Replaces a value that is grammatical JSON but not acceptable."""

    detail: str


class Found(NamedTuple):
    """A fault and its place: keys and list positions from the top."""

    path: tuple[str | int, ...]
    detail: str


class Tree(NamedTuple):
    """A body as Python values, and the faults in it (each leaves a Fault, or a text that is not Unicode)."""

    value: dict[str, Any]
    faults: tuple[Found, ...]


def read_tree(body: bytes, entries: str | None = None, most: int = MAX_VALUES) -> Tree:
    """The JSON object in `body` (RFC 8259, UTF-8, at most 32 levels deep, and of about `most` values).

    Raises Malformed when it is not one; duplicate keys, infinite or very long numbers and lone surrogates become faults
    instead. Reported are the first fault and, of the member named `entries`, a list, the first of each entry.
    """
    if body.count(b",") + body.count(b"[") + body.count(b"{") > most:
        raise Malformed(f"The body holds over {most} values; send fewer.", field=BODY)
    with _one_large if len(body) > LARGE_BYTES else contextlib.nullcontext():
        value, suspect = _load(_text(body))
        if not isinstance(value, dict):
            raise Malformed(f"The body is {_kind(value)}; send a JSON object.", field=BODY)
        if suspect or b"\\ud" in body.lower():
            return Tree(value, tuple(_first_faults(value, entries)))
        return Tree(value, ())


def _first_faults(value: dict[str, Any], entries: str | None) -> Iterator[Found]:
    listed = value.get(entries) if entries else None
    if isinstance(listed, list):
        value = {name: member for name, member in value.items() if name != entries}
        for position, entry in enumerate(listed):
            yield from islice(_faults(entry, (str(entries), position)), 1)
    yield from islice(_faults(value, ()), 1)


def path_text(path: tuple[str | int, ...]) -> str:
    """`("reports", 3, "usage", "QR Code")` as `reports[3].usage.QR Code`, cut and safe to show."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += f".{shown(step)}" if text else shown(step)
    return text or BODY


def shown(name: str) -> str:
    """A name from outside, made fit for a message: truncated, control characters and invalid ones escaped."""
    cut = name if len(name) <= 80 else name[:80] + "…"
    return cut if _PLAIN_NAME.match(cut) else cut.encode("unicode_escape").decode("ascii")


def _text(body: bytes) -> str:
    if not body.strip():
        raise Malformed("The body is empty; send a JSON object.", field=BODY)
    if body.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise Malformed("The body begins with a byte order mark; send UTF-8 without one.", field=BODY)
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed(f"The body is not UTF-8 (byte {error.start}).", field=BODY) from error


def _load(text: str) -> tuple[Any, bool]:
    """(value, whether there is a Fault in it)."""
    suspect: list[BodyFault] = []

    def fault(what: str, detail: str, _value: Any) -> BodyFault:
        if len(suspect) == MAX_FAULTS:
            raise Malformed(f"The body holds over {MAX_FAULTS} faults, such as that {what} {detail}.", field=BODY)
        suspect.append(BodyFault(f"{what} {detail}" if detail == NOT_JSON else detail))
        return suspect[-1]

    try:
        value = parse(text, fault)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise Malformed(f"The body is not JSON: {error.msg} at {where}.", field=BODY) from error
    except TooDeep as error:
        raise Malformed(f"The body is nested deeper than {MAX_DEPTH} levels.", field=BODY) from error
    wrong_word = next((found for found in suspect if found.detail.endswith(NOT_JSON)), None)
    if wrong_word:
        place = next((found for found in _faults(value, ()) if found.detail == wrong_word.detail), None)
        field = path_text(place.path) if place else BODY
        raise Malformed(f"The body is not JSON: {wrong_word.detail.removesuffix(NOT_JSON)}at {field}.", field=field)
    return value, bool(suspect)


def _faults(value: Any, path: tuple[str | int, ...]) -> Iterator[Found]:
    if isinstance(value, BodyFault):
        yield Found(path, value.detail)
    elif isinstance(value, str):
        if not is_unicode(value):
            yield Found(path, "holds half of a surrogate pair")
    elif isinstance(value, list):
        for position, entry in enumerate(value):
            yield from _faults(entry, (*path, position))
    elif isinstance(value, dict):
        for name, entry in value.items():
            if not is_unicode(name):
                yield Found((*path, name), "has half of a surrogate pair in its name")
            yield from _faults(entry, (*path, name))


def _kind(value: Any) -> str:
    kinds = {list: "a list", str: "a string", bool: "true or false", type(None): "null", BodyFault: "a number"}
    return kinds.get(type(value), "a number")
