"""The catalog follows every change as if it were built from the tables, at a cost in proportion to what changed."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lts.errors import LtsError
from lts.rules.licensing.catalog import Catalog
from lts.rules.licensing.licensefile import render
from lts.service.core.licensefiles import LicenseFiles
from lts.service.licensing import archiving, handshakes, licenses
from lts.service.licensing.catalog import Builder
from lts.service.licensing.licenses import Choice
from lts.store.changes import records
from lts.vendor import issuing
from tests.support.kit import NOON, ORGANIZATION, FakeTime, Lab, item, lab
from tests.support.steps import Steps, counted

ORGANIZATIONS = (ORGANIZATION, "216998-1")


def from_nothing(server: Lab) -> Catalog:
    ctx = server.ctx
    builder = Builder(ctx.trust, LicenseFiles(ctx.trust), ctx.identity, ctx.vault, ctx.delegation)
    with ctx.store.reader() as db:
        return builder(db)


def check(server: Lab) -> None:
    kept, fresh = server.ctx.store.catalog, from_nothing(server)
    assert kept == fresh
    for name in ("items", "codes_by_key", "vendors"):
        assert list(getattr(kept, name)) == list(getattr(fresh, name)), name
    assert [code.key for code in kept.present] == [code.key for code in fresh.present]


class Play:
    """Random changes of licenses, codes and trust; what is refused changes nothing."""

    def __init__(self, server: Lab, seed: int) -> None:
        self.server, self.chance = server, random.Random(seed)
        self.files: dict[str, Any] = {}
        self.step = 0

    def one(self) -> None:
        self.step += 1
        self.server.time.forward(1)
        try:
            self.chance.choice([
                self.new_license, self.renew, self.revoke, self.archive, self.add, self.edit, self.edit, self.edit,
                self.remove, self.lose_the_key,
            ])()  # fmt: skip
        except LtsError:
            return

    def put(self, name: str, file: Any) -> None:
        licenses.import_license(self.server.ctx, render(file).encode(), Choice(), "test", NOON)
        self.files[name] = file

    def new_license(self) -> None:
        name, owner = f"l{self.step}", self.chance.choice(ORGANIZATIONS)
        issued = self.server.vendor.issue(item("a"), item("b", "device"), license_id=name, organization=owner)
        self.put(name, self.server.vendor.activate(issued, self.server.ctx))

    def chosen(self) -> tuple[str, Any]:
        return self.chance.choice(list(self.files.items())) if self.files else self.chance.choice([("", None)])

    def renew(self) -> None:
        name, file = self.chosen()
        if file is not None:
            fresh = item(f"i{self.step}", self.chance.choice(["scan", "device"]))
            changed = item("a", self.chance.choice(["scan", "page"]), self.chance.randrange(1, 99))
            items = [fresh, changed][self.chance.randrange(2) :]
            self.put(name, issuing.amend(file, {"items": items}, self.server.vendor.key, "Vendor"))

    def revoke(self) -> None:
        name, file = self.chosen()
        if file is not None:
            ids = [one.item_id for one in file.items]
            self.put(name, issuing.revoke(file, [self.chance.choice(ids)], self.server.vendor.key, "Vendor"))

    def archive(self) -> None:
        name, file = self.chosen()
        if file is not None:
            archiving.archive(self.server.ctx, name, file.organization_id, "test", NOON)
            if self.chance.random() < 0.5:
                self.put(name, file)

    def change(self) -> dict[str, Any]:
        keys = list(self.server.ctx.store.catalog.items)
        picked = self.chance.sample(keys, min(len(keys), self.chance.randrange(4)))
        of_owner = [{"id": key, "cap": self.chance.choice([None, 3])} for key in picked]
        every = {
            "custom": self.chance.choice(["one", "two", "1-one", "1-two", f"n{self.step}"]),
            "isDefault": True,
            "manualOrder": self.chance.random() < 0.5,
            "items": of_owner,
            "password": self.chance.choice([None, "secret"]),
            "note": str(self.step),
        }
        names = self.chance.sample(list(every), 2)
        return {name: every[name] for name in names}

    def add(self) -> None:
        changes = {"custom": f"c{self.step}", **self.change()}
        handshakes.add(self.server.ctx, self.chance.choice(ORGANIZATIONS), changes, "test", NOON)

    def code(self) -> str:
        present = self.server.ctx.store.catalog.present
        return f"#{self.chance.choice(present).key}" if present else "none"

    def edit(self) -> None:
        handshakes.edit(self.server.ctx, self.code(), self.change(), "test", NOON)

    def remove(self) -> None:
        handshakes.remove(self.server.ctx, self.code(), "test", NOON)

    def lose_the_key(self) -> None:
        path = self.server.config.vendor_keys / f"{self.server.vendor.key.kid}.pub"
        text = path.read_bytes()
        path.unlink()
        self.server.ctx.store.refresh_catalog()
        check(self.server)
        path.write_bytes(text)
        self.server.ctx.store.refresh_catalog()


@pytest.mark.parametrize("seed", range(4))
def test_whatever_changes_the_catalog_is_the_one_that_is_built_from_nothing(server: Lab, seed: int) -> None:
    play = Play(server, seed)
    play.new_license()
    for _ in range(60):
        play.one()
        check(server)


def test_a_change_that_cannot_be_stored_leaves_the_catalog_as_it_was(server: Lab) -> None:
    code = server.load(item())

    def fails(tx: Any) -> None:
        first = tx.catalog.codes[code]
        draft = handshakes.draft_of(tx, first)
        draft.fields["note"] = "never"
        handshakes.emit_code(tx, draft, "test", NOON)
        assert tx.catalog.codes[code].note == "never"
        raise ValueError("made up")

    with pytest.raises(ValueError, match="made up"):
        server.ctx.store.write(fails)
    assert server.ctx.store.catalog.codes[code].note == ""
    handshakes.edit(server.ctx, code, {"password": "x"}, "test", NOON)
    check(server)


@contextlib.contextmanager
def scene(tmp_path: Path, size: int) -> Iterator[tuple[Lab, Steps]]:
    """A server in a folder of its own, whose steps are counted."""
    folder = tmp_path / str(size)
    folder.mkdir()
    with counted() as steps, lab(folder, FakeTime()) as server:
        yield server, steps


def filled(server: Lab, codes: int, items: int) -> None:
    """So many codes that hold all of so many items."""
    server.load(*[item(f"i{n}") for n in range(items)])

    into_codes(server, codes)


def into_codes(server: Lab, codes: int) -> None:
    """So many codes more that hold all items."""

    def more(tx: Any) -> None:
        entries = tuple((key, None) for key in tx.catalog.items)
        first = tx.numbering.new("codes")
        for n in range(codes):
            tx.emit(records.CodeChange("test", first + n, ORGANIZATION, f"c{n}", False, {}, entries, "", ""), NOON)

    server.ctx.store.write(more)


def edit(server: Lab) -> Callable[[], Any]:
    handshakes.add(server.ctx, ORGANIZATION, {"custom": "small", "items": [{"id": 1}]}, "test", NOON)
    return lambda: handshakes.edit(server.ctx, f"{ORGANIZATION}-small", {"note": "x"}, "test", NOON)


def add(server: Lab) -> Callable[[], Any]:
    return lambda: handshakes.add(server.ctx, ORGANIZATION, {"custom": "new"}, "test", NOON)


def load(server: Lab) -> Callable[[], Any]:
    file = server.vendor.file(server.ctx, item("late"), license_id="late")
    return lambda: licenses.import_license(server.ctx, file, Choice(), "test", NOON)


@pytest.mark.parametrize("make", [edit, add, load], ids=lambda make: make.__name__)
@pytest.mark.parametrize("grows", ["codes", "items"])
def test_a_change_costs_what_it_changes_whatever_other_codes_hold(
    tmp_path: Path, make: Callable[[Lab], Callable[[], Any]], grows: str
) -> None:
    costs = []
    for times in (1, 2, 4):
        codes, items = (10 * times, 20) if grows == "codes" else (10, 20 * times)
        with scene(tmp_path, times) as (server, steps):
            filled(server, codes, items)
            costs.append(steps.of(make(server)))
    assert costs[2] < costs[0] * 1.5, costs


def test_a_renewal_costs_what_the_license_holds_however_many_codes_hold_it(tmp_path: Path) -> None:
    costs = []
    for codes in (10, 20, 40):
        with scene(tmp_path, codes) as (server, steps):
            first = server.vendor.activate(server.vendor.issue(*[item(f"i{n}") for n in range(100)]), server.ctx)
            licenses.import_license(server.ctx, render(first).encode(), Choice(), "test", NOON)
            into_codes(server, codes)
            changes = {"items": [item(f"i{n}", quota=7) for n in range(100)]}
            second = render(issuing.amend(first, changes, server.vendor.key, "Vendor")).encode()
            costs.append(steps.of(partial(licenses.import_license, server.ctx, second, Choice(), "test", NOON)))
    assert costs[2] < costs[0] * 1.5, costs
