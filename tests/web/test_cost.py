"""A body from outside costs work in proportion to its size, whatever it holds."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from msgspec.json import Decoder as ReportReader

from bench import hostile
from lts.crypto import b64url, read_jws
from lts.errors import Malformed, TokenError
from lts.rules.metering.usage import BadEntry
from lts.strictjson import strict_json
from lts.web.client.reports import ReportMessage, read_report
from lts.web.wire import bodytree, messages
from lts.web.wire.body import MAX_MEMBERS, read_body
from lts.web.wire.bodytree import read_tree
from lts.web.wire.messages import is_lease_cut, leases_in, read_authorize, read_release
from tests.support.cost import assert_linear, assert_no_dearer

MIB = 1 << 20


def all_leases_in(body: bytes) -> list[str]:
    """What a body shows as leases, looked for to its end."""
    return list(leases_in(body))


READERS = (read_authorize, read_report, read_release, read_tree, strict_json, all_leases_in)


def closed_string(size: int) -> bytes:
    """A text full of escaped quotes that does end."""
    return hostile.endless_string(size) + b'"}'


def brackets_in_a_string(size: int) -> bytes:
    """Brackets that nest nothing."""
    return b'{"deviceId": "' + b"[" * size + b'"}'


def objects_beside_each_other(size: int) -> bytes:
    """A list of objects without depth."""
    return b'{"reports": [' + b",".join([b'{"a":[{}]}'] * (size // 11)) + b"]}"


def long_number(size: int) -> bytes:
    """One number of many digits."""
    return b'{"instances": ' + b"7" * size + b"}"


def long_fraction(size: int) -> bytes:
    """One number of many digits with a point in it."""
    return b'{"instances": 0.' + b"7" * size + b"}"


def backslashes(size: int) -> bytes:
    """A text of backslashes."""
    return b'{"deviceId": "' + b"\\" * size + b'"}'


def half_surrogates(size: int) -> bytes:
    """A text of halves of surrogate pairs."""
    return b'{"deviceId": "' + rb"\ud800" * (size // 6) + b'"}'


def open_objects(size: int) -> bytes:
    """Objects in objects that never end."""
    return b'{"a":' * (size // 5)


def nothing_but_blanks(size: int) -> bytes:
    """Blanks."""
    return b" " * size


BODIES = (
    hostile.endless_string,
    hostile.deep_lists,
    hostile.twin_keys,
    hostile.late_twin,
    hostile.many_lists,
    hostile.token_header,
    closed_string,
    brackets_in_a_string,
    objects_beside_each_other,
    long_number,
    long_fraction,
    backslashes,
    half_surrogates,
    open_objects,
    nothing_but_blanks,
)


@pytest.mark.parametrize("make", BODIES, ids=lambda make: make.__name__)
@pytest.mark.parametrize("read", READERS, ids=lambda read: read.__name__)
def test_a_json_body_of_any_form_is_read_in_linear_time(
    read: Callable[[bytes], Any], make: Callable[[int], bytes]
) -> None:
    assert_linear(make, read, MIB // 4)


def many_names(more: bytes) -> Callable[[int], bytes]:
    """A report of one entry with so many type names, whose sender may want it to be read the careful way."""

    def make(names: int) -> bytes:
        usage = json.dumps({f"k{n}": 1 for n in range(names)}).encode()
        return b'{"lease": "a.b.c", "reports": [{"slot": "2026-11-25T10:00:00Z", "usage": ' + usage + more

    return make


@pytest.mark.parametrize(
    "more", [b"}]}", rb""", "x": "\u003a:"}]}""", b"}, 1]}"], ids=["plain", "escaped", "beside a bad one"]
)
def test_an_entry_of_very_many_names_is_not_read_the_careful_way(more: bytes) -> None:
    body = many_names(more)(60_000)
    told = BadEntry("2026-11-25T10:00:00Z", "reports[0].usage", "names over 200 types")
    assert read_report(body).entries[0] == told
    assert_linear(many_names(more), read_report, 100_000)
    plain = many_names(b"}]}")(60_000)
    assert_no_dearer(lambda: read_report(body), lambda: ReportReader(ReportMessage).decode(plain), 4)


def test_a_token_whose_header_holds_very_many_names_is_refused_before_it_is_read() -> None:
    header = b64url(hostile.late_twin(300_000))
    with pytest.raises(TokenError, match="header is too large"):
        read_jws(f"{header}.e30.{b64url(bytes(64))}", None)


@pytest.mark.parametrize("make", [lambda n: ".".join(["e30"] * n), lambda n: "A" * n + ".e30.AA"])
def test_a_token_of_any_form_is_taken_apart_in_linear_time(make: Callable[[int], str]) -> None:
    assert_linear(make, lambda token: read_jws(token, None), MIB)


def unzip(body: bytes) -> bytes:
    """What the client API reads of a gzip body."""
    environ = {"HTTP_CONTENT_ENCODING": "gzip", "CONTENT_LENGTH": str(len(body)), "wsgi.input": BytesIO(body)}
    return read_body(environ, 4 * MIB)


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": [' + b"[[]]," * 10_000 + b"0]}",
        b'{"a": [' + b"1e999," * 20_000 + b"0]}",
        b'{"a": {' + b",".join([b'"":0'] * 20_001) + b"}}",
    ],
    ids=["lists", "numbers", "names"],
)
@pytest.mark.parametrize(
    ("read", "most"),
    [(read_authorize, messages.MAX_VALUES), (read_release, messages.MAX_VALUES), (read_tree, bodytree.MAX_VALUES)],
    ids=["authorize", "release", "tree"],
)
def test_a_body_of_very_many_values_is_refused_before_it_is_parsed(
    read: Callable[[bytes], Any], most: int, body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodytree, "parse", lambda *_: pytest.fail("it was parsed"))
    with pytest.raises(Malformed, match=f"over {most} values"):
        read(body)


def test_a_report_may_hold_more_values_and_no_end_of_faults() -> None:
    many = b'{"lease": "x", "reports": [' + b'{"slot": 3, "usage": {}},' * 14_999 + b"1e999]}"
    assert read_report(many).refused == 15_000
    with pytest.raises(Malformed, match="over 50000 faults"):
        read_report(b'{"lease": "x", "reports": [], "a": [' + b"1e999," * 60_000 + b"0]}")
    with pytest.raises(Malformed, match="over 400000 values"):
        read_report(b'{"lease": "x", "reports": [], "a": [' + b"[]," * 300_000 + b"0]}")


def test_of_the_faults_of_a_body_the_first_is_reported_and_of_a_list_of_entries_the_first_of_each() -> None:
    body = b'{"a": [1e999, 1e999], "r": [[1e999, 1e999], 0, 1e999], "b": 1e999}'
    assert [found.path for found in read_tree(body, "r").faults] == [("r", 0, 0), ("r", 2), ("a", 0)]
    assert [found.path for found in read_tree(body).faults] == [("a", 0)]


@pytest.mark.parametrize(
    "make",
    [
        lambda n: b'"lease":' * (n // 8),
        lambda n: b'"lease"' + b" " * n,
        lambda n: b'"lease":"' + b"a" * n + b" ",
        lambda n: b'"lease":"a' * (n // 10),
    ],
)
def test_a_lease_is_looked_for_in_linear_time(make: Callable[[int], bytes]) -> None:
    assert_linear(make, all_leases_in, 4 * MIB)
    assert_linear(make, is_lease_cut, 4 * MIB)


def test_gzip_members_without_content_cost_linear_time() -> None:
    assert_linear(hostile.empty_members, unzip, 4 * MIB)


def test_type_names_of_combining_characters_cost_little_more_than_others() -> None:
    def report(name: str) -> bytes:
        entries = [{"slot": "2026-11-25T02:03:00Z", "usage": {f"{n}{name}": 1}} for n in range(500)]
        return json.dumps({"lease": "a.b.c", "reports": entries}, ensure_ascii=False).encode()

    marks = report("\u0345" * 200 + "\u0301" * 200 + "\u0327" * 200 + "\u0334" * 190)
    letters = report("\u00fc" * 790)
    assert_no_dearer(lambda: read_report(marks), lambda: read_report(letters), 4)


def test_a_gzip_body_may_have_some_members_and_no_more() -> None:
    member = hostile.empty_members(30)
    assert unzip(member * MAX_MEMBERS) == b""
    with pytest.raises(Malformed, match="members"):
        unzip(member * (MAX_MEMBERS + 1))


def test_a_name_that_occurs_twice_is_found_among_many() -> None:
    names = [f'"{number}":{number}' for number in range(50_000)]
    with pytest.raises(ValueError, match="'7' appears twice"):
        strict_json(f"{{{','.join([*names, names[7]])}}}")


@pytest.mark.parametrize("text", [r'"\ud800"', r'{"\udfff": 1}', r'[["a\uDC00"]]'])
def test_half_of_a_surrogate_pair_is_no_text(text: str) -> None:
    with pytest.raises(ValueError, match="surrogate pair"):
        strict_json(text)
    assert strict_json(r'"\ud83d\udce6"') == "\U0001f4e6"


@pytest.mark.parametrize("inside", ["{}", "[]", '{"a": 1}', '["["]'])
def test_depth_is_that_of_the_deepest_value(inside: str) -> None:
    fits = "[" * 31 + inside + "]" * 31
    assert strict_json(fits) == json.loads(fits)
    with pytest.raises(ValueError, match="deeper than 32"):
        strict_json(f"[{fits}]")
    flat = f"[{','.join([inside] * 100)}]"
    assert strict_json(flat) == json.loads(flat)
