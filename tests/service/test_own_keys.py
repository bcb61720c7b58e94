"""An identity says which keys are this server's (docs/design/machine.md, What a data folder says of itself)."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from lts.errors import AdminError, DataFolderError
from lts.service.alerting import alertsettings
from lts.service.core import files, identity
from lts.service.core.vault import Vault
from lts.service.folder import restoring
from lts.service.maintenance import backups, heads
from tests.support.duet import Duet, copy_of, in_step, template
from tests.support.kit import NOON, FakeTime, Vendor, item, lab

TIME, VENDOR = FakeTime(), Vendor()


def made(folder: Path, *, with_secret: bool = False, signed: bool = True) -> Path:
    """The data folder of a server that ran once."""
    folder.mkdir()
    with lab(folder, TIME, VENDOR) as server:
        server.load(item())
        if with_secret:
            alertsettings.add_webhook(server.ctx, "w", "https://hooks.example.com/x", "Ann", NOON)
        if signed:
            heads.sign_head(server.ctx, NOON)
    return folder / "data"


def said(data: Path) -> tuple[str, str]:
    """What the identity says of the two keys."""
    fields = json.loads((data / "identity.json").read_text())
    return fields.get("keyPrint", ""), fields.get("vaultPrint", "")


def as_of_before(data: Path) -> None:
    """The identity as LTS 0.1.0 wrote it."""
    fields = json.loads((data / "identity.json").read_text())
    del fields["keyPrint"], fields["vaultPrint"], fields["digest"]
    (data / "identity.json").write_text(json.dumps(fields))


def test_a_new_server_states_its_keys_and_logs_nothing_of_them(tmp_path: Path) -> None:
    data = made(tmp_path / "one")
    key, vault = said(data)
    assert key == identity.load(data).key.public.kid
    assert vault == Vault.load(data).fingerprint
    secret = (data / "vault.key").read_bytes()
    assert secret.hex() not in (data / "identity.json").read_text()
    assert vault != secret.hex()[: len(vault)]


def test_a_folder_of_before_states_them_at_its_first_start(tmp_path: Path) -> None:
    data = made(tmp_path / "one", with_secret=True)
    expected = said(data)
    as_of_before(data)
    with lab(tmp_path / "one", TIME, VENDOR):
        assert said(data) == expected


@pytest.mark.parametrize("name", ["server.key", "vault.key"])
def test_a_folder_of_before_states_no_key_against_which_something_speaks(name: str, tmp_path: Path) -> None:
    data, other = made(tmp_path / "one", with_secret=True), made(tmp_path / "other")
    expected = said(data)
    as_of_before(data)
    shutil.copy(data / name, tmp_path / name)
    shutil.copy(other / name, data / name)
    with lab(tmp_path / "one", TIME, VENDOR):
        pass
    assert said(data) == ("", "")
    shutil.copy(tmp_path / name, data / name)
    with lab(tmp_path / "one", TIME, VENDOR):
        assert said(data) == expected, "its own file came back"


def test_a_key_that_has_signed_nothing_is_not_taken_for_the_server_of_before(tmp_path: Path) -> None:
    data = made(tmp_path / "one", signed=False)
    as_of_before(data)
    with lab(tmp_path / "one", TIME, VENDOR) as server:
        assert said(data)[0] == ""
        heads.sign_head(server.ctx, NOON)
    with lab(tmp_path / "one", TIME, VENDOR):
        assert said(data)[0] == identity.load(data).key.public.kid


@pytest.mark.parametrize("written", [1, 2])
def test_a_folder_that_moves_may_be_killed_between_its_key_and_its_identity(
    written: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After that many files of the new machine's; the next start moves again."""
    data = made(tmp_path / "one")
    before, real, left = identity.load(data), files.write_private, [written]

    def killed(path: Path, content: bytes) -> None:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        real(path, content)

    elsewhere = ("mac:zz", "machine-id:yy", "processor-id:xx")
    monkeypatch.setattr(identity, "write_private", killed)
    with pytest.raises(KeyboardInterrupt):
        identity.load_or_create(data, lambda: elsewhere)
    monkeypatch.undo()
    identity.load(data)
    moved = identity.load_or_create(data, lambda: elsewhere)
    assert moved.previous == (before.uuid,)
    assert said(data) == (moved.key.public.kid, before.vault_print)


@pytest.mark.parametrize("name", ["server.key", "vault.key"])
def test_no_backup_is_made_with_a_strangers_key_nor_restored(name: str, tmp_path: Path) -> None:
    data, other = made(tmp_path / "one"), made(tmp_path / "other")
    with lab(tmp_path / "one", TIME, VENDOR) as server:
        own = (data / name).read_bytes()
        (data / name).write_bytes((other / name).read_bytes())
        with pytest.raises(DataFolderError, match=f"{name} is not this server's"):
            backups.backup(server.ctx.store.path, data, NOON, server.ctx.trust)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(identity, "load", identity._read)
            patch.setattr(Vault, "load", lambda folder: None)
            bad = backups.backup(server.ctx.store.path, data, NOON, server.ctx.trust)
        (data / name).write_bytes(own)
    before = said(other)
    with pytest.raises((AdminError, DataFolderError), match=f"{name} is not this server's"):
        restoring.restore(bad, other)
    assert said(other) == before
    with lab(tmp_path / "other", TIME, VENDOR):
        pass


def test_a_standby_states_the_mains_vault_key_once_it_has_the_first_copy(tmp_path: Path) -> None:
    duet: Duet = template(tmp_path / "first", item())
    with in_step(copy_of(duet, tmp_path / "duet")) as pair:
        data = [player.server.ctx.store.path.parent for player in (pair.main, pair.standby)]
        (main, vault), (standby, copied) = map(said, data)
        assert main != standby
        assert vault == copied != ""
