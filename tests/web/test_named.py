"""Codes and users are found by names that mean something in a path too.

See docs/design/surface.md, Administrators' API.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from lts.service.access import accounts
from lts.service.licensing import handshakes
from tests.support.kit import NOON, ORGANIZATION
from tests.web.conftest import Answer, Served

NAMES = ["/", "/a", "//a", "a//b", "a/", ".", "..", "../x", "%2F", "%", "a?b", "a#b", "a b", "#x", "ü/é", "+", "&=;"]


def ask(served: Served, method: str, path: str, name: str, body: Any = None) -> Answer:
    """A call of the API over HTTP, as the commands make it."""
    sent = None if body is None else json.dumps(body)
    headers = {"Authorization": "Bearer cli-token", "X_LTS_User": "tester", "Content_Type": "application/json"}
    return served.ask(method, f"/lts/api/v1/admin/{path}/{quote(name, safe='')}", sent, **headers)


@pytest.mark.parametrize("name", NAMES)
def test_a_code_of_any_name_is_found_changed_and_removed_by_it(served: Served, name: str) -> None:
    lab = served.web.lab
    made = handshakes.add(lab.ctx, ORGANIZATION, {"custom": name, "items": [{"id": 1}]}, "test", NOON).name
    for path in ("handshakes", "handshake-use"):
        answer = ask(served, "GET", path, made)
        assert (answer.status, answer.json["name"]) == (200, made)
    assert ask(served, "GET", "license-key", made).status == 200
    answer = ask(served, "PATCH", "handshakes", made, {"note": "found"})
    assert (answer.status, answer.json["name"]) == (200, made)
    assert ask(served, "DELETE", "handshakes", made).status == 200
    assert [code.name for code in lab.ctx.store.catalog.present] == [served.web.code]


@pytest.mark.parametrize("name", [name for name in NAMES if name not in (".", "..")])
def test_a_user_of_any_name_is_found_by_it(served: Served, name: str) -> None:
    ctx = served.web.lab.ctx
    accounts.add_user(ctx, name, "reader", "a good long password", "test", NOON)
    assert ask(served, "PATCH", "users", name, {"role": "administrator"}).status == 200
    assert ask(served, "DELETE", "users", name).status in (200, 204)


@pytest.mark.parametrize(
    "path", ["//lts//api/v1//admin/handshakes", "/lts/api//v1/admin/handshakes", "/lts//api/v1/health"]
)
def test_a_slash_too_many_of_a_proxy_does_no_harm(served: Served, path: str) -> None:
    assert served.ask("GET", path, Authorization="Bearer cli-token").status in (200, 503)


def test_a_slash_at_the_end_of_a_list_is_no_name(served: Served) -> None:
    assert served.ask("GET", "/lts/api/v1/admin/handshakes/", Authorization="Bearer cli-token").status == 404
