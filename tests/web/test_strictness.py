"""Booleans and names of the administrators' API are read strictly: nothing is guessed, and nothing passed over."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from lts.service.access import accounts
from lts.service.licensing import handshakes
from lts.web.admin import openapi_admin
from tests.support.kit import Lab, item, lab
from tests.web.test_portal_api import Call, caller

PASSWORD, HOOK = "a long password", "https://a.example/"
CODE = "/handshakes/216998-100"
NO_BOOLEANS: list[Any] = ["false", "true", 0, 1, "", None, [], {}]
NO_LISTS: list[Any] = [None, False, 0, "", {}]
NO_WORDS: list[Any] = [[], {}, 7, None]
NO_TEXTS: list[Any] = [7, True, ["a"], {"a": 1}, 1.5]
MAIL = {"host": "mail.example.com", "port": 25, "security": "none", "from": "a@example.com", "to": "b@example.com"}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Lab, Call]]:
    """A server for all calls that it refuses: each test sees that it changed nothing."""
    with lab(tmp_path_factory.mktemp("shared")) as here:
        here.load(item("one"), item("two"))
        yield here, caller(here)


@pytest.fixture
def server(shared: tuple[Lab, Call]) -> Lab:
    return shared[0]


@pytest.fixture
def call(shared: tuple[Lab, Call]) -> Call:
    return shared[1]


def before(server: Lab) -> tuple[Any, ...]:
    """What no refused call may change."""
    return handshakes.describe(server.ctx), dict(server.ctx.store.catalog.settings), server.ctx.store.serial


REFUSED: list[tuple[str, str, Any, str]] = [
    *(("PATCH", CODE, {name: value}, name) for name in ("manualOrder", "isDefault") for value in NO_BOOLEANS),
    *(("POST", "/alerts/calendar", {"renew": value}, "renew") for value in NO_BOOLEANS),
    *(("PATCH", CODE, {"custom": value}, "custom") for value in (*NO_TEXTS, None)),
    *(("PATCH", CODE, {"note": value}, "note") for value in NO_TEXTS),
    *(("POST", "/handshakes", {"custom": value}, "custom") for value in (*NO_TEXTS, None)),
    *(("PATCH", CODE, {"validation": {"applicationIds": [value]}}, "validation") for value in NO_TEXTS),
    *(("PATCH", CODE, {"validation": {"processNames": value}}, "validation") for value in NO_LISTS),
    ("PATCH", CODE, {"items": [{"id": True}]}, "items"),
    ("PATCH", CODE, {"items": [{"id": 1}, {"id": 1, "cap": 5}]}, "items"),
    ("PATCH", CODE, {"isdefault": True}, "isdefault"),
    *(("POST", "/users", {"name": one, "role": "reader", "password": PASSWORD}, "name") for one in NO_TEXTS),
    ("POST", "/users", {"name": "u", "role": "reader", "password": PASSWORD, "Role": "reader"}, "Role"),
    ("PATCH", "/users/admin", {"rol": "reader"}, "rol"),
    *(("POST", "/tokens", {"name": value, "role": "reader"}, "name") for value in NO_TEXTS),
    *(("POST", "/alerts/webhooks", {"name": value, "url": HOOK}, "name") for value in (*NO_TEXTS, None)),
    *(("PUT", "/alerts/mail", {**MAIL, name: value}, name)
      for name in ("host", "caFile", "user", "password", "from", "to", "cc", "bcc") for value in NO_TEXTS),
    *(("PUT", "/alerts/mail", {**MAIL, "language": value}, "language") for value in NO_WORDS),
    *(("PUT", "/alerts/mail", {**MAIL, "security": value}, "security") for value in NO_WORDS),
    ("PUT", "/alerts/levels", {"levels": {}, "level": 1}, "level"),
    ("PUT", "/server-urls", {"urls": [], "url": "x"}, "url"),
    ("POST", "/seats/release", {"deviceId": "x", "item": True}, "item"),
    ("POST", "/licenses/preview?itemsOnly=yes", None, "itemsOnly"),
    ("POST", "/licenses?default=True", None, "default"),
    ("POST", "/licenses/preview?itemsOnly=true&newCode=a", None, "newCode"),
    ("GET", "/handshakes?keys=1", None, "keys"),
    ("GET", "/devices?live=yes", None, "live"),
    ("GET", "/devices?flagged=", None, "flagged"),
    ("GET", "/licenses/items?state=Active", None, "state"),
    ("GET", "/why?code=x", None, "code"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body", "field"), REFUSED, ids=lambda value: repr(value)[:60])
def test_what_is_of_another_type_or_name_is_refused_naming_the_field(
    server: Lab,
    call: Call,
    method: str,
    path: str,
    body: Any,
    field: str,
) -> None:
    known = before(server)
    status, answer = call(method, path, body)
    assert (status, answer["field"]) == (400, field), answer
    assert before(server) == known


@pytest.mark.parametrize(
    "name", ["", "  ", "\u200b", "a\u200bb", "a\u202eb", "a\nb", "\u3164", "a\u2800", "\u115f", "x" * 101]
)
def test_a_name_that_shows_nothing_or_hides_something_is_refused_everywhere(
    server: Lab,
    call: Call,
    name: str,
) -> None:
    known = before(server)
    for method, path, body in (
        ("POST", "/handshakes", {"custom": name}),
        ("PATCH", CODE, {"custom": name}),
        ("POST", "/users", {"name": name, "role": "reader", "password": PASSWORD}),
        ("POST", "/tokens", {"name": name, "role": "reader"}),
        ("POST", "/alerts/webhooks", {"name": name, "url": HOOK}),
        ("PATCH", CODE, {"validation": {"processNames": [name or "\u200b"] if len(name) < 101 else ["x" * 254]}}),
    ):
        assert call(method, path, body)[0] == 400, (path, name)
    assert before(server) == known


def test_a_user_is_known_however_the_name_was_typed(server: Lab, call: Call) -> None:
    body = {"name": " Zoe\u0308 ", "role": "reader", "password": PASSWORD}
    assert call("POST", "/users", body) == (200, {"name": "Zo\u00eb"})
    accounts.check_password(server.ctx, "Zoe\u0308 ", "a long password")
    assert call("PATCH", "/users/Zoe\u0308", {"role": "administrator"})[0] == 200
    assert accounts.users_of(server.ctx.store.catalog)["Zo\u00eb"]["role"] == "administrator"
    assert call("DELETE", "/users/%20Zoe\u0308")[0] == 200


@pytest.mark.parametrize(
    ("domain", "instead"),
    [
        ("*.example.com", "example.com"), ("https://shop.example.com/x", "shop.example.com"),
        ("co.uk", "example.co.uk"), ("shop example.com", "example.com"), ("[::1]", "example.com"),
        ("evil.test/.demo.example.com", "evil.test"),
    ],
)  # fmt: skip
def test_a_binding_that_can_never_match_is_refused_naming_the_right_form(
    server: Lab,
    call: Call,
    domain: str,
    instead: str,
) -> None:
    known = before(server)
    status, answer = call("PATCH", CODE, {"validation": {"domains": ["good.example.com", domain]}})
    assert (status, answer["code"], answer["field"]) == (400, "bad-domain", "validation")
    assert answer["detail"].endswith(f"{instead}.")
    assert before(server) == known


def test_a_binding_of_the_right_form_is_taken(server: Lab, call: Call) -> None:
    good = {"validation": {"domains": ["Straße.de", "localhost:3000"], "applicationIds": ["a b"]}}
    assert call("PATCH", CODE, good)[0] == 200


@pytest.mark.parametrize("call_of", openapi_admin.CALLS, ids=lambda one: f"{one.method} {one.path}")
def test_a_query_holds_only_what_a_call_knows(call_of: openapi_admin.Call, server: Lab, call: Call) -> None:
    path, held = re.sub(r"\{\w+\}", "x", call_of.path), before(server)
    for name in ("frm", "cod", "x" * 300):
        status, body = call(call_of.method, f"{path}?{name}=1")
        assert (status, body["code"], body["field"]) == (400, "unknown-field", name[:60])
    assert before(server) == held


def test_a_value_of_a_query_occurs_once_except_in_lists(call: Call) -> None:
    status, body = call("GET", "/usage?from=2026-10-01&from=2026-11-01")
    assert (status, body["code"], body["field"]) == (400, "bad-field", "from")
    assert call("GET", "/licenses/items?state=active&state=archived")[0] == 200
