"""Fields of a JSON object: what is taken, and what is said of what is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lts.errors import LicenseFileError
from lts.protocol import DAY_SECONDS, NEVER, parse_iso
from lts.rules.values.fields import Fields

Read = Callable[[Fields], Any]
NOON = parse_iso("2026-11-25T12:00:00Z")
DAY = NOON - DAY_SECONDS // 2


@pytest.mark.parametrize(
    ("read", "value", "taken"),
    [
        (lambda f: f.text("x"), " a\u0301 ", "\u00e1"),
        (lambda f: f.text("x"), "y" * 500, "y" * 500),
        (lambda f: f.text("x", limit=3), "abc", "abc"),
        (lambda f: f.text("x", optional=True), None, ""),
        (lambda f: f.text("x", optional=True), " ", ""),
        (lambda f: f.text("x"), "a\u200cb", "a\u200cb"),
        (lambda f: f.texts("x"), ["a", " b "], ("a", "b")),
        (lambda f: f.texts("x"), [], ()),
        (lambda f: f.texts("x"), ["a"] * 10_000, ("a",) * 10_000),
        (lambda f: f.texts("x", optional=True), None, ()),
        (lambda f: f.integer("x", 1, 3), 1, 1),
        (lambda f: f.integer("x", 1, 3), 3, 3),
        (lambda f: f.integer("x", 1, 3, default=0), None, 0),
        (lambda f: f.boolean("x", default=True), None, True),
        (lambda f: f.boolean("x", default=True), False, False),
        (lambda f: f.one_of("x", ("a", "b")), "b", "b"),
        (lambda f: f.one_of("x", ("a", "b"), default="a"), None, "a"),
        (lambda f: f.time("x"), "2026-11-25T12:00:00Z", NOON),
        (lambda f: f.time("x", end=True), "2026-11-25T12:00:00Z", NOON),
        (lambda f: f.time("x"), "2026-11-25", DAY),
        (lambda f: f.time("x", end=True), "2026-11-25", DAY + DAY_SECONDS),
        (lambda f: f.time("x", end=True), "9999-12-31", NEVER - 1),
        (lambda f: f.time("x"), "0001-01-01T00:00:00Z", -62_135_596_800),
        (lambda f: f.time("x", optional=True), None, None),
        (lambda f: f.objects("x", optional=True), None, []),
        (lambda f: [one.where for one in f.objects("items")], [{}, {}], ["item 1", "item 2"]),
        (lambda f: f.object("x").where, {}, "x of the license"),
        (lambda f: (f.has("x"), f.has("y")), None, (True, False)),
    ],
)
def test_what_is_taken(read: Read, value: object, taken: object) -> None:
    assert read(Fields({"x": value, "items": value}, "the license")) == taken


@pytest.mark.parametrize(
    ("read", "value", "sentence"),
    [
        (lambda f: f.text("x"), None, "x must be a text"),
        (lambda f: f.text("x"), " ", "x must be a text"),
        (lambda f: f.text("x", optional=True), 7, "x must be a text"),
        (lambda f: f.text("x"), "y" * 501, "x is longer than 500 characters"),
        (lambda f: f.text("x"), "a\u200bb", "x holds a control or invisible character"),
        (lambda f: f.text("x"), "\u200c\u200d", "x holds invisible characters only"),
        (lambda f: f.texts("x"), None, "x must be a list of texts"),
        (lambda f: f.texts("x", optional=True), "a", "x must be a list of texts"),
        (lambda f: f.texts("x"), ["a"] * 10_001, "x must be a list of texts"),
        (lambda f: f.texts("x"), ["a", " "], "x must be a list of texts"),
        (lambda f: f.texts("x"), ["a", 7], "x must be a list of texts"),
        (lambda f: f.texts("x", limit=2), ["abc"], "x is longer than 2 characters"),
        (lambda f: f.integer("x", 1, 3), None, "x must be a whole number"),
        (lambda f: f.integer("x", 0, 3), True, "x must be a whole number"),
        (lambda f: f.integer("x", 1, 3), 0, "x must be from 1 to 3, not 0"),
        (lambda f: f.integer("x", 1, 3), 4, "x must be from 1 to 3, not 4"),
        (lambda f: f.boolean("x", default=True), 1, "x must be true or false"),
        (lambda f: f.one_of("x", ("a", "b")), None, "x must be one of a, b, not 'None'"),
        (lambda f: f.one_of("x", ("a", "b"), default="a"), "c" * 41, f"x must be one of a, b, not '{'c' * 40}'"),
        (lambda f: f.time("x"), None, "x must be a date such as 2026-11-25, or a time"),
        (lambda f: f.time("x", optional=True), "soon", "x must be a date such as 2026-11-25, or a time"),
        (lambda f: f.time("x"), 7, "x must be a date such as 2026-11-25, or a time"),
        (lambda f: f.time("x"), "0001-01-01T00:00:00+00:01", "x must be a date such as 2026-11-25, or a time"),
        (lambda f: f.time("x"), "9999-12-31T23:00:00-01:00", "x must be a date such as 2026-11-25, or a time"),
        (lambda f: f.objects("x"), None, "x must be a list"),
        (lambda f: f.objects("x", optional=True), {}, "x must be a list"),
        (lambda f: f.object("x"), [], "X of the license is not a JSON object"),
        (lambda f: f.refuse_unknown(), None, "x is not a known field"),
    ],
)
def test_what_is_not_is_named_with_its_place(read: Read, value: object, sentence: str) -> None:
    with pytest.raises(LicenseFileError) as caught:
        read(Fields({"x": value}, "the license"))
    assert sentence in str(caught.value)
    assert (caught.value.code, "x" in (caught.value.field or "")) == ("bad-field", True)
