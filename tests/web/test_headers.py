"""What of a header reaches the application: what is read there, and of that no more than costs little."""

from __future__ import annotations

import re
from functools import partial

import pytest

from lts.httpd import framing, headers
from lts.httpd.headers import MOST_BYTES
from lts.service.pair.peersessions import COUNTER, SESSION, SIGNATURE
from lts.web.admin.signin import CSRF_HEADER
from lts.web.wire.addresses import _FORWARDING
from tests.support.cost import assert_no_dearer, seconds
from tests.support.lines import ROOT
from tests.web.conftest import Served, Web
from tests.web.test_framing_cost import parse, request
from tests.web.test_outside import ADMIN, NOT_IN_HEADERS, READ_AT, VALUES, Make

LINE = b"GET / HTTP/1.1"
_READ = re.compile(r'(?:HTTP_|headers\.get\(")([A-Za-z_-]+)')
BY_WERKZEUG = {"ACCEPT_ENCODING", "COOKIE", "HOST", "IF_NONE_MATCH", "CONTENT_LENGTH", "CONTENT_TYPE"}
BY_WAITRESS = {"CONNECTION", "CONTENT_LENGTH"}


def test_a_header_that_is_not_read_is_not_handed_on() -> None:
    first = parse(request(LINE, b"Host: x", b"If-Match: " + b'"a",' * 5000, b"X-Client-Cert: c", b"Cookie: a=b"))[0]
    assert not first.error
    assert first.headers == {"HOST": "x", "COOKIE": "a=b"}


def test_every_header_that_the_server_reads_is_handed_on_and_no_other() -> None:
    """By what the sources say."""
    sources = [path for folder in ("web", "httpd") for path in (ROOT / "lts" / folder).rglob("*.py")]
    texts = [path.read_text(encoding="utf-8") for path in sources]
    named = {name.upper().replace("-", "_") for text in texts for name in _READ.findall(text)}
    named |= {name.removeprefix("HTTP_") for name in _FORWARDING}
    named |= {name.upper().replace("-", "_") for name in (CSRF_HEADER, SESSION, COUNTER, SIGNATURE)}
    assert named - {"IF_MODIFIED_SINCE", "CODES", "WORDS", "STATUS"} - {""} | BY_WERKZEUG | BY_WAITRESS == set(
        MOST_BYTES
    )


@pytest.mark.parametrize("name", MOST_BYTES)
def test_the_values_of_a_name_have_so_many_bytes_together_and_no_more(name: str) -> None:
    half = MOST_BYTES[name] // 2 - len(", ")
    assert headers.known({name: "9" * MOST_BYTES[name]})
    with pytest.raises(framing.Unreadable, match=name.replace("_", "-").title()):
        headers.known({name: "9" * (MOST_BYTES[name] + 1)})
    if name not in ("CONTENT_LENGTH", "HOST"):  # which may stand once
        line = name.replace("_", "-").encode() + b": "
        assert not parse(request(LINE, line + b"9" * half, line + b"9" * half))[0].error
        assert parse(request(LINE, line + b"9" * half, line + b"9" * (half + 3)))[0].error.code == 431


def test_who_sends_too_long_a_header_learns_which(served: Served) -> None:
    answer = served.ask("GET", "/api/v1/health", Cookie="a=b; " * 2000)
    assert (answer.status, answer.json["code"]) == (431, "header-too-large")
    assert answer.json["detail"] == "The HTTP request cannot be read: its header Cookie is longer than 6144 bytes."


FORMS: dict[str, Make] = {
    **VALUES,
    "many cookies": lambda size: ";" * size,
    "escapes in cookies": lambda size: 'a="\\101";' * (size // 9),
}


@pytest.mark.parametrize("place", READ_AT)
def test_no_header_costs_more_than_five_authorizations(web: Web, place: str) -> None:
    method, path, names = READ_AT[place]

    def authorize() -> None:
        for _ in range(5):
            web.authorize()

    def ask(sent: dict[str, str]) -> None:
        for _ in range(5):
            web.call(method, path, b"{}", **sent)

    usual = min(seconds(lambda _: authorize(), None) for _ in range(5))
    for name in set(names) & set(MOST_BYTES):
        for form, make in FORMS.items():
            value = make(MOST_BYTES[name]).encode("utf-8").decode("latin-1")[: MOST_BYTES[name]]
            sent = {**ADMIN, "REMOTE_ADDR": "10.0.0.1", f"HTTP_{name}": value.translate(NOT_IN_HEADERS)}
            if seconds(ask, sent) < usual * 5:
                continue
            try:
                assert_no_dearer(partial(ask, sent), authorize, 5)
            except AssertionError as error:
                raise AssertionError(f"{name}, {form}: {error}") from error
