"""The careful reader of a body: slow, but it says where a fault stands and goes on where that is allowed.

The readers of messages use it when msgspec has refused a body or a quick count did not add up.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from lts.errors import Malformed

MAX_DEPTH = 32
MAX_DIGITS = 20
BODY = "body"
"""The `field` of a fault that belongs to no member."""
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_PLAIN_NAME = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029]*\Z")


class Fault(NamedTuple):
    """Stands in the place of a value that is grammatical JSON but not acceptable."""

    detail: str


class Found(NamedTuple):
    """A fault and where it stands: keys and list positions from the top."""

    path: tuple[str | int, ...]
    detail: str


class Tree(NamedTuple):
    """A body as Python values, and the faults in it (each leaves a Fault, or a text that is no Unicode)."""

    value: dict[str, Any]
    faults: tuple[Found, ...]


def read_tree(body: bytes) -> Tree:
    """The JSON object in `body` (RFC 8259, UTF-8, at most 32 levels deep).

    Raises Malformed when it is not one; keys that stand twice, infinite or very long numbers and lone
    surrogates become faults instead.
    """
    value, suspect = _load(_text(body))
    if not isinstance(value, dict):
        raise Malformed(f"The body is {_kind(value)}; send a JSON object.", field=BODY)
    if suspect or b"\\ud" in body.lower():
        return Tree(value, tuple(_faults(value, ())))
    return Tree(value, ())


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
    """A name that came from outside, fit for a sentence: cut, controls and broken characters escaped."""
    cut = name if len(name) <= 80 else name[:80] + "…"
    return cut if _PLAIN_NAME.match(cut) else cut.encode("unicode_escape").decode("ascii")


def _text(body: bytes) -> str:
    if not body.strip():
        raise Malformed("The body is empty; send a JSON object.", field=BODY)
    if body.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise Malformed("The body begins with a byte order mark; send UTF-8 without one.", field=BODY)
    if _is_deep(body):
        raise Malformed(f"The body is nested deeper than {MAX_DEPTH} levels.", field=BODY)
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed(f"The body is not UTF-8 (byte {error.start}).", field=BODY) from error


def _is_deep(body: bytes) -> bool:
    """Whether brackets are nested too deeply; bodies whose brackets do not match are left to the parser."""
    brackets = _STRING.sub(b"", body).translate(None, _NOT_BRACKETS)
    for _ in range(MAX_DEPTH):
        if not brackets:
            return False
        brackets = brackets.replace(b"[]", b"").replace(b"{}", b"")
    opening = brackets.count(b"[") + brackets.count(b"{")
    return opening > MAX_DEPTH or 0 < opening == len(brackets) - opening


def _load(text: str) -> tuple[Any, bool]:
    """(value, whether there is a Fault in it)."""
    suspect: list[Fault] = []
    wrong_words: list[str] = []

    def fault(detail: str) -> Fault:
        suspect.append(Fault(detail))
        return suspect[-1]

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(items)
        if len(result) != len(items):
            seen: set[str] = set()
            for name, _ in items:
                if name in seen:
                    result[name] = fault("stands twice")
                seen.add(name)
        return result

    def constant(word: str) -> Fault:
        wrong_words.append(word)
        return fault(f"{word} is not JSON")

    def real(digits: str) -> float | Fault:
        value = float(digits)
        return fault("is too large a number") if value in (float("inf"), float("-inf")) else value

    def whole(digits: str) -> int | Fault:
        return int(digits) if len(digits) <= MAX_DIGITS else fault("is too large a number")

    try:
        value = json.loads(text, object_pairs_hook=pairs, parse_constant=constant, parse_float=real, parse_int=whole)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise Malformed(f"The body is not JSON: {error.msg} at {where}.", field=BODY) from error
    except RecursionError as error:
        raise Malformed(f"The body is nested deeper than {MAX_DEPTH} levels.", field=BODY) from error
    if wrong_words:
        found = next((f for f in _faults(value, ()) if f.detail.endswith("is not JSON")), None)
        field = path_text(found.path) if found else BODY
        raise Malformed(f"The body is not JSON: {wrong_words[0]} at {field}.", field=field)
    return value, bool(suspect)


def _faults(value: Any, path: tuple[str | int, ...]) -> Iterator[Found]:
    if isinstance(value, Fault):
        yield Found(path, value.detail)
    elif isinstance(value, str):
        if not _is_unicode(value):
            yield Found(path, "holds half of a surrogate pair")
    elif isinstance(value, list):
        for position, entry in enumerate(value):
            yield from _faults(entry, (*path, position))
    elif isinstance(value, dict):
        for name, entry in value.items():
            if not _is_unicode(name):
                yield Found((*path, name), "has half of a surrogate pair in its name")
            yield from _faults(entry, (*path, name))


def _is_unicode(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _kind(value: Any) -> str:
    kinds = {list: "a list", str: "a string", bool: "true or false", type(None): "null", Fault: "a number"}
    return kinds.get(type(value), "a number")
