"""Codes of two organizations that are spelled alike, and where an import puts new items.

See docs/design/license-files.md, Import.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lts.errors import AdminError, Refusal
from lts.protocol import LicenseKey
from lts.rules.licensing import licensefile
from lts.rules.licensing.licensefile import License
from lts.service.alerting import alerts
from lts.service.licensing import codeuse, handshakes, licenses
from lts.service.licensing.licenses import Choice, Preview
from lts.service.maintenance import attention
from lts.service.statistics import usage
from lts.vendor import issuing
from tests.support.kit import NOON, ORGANIZATION, Lab, item

SPELLED = "1-2-3"


def take(server: Lab, sold: License, choice: Choice = Choice()) -> Preview:  # noqa: B008 - frozen
    data = licensefile.render(sold).encode()
    return licenses.import_license(server.ctx, data, choice, "test", server.time.now)


def sell(server: Lab, *items: dict[str, Any], **more: str) -> License:
    return server.vendor.activate(server.vendor.issue(*items, **more), server.ctx)


def grow(server: Lab, sold: License, *items: dict[str, Any]) -> License:
    """The license with more items."""
    return issuing.amend(sold, {"items": list(items)}, server.vendor.key, "Vendor")


def places(server: Lab) -> dict[str, list[str]]:
    """Items by organization and name of the code."""
    return {
        f"{code.organization_id}/{code.custom}": [entry.item.terms.item_id for entry in code.items]
        for code in server.ctx.store.catalog.present
    }


def refused(server: Lab, **more: Any) -> int | str:
    """The refusal of a request by the name of both."""
    with pytest.raises(Refusal) as caught:
        server.authorize(SPELLED, **more)
    return caught.value.code


def test_two_organizations_whose_codes_are_spelled_alike_live_side_by_side(server: Lab) -> None:
    first = take(server, sell(server, item("a"), organization="1", license_id="2-3"))
    assert (first.handshake_code, first.notices) == (SPELLED, ())
    server.time.forward(60)
    second = take(server, sell(server, item("b"), organization="1-2", license_id="3"))
    assert [notice.code for notice in second.notices] == ["code-spelled-alike"]
    assert second.notices[0].params["organization"] == "1"
    assert SPELLED in second.notices[0].detail
    assert places(server) == {"1/2-3": ["a"], "1-2/3": ["b"]}
    assert server.authorize(SPELLED).items[0].item_id == "a", "as before"
    assert server.authorize(SPELLED, organization_id="1").items[0].item_id == "a"
    newer = server.authorize(SPELLED, organization_id="1-2")
    assert newer.items[0].item_id == "b"
    server.report(newer.lease, {"QR": 3})
    assert (server.used(1), server.used(2)) == (0, 3)
    with pytest.raises(Refusal) as caught:
        server.authorize(SPELLED, organization_id="1-2-3")
    assert caught.value.code == 122
    keys = {
        c.organization_id: LicenseKey.decode(c.license_key or "") for c in handshakes.describe(server.ctx, keys=True)
    }
    assert {key.organization_id: key.handshake_code for key in keys.values()} == {"1": SPELLED, "1-2": SPELLED}


def test_each_of_two_codes_spelled_alike_can_be_named(server: Lab) -> None:
    take(server, sell(server, item("a"), organization="1", license_id="2-3"))
    server.time.forward(60)
    take(server, sell(server, item("b"), organization="1-2", license_id="3"))
    handshakes.edit(server.ctx, SPELLED, {"note": "new"}, "test", NOON, "1-2")
    handshakes.edit(server.ctx, "#1", {"note": "old"}, "test", NOON)
    assert {c.organization_id: c.note for c in server.ctx.store.catalog.present} == {"1": "old", "1-2": "new"}
    server.report(server.authorize(SPELLED, organization_id="1-2").lease, {"QR": 3})
    assert usage.usage(server.ctx, code=SPELLED, organization="1").total == 0
    assert usage.usage(server.ctx, code=SPELLED, organization="1-2").total == 3
    handshakes.remove(server.ctx, SPELLED, "test", NOON, "1")
    assert usage.usage(server.ctx, code=SPELLED).total == 3, "the only one that is there"
    assert refused(server) == 101, "the name alone was the other organization's"
    assert server.authorize(SPELLED, organization_id="1-2").items[0].item_id == "b"
    handshakes.edit(server.ctx, SPELLED, {"note": "only"}, "test", NOON)
    assert [c.note for c in server.ctx.store.catalog.present] == ["only"], "whoever administers means the one there is"
    assert alerts.check(server.ctx, NOON) is None


def test_of_two_codes_spelled_alike_none_is_taken_by_the_name_alone(server: Lab) -> None:
    take(server, sell(server, item("a"), organization="1", license_id="2-3"))
    take(server, sell(server, item("b"), organization="1-2", license_id="3"))
    ctx, said = server.ctx, "2 handshake codes are spelled 1-2-3: #1 of organization 1 and #2 of organization 1-2"
    tries: list[Callable[[], object]] = [
        lambda: handshakes.edit(ctx, SPELLED, {"note": "n"}, "test", NOON),
        lambda: handshakes.remove(ctx, f" {SPELLED} ", "test", NOON),
        lambda: handshakes.license_key(ctx, SPELLED),
        lambda: codeuse.code_use(ctx, SPELLED, NOON),
        lambda: usage.usage(ctx, code=SPELLED),
    ]
    for attempt in tries:
        with pytest.raises(AdminError, match=said):
            attempt()
    with pytest.raises(AdminError, match="no handshake code '#1' of organization 1-2"):
        handshakes.remove(ctx, "#1", "test", NOON, "1-2")
    for number in ("#1", "#2"):
        handshakes.remove(ctx, number, "test", NOON)
    with pytest.raises(AdminError, match=said):
        usage.usage(ctx, code=SPELLED)
    assert usage.usage(ctx, code=SPELLED, organization=" 1-2 ").total == 0


def test_whoever_gives_a_code_a_name_that_another_organizations_has_is_warned(server: Lab) -> None:
    take(server, sell(server, item("a"), organization="1", license_id="2-3"))
    take(server, sell(server, item("b"), organization="1-2", license_id="x"))
    added = handshakes.add(server.ctx, "1-2", {"custom": "3"}, "test", NOON)
    assert [notice.params["organization"] for notice in added.notices] == ["1"]
    handshakes.edit(server.ctx, f"#{added.key}", {"custom": "4"}, "test", NOON)
    renamed = handshakes.edit(server.ctx, "1-2-4", {"custom": "3"}, "test", NOON)
    assert [notice.code for notice in renamed.notices] == ["code-spelled-alike"]
    assert handshakes.edit(server.ctx, f"#{added.key}", {"custom": "3", "note": "n"}, "test", NOON).notices == ()


def test_usage_is_that_of_what_is_asked_for_or_none(server: Lab) -> None:
    """A word that names nothing must not give the usage of everything."""
    take(server, sell(server, item("scan"), organization="1", license_id="2"))
    take(server, sell(server, item("scan"), item("3"), organization="7", license_id="7"))
    for name, units in (("1-2", 3), ("7-7", 5)):
        server.report(server.authorize(name).lease, {"QR": units})
    ctx = server.ctx
    assert usage.usage(ctx, organization="7").total == 5
    assert usage.usage(ctx, item="scan").total == 8
    assert usage.usage(ctx, item="scan", organization="1").total == 3
    assert [usage.usage(ctx, item=f"#{n}").total for n in (1, 2, 3)] == [3, 5, 0]
    assert [one.key for one in usage.usage(ctx, item="2").items or ()] == [2], "nobody's id"
    assert [one.key for one in usage.usage(ctx, item="3").items or ()] == [3], "somebody's id"
    assert usage.overview(ctx, NOON, organization="7").days[0].devices is None
    for wrong in ({"organization": "nope"}, {"code": "1-nope"}, {"item": "#9"}, {"item": "3", "organization": "1"}):
        with pytest.raises(AdminError) as caught:
            usage.usage(ctx, **wrong)
        assert caught.value.status == 404, wrong


def test_a_code_that_takes_a_name_later_does_not_take_its_requests(server: Lab) -> None:
    take(server, sell(server, item("a"), organization="1", license_id="x"))
    server.time.forward(60)
    take(server, sell(server, item("b"), organization="1-2", license_id="3"))
    server.time.forward(60)
    handshakes.edit(server.ctx, "1-x", {"custom": "2-3"}, "test", server.time.now)
    assert server.authorize(SPELLED).items[0].item_id == "b"
    assert server.authorize(SPELLED, organization_id="1").items[0].item_id == "a"


def test_a_clock_set_back_gives_a_name_to_nobody_else(server: Lab) -> None:
    take(server, sell(server, item("a"), organization="1-2", license_id="3"))
    server.time.wall -= 3600
    take(server, sell(server, item("b"), organization="1", license_id="2-3"))
    assert server.authorize(SPELLED).items[0].item_id == "a", "it had the name first"


def test_a_code_that_gets_another_name_leaves_its_requests_to_no_other_organization(server: Lab) -> None:
    take(server, sell(server, item("a"), organization="1", license_id="2-3"))
    take(server, sell(server, item("b"), organization="1-2", license_id="3"))
    handshakes.edit(server.ctx, SPELLED, {"custom": "away"}, "test", NOON, "1")
    assert refused(server) == 101
    assert refused(server, organization_id="1") == 122
    assert server.authorize(SPELLED, organization_id="1-2").items[0].item_id == "b"
    handshakes.edit(server.ctx, "1-away", {"custom": "2-3"}, "test", NOON)
    assert server.authorize(SPELLED).items[0].item_id == "a"
    with pytest.raises(AdminError, match="2 handshake codes are spelled 1-2-3"):
        handshakes.find(server.ctx.store.catalog, SPELLED)  # an administrator says which


def test_a_name_that_was_another_organizations_is_reported_at_the_import(server: Lab) -> None:
    take(server, sell(server, item("a"), organization="1", license_id="2-3"))
    handshakes.edit(server.ctx, SPELLED, {"custom": "away"}, "test", NOON)
    [notice] = take(server, sell(server, item("b"), organization="1-2", license_id="3")).notices
    assert (notice.code, notice.params) == ("code-spelled-alike", {"name": SPELLED, "organization": "1"})


def test_a_renamed_code_of_two_alike_shows_requests_for_its_former_name(server: Lab) -> None:
    take(server, sell(server, item("a"), organization="1", license_id="2-3"))
    take(server, sell(server, item("b"), organization="1-2", license_id="3"))
    handshakes.edit(server.ctx, SPELLED, {"custom": "away"}, "test", NOON, "1")
    assert (refused(server), refused(server, organization_id="1")) == (101, 122)
    refused(server, organization_id="else")
    server.ctx.refusals.flush(server.ctx.store, NOON)
    [told] = [n for n in attention.notices(server.ctx, NOON) if n.code == "code-former-name"]
    assert (told.params["code"], told.params["former"], told.params["refused"]) == ("1-away", SPELLED, 2)


def test_an_import_never_touches_a_code_of_another_organization(server: Lab) -> None:
    take(server, sell(server, item("a"), organization="1", license_id="2-3"))
    with pytest.raises(AdminError) as caught:
        take(server, sell(server, item("b"), organization="1-2", license_id="4"), Choice(to_code=SPELLED))
    assert caught.value.code == "other-organization"
    assert places(server) == {"1/2-3": ["a"]}


def test_an_import_adds_to_no_code_that_was_made_by_hand_and_says_so(server: Lab) -> None:
    take(server, sell(server, item("a")))
    handshakes.add(server.ctx, ORGANIZATION, {"custom": "200"}, "test", NOON)
    handshakes.add(server.ctx, ORGANIZATION, {"custom": "200-2"}, "test", NOON)
    done = take(server, sold := sell(server, item("b"), license_id="200"))
    assert done.handshake_code == f"{ORGANIZATION}-200-3"
    [notice] = done.notices
    assert (notice.code, notice.params) == (
        "code-name-taken", {"name": f"{ORGANIZATION}-200", "code": f"{ORGANIZATION}-200-3"},
    )  # fmt: skip
    assert places(server) == {f"{ORGANIZATION}/{custom}": items for custom, items in
                              {"100": ["a"], "200": [], "200-2": [], "200-3": ["b"]}.items()}  # fmt: skip
    take(server, grow(server, sold, item("c")))
    assert places(server)[f"{ORGANIZATION}/200-3"] == ["b", "c"]


def test_a_name_that_is_asked_for_must_be_free(server: Lab) -> None:
    sold = sell(server, item("a"))
    take(server, sold)
    for choice, license_file in (
        (Choice(new_code="100"), sell(server, item("b"), license_id="200")),
        (Choice(new_code="100"), grow(server, sold, item("b"))),
    ):
        with pytest.raises(AdminError) as caught:
            take(server, license_file, choice)
        assert caught.value.code == "code-exists"
    take(server, grow(server, sold, item("a", quota=7)), Choice(new_code="100"))
    assert server.ctx.store.catalog.items[1].terms.quota == 7, "without new items no place is needed"


@pytest.mark.parametrize("choice", [Choice(), Choice(new_code="team")])
def test_new_items_of_a_renewal_follow_the_code_of_the_first_import_under_any_name(server: Lab, choice: Choice) -> None:
    sold = sell(server, item("a"))
    code = take(server, sold, choice).handshake_code or ""
    handshakes.edit(server.ctx, code, {"custom": "moved"}, "test", NOON)
    handshakes.add(server.ctx, ORGANIZATION, {"custom": code.removeprefix(f"{ORGANIZATION}-")}, "test", NOON)
    done = take(server, grow(server, sold, item("b", product="writer")))
    assert (done.handshake_code, done.code_exists, done.notices) == (f"{ORGANIZATION}-moved", True, ())
    assert places(server)[f"{ORGANIZATION}/moved"] == ["a", "b"]


def test_new_items_of_a_renewal_get_a_code_when_that_of_the_first_import_is_gone(server: Lab) -> None:
    sold = sell(server, item("a"))
    code = take(server, sold).handshake_code or ""
    handshakes.remove(server.ctx, code, "test", NOON)
    assert take(server, grow(server, sold, item("b"))).handshake_code == code
    assert places(server) == {f"{ORGANIZATION}/100": ["b"]}
    assert set(server.ctx.store.catalog.codes_by_key) == {1, 2}


def test_a_code_made_by_hand_right_after_an_import_is_not_the_one_that_an_import_made(server: Lab) -> None:
    sold = sell(server, item("a"))
    handshakes.remove(server.ctx, take(server, sold).handshake_code or "", "test", NOON)
    take(server, sold := grow(server, sold, item("a", quota=7)))
    handshakes.add(server.ctx, ORGANIZATION, {"custom": "100"}, "test", NOON)
    assert take(server, grow(server, sold, item("b"))).handshake_code == f"{ORGANIZATION}-100-2"
    assert places(server) == {f"{ORGANIZATION}/100": [], f"{ORGANIZATION}/100-2": ["b"]}
