"""Which code a request means, whether it lets the request in, and what a lease says of it (docs/design/authorizing.md,
Choosing the code, Admission; docs/design/charging.md, Renewal by report)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lts.errors import Malformed, Refusal
from lts.protocol import Asked
from lts.rules.licensing.catalog import ACTIVE, Catalog, Code, CodeBinding, CodeItem, LicenseItem
from lts.rules.licensing.codenames import Naming, learn
from lts.rules.metering import asked
from lts.rules.metering.admission import admit, find_code
from lts.rules.metering.checks import Request
from tests.rules.test_authorize_rules import ASKED, GOOD

ITEMS = (CodeItem(LicenseItem(1, "1", "vendor", "1", GOOD, ACTIVE)),)
FIRST = Code(1, "1", "a", ITEMS, is_default=True)
ALIKE = Code(2, "1-x", "b", ITEMS)
OTHER = Code(3, "1", "x-b", ITEMS)
"""Spelled as ALIKE, which had the name first."""
CODES = (FIRST, ALIKE, OTHER)
CATALOG = Catalog(
    codes={"1-a": FIRST, "1-x-b": ALIKE},
    by_place={(code.organization_id, code.custom): code for code in CODES},
    codes_by_key={code.key: code for code in CODES},
    defaults={"1": FIRST},
    names=learn(Naming(code.name, code.key, 0, "o", code.key, code.key) for code in CODES),
)


@pytest.mark.parametrize(
    ("name", "organization", "found"),
    [
        (None, None, 123),
        (None, "1", FIRST),
        (None, "1-x", 121),
        (None, "9", 121),
        ("1-a", None, FIRST),
        ("1-a", "1", FIRST),
        ("1-x-b", None, ALIKE),
        ("1-x-b", "1-x", ALIKE),
        ("1-x-b", "1", OTHER),
        ("1-a", "9", 122),
        ("nothing", None, 101),
        ("nothing", "1", 101),
    ],
)
def test_a_request_means_one_code_or_the_answer_says_what_is_missing(
    name: str | None, organization: str | None, found: Code | int
) -> None:
    request = ASKED._replace(handshake_code=name, organization_id=organization)
    if isinstance(found, Code):
        assert find_code(CATALOG, request) is found
        return
    with pytest.raises(Refusal) as caught:
        find_code(CATALOG, request)
    assert caught.value.code == found


def test_a_name_that_another_organization_had_first_wants_the_organization() -> None:
    gone = Catalog(
        codes={"1-x-b": OTHER}, by_place={("1", "x-b"): OTHER}, codes_by_key=CATALOG.codes_by_key, names=CATALOG.names
    )
    with pytest.raises(Refusal, match="name your organization as well") as caught:
        find_code(gone, ASKED._replace(handshake_code="1-x-b"))
    assert caught.value.code == 101
    assert find_code(gone, ASKED._replace(handshake_code="1-x-b", organization_id="1")) is OTHER


BOUND = CodeBinding(("example.com",), ("app",), ("proc",))


@pytest.mark.parametrize(
    ("changes", "sent", "code"),
    [
        ({}, {}, None),
        ({"items": ()}, {}, 104),
        ({"session_password": "pass"}, {"session_password": "pass"}, None),
        ({"session_password": "pass"}, {"session_password": "Pass"}, 102),
        ({"session_password": "pass"}, {"session_password": "\ud800"}, 102),
        ({"session_password": "pass"}, {}, 102),
        ({}, {"session_password": "pass"}, None),
        ({"validation": BOUND}, {}, 114),
        ({"validation": BOUND}, {"domain": "shop.example.com:8080"}, None),
        ({"validation": BOUND}, {"domain": "example.org"}, 103),
        ({"validation": BOUND}, {"domain": "example.org", "application_id": "app"}, None),
        ({"validation": BOUND}, {"process_name": "proc"}, None),
        ({"validation": BOUND}, {"process_name": "app"}, 103),
        ({"validation": BOUND}, {"domain": "https://example.com"}, 140),
        ({"validation": CodeBinding(("example.com",))}, {"application_id": "app"}, 114),
        ({"validation": CodeBinding(application_ids=("app",))}, {"domain": "no domain", "application_id": "x"}, 103),
    ],
)
def test_a_code_lets_in_who_knows_its_password_or_is_what_it_is_bound_to(
    changes: dict[str, Any], sent: dict[str, Any], code: int | None
) -> None:
    bound = Code(**{"key": 1, "organization_id": "1", "custom": "a", "items": ITEMS, **changes})
    if code is None:
        admit(bound, ASKED._replace(**sent))
        return
    with pytest.raises(Malformed if code == 140 else Refusal) as caught:
        admit(bound, ASKED._replace(**sent))
    assert caught.value.code == code


SECRET = Code(1, "1", "a", ITEMS, is_default=True, session_password="pass", password_change=7)


@pytest.mark.parametrize(
    ("code", "sent", "claim"),
    [
        (FIRST, {"handshake_code": "1-a"}, {}),
        (FIRST, {}, {"default": True}),
        (FIRST, {"handshake_code": "1-a", "instances": 2}, {"instances": 2}),
        (FIRST, {"handshake_code": "1-a", "charge_way": "scan"}, {"chargeWay": "scan"}),
        (FIRST, {"handshake_code": "1-a", "domain": "example.com", "process_name": "p"},
         {"validation": {"domain": "example.com", "processName": "p"}}),
        (SECRET, {"handshake_code": "1-a", "session_password": "pass"}, {"password": 7}),
    ],
)  # fmt: skip
def test_a_lease_says_what_was_asked_so_that_it_can_be_asked_again(
    code: Code, sent: dict[str, Any], claim: dict[str, Any]
) -> None:
    request = ASKED._replace(**sent)
    always = {"product": "reader", "deploymentType": "server", "version": "8.2", "edition": "standard"}
    made = asked.asked_by(request, code)
    claims = json.loads(json.dumps(made.claims()))
    assert claims == {**always, "modules": ["QR"], **claim}
    assert Asked.from_claims(claims) == made
    again = asked.request_of(made, bytes(16), code)
    assert again == request._replace(handshake_code=None)


def test_a_password_that_was_changed_is_not_sent_again() -> None:
    claim = asked.asked_by(ASKED._replace(session_password="pass"), SECRET)
    changed = Code(1, "1", "a", ITEMS, session_password="pass", password_change=8)
    assert asked.request_of(claim, bytes(16), changed).session_password is None
    bare = Request(bytes(16), "reader", "server")
    assert asked.request_of(asked.asked_by(bare, FIRST), bytes(16), FIRST) == bare


@pytest.mark.parametrize(
    ("default", "code", "found"),
    [(False, OTHER, True), (True, FIRST, True), (True, OTHER, False), (True, ALIKE, False)],
)
def test_who_asked_for_the_default_finds_what_is_the_default_now(code: Code, *, default: bool, found: bool) -> None:
    assert asked.is_still_asked_for(Asked("p", "server", is_default=default), code, CATALOG) is found
