"""A vendor's key is trusted once the change feed has it, whenever the server is killed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lts.errors import CannotStore, TokenError
from lts.rules.licensing import vendorkey
from lts.rules.values.paging import Page
from lts.service.access import auditlog
from lts.service.core.trust import TrustStore
from lts.service.licensing import licenses
from lts.service.licensing.licenses import Choice
from tests.support.duet import Duet, copy_of, in_step, template
from tests.support.kit import NOON, FakeTime, Lab, Vendor, item, lab


class Killed(BaseException):
    """The program ends here: nothing that would be done afterwards is done."""


class Places:
    """A server's folder over restarts, and a vendor that it does not know."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._time, self._vendor = folder, FakeTime(), Vendor()
        self.stranger = Vendor("Stranger")

    def server(self) -> Any:
        return lab(self._folder, self._time, self._vendor)

    def files(self) -> list[str]:
        return sorted(path.name.partition(".")[2] for path in (self._folder / "data" / "trust").glob("*"))


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path)


def told(server: Lab) -> int:
    """Lines of the audit log on trusted keys."""
    page = auditlog.search(server.ctx, Page(), ("vendor-trusted",), 0, 1 << 40)
    return int(page.found)


def load(server: Lab, stranger: Vendor) -> licenses.Preview:
    file = stranger.file(server.ctx, item())
    return licenses.import_license(server.ctx, file, Choice(), "admin", NOON, vendorkey.fingerprint(stranger.key.kid))


def killed_at(server: Lab, monkeypatch: pytest.MonkeyPatch, owner: object, name: str, stranger: Vendor) -> None:
    def kill(*given: object) -> None:
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(owner, name, kill)
        load(server, stranger)


def test_who_is_killed_before_the_commit_trusts_nobody(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    kid = places.stranger.key.kid
    with places.server() as server:
        killed_at(server, monkeypatch, server.ctx.store, "write", places.stranger)
        assert server.ctx.trust.get(kid) is None
        assert places.files() == ["pub.held"]
    with places.server() as server:
        assert (server.ctx.trust.get(kid), told(server), places.files()) == (None, 0, [])
        assert load(server, places.stranger).status == "new"


def test_who_is_killed_after_the_commit_trusts_the_key_from_the_next_start_on(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    with places.server() as server:
        killed_at(server, monkeypatch, TrustStore, "_believe", places.stranger)
        assert server.ctx.trust.get(places.stranger.key.kid) is None
    with places.server() as server:
        assert (server.ctx.trust.get(places.stranger.key.kid) is not None, told(server)) == (True, 1)
        assert places.files() == ["pub"]
        assert licenses.import_license(
            server.ctx, places.stranger.file(server.ctx, item()), Choice(), "admin", NOON
        ).difference.added == ("one",), "without confirming it once more"


def test_who_is_killed_between_key_and_license_imports_the_file_again(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    with places.server() as server:
        killed_at(server, monkeypatch, server.ctx.files, "keep", places.stranger)
    with places.server() as server:
        assert (told(server), server.ctx.store.catalog.items) == (1, {})
        assert load(server, places.stranger).difference.added == ("one",)
        assert told(server) == 1


def test_a_key_that_cannot_be_stored_or_read_is_not_trusted(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(operation: object) -> None:
        raise CannotStore

    with places.server() as server:
        with monkeypatch.context() as patch, pytest.raises(CannotStore):
            patch.setattr(server.ctx.store, "write", full)
            licenses.trust(server.ctx, places.stranger.pub, "admin", NOON)
        with pytest.raises(TokenError):
            licenses.trust(server.ctx, b"nothing", "admin", NOON)
        assert (server.ctx.trust.get(places.stranger.key.kid), told(server), places.files()) == (None, 0, [])


def test_items_of_a_key_that_was_taken_away_hold_again_once_it_is_trusted_again(places: Places) -> None:
    with places.server() as server:
        load(server, places.stranger)
        (server.ctx.store.path.parent / "trust" / f"{places.stranger.key.kid}.pub").unlink()
        server.ctx.store.refresh_catalog()
        assert server.ctx.store.catalog.items[1].state == "invalid"
        licenses.trust(server.ctx, places.stranger.pub, "admin", NOON)
        assert server.ctx.store.catalog.items[1].state == "active"


@pytest.fixture
def duet(tmp_path: Path) -> Iterator[Duet]:
    original = template(tmp_path / "template", item())
    with in_step(copy_of(original, tmp_path / "pair")) as pair:
        yield pair


def test_a_standby_that_is_killed_after_it_has_the_change_trusts_the_key_too(
    duet: Duet, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger = Vendor("Stranger")
    licenses.trust(duet.main.server.ctx, stranger.pub, "admin", NOON)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(TrustStore, "_believe", lambda store, key: (_ for _ in ()).throw(Killed()))
        duet.turn()
    assert duet.standby.server.ctx.trust.get(stranger.key.kid) is None
    duet.standby.close()
    duet.standby.open()
    assert duet.standby.server.ctx.trust.get(stranger.key.kid) is not None


def test_a_link_to_nothing_among_the_keys_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "trust").mkdir()
    (tmp_path / "trust" / "a.pub").symlink_to("nowhere")
    (tmp_path / "trust" / "b.pub").symlink_to("b.pub")
    store = TrustStore(tmp_path / "trust", tmp_path / "data")
    assert (store.keys(), store.changed()) == ({}, False)
    assert [str(warning.params["file"])[-5:] for warning in store.warnings] == ["a.pub", "b.pub"]


def test_a_missing_configured_folder_is_reported_and_the_usual_one_is_optional(tmp_path: Path) -> None:
    for name, count in (("trust", 0), ("keys", 1), ("gone/trust", 1)):
        store = TrustStore(tmp_path / name, tmp_path / "data")
        store.keys()
        assert [str(tmp_path / name) in warning.detail for warning in store.warnings] == [True] * count
