"""What comes from outside besides bodies (test_cost.py) and framing (test_framing_cost.py) costs work in proportion to
its size too."""

from __future__ import annotations

import contextlib
import json
import smtplib
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from bench import hostile
from lts.crypto import SigningKey, b64url, jws_header, sign_jws
from lts.httpd.framing import REQUEST_LINE_BYTES
from lts.httpd.listen import MAX_HEADER_BYTES
from lts.protocol import LicenseKey
from lts.rules.licensing import activation, armor, filekind, licensefile, serverurls, vendorkey
from lts.rules.metering import clonetokens
from lts.rules.values import addresses, domains
from lts.rules.values.fields import Fields
from lts.service.alerting import mailserver
from lts.service.pair import peermessages
from lts.vendor import issuing
from lts.web.admin import openapi_admin
from lts.web.wire.addresses import Addresses
from lts.web.wire.messages import device_of
from tests.support.cost import assert_all_linear, assert_linear
from tests.support.kit import NOON, item
from tests.support.postoffice import told
from tests.web.conftest import TOKEN, Web

MIB = 1 << 20
LARGEST = MIB // 4
"""Less than the limits, so that the tests do not take long: what is not linear shows here too."""
KEY = SigningKey.generate()
Make = Callable[[int], Any]


def filled(text: str) -> Make:
    """Texts of one piece again and again."""
    return lambda size: text * (size // len(text))


def inside(head: str, text: str, tail: str) -> Make:
    """The same between two others."""
    return lambda size: head + text * (size // len(text)) + tail


TEXTS: dict[str, Make] = {
    "blanks": filled(" "),
    "line ends": filled("\n"),
    "zero bytes": filled("\0"),
    "quotes": filled('"'),
    "open quotes": filled('"a'),
    "escapes": filled('\\"'),
    "commas": filled(","),
    "semicolons": filled(";"),
    "equal signs": filled("="),
    "pairs": filled("a=b;"),
    "nameless pairs": filled("=;"),
    "quoted pairs": filled('a="b\\";'),
    "escapes of a query": filled("%41"),
    "broken escapes": filled("%"),
    "pairs of a query": filled("a&"),
    "languages": filled("en;q=0.5,"),
    "weights": filled(";q=1"),
    "parameters": filled('a;b="c",'),
    "addresses": filled("10.0.0.1,"),
    "addresses with ports": filled("[::1]:9,"),
    "brackets": filled("["),
    "colons": filled(":"),
    "digits": filled("7"),
    "hops": filled('for="[::1]";'),
    "names of hops": filled("for="),
    "slashes": filled("/"),
    "dots": filled("."),
    "steps": filled("../"),
    "hyphens": filled("-"),
    "armors": filled("-----BEGIN LTS LICENSE FILE-----"),
    "ends of armors": filled("-----END LTS LICENSE FILE-----"),
    "half an armor": inside("-----BEGIN", " ", ""),
    "half an end": inside("-----BEGIN LTS LICENSE FILE-----a-----END", " ", "x"),
    "armor of blanks": inside("-----BEGIN LTS LICENSE FILE-----", " ", "-----END LTS LICENSE FILE-----"),
    "armor of marks": inside("-----BEGIN LTS LICENSE FILE-----", "=20", "x-----END LTS LICENSE FILE-----"),
    "armor of quoted lines": inside("-----BEGIN LTS LICENSE FILE-----", "\n > >", "-----END LTS LICENSE FILE-----"),
    "quoted lines": filled("> "),
    "blanks before no quote": filled("\t "),
    "token": filled("A"),
    "dots of tokens": filled("e30."),
    "combining characters": filled("\u0323\u0301"),
    "ligatures": filled("\ufdfa"),
    "angle brackets": filled("<"),
    "named addresses": filled("a <b@c.de>,"),
    "at signs": filled("@"),
    "domains": filled("a."),
    "domains not of ASCII": filled("ü."),
    "one domain not of ASCII": filled("ü"),
    "half surrogates": filled("\ud800"),
    "many digits of an identity": filled("6f1c2b7e-"),
    "lists": filled("["),
    "lists in JSON": inside('{"a":', "[", ""),
    "names in JSON": lambda size: hostile.late_twin(size).decode(),
}
"""Forms of text that some parser might find hard."""


def signed(payload: bytes) -> bytes:
    """A license file over any bytes, signed by somebody's key, as anybody can make one."""
    token = sign_jws(jws_header(KEY.public, licensefile.JWS_TYPE, jwk=KEY.public.jwk), payload, KEY)
    return armor.wrap(token).encode()


def licensed(**fields: Any) -> bytes:
    """A license file with some fields changed."""
    return signed(json.dumps({
        "licenseTextVersion": "2.0", "licenseId": "1", "organizationId": "1", "licenseStatus": "New", "revision": 1,
        "issuedAt": "2026-11-25T12:00:00Z", "vendor": {"name": "x", "keyId": KEY.kid}, "items": [item()], **fields,
    }).encode())  # fmt: skip


SPEC = {"licenseId": "1", "organizationId": "1"}
LICENSES: dict[str, Make] = {
    "items": lambda size: licensed(items=[item(str(number)) for number in range(size // 300)]),
    "modules": lambda size: licensed(items=[item(modules=[str(number) for number in range(size // 10)])]),
    "domains": lambda size: licensed(items=[item(way="domain", domains=["a.example.com"] * (size // 20))]),
    "long domains": lambda size: licensed(items=[item(way="domain", domains=["ü" * 400] * (size // 2500))]),
    "versions": lambda size: licensed(items=[item(productVersions=["8"] * (size // 6))]),
    "servers": lambda size: licensed(
        servers=[{"uuid": f"00000000-0000-4000-8000-{number:012x}"} for number in range(size // 60)]
    ),
    "revoked": lambda size: licensed(revokes=[str(number) for number in range(size // 10)]),
    "certificates": lambda size: licensed(certificates=["A" * 4000] * (size // 4010)),
    "long text": lambda size: licensed(alias="a" * size),
    "combining characters": lambda size: licensed(alias="\u0323\u0301" * (size // 12)),
    "names": lambda size: signed(hostile.late_twin(size)),
    "lists": lambda size: signed(b"[" * size),
    "escapes": lambda size: signed(hostile.endless_string(size)),
    "unknown fields": lambda size: licensed(**{str(number): 0 for number in range(size // 12)}),
}


SPECS: dict[str, Make] = {
    "items": lambda size: {**SPEC, "items": [item(str(number)) for number in range(size // 300)]},
    "same items": lambda size: {**SPEC, "items": [item("one")] * (size // 300)},
    "unknown items": lambda size: {**SPEC, "items": [{str(number): 0 for number in range(size // 12)}]},
    "modules": lambda size: {**SPEC, "items": [item(modules=[str(number) for number in range(size // 10)])]},
    "unknown fields": lambda size: {**SPEC, **{str(number): 0 for number in range(size // 12)}},
    "long text": lambda size: {**SPEC, "alias": "a" * size},
    "combining characters": lambda size: {**SPEC, "alias": "\u0323\u0301" * (size // 12)},
}


def read_license(data: bytes) -> None:
    """What an upload costs: it is read, and where that fails it is named."""
    if filekind.mistaken("The file", data, filekind.LICENSE) is None:
        licensefile.read(data)


def as_bytes(read: Callable[[bytes], Any]) -> Callable[[str], Any]:
    """A reader of files as one of texts, in the two encodings that editors leave."""

    def both(text: str) -> None:
        for encoding in ("utf-8", "utf-16"):
            try:
                read(text.encode(encoding, "surrogatepass"))
            except ValueError:
                continue
            except Exception:  # noqa: BLE001  # refused is right, too
                continue

    return both


def hops(text: str) -> str:
    """The client behind two kinds of forwarding header."""
    known = Addresses(("10.0.0.0/8", "::1/128"))
    peer = {"REMOTE_ADDR": "10.0.0.1"}
    return known.client({**peer, "HTTP_X_FORWARDED_FOR": text}) + known.client({**peer, "HTTP_FORWARDED": text})


READERS: dict[str, tuple[Callable[[str], Any], int]] = {
    "license file": (as_bytes(licensefile.read), LARGEST),
    "kind of a file": (as_bytes(filekind.kind_of), LARGEST),
    "vendor's key": (as_bytes(vendorkey.read), LARGEST),
    "activation request": (as_bytes(activation.read), LARGEST),
    "license key": (LicenseKey.decode, LARGEST),
    "license key within": (
        lambda text: LicenseKey.decode("LTS2" + b64url(text.encode("utf-8", "surrogatepass"))),
        LARGEST,
    ),
    "clone token": (lambda text: clonetokens.decode_token(bytes(32), bytes(16), text), LARGEST),
    "device": (device_of, LARGEST),
    "forwarding headers": (hops, MAX_HEADER_BYTES),
    "domain": (domains.normalize.__wrapped__, 256),
    "server URL": (serverurls.clean_url, LARGEST),
    "mail addresses": (lambda text: addresses.read_addresses(text, "to"), LARGEST),
    "field of a file": (lambda text: Fields({"a": text}, "x").text("a"), LARGEST),
    "message of the other server": (as_bytes(lambda data: peermessages.decode(data, peermessages.Hello)), LARGEST),
}


@pytest.mark.parametrize("reader", READERS)
def test_a_text_of_any_form_is_read_in_linear_time(reader: str) -> None:
    assert_all_linear(TEXTS, *READERS[reader])


REPLIES: dict[str, Make] = {
    "lines": inside("", "250-\r\n", "250 x\r\n"),
    "extensions": inside("", "250-X1 \r\n", "250 x\r\n"),
    "ways of signing in": inside("", "250-AUTH PLAIN\r\n", "250 x\r\n"),
    "ways of signing in, as of old": inside("", "250-AUTH=A\r\n", "250 x\r\n"),
    "long lines of them": inside("", "250-AUTH=" + "A" * 64 + "\r\n", "250 x\r\n"),
    "a line": inside("250 ", "x", "\r\n"),
    "blanks": inside("250 ", " ", "x\r\n"),
    "hyphens": inside("250-x\r\n250 X", "-", "\r\n"),
    "line ends": filled("\r"),
    "no code": filled("-"),
}


def test_a_reply_of_a_mail_server_of_any_form_is_read_in_linear_time() -> None:
    def read(reply: str) -> None:
        with contextlib.closing(told(reply.encode())) as server, contextlib.suppress(smtplib.SMTPException):
            server.ehlo()

    for largest in (mailserver.REPLY_BYTES - 64, MIB):
        assert_all_linear(REPLIES, read, largest)


def test_a_license_file_that_anybody_can_sign_is_read_in_linear_time() -> None:
    assert_all_linear(LICENSES, read_license, LARGEST)


def test_a_spec_of_any_form_is_read_in_linear_time() -> None:
    assert_all_linear(SPECS, lambda spec: issuing.issue(spec, KEY, "x", NOON), LARGEST)


ADMIN = {"HTTP_AUTHORIZATION": "Bearer " + TOKEN}


@pytest.fixture
def answered(web: Web) -> Callable[..., None]:
    """Calls the application; whatever is sent, the answer is none of 500."""

    def call(method: str, path: str, body: bytes = b"", **environ: str) -> None:
        answer = web.call(method, path, body, **environ)
        if answer.status >= 500:
            pytest.fail(f"{method} {path}: {answer.status} {answer.body[:200]!r}")

    return call


PAGES = sorted({call.path.replace("{", "").replace("}", "") for call in openapi_admin.CALLS if call.method == "GET"})
QUERIES: dict[str, Make] = {
    "text": inside("q=", "%C3%BC", ""),
    "broken escapes": inside("q=", "%", ""),
    "half a character": inside("sort=", "%F0%9F%92", ""),
    "digits": inside("item=", "7", ""),
    "hyphens": inside("from=", "-", ""),
    "identity": inside("alike=", "6f1c2b7e-", ""),
    "states": filled("state=x&"),
    "actions": filled("action=x&"),
    "nameless": filled("=x&"),
    "ampersands": filled("&"),
    "semicolons": filled(";a"),
}


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_of_any_form_is_answered_in_linear_time(answered: Callable[..., None], name: str) -> None:
    def ask(query: str) -> None:
        for page in PAGES:
            answered("GET", f"/api/v1/admin{page}", QUERY_STRING=query, **ADMIN)

    assert_linear(QUERIES[name], ask, REQUEST_LINE_BYTES)


READ_AT: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "client API": ("POST", "/api/v1/authorize", ("CONTENT_ENCODING", "X_FORWARDED_FOR", "FORWARDED", "USER_AGENT")),
    "preflight": ("OPTIONS", "/api/v1/authorize", ("ACCESS_CONTROL_REQUEST_HEADERS",)),
    "portal's API": ("GET", "/api/v1/admin/status", ("AUTHORIZATION", "COOKIE", "HOST", "ORIGIN", "X_FORWARDED_PROTO")),
    "sign-in": ("POST", "/api/v1/admin/session", ("SEC_FETCH_SITE", "X_LTS_CSRF", "COOKIE", "X_FORWARDED_FOR")),
    "file": (
        "GET",
        "/static/portal/app.js",
        ("ACCEPT_ENCODING", "ACCEPT_LANGUAGE", "IF_NONE_MATCH", "RANGE", "IF_RANGE"),
    ),
}
"""Method, path, and the headers that are read there."""
VALUES = {name: TEXTS[name] for name in (
    "blanks", "quotes", "open quotes", "escapes", "commas", "semicolons", "equal signs", "pairs", "nameless pairs",
    "quoted pairs", "languages", "weights", "parameters", "addresses", "addresses with ports", "brackets", "colons",
    "digits", "hops", "names of hops", "slashes", "hyphens", "domains not of ASCII",
)}  # fmt: skip


@pytest.mark.parametrize("place", READ_AT)
def test_a_header_value_of_any_form_is_answered_in_linear_time(answered: Callable[..., None], place: str) -> None:
    method, path, headers = READ_AT[place]

    def ask(header: str, value: str) -> None:
        latin = value.encode("utf-8", "surrogatepass").decode("latin-1").translate(NOT_IN_HEADERS)
        sent = {**ADMIN, "CONTENT_TYPE": "application/json", "REMOTE_ADDR": "10.0.0.1", f"HTTP_{header}": latin}
        answered(method, path, b"{}", **sent)

    for header in headers:
        assert_all_linear(VALUES, partial(ask, header), MAX_HEADER_BYTES)


NOT_IN_HEADERS = dict.fromkeys([*range(9), *range(10, 32), 127], " ")
"""What lts.httpd.framing lets through to nobody."""


@pytest.mark.parametrize("begin", ["/", "/api/v1/admin/handshakes/", "/static/"])
def test_a_path_of_any_form_is_answered_in_linear_time(answered: Callable[..., None], begin: str) -> None:
    def ask(path: str) -> None:
        answered("GET", begin + path.encode("utf-8", "surrogatepass").decode("latin-1"), **ADMIN)

    assert_all_linear(TEXTS, ask, REQUEST_LINE_BYTES)


def multipart(part: bytes) -> Make:
    return lambda size: b"--x\r\n" + part * (size // len(part)) + b"\r\n--x--"


BODIES: dict[str, Make] = {
    "parts": multipart(b"Content-Disposition: form-data; name=a\r\n\r\nb\r\n--x\r\n"),
    "header lines": multipart(b"A: b\r\n"),
    "boundaries": multipart(b"--x"),
    "line ends": multipart(b"\r\n"),
    "hyphens": multipart(b"-"),
    "pairs": lambda size: b"a=b&" * (size // 4),
    "late twin": hostile.late_twin,
    "endless string": hostile.endless_string,
    "text in a field": lambda size: b'{"user": "' + b"a" * size + b'", "password": "x", "name": "x"}',
    "combining characters in a field": lambda size: json.dumps({"user": "x", "password": "\u0323\u0301" * (size // 12)})
    .encode(),
}  # fmt: skip
UPLOADS = ("session", "licenses", "handshakes")


@pytest.mark.parametrize("path", UPLOADS)
def test_a_body_of_any_form_is_answered_by_the_portals_api_in_linear_time(
    answered: Callable[..., None], path: str
) -> None:
    def send(body: bytes) -> None:
        kind = "multipart/form-data; boundary=x" if body.startswith(b"--x") else "application/json"
        answered("POST", f"/api/v1/admin/{path}", body, CONTENT_TYPE=kind, HTTP_X_LTS_CSRF="sign-in", **ADMIN)

    assert_all_linear(BODIES, send, LARGEST)
