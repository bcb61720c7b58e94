"""A change of a setting after a restore is in effect and stays so; test_every_kind.py has the rest.

docs/design/pair.md, Both serving. Origins have random names, so everything is tried in both orders of them.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lts.service.access import accounts
from lts.service.alerting import alertsettings
from lts.service.core import identity
from lts.service.licensing import handshakes, serverurls
from lts.store import replay
from lts.store.tables import audit
from tests.support.kit import ORGANIZATION, FakeTime, Lab, Vendor, item, lab

LOWEST, HIGHEST = "00" * 8, "ff" * 8
"""Incarnations below and above every random one."""
SECOND = f"{ORGANIZATION}-second"
URL = "https://lts.example.com/lts/"

Change = tuple[Callable[[Lab], Any], Callable[[Lab], Any], Any]
"""What is done after the restore, what shows it, and what that must say."""


def note(server: Lab) -> str:
    return server.ctx.store.catalog.codes[SECOND].note


def edit(**changes: Any) -> Callable[[Lab], Any]:
    return lambda server: handshakes.edit(server.ctx, SECOND, changes, "test", server.time.now)


def mail(**changes: Any) -> dict[str, Any]:
    return {"host": "mail.example.com", "port": 25, "security": "none", "from": "a@example.com", "to": "b@example.com",
            "user": "", "password": "", "cc": "", "bcc": "", "caFile": "", "language": "en", **changes}  # fmt: skip


def names(found: list[dict[str, Any]]) -> list[str]:
    return [one["name"] for one in found]


CHANGES: dict[str, Change] = {
    "code edited": (edit(note="new"), note, "new"),
    "code removed": (
        lambda s: handshakes.remove(s.ctx, SECOND, "test", s.time.now),
        lambda s: SECOND in s.ctx.store.catalog.codes,
        False,
    ),
    "default code": (edit(isDefault=True), lambda s: s.ctx.store.catalog.defaults[ORGANIZATION].name, SECOND),
    "user edited": (
        lambda s: accounts.edit_user(s.ctx, "Bea", {"role": "administrator"}, "test", s.time.now),
        lambda s: accounts.users_of(s.ctx.store.catalog)["Bea"]["role"],
        "administrator",
    ),
    "user removed": (
        lambda s: accounts.remove_user(s.ctx, "Bea", "test", s.time.now),
        lambda s: "Bea" in accounts.users_of(s.ctx.store.catalog),
        False,
    ),
    "token removed": (
        lambda s: accounts.remove_token(s.ctx, accounts.describe_tokens(s.ctx)[0].id, "test", s.time.now),
        lambda s: accounts.describe_tokens(s.ctx),
        [],
    ),
    "mail": (
        lambda s: alertsettings.change_mail(s.ctx, mail(host="other.example.com"), "test", s.time.now),
        lambda s: getattr(alertsettings.describe_mail(s.ctx.store.catalog), "host", None),
        "other.example.com",
    ),
    "levels": (
        lambda s: alertsettings.change_levels(s.ctx, {"scan": [50]}, "test", s.time.now),
        lambda s: alertsettings.levels_of(s.ctx.store.catalog)["scan"],
        (50,),
    ),
    "webhook removed": (
        lambda s: alertsettings.remove_webhook(s.ctx, alertsettings.webhooks_of(s.ctx)[0].id, "test", s.time.now),
        lambda s: alertsettings.describe_webhooks(s.ctx),
        [],
    ),
    "calendar": (
        lambda s: s.__dict__.update(key=alertsettings.calendar_key(s.ctx, "test", s.time.now, renew=True)),
        lambda s: alertsettings.calendar_key(s.ctx, "test", s.time.now) == s.__dict__["key"],
        True,
    ),
    "server URLs": (
        lambda s: serverurls.change(s.ctx, ["https://new.example.com/lts/"], "test", s.time.now),
        lambda s: serverurls.describe(s.ctx).urls,
        ["https://new.example.com/lts/"],
    ),
}  # fmt: skip


def set_up(server: Lab) -> None:
    ctx, now = server.ctx, server.time.now
    server.load(item("one"), item("two"))
    handshakes.add(ctx, ORGANIZATION, {"custom": "second", "note": "as it was"}, "test", now)
    accounts.add_user(ctx, "Bea", "reader", "a few good words", "test", now)
    accounts.add_token(ctx, "script", "reader", "test", now)
    alertsettings.change_mail(ctx, mail(), "test", now)
    alertsettings.change_levels(ctx, {"scan": [80]}, "test", now)
    alertsettings.add_webhook(ctx, "chat", "https://hooks.example.com/lts", "test", now)
    alertsettings.calendar_key(ctx, "test", now)
    serverurls.change(ctx, [URL], "test", now)


def under(monkeypatch: pytest.MonkeyPatch, folder: Path, incarnation: str) -> None:
    """The folder's next feed has this name, as if by chance."""
    monkeypatch.setattr(secrets, "token_hex", lambda size: incarnation)
    identity.renew_incarnation(folder)
    monkeypatch.undo()


def verified(server: Lab, target: Path) -> list[str]:
    return replay.compare(server.ctx.store.path, server.ctx.store.path.parent / "archive", target)


@pytest.mark.parametrize("order", [(LOWEST, HIGHEST), (HIGHEST, LOWEST)], ids=["rising", "falling"])
@pytest.mark.parametrize("what", CHANGES)
@pytest.mark.slow
def test_a_change_after_two_restores_is_in_effect(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, what: str, order: tuple[str, str]
) -> None:
    time, vendor = FakeTime(), Vendor()
    with lab(tmp_path, time, vendor) as first:
        set_up(first)
        folder = first.ctx.store.path.parent
    change, shown, wanted = CHANGES[what]
    under(monkeypatch, folder, order[0])
    with lab(tmp_path, time, vendor) as second:
        edit(note="in between")(second)
    under(monkeypatch, folder, order[1])
    with lab(tmp_path, time, vendor) as third:
        change(third)
        assert shown(third) == wanted
    with lab(tmp_path, time, vendor) as restarted:
        if what != "calendar":
            assert shown(restarted) == wanted
        assert verified(restarted, tmp_path / "replayed") == []
        with restarted.ctx.store.reader() as db:
            lines = audit.lines(db, audit.AuditFilter(), 0, 100)
        assert [line.action for line in lines].count("serves-continued") == 2
        assert not any(line.overruled for line in lines)
