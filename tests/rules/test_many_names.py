"""Names by the thousand: what a request costs grows with what is asked and what items have, never with their product.

An item may have 10,000 modules or domains, a code thousands of items, a request 1,000 modules, a report thousands of
types, and a license file 10,000 revoked ids.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from lts.cli.administer import license_show
from lts.protocol import SLOTS_PER_DAY, Lease
from lts.rules.licensing import licensefile
from lts.rules.licensing.catalog import Code, CodeBinding, CodeItem, LicenseItem
from lts.rules.licensing.licensefile import License
from lts.rules.metering import usage
from lts.rules.metering.admission import admit
from lts.rules.metering.authorize import decide
from lts.rules.metering.checks import ItemUse, Request
from lts.rules.metering.usage import Entry
from lts.rules.values import domains
from lts.service.licensing.importeffects import effects
from lts.service.pair import delegated
from lts.store.writing.snapshot import View
from tests.rules.test_authorize_rules import ASKED, GOOD, SITE
from tests.rules.test_usage_rules import lease
from tests.support.cost import assert_linear, assert_no_dearer
from tests.support.kit import NOON, at, item
from tests.web.test_outside import licensed

MOST = 8000


def names(count: int, kind: str = "m") -> tuple[str, ...]:
    return tuple(f"{kind}{number}" for number in range(count))


def code_of(*kinds: dict[str, Any]) -> Code:
    """A code with an item for each of these changes of a good one."""
    terms = [replace(GOOD, item_id=str(key), **changes) for key, changes in enumerate(kinds, 1)]
    entries = [CodeItem(LicenseItem(key, "1", "vendor", "o", each)) for key, each in enumerate(terms, 1)]
    return Code(1, "o", "code", tuple(entries))


def ask(given: tuple[Code, Request]) -> int:
    """Decide as an authorization and as *Why?* do; the refusal, 0 for none."""
    code, request = given
    decide(code, request, lambda _: ItemUse(), at(NOON))
    return decide(code, request, lambda _: ItemUse(), at(NOON), ()).fault


Made = Callable[[int], tuple[Code, Request]]
MODULES: dict[str, Made] = {
    "one item, all of it": lambda n: (code_of({"modules": names(n)}), ASKED._replace(modules=())),
    "one item, each of them": lambda n: (code_of({"modules": names(n)}), ASKED._replace(modules=names(n))),
    "unknown ones of many items": lambda n: (
        code_of(*[{"modules": names(10)}] * (n // 4)), ASKED._replace(modules=names(n, "zz"))),
    "some unknown of many items": lambda n: (
        code_of(*[{"modules": names(10)}] * (n // 4)), ASKED._replace(modules=(*names(10), *names(n, "zz")))),
    "an item for each": lambda n: (
        code_of(*[{"modules": (name,)} for name in names(n // 4)]), ASKED._replace(modules=names(n // 4))),
    "many items that have some": lambda n: (
        code_of({"modules": names(n, "zz")}, *[{"modules": names(10)}] * (n // 4)),
        ASKED._replace(modules=(*names(10), *names(n, "zz")))),
}  # fmt: skip


@pytest.mark.parametrize("kind", MODULES)
def test_modules_by_the_thousand_are_found_in_linear_time(kind: str) -> None:
    assert ask(MODULES[kind](80)) == (124 if "unknown" in kind else 0)
    assert_linear(MODULES[kind], ask, MOST)


def of_a_site(count: int) -> tuple[Code, Request]:
    shops = tuple(f"shop-{number}.example.com" for number in range(count))
    code = replace(code_of({**SITE, "domains": shops}), validation=CodeBinding(domains=shops))
    return code, ASKED._replace(charge_way="domain", domain="a.shop-7.example.com", modules=())


def test_a_domain_is_looked_up_in_no_more_time_among_many_than_among_few() -> None:
    (few, request), (many, _) = of_a_site(90), of_a_site(9000)

    def visit(code: Code) -> None:
        for _ in range(100):
            admit(code, request)
            assert ask((code, request)) == 0

    assert_no_dearer(lambda: visit(many), lambda: visit(few), 3)


def test_domains_are_put_into_one_form_when_they_are_read_and_never_again(monkeypatch: pytest.MonkeyPatch) -> None:
    code, request = of_a_site(6000)
    admit(code, request)
    asked: list[str] = []

    def counted(name: str) -> str:
        asked.append(name)
        return name

    monkeypatch.setattr(domains, "normalize", counted)
    admit(code, request)
    ask((code, request))
    assert set(asked) == {request.domain}


def gather(given: tuple[Lease, list[Entry]]) -> None:
    usage.gather(*given)


def test_types_by_the_thousand_find_their_items_in_linear_time() -> None:
    def reported(count: int) -> tuple[Lease, list[Entry]]:
        entries = [Entry(SLOTS_PER_DAY, "", dict.fromkeys(names(count, "t"), 1))]
        return lease((1, names(count)), (1, names(count, "n"))), entries

    assert_linear(reported, gather, MOST)


def revoking(count: int) -> License:
    """A license of `count` items, all past their end, that revokes as many others."""
    items = [item(str(number), endsAt=None, expiresAt="2020-01-01", startsAt="2019-01-01") for number in range(count)]
    return licensefile.read(licensed(items=items, revokes=[f"r{number}" for number in range(count)]))


def told(file: License) -> None:
    """All that is asked of a license whose items may be revoked."""
    licensefile.compare(None, file)
    licensefile.compare(replace(file, digest="", revision=0), file)
    licensefile.render(file)
    delegated._goes_on(file, NOON)
    for each in file.items:
        license_show._row(each, file)


def being_revoked(count: int) -> tuple[View, dict[str, int], License]:
    """What the server holds, its items by id, and a license that revokes them all."""
    held = {key: LicenseItem(key, "1", "vendor", "o", replace(GOOD, item_id=str(key))) for key in range(count)}
    view = SimpleNamespace(catalog=SimpleNamespace(items=held))
    known = {str(key): key for key in held}
    return cast("View", view), known, cast("License", SimpleNamespace(items=()))


def foretell(given: tuple[View, dict[str, int], License]) -> None:
    view, known, new = given
    effects(view, known, new, tuple(known), at(NOON))


def test_what_an_import_ends_is_found_in_linear_time() -> None:
    assert_linear(being_revoked, foretell, MOST)


def test_items_and_revoked_ones_by_the_thousand_are_compared_in_linear_time() -> None:
    assert_linear(revoking, told, 3000)
