"""Which code or item a name means (docs/design/authorizing.md, Choosing the code and Names and numbers)."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from lts.protocol import Lease
from lts.rules.alerting.codenotices import named_twice, spelled_alike
from lts.rules.licensing.catalog import Catalog, Code, CodeItem, LicenseItem
from lts.rules.licensing.codenames import Naming, learn
from tests.rules.test_authorize_rules import GOOD


def an_item(key: int, license_id: str, organization: str, product: str) -> LicenseItem:
    return LicenseItem(key, license_id, "vendor", organization, replace(GOOD, item_id=f"i{key}", product=product))


ONE = an_item(1, "100", "1", "reader")
TWO = an_item(2, "100", "1", "writer")
THREE = an_item(3, "200", "2", "reader")
NOW = Code(1, "1", "new", (CodeItem(ONE), CodeItem(TWO)))
"""Had the name 1-2-old first, and goes by another one now."""
GONE = Code(2, "1", "2-old", (CodeItem(ONE),), removed=True)
"""Had that name after it."""
OTHER = Code(3, "1-2", "other", (CodeItem(TWO), CodeItem(ONE)))
"""Of another organization, and had that name last."""
ALIKE = Code(4, "1-2", "3", ())
CODES = (NOW, GONE, OTHER, ALIKE)
OLD = "1-2-old"
NAMES = [(OLD, 1, 100), (OLD, 2, 200), ("1-new", 1, 200), (OLD, 3, 300), ("1-2-other", 3, 400), ("1-2-3", 4, 500)]
"""(name, code, since), the n-th as change n + 1 of the feed."""
GIVEN = [Naming(*named, "feed0001", place + 1, place) for place, named in enumerate(NAMES)]


def catalog(*codes: Code, **more: Any) -> Catalog:
    present = [code for code in codes if not code.removed]
    return Catalog(
        items={item.key: item for item in (ONE, TWO, THREE)},
        codes={code.name: code for code in present},
        by_place={(code.organization_id, code.custom): code for code in present},
        codes_by_key={code.key: code for code in codes},
        names=learn(GIVEN),
        **more,
    )


ALL = catalog(*CODES)


def test_a_removed_code_is_there_no_more() -> None:
    assert ALL.present == [NOW, OTHER, ALIKE]
    assert ALL.codes_of_items == {1: [NOW, OTHER], 2: [NOW, OTHER]}


def test_an_item_is_found_by_its_names_and_a_code_has_its_items_by_number_and_product() -> None:
    assert ALL.items_by_name[("1", "100", "i2")] is TWO
    assert list(ALL.items_by_name) == [("1", "100", "i1"), ("1", "100", "i2"), ("2", "200", "i3")]
    assert NOW.entries == {1: CodeItem(ONE), 2: CodeItem(TWO)}
    assert NOW.by_product == {
        name: replace(NOW, items=(CodeItem(one),)) for name, one in (("reader", ONE), ("writer", TWO))
    }


@pytest.mark.parametrize(
    ("name", "organization", "called"),
    [("1-2-3", None, ALIKE), ("1-2-3", "1-2", ALIKE), ("1-2-3", "1", None), ("1-2-3", "1-", None), ("1-new", "1", NOW),
     ("1new", "1", None), (OLD, None, None), ("1-new", "2", None)],
)  # fmt: skip
def test_a_name_is_an_organization_a_hyphen_and_the_rest(name: str, organization: str | None, called: Any) -> None:
    assert ALL.code_called(name, organization) is called


@pytest.mark.parametrize(
    ("name", "organization", "code"),
    [
        (OLD, None, NOW),  # the last of organization 1 that is not removed
        (OLD, "1", NOW),
        (OLD, "1-2", OTHER),
        (OLD, "2", None),
        ("1-2-other", None, None),  # it means one
        ("never", None, None),
        ("never", "1", None),
    ],
)
def test_what_a_former_name_meant_last(name: str, organization: str | None, code: Code | None) -> None:
    assert ALL.once_meant(name, organization) is code


def test_whose_a_name_is_and_who_bore_it() -> None:
    assert [ALL.owner(name) for name in (OLD, "1-2-3", "never")] == ["1", "1-2", None]
    assert [ALL.bore(code, OLD) for code in CODES] == [True, True, True, False]
    assert [ALL.bore(code, "1-2-3") for code in CODES] == [False, False, False, True]
    assert ALL.bore(replace(ALIKE, custom="bare"), "1-2-bare"), "the name that it has"


@pytest.mark.parametrize(("jti", "serial", "issued_at", "code"), [
    ("feed0001-1-x", 1, 999, NOW), ("feed0001-1-x", 3, 0, GONE), ("feed0001-1-x", 9, 0, OTHER),
    ("feed0002-1-x", 9, 250, GONE),
])  # fmt: skip
def test_a_lease_belongs_to_who_bore_its_name_when_it_was_given(
    jti: str, serial: int, issued_at: int, code: Code
) -> None:
    lease = cast("Lease", SimpleNamespace(jti=jti, handshake_code=OLD, serial=serial, issued_at=issued_at))
    assert ALL.bearer(lease) is code
    never = cast("Lease", SimpleNamespace(jti=jti, handshake_code="never", serial=serial, issued_at=issued_at))
    assert ALL.bearer(never) is None


def test_settings_are_keyed_by_the_rest_of_their_names() -> None:
    settings = {"user:a": {"x": 1}, "user:b": 7, "users:c": {"x": 2}, "a user:d": {}, "user:": {}}
    assert Catalog(settings=settings).settings_of("user:") == {"a": {"x": 1}, "": {}}


def test_a_code_spelled_as_another_organizations_says_so() -> None:
    [notice] = spelled_alike(ALL, "1-2", "old")
    assert (notice.code, notice.params) == ("code-spelled-alike", {"name": OLD, "organization": "1"})
    assert spelled_alike(ALL, "1", "2-old") == ()
    assert spelled_alike(ALL, "1-2", "never") == ()


def test_two_codes_of_one_name_are_shown_and_which_of_them_is_meant() -> None:
    twin = replace(NOW, key=9)
    [notice] = named_twice(catalog(twin, *CODES, replace(twin, key=10, removed=True)))
    assert notice.params == {"name": "1-new", "codes": "#1 and #9", "meant": "#1"}
    assert "go to #1; give the other one another name" in notice.detail
    assert named_twice(ALL) == []
