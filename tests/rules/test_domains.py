"""Domains: read strictly, compared by IDNA 2008 (docs/decisions/0020-domains-and-ends.md)."""

from __future__ import annotations

import idna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lts.rules.values import domains


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("Example.COM", "example.com"),
        ("example.com.", "example.com"),
        ("example.com:8080", "example.com"),
        ("localhost:3000", "localhost"),
        ("my_host", "my_host"),
        ("192.168.1.10:80", "192.168.1.10"),
        ("straße.de", "xn--strae-oqa.de"),  # IDNA 2003 had made it strasse.de, which is somebody else's
        ("STRASSE.de", "strasse.de"),
        ("ΟΔΟΣ.gr", "xn--pxavbq.gr"),  # the last sigma of a word in capitals is the usual one
        ("οδος.gr", "xn--pxavbm.gr"),
        ("例え。jp", "xn--r8jz45g.jp"),
        ("ｅｘａｍｐｌｅ．ｃｏｍ", "example.com"),
        ("i\u2665.ws", "xn--i-n3p.ws"),  # no name of IDNA 2008, yet there are some, and browsers send them
    ],
)
def test_a_name_is_compared_as_browsers_send_it(typed: str, sent: str) -> None:
    assert domains.normalize(typed) == sent == domains.normalize(sent)
    assert domains.matches_any(sent, domains.hosts((typed,)))


@pytest.mark.parametrize(
    "text",
    [
        "evil.test/.demo.example.com", "evil.test?.demo.example.com", "evil.test#.demo.example.com",
        "evil.test\\.demo.example.com", "evil.test:.demo.example.com", "evil.test\u2100.demo.example.com ",
        "me@demo.example.com", "evil.test／.demo.example.com", "evil test.demo.example.com", " demo.example.com",
        "evil.test\u00a0.demo.example.com", "evil.test\n.demo.example.com", "https://demo.example.com",
        "*.demo.example.com", "demo.example.com:http", "demo.example.com:123456", "a..demo.example.com",
        ".demo.example.com", "demo.example.com..", "[::1]", "", ".", ":80", "a" * 64 + ".demo.example.com",
        "a." * 130 + "demo.example.com", "é" * 63 + ".demo.example.com", "\ud800.demo.example.com",
    ],
)  # fmt: skip
def test_only_a_host_name_with_an_optional_port_is_a_domain(text: str) -> None:
    assert domains.normalize(text) is None
    assert not domains.matches_any(text, domains.hosts(("demo.example.com",)))
    assert domains.binding_fault(text) is not None


U_LABELS = st.text(st.characters(categories=("Ll", "Lo", "Nd", "Lm", "Mn")), min_size=1, max_size=20)


@given(U_LABELS)
def test_every_name_of_idna_2008_is_the_one_of_its_reference(label: str) -> None:
    try:
        reference = idna.encode(label).decode("ascii")
    except idna.IDNAError:
        return
    assert domains.normalize(f"{label}.example") == f"{reference}.example"


@pytest.mark.parametrize(
    ("typed", "instead"),
    [
        ("*.example.com", "write it as example.com"),
        ("https://shop.example.com/cart?x=1", "write it as shop.example.com"),
        ("shop.example.com/cart", "write it as shop.example.com"),
        ("http://user@shop.example.com:8080/", "write it as shop.example.com"),
        ("shop .example.com", "write it as shop.example.com"),
        ("*.com", "which is not a domain; write a name such as example.com"),
        ("[::1]", "which is not a domain; write a name such as example.com"),
        ("a b.com", "which holds a blank; write a name such as example.com"),
        (" example . com ", "write it as example.com"),
        ("com", "such as example.com"),
        ("co.uk", "such as example.co.uk"),
        ("github.io", "such as example.github.io"),
        ("https://[::1", "which is not a domain; write a name such as example.com"),
    ],
)
def test_a_binding_that_can_never_match_is_refused_with_the_right_form(typed: str, instead: str) -> None:
    fault = domains.binding_fault(typed)
    assert fault is not None
    assert fault.endswith(instead)


LONG = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 61])


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        (LONG, LONG),
        (f"{LONG}d", None),
        (f"{LONG}.:65535", LONG),
        ("\u00fc".ljust(56, "a") + ".test", "xn--" + "a" * 55 + "-oxf.test"),
        ("\u00fc".ljust(57, "a") + ".test", None),
        ("a" * 63 + ".test", "a" * 63 + ".test"),
    ],
)
def test_a_name_has_253_characters_and_a_label_63(typed: str, found: str | None) -> None:
    assert domains.normalize(typed) == found


@pytest.mark.parametrize(
    ("sent", "allowed", "matches"),
    [
        ("shop.example.com", ("example.com",), True),
        ("notexample.com", ("example.com",), False),
        ("example.com", ("shop.example.com",), False),
        ("shop.co.uk", ("co.uk",), False),
        ("co.uk", ("co.uk",), True),
        ("app.intranet", ("intranet",), True),
        ("shop.example.com", ("https://example.com", "example.com"), True),
        ("shop.example.com", ("https://example.com",), False),
        ("shop.example.com", (), False),
    ],
)
def test_a_domain_covers_those_under_it_but_never_across_a_public_suffix(
    sent: str, allowed: tuple[str, ...], matches: bool
) -> None:
    assert domains.matches_any(sent, domains.hosts(allowed)) is matches


@pytest.mark.parametrize("typed", ["intranet", "example.com", "shop.example.co.uk", "192.0.2.7"])
def test_a_name_that_can_match_is_a_good_binding(typed: str) -> None:
    assert domains.binding_fault(typed) is None


@pytest.mark.parametrize("typed", ["intranet/cart", "http://co.uk/", "*", "//"])
def test_where_nothing_can_be_meant_an_example_is_given(typed: str) -> None:
    assert (domains.binding_fault(typed) or "").endswith("which is not a domain; write a name such as example.com")
