"""Two administrators at once: what is absent from a change stays, and what another changed meanwhile is not undone."""

from __future__ import annotations

from typing import Any

import pytest

from lts.errors import AdminError
from lts.service.access import accounts
from lts.service.alerting import alertsettings
from lts.service.licensing import handshakes, serverurls
from lts.web.admin.jsonpieces import as_json
from tests.support.kit import NOON, Lab, item

MAIL = {"host": "mail.example.com", "port": 587, "from": "a@example.com", "to": "b@example.com"}


def edit(server: Lab, code: str, **changes: Any) -> str:
    return handshakes.edit(server.ctx, code, changes, "test", NOON).name


def bound(server: Lab) -> dict[str, list[str]]:
    [code] = handshakes.describe(server.ctx)
    return {name: values for name, values in as_json(code.validation).items() if values}


def test_each_kind_of_binding_stays_until_it_is_named(server: Lab) -> None:
    code = server.load(item())
    edit(server, code, validation={"domains": ["shop.de"], "applicationIds": ["a"]})
    edit(server, code, validation={"processNames": ["till.exe"]})
    assert bound(server) == {"domains": ["shop.de"], "applicationIds": ["a"], "processNames": ["till.exe"]}
    edit(server, code, validation={"domains": []})
    assert bound(server) == {"applicationIds": ["a"], "processNames": ["till.exe"]}


@pytest.mark.parametrize(
    ("field", "was", "other", "mine"),
    [
        ("custom", "100", "b", "a"),
        ("note", "", "b", "a"),
        ("manualOrder", False, True, False),
        ("items", [{"id": 1, "cap": None}], [], [{"id": 1, "cap": 5}]),
        ("validation", {"domains": []}, {"domains": ["b.de"]}, {"domains": ["a.de"]}),
    ],
)
def test_a_field_of_a_code_that_another_changed_meanwhile_is_not_overwritten(
    server: Lab, field: str, was: Any, other: Any, mine: Any
) -> None:
    server.load(item())
    edit(server, "#1", **{field: other})
    before = handshakes.describe(server.ctx)
    given = {"manualOrder": False, field: mine, "was": {field: was}}
    if field != "manualOrder":
        with pytest.raises(AdminError) as caught:
            edit(server, "#1", **given)
        assert (caught.value.code, caught.value.status) == ("changed-meanwhile", 409)
        assert handshakes.describe(server.ctx) == before
    edit(server, "#1", **{field: other, "was": {field: was}})  # it is as wanted already
    edit(server, "#1", **{field: mine, "was": {field: other}})  # read again


def test_what_another_changed_beside_it_stays(server: Lab) -> None:
    server.load(item("a"), item("b"))
    handshakes.add(server.ctx, "216998", {"custom": "x", "items": [{"id": 1}]}, "test", NOON)
    edit(server, "#2", custom="y", items=[{"id": 1}, {"id": 2}], validation={"domains": ["b.de"]})
    edit(server, "#2", note="mine", validation={"processNames": ["p"]},
         was={"note": "", "validation": {"processNames": []}})  # fmt: skip
    code = handshakes.describe(server.ctx)[1]
    assert (code.custom, code.note, len(code.items)) == ("y", "mine", 2)
    assert as_json(code.validation) == {"domains": ["b.de"], "applicationIds": [], "processNames": ["p"]}


def test_a_bad_was_is_refused(server: Lab) -> None:
    server.load(item())
    for was, code in (("x", "bad-field"), ({"key": 1}, "unknown-field")):
        with pytest.raises(AdminError) as caught:
            edit(server, "#1", note="a", was=was)
        assert caught.value.code == code


def refused(change: Any, *given: Any) -> None:
    with pytest.raises(AdminError) as caught:
        change(*given)
    assert caught.value.code == "changed-meanwhile"


def test_settings_that_another_changed_meanwhile_are_not_overwritten(server: Lab) -> None:
    ctx = server.ctx
    urls = serverurls.describe(ctx).urls
    serverurls.change(ctx, ["https://b.example.com/"], "b", NOON, {"urls": urls})
    refused(serverurls.change, ctx, ["https://a.example.com/"], "a", NOON, {"urls": urls})

    alertsettings.change_mail(ctx, {**MAIL, "was": None}, "b", NOON)
    refused(alertsettings.change_mail, ctx, {**MAIL, "was": None}, "a", NOON)
    alertsettings.change_mail(
        ctx, {**MAIL, "port": 25, "was": as_json(alertsettings.describe_mail(ctx.store.catalog))}, "a", NOON
    )

    levels = {name: list(values) for name, values in alertsettings.levels_of(ctx.store.catalog).items()}
    first, second = list(levels)[:2]
    alertsettings.change_levels(ctx, {first: [50]}, "b", NOON, {first: levels[first]})
    alertsettings.change_levels(ctx, {second: [60]}, "a", NOON, {second: levels[second]})
    refused(alertsettings.change_levels, ctx, {first: [70]}, "a", NOON, {first: levels[first]})
    assert [alertsettings.levels_of(ctx.store.catalog)[name] for name in (first, second)] == [(50,), (60,)]

    accounts.add_user(ctx, "ana", "reader", "correct horse battery", "b", NOON)
    accounts.edit_user(ctx, "ana", {"role": "administrator", "was": {"role": "reader"}}, "b", NOON)
    accounts.edit_user(ctx, "ana", {"password": "correct horse staple"}, "a", NOON)
    assert accounts.describe_users(ctx)[-1].role == "administrator"
