"""Every kind of change is in effect after a restore, in a moved folder, and on either server of a pair run alone.

docs/design/pair.md, Both serving. Origins have random names, so everything is tried in both orders of them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from lts.errors import Refusal
from lts.protocol import DAY_SECONDS
from lts.rules.licensing import licensefile
from lts.rules.licensing.vendorkey import fingerprint
from lts.rules.metering import clonetokens
from lts.server import opened
from lts.service.alerting import alerts
from lts.service.core import identity
from lts.service.licensing import archiving, handshakes, licenses
from lts.service.licensing.licenses import Choice
from lts.service.maintenance import days
from lts.service.metering import release
from lts.service.statistics import usage
from lts.store import sql
from lts.store.changes import records
from lts.store.changes.records import ChangeKind
from lts.store.tables import alerts as messages
from lts.store.tables import audit, devices
from lts.store.writing.transaction import Transaction
from tests.service.test_continued import CHANGES, HIGHEST, LOWEST, edit, set_up, under, verified
from tests.support.duet import LABELS as PAIR_LABELS
from tests.support.duet import Duet
from tests.support.kit import DAY, LABELS, NOON, ORGANIZATION, FakeTime, Lab, Vendor, config_for, item, lab

LOW, HIGH = "00000000-0000-8000-8000-000000000001", "FFFFFFFF-FFFF-8FFF-BFFF-FFFFFFFFFFFF"
"""LTS UUIDs below and above every random one."""
RISING = {"rising": True, "falling": False}
CODE, DEVICE = f"{ORGANIZATION}-300", str(UUID(int=77))
ALWAYS = {ChangeKind.ORIGIN, ChangeKind.EPOCH}
"""Written when a folder is opened."""
AN_OLD_DAY = DAY // DAY_SECONDS - 45


@contextlib.contextmanager
def restored(monkeypatch: pytest.MonkeyPatch, folder: Path, *, rising: bool) -> Iterator[Lab]:
    """A server that was restored twice, with a change in between."""
    time, vendor = FakeTime(), Vendor()
    with lab(folder, time, vendor) as first:
        set_up(first)
    under(monkeypatch, folder / "data", LOWEST if rising else HIGHEST)
    with lab(folder, time, vendor) as second:
        edit(note="in between")(second)
    under(monkeypatch, folder / "data", HIGHEST if rising else LOWEST)
    with lab(folder, time, vendor) as third:
        yield third


@contextlib.contextmanager
def moved(monkeypatch: pytest.MonkeyPatch, folder: Path, *, rising: bool) -> Iterator[Lab]:
    """A server whose folder went to another machine twice, with a change in between."""
    time, vendor = FakeTime(), Vendor()
    with lab(folder, time, vendor) as first:
        set_up(first)
    for number, uuid in enumerate((LOW, HIGH) if rising else (HIGH, LOW)):
        machine = tuple(f"{label}-{number}" for label in LABELS)
        monkeypatch.setattr(identity, "_new_uuid", {machine: uuid}.__getitem__)
        config = config_for(folder)
        with opened(config, read_labels=partial(tuple, machine), clock=time.clock()) as here:
            server = Lab(here, time, vendor, config)
            if number:
                yield server
            else:
                edit(note="in between")(server)


@contextlib.contextmanager
def alone(monkeypatch: pytest.MonkeyPatch, folder: Path, *, rising: bool, name: str) -> Iterator[Lab]:
    """A server of a pair without the other: both had served, and each had changed something."""
    uuids = dict(zip(PAIR_LABELS.values(), (LOW, HIGH) if rising else (HIGH, LOW), strict=True))
    monkeypatch.setattr(identity, "_new_uuid", uuids.__getitem__)
    duet = Duet(folder)
    duet.main.open()
    duet.run(16)
    set_up(duet.main.server)
    duet.settle()
    duet.main.close()
    duet.run(17)
    edit(note="by the standby")(duet.standby.server)
    duet.settle()
    edit(note="by the main")(duet.main.server)
    duet.settle()
    duet.close()
    config = config_for(folder / name)
    with opened(config, read_labels=lambda: PAIR_LABELS[name], clock=duet.time.clock()) as here:
        duet.forward(2)  # in which it listens whether the other one serves
        yield Lab(here, duet.time, duet.vendor, config)


WAYS: dict[str, Callable[..., contextlib.AbstractContextManager[Lab]]] = {
    "restored": restored,
    "moved": moved,
    "main alone": lambda *given, rising: alone(*given, rising=rising, name="main"),
    "standby alone": lambda *given, rising: alone(*given, rising=rising, name="standby"),
}


def state(server: Lab, item_id: str) -> str:
    """Of an item."""
    return str(next(e for e in server.ctx.store.catalog.items.values() if e.terms.item_id == item_id).state)


def seats(server: Lab) -> int:
    """Live ones."""
    keys = [key for key, entry in server.ctx.store.catalog.items.items() if entry.terms.item_id == "seat"]
    return sum(server.live(key) for key in keys)


def write(server: Lab, *made: records.Record) -> None:
    def operation(tx: Transaction) -> None:
        for record in made:
            tx.emit(record, server.time.now)

    server.ctx.store.write(operation)


def trust_another(server: Lab) -> None:
    other = Vendor("Another")
    server.__dict__["other"] = other.key.kid
    data = licensefile.render(other.activate(other.issue(item(), organization="999"), server.ctx)).encode()
    said = fingerprint(other.key.kid)
    licenses.import_license(server.ctx, data, Choice(), "test", server.time.now, said)


def is_refused(server: Lab) -> None:
    with pytest.raises(Refusal):
        server.authorize(CODE, product="nothing")
    server.ctx.refusals.flush(server.ctx.store, server.time.now)


def tell(server: Lab) -> None:
    event = alerts.test_event(server.time.now)
    write(server, records.AlertChange((), (), "a message", [event], ("mail",)))


def device_of(server: Lab) -> devices.Device:
    with server.ctx.store.reader() as db:
        found = devices.find(db, UUID(DEVICE).bytes)
    assert found is not None
    return found


def clear(server: Lab) -> None:
    known = device_of(server)
    write(server, records.CloneTokenChange(known.key, *devices.pack_clone_state(clonetokens.clear(known.clone_state))))


def waiting(server: Lab) -> list[str]:
    """Messages that are not delivered."""
    with server.ctx.store.reader() as db:
        return [message.id for message, _ in messages.waiting(db)]


def lines(server: Lab) -> list[audit.Line]:
    with server.ctx.store.reader() as db:
        return audit.lines(db, audit.AuditFilter(), 0, 200)


def lease(server: Lab) -> str:
    return str(server.__dict__["lease"])


MORE: dict[str, tuple[Callable[[Lab], Any], Callable[[Lab], Any], Any]] = {
    "license": (
        lambda s: s.load(item("seat", "device", product="seats", modules=["S"]), license_id="300"),
        lambda s: state(s, "seat"),
        "active",
    ),
    "vendor's key": (trust_another, lambda s: s.ctx.trust.get(s.__dict__["other"]) is not None, True),
    "authorized": (
        lambda s: s.__dict__.update(lease=s.authorize(CODE, DEVICE, product="seats").lease),
        seats,
        1,
    ),
    "reported": (lambda s: s.report(lease(s), {"a new type": 4}), lambda s: usage.usage(s.ctx).total, 4),
    "cleared": (clear, lambda s: device_of(s).clone_state.cleared, 1),
    "released": (lambda s: release.release(s.ctx, lease(s), s.time.now), seats, 0),
    "refused": (is_refused, lambda s: s.rows("SELECT sum(n) FROM tallies WHERE what > 1"), [(1,)]),
    "told": (tell, waiting, ["a message"]),
    "delivered": (lambda s: write(s, records.DeliveryChange("a message", "mail", "sent", "")), waiting, []),
    "event": (
        lambda s: s.ctx.note_event("a test", {}),
        lambda s: [line.action for line in lines(s)].count("a test"),
        1,
    ),
    "days closed": (
        lambda s: days.close_old_days(s.ctx, list(range(AN_OLD_DAY, AN_OLD_DAY + 36)), NOON),
        lambda s: s.ctx.store.catalog.closed_day,
        AN_OLD_DAY,
    ),
    "archived": (
        lambda s: archiving.archive(s.ctx, "300", ORGANIZATION, "test", s.time.now),
        lambda s: state(s, "seat"),
        "archived",
    ),
    "the first code is the default again": (
        lambda s: handshakes.edit(s.ctx, f"{ORGANIZATION}-100", {"isDefault": True}, "test", s.time.now),
        lambda s: s.ctx.store.catalog.defaults[ORGANIZATION].custom,
        "100",
    ),
}
LAST = "code removed"


@pytest.mark.parametrize("order", RISING)
@pytest.mark.parametrize("way", WAYS)
def test_every_kind_of_change_is_in_effect(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, way: str, order: str
) -> None:
    first = {name: change for name, change in CHANGES.items() if name != LAST}
    with WAYS[way](monkeypatch, tmp_path, rising=RISING[order]) as server:
        before = server.ctx.store.serial
        for name, (change, shown, wanted) in {**first, **MORE, LAST: CHANGES[LAST]}.items():
            change(server)
            assert shown(server) == wanted, name
        with server.ctx.store.reader() as db:
            made = sql.rows(
                db, "SELECT kind FROM changes WHERE origin = ? AND serial > ?", (server.ctx.store.origin, before)
            )
        assert {ChangeKind(kind) for (kind,) in made} | ALWAYS == set(ChangeKind)
        assert not any(line.overruled for line in lines(server))
        assert verified(server, tmp_path / "replayed") == []
