"""What a field of a handshake code takes at most, and which fault names what (docs/design/administering.md, Handshake
codes)."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from lts.errors import AdminError
from lts.service.licensing import handshakes, licenses, serverurls
from lts.web.admin.jsonpieces import as_json
from tests.support.kit import NOON, Lab, Vendor, item


@pytest.fixture
def code(server: Lab) -> str:
    """A code of two items."""
    return server.load(item("one"), item("two"))


def edit(server: Lab, code: str, **changes: Any) -> Any:
    """The code as it is shown afterwards."""
    handshakes.edit(server.ctx, code, changes, "test", NOON)
    return as_json(handshakes.describe(server.ctx)[0])


@pytest.mark.parametrize(
    "changes",
    [
        {"custom": "c" * 100},
        {"note": "n" * 500},
        {"note": ""},
        {"validation": {"domains": [f"d{n}.example.com" for n in range(200)]}},
        {"validation": {"applicationIds": ["a" * 253], "processNames": [], "domains": []}},
        {"items": []},
        {"items": [{"id": 2, "cap": 0}]},
        {"items": [{"id": 2, "cap": 10**12}, {"id": 1, "cap": None}], "manualOrder": True},
        {"manualOrder": True},
        {"isDefault": True},
        {"isDefault": False},
    ],
)
def test_a_field_is_taken_up_to_its_bound(server: Lab, code: str, changes: dict[str, Any]) -> None:
    found = edit(server, code, **changes)
    for name, value in changes.items():
        told: Any = found[name]
        if name == "validation":
            told = {one: told[one] for one in value}
        elif name == "items":
            told = [{"id": one["id"], "cap": one["cap"]} for one in told]
        assert told == (True if name == "isDefault" else value)  # the default stays one


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"custom": "c" * 101}, "long-name"),
        ({"custom": 7}, "custom"),
        ({"note": "n" * 501}, "long-name"),
        ({"note": 7}, "note"),
        ({"password": ""}, "password"),
        ({"password": "p" * 257}, "password"),
        ({"password": 7}, "password"),
        ({"validation": []}, "validation"),
        ({"validation": {"other": []}}, "validation"),
        ({"validation": {"domains": "example.com"}}, "validation"),
        ({"validation": {"processNames": ["a"] * 201}}, "validation"),
        ({"validation": {"processNames": ["a", 7]}}, "validation"),
        ({"validation": {"applicationIds": ["a" * 254]}}, "long-name"),
        ({"validation": {"domains": ["com"]}}, "validation"),
        ({"items": {}}, "items"),
        ({"items": [7]}, "items"),
        ({"items": [{"id": 3}]}, "items"),
        ({"items": [{"id": True}]}, "items"),
        ({"items": [{"id": 1}, {"id": 1}]}, "items"),
        ({"items": [{"id": 1, "cap": -1}]}, "items"),
        ({"items": [{"id": 1, "cap": 10**12 + 1}]}, "items"),
        ({"items": [{"id": 1, "cap": True}]}, "items"),
        ({"manualOrder": 1}, "manualOrder"),
        ({"isDefault": None}, "isDefault"),
        ({"zeta": 1, "alpha": 1}, "alpha"),
    ],
)
def test_a_field_beyond_its_bound_is_named_and_nothing_is_saved(
    server: Lab, code: str, changes: dict[str, Any], wrong: str
) -> None:
    before = handshakes.describe(server.ctx)
    with pytest.raises(AdminError) as caught:
        edit(server, code, note="new", **changes) if "note" not in changes else edit(server, code, **changes)
    assert wrong in (caught.value.code, caught.value.field)
    assert handshakes.describe(server.ctx) == before


@pytest.mark.parametrize("password", ["p", "p" * 256])
def test_a_session_password_is_in_the_license_key_alone(server: Lab, code: str, password: str) -> None:
    without = handshakes.license_key(server.ctx, code)
    assert edit(server, code, password=password)["hasPassword"] is True
    assert handshakes.license_key(server.ctx, code) != without
    assert edit(server, code, password=None)["hasPassword"] is False
    assert handshakes.license_key(server.ctx, code) == without


def test_a_changed_password_has_a_higher_number_and_the_same_one_keeps_its_own(server: Lab, code: str) -> None:
    def number() -> int:
        [found] = server.ctx.store.catalog.present
        return found.password_change

    found = [number()]
    for password in ("one", "one", "two", None, None):
        edit(server, code, password=password)
        found.append(number())
    assert [after - before for before, after in pairwise(found)] == [
        found[1], 0, 1 << 25, 1 << 25, 0,
    ]  # fmt: skip
    assert 0 < found[1] >> 25 == 1
    assert found[-1] < 1 << 53


@pytest.mark.parametrize("name", ["#1", " #1 ", "#01"])
def test_a_code_is_found_by_its_number(server: Lab, code: str, name: str) -> None:
    assert handshakes.find(server.ctx.store.catalog, name).name == code


@pytest.mark.parametrize("name", ["#2", "1", "#", "#-1", "#1.0", "##1", "#" + "9" * 19, "#\u0661", "nothing"])
def test_what_names_no_code_is_refused(server: Lab, code: str, name: str) -> None:
    with pytest.raises(AdminError) as caught:
        handshakes.find(server.ctx.store.catalog, name)
    assert (caught.value.code, caught.value.status) == ("no-such-code", 404)


def test_a_number_of_eighteen_digits_is_still_one(server: Lab, code: str) -> None:
    assert handshakes.find(server.ctx.store.catalog, "#" + "1".rjust(18, "0")).name == code
    with pytest.raises(AdminError):
        handshakes.find(server.ctx.store.catalog, "#" + "1".rjust(19, "0"))


def test_a_code_of_several_organizations_needs_to_be_told_which(server: Lab, code: str) -> None:
    other = Vendor("Other")
    server.ctx.trust.add(other.pub)
    for number in range(2):
        data = (other if number else server.vendor).file(server.ctx, item(), organization=f"7{number}", license_id="7")
        handshakes_before = len(handshakes.describe(server.ctx))
        from_file(server, data)
        assert len(handshakes.describe(server.ctx)) == handshakes_before + 1
    for organization, code_of_fault, status in ((None, "which-organization", 400), ("8", "no-such-organization", 404)):
        with pytest.raises(AdminError) as caught:
            handshakes.add(server.ctx, organization, {"custom": "new"}, "test", NOON)
        assert (caught.value.code, caught.value.status) == (code_of_fault, status)
    made = handshakes.add(server.ctx, " 70 ", {"custom": "new"}, "test", NOON)
    assert (made.name, made.organization_id, made.notices) == ("70-new", "70", ())
    with pytest.raises(AdminError) as caught:
        handshakes.add(server.ctx, "70", {"custom": "new"}, "test", NOON)
    assert (caught.value.code, caught.value.status) == ("code-exists", 409)


@pytest.mark.parametrize(
    ("urls", "code"),
    [
        (["https://a.test"], None),
        (["https://a.test", "https://b.test"], None),
        ([], None),
        (["https://a.test", "https://b.test", "https://c.test"], "bad-url"),
        (["https://a.test", "HTTPS://A.test/"], "same-url"),
        ("https://a.test", "bad-url"),
    ],
)
def test_license_keys_name_one_server_or_two(server: Lab, urls: Any, code: str | None) -> None:
    before = serverurls.describe(server.ctx).urls
    if code is None:
        serverurls.change(server.ctx, urls, "test", NOON)
        found = serverurls.describe(server.ctx)
        assert (found.urls, found.set) == ([f"{url}/" for url in urls] or before, bool(urls))
        serial = server.ctx.store.serial
        serverurls.change(server.ctx, urls, "test", NOON)
        assert server.ctx.store.serial == serial
        return
    with pytest.raises(AdminError) as caught:
        serverurls.change(server.ctx, urls, "test", NOON)
    assert (caught.value.code, caught.value.field) == (code, "urls")
    assert serverurls.describe(server.ctx).urls == before


def from_file(server: Lab, data: bytes) -> None:
    """Import it."""
    licenses.import_license(server.ctx, data, licenses.Choice(), "test", NOON)


def test_without_a_license_there_is_no_organization_to_make_a_code_for(server: Lab) -> None:
    with pytest.raises(AdminError, match="No license is imported yet") as caught:
        handshakes.add(server.ctx, None, {"custom": "new"}, "test", NOON)
    assert caught.value.status == 404


def test_the_default_code_goes_only_as_the_last_one(server: Lab, code: str) -> None:
    made = handshakes.add(server.ctx, None, {"custom": "new"}, "test", NOON)
    with pytest.raises(AdminError) as caught:
        handshakes.remove(server.ctx, code, "test", NOON)
    assert caught.value.code == "default-code"
    handshakes.remove(server.ctx, made.name, "test", NOON)
    assert handshakes.remove(server.ctx, code, "test", NOON).key == 1
    assert handshakes.describe(server.ctx) == []
