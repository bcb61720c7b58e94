"""Mail addresses in any sane writing, and nothing that would get into a header."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lts.errors import AdminError
from lts.rules.values.addresses import read_address, read_addresses


@pytest.mark.parametrize(
    "text",
    [
        "a@x.test; b@y.test", "a@x.test,b@y.test", "a@x.test b@y.test", "a@x.test\nb@y.test\r\n",
        " ; a@x.test ;; b@y.test ; ",
        "a@x.test；b@y.test", "a@x.test，b@y.test、", "<a@x.test>; B <b@y.test>", "a@x.test\tb@y.test",
        "a@x.test; A@X.test; b@y.test",
    ],
)  # fmt: skip
def test_lists_in_any_separator(text: str) -> None:
    assert [one.address for one in read_addresses(text, "to")] == ["a@x.test", "b@y.test"]


def test_display_names_may_hold_separators_and_any_letters() -> None:
    found = read_addresses('"Doe, Jane; team" <jane@x.test>, Лицензии <lts@x.test>; 倉庫 📦 <w@bücher.test>', "to")
    assert [(one.name, one.address) for one in found] == [
        ("Doe, Jane; team", "jane@x.test"), ("Лицензии", "lts@x.test"), ("倉庫 📦", "w@xn--bcher-kva.test"),
    ]  # fmt: skip
    assert read_addresses("; ".join(one.typed for one in found), "to") == found


@pytest.mark.parametrize(
    "text",
    ["jane", "@x.test", "a@", "a@@x.test", "a b@x..test", "a@-x.test", "a@x.test\x00", "a@" + "x" * 64 + ".test",
     "é@x.test", "a@x test.", "a@[::1", "\ud800@x.test"],
)  # fmt: skip
def test_what_is_no_address_is_named(text: str) -> None:
    with pytest.raises(AdminError) as caught:
        read_addresses(text, "cc")
    assert (caught.value.code, caught.value.field) == ("bad-address", "cc")


def dotted(length: int) -> str:
    """A domain of so many characters, in labels of 63."""
    return ".".join(["x" * 63] * 4)[: length - 1] + "y"


@pytest.mark.parametrize(
    ("most", "over", "sentence"),
    [
        (f"{'a' * 64}@x.test", f"{'a' * 65}@x.test", "is not a mail address"),
        (f"a@{'x' * 63}.test", f"a@{'x' * 64}.test", "is not a mail address"),
        (f"a@{dotted(253)}", f"a@{dotted(254)}", "is not a mail address"),
        (f"a@[{'1' * 251}]", f"a@[{'1' * 252}]", "is not a mail address"),
        (" ".join(f"a{n}@x.test" for n in range(100)), " ".join(f"a{n}@x.test" for n in range(101)),
         "At most 100 addresses."),
        ("a@x.test".ljust(50_000), "a@x.test".ljust(50_001), "At most 100 addresses."),
        ("a@x.test\t", "a@x.test\x01", "control character"),
    ],
)  # fmt: skip
def test_the_longest_addresses_and_lists_are_taken_and_nothing_longer(most: str, over: str, sentence: str) -> None:
    assert "; ".join(one.typed for one in read_addresses(most, "to")) == "; ".join(most.split())
    with pytest.raises(AdminError, match=sentence):
        read_addresses(over, "to")


def test_a_display_name_is_cut_at_a_hundred_characters() -> None:
    long = "e\u0301" * 100  # two characters each as typed
    assert [read_address(f"{name} <a@x.test>", "to").name for name in ("x" * 101, f"{long}x", '"Doe,   J."')] == [
        "x" * 100, "\u00e9" * 100, "Doe, J.",
    ]  # fmt: skip


@given(st.text(max_size=200))
def test_no_text_gets_a_line_end_into_a_header(text: str) -> None:
    try:
        found = read_addresses(text, "to")
    except AdminError:
        return
    for one in found:
        assert not set(str(one)) & set("\r\n\0")


def test_a_sender_is_exactly_one() -> None:
    assert str(read_address("LTS <lts@x.test>", "from")) == "LTS <lts@x.test>"
    for wrong in ("", "a@x.test b@x.test", None, 7):
        with pytest.raises(AdminError):
            read_address(wrong, "from")
