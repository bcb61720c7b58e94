"""The trust store and the vault, and what `lts doctor` says of an installation."""

from __future__ import annotations

import json
import os
import stat
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lts.background import jobs
from lts.crypto import SigningKey
from lts.errors import DataFolderError, Refusal, TokenError
from lts.rules.licensing import licensefile, vendorkey
from lts.service.core.trust import TrustStore
from lts.service.core.vault import Vault
from lts.service.licensing import itemlist
from lts.service.maintenance import backups, doctor
from tests.support.kit import NOON, Lab, Vendor, config_for, item


def write(folder: Path, name: str, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")


def test_a_key_put_into_the_folder_is_taken_at_once_and_one_taken_away_is_gone(tmp_path: Path) -> None:
    store = TrustStore(tmp_path / "trust", tmp_path / "data")
    vendor = Vendor()
    assert store.get(vendor.key.kid) is None
    write(tmp_path / "trust", "v.pub", vendor.pub.decode())
    assert store.changed()
    assert store.get(vendor.key.kid) == vendor.key.public
    assert not store.changed()
    (tmp_path / "trust" / "v.pub").unlink()
    assert store.get(vendor.key.kid) is None


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-8"])
def test_a_key_file_survives_an_editor_and_a_damaged_one_is_named(tmp_path: Path, encoding: str) -> None:
    vendor = Vendor()
    (tmp_path / "trust").mkdir()
    text = vendor.pub.decode().replace("\n", "\r\n")
    (tmp_path / "trust" / "v.pub").write_bytes(text.encode(encoding))
    write(tmp_path / "trust", "broken.pub", "hello")
    write(tmp_path / "trust", "changed.pub", vendor.pub.decode()[:-8] + "AAAAAAA\n")
    store = TrustStore(tmp_path / "trust", tmp_path / "data")
    assert list(store.keys()) == [vendor.key.kid]
    assert [any(name in warning.detail for warning in store.warnings) for name in ("broken.pub", "changed.pub")] == [
        True,
        True,
    ]


def test_successors_have_the_first_key_as_their_root_only_when_it_is_trusted(tmp_path: Path) -> None:
    old, middle, new = (SigningKey.generate() for _ in range(3))
    write(tmp_path / "trust", "2.pub", vendorkey.build("V", middle, NOON, old))
    write(tmp_path / "trust", "3.pub", vendorkey.build("V", new, NOON, middle))
    store = TrustStore(tmp_path / "trust", tmp_path / "data")
    assert store.root(new.kid) == middle.kid
    write(tmp_path / "trust", "1.pub", vendorkey.build("V", old, NOON))
    assert {store.root(key.kid) for key in (old, middle, new)} == {old.kid}
    assert store.root("unknown") == "unknown"


def test_a_successor_that_the_old_key_did_not_sign_is_a_vendor_of_its_own(tmp_path: Path) -> None:
    old, new, stranger = (SigningKey.generate() for _ in range(3))
    forger: Any = SimpleNamespace(public=old.public, sign=stranger.sign)
    write(tmp_path / "trust", "1.pub", vendorkey.build("V", old, NOON))
    write(tmp_path / "trust", "2.pub", vendorkey.build("V", new, NOON, forger))
    store = TrustStore(tmp_path / "trust", tmp_path / "data")
    assert store.keys()[new.kid].replaces == old.kid
    assert store.root(new.kid) == new.kid


def test_a_key_that_is_added_is_trusted_at_once(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    store, key = TrustStore(tmp_path / "trust", tmp_path / "data"), SigningKey.generate()
    store.add(vendorkey.build("V", key, NOON).encode())
    assert (store.get(key.kid), store.root(key.kid)) == (key.public, key.kid)
    if os.name == "posix":
        assert stat.S_IMODE((tmp_path / "data" / "trust").stat().st_mode) == 0o700
    with pytest.raises(TokenError, match="is a license file"):
        store.add(licensefile.render(Vendor().issue(item())).encode())
    with pytest.raises(TokenError):
        store.add(b"nothing")
    assert list(store.keys()) == [key.kid]


@pytest.mark.parametrize(("told", "trusted"), [("text", True), ("another text", False), (None, False)])
def test_what_a_kill_left_is_trusted_when_the_feed_has_it(tmp_path: Path, told: str | None, *, trusted: bool) -> None:
    key = SigningKey.generate()
    text = vendorkey.build("V", key, NOON)
    store = TrustStore(tmp_path / "trust", tmp_path / "data")
    assert not store.settle({})
    write(tmp_path / "data" / "trust", f"{key.kid}.pub.held", text)
    write(tmp_path / "data" / "trust", "x.pub.held", "nothing")
    assert store.get(key.kid) is None
    known = {} if told is None else {key.kid: vendorkey.read(text.encode()).text if told == "text" else told}
    assert store.settle(known) == trusted
    assert (store.get(key.kid) is not None) == trusted
    assert list((tmp_path / "data" / "trust").glob("*.held")) == []


def test_a_vendor_key_taken_away_ends_its_licenses_and_put_back_revives_them(server: Lab) -> None:
    code = server.load(item())
    path = server.config.vendor_keys / f"{server.vendor.key.kid}.pub"
    kept = path.read_bytes()
    path.unlink()
    jobs.watch_trust(server.ctx)
    with pytest.raises(Refusal) as caught:
        server.authorize(code)
    assert caught.value.code == 113
    [shown] = itemlist.describe(server.ctx, server.time.now)  # still to be seen, and why it works no more
    assert shown.state == "invalid"
    assert "trust store" in str(shown.reason)
    path.write_bytes(kept)
    jobs.watch_trust(server.ctx)
    server.authorize(code)


def test_what_is_sealed_for_one_purpose_opens_for_no_other_and_in_no_other_vault(tmp_path: Path) -> None:
    vault = Vault.load_or_create(tmp_path, create=True)
    sealed = vault.seal("geheim é", "session-password")
    assert b"geheim" not in sealed
    assert Vault.load_or_create(tmp_path, create=False).unseal(sealed, "session-password") == "geheim é"
    assert vault.derive("a") != vault.derive("b")
    for other, purpose in ((vault, "mail"), (Vault(b"x" * 32), "session-password")):
        with pytest.raises(DataFolderError):
            other.unseal(sealed, purpose)
    (tmp_path / "vault.key").write_bytes(b"short")
    with pytest.raises(DataFolderError):
        Vault.load_or_create(tmp_path, create=False)


def words(findings: list[doctor.Finding], good: bool) -> str:
    return " ".join(finding.words for finding in findings if (finding.level != "!!") is good)


def test_the_doctor_finds_nothing_wrong_with_a_good_installation(server: Lab) -> None:
    server.load(item())
    findings = doctor.examine(server.config)
    assert words(findings, False) == ""
    assert "served by process" in words(findings, True)
    assert "1 vendor key trusted" in words(findings, True)


def test_the_doctor_names_a_damaged_database_a_broken_key_and_plain_http(tmp_path: Path) -> None:
    config = replace(config_for(tmp_path), public_url="http://lts.example/")
    config.data_dir.mkdir()
    (config.data_dir / "lts.db").write_bytes(b"garbage" * 1000)
    write(config.vendor_keys, "broken.pub", json.dumps({"x": 1}))
    wrong = words(doctor.examine(config), False)
    for part in ("lts restore", "broken.pub", "https"):
        assert part in wrong


def test_a_closed_folder_or_file_is_reported_and_used_once_it_is_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor, trust = Vendor(), tmp_path / "trust"
    write(trust, "v.pub", vendor.pub.decode())
    (tmp_path / "data" / "trust").mkdir(parents=True)
    store = TrustStore(trust, tmp_path / "data")

    def refuse(place: Path, *_: object) -> Any:
        raise PermissionError(13, "Permission denied", str(place))

    with monkeypatch.context() as shut:
        shut.setattr(os, "listdir", refuse)
        shut.setattr(Path, "open", refuse)
        assert not store.keys()
        assert [words.partition(" by ")[0] for words in store.closed] == [
            f"{tmp_path / 'trust'} cannot be read", f"{tmp_path / 'data' / 'trust'} cannot be read",
        ]  # fmt: skip
        assert {(one.code, one.level) for one in store.warnings} == {("vendor-keys-closed", "error")}
    assert store.changed()
    assert list(store.keys()) == [vendor.key.kid]
    assert not store.closed


def test_a_backup_is_made_without_closed_keys_and_says_so(server: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    server.load(item())
    data, faults = server.config.data_dir, list[str]()
    (server.config.vendor_keys / f"{server.vendor.key.kid}.pub").rename(data / "closed.pub")
    (data / "trust").mkdir(exist_ok=True)
    (data / "closed.pub").rename(data / "trust" / "closed.pub")

    def refuse(path: Path, *rest: Any, **more: Any) -> Any:
        if path.name == "closed.pub":
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *rest, **more)

    opened = Path.open
    monkeypatch.setattr(Path, "open", refuse)
    monkeypatch.setattr(os, "access", lambda path, _: Path(path).name != "closed.pub")
    made = backups.backup(server.ctx.store.path, data, server.time.now, server.ctx.trust, faults.append)
    assert made.exists()
    assert "is not among those that can be read" in faults[0]
    assert faults[1].startswith(f"{data / 'trust' / 'closed.pub'} cannot be read by ")
    assert len(faults) == 2


@pytest.mark.skipif(os.name != "posix", reason="rights of POSIX")
def test_a_change_of_rights_alone_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vendor, file = Vendor(), tmp_path / "trust" / "v.pub"
    write(tmp_path / "trust", "v.pub", vendor.pub.decode())
    store = TrustStore(tmp_path / "trust", tmp_path / "data")
    with monkeypatch.context() as shut:
        shut.setattr("lts.plainfile.read", lambda path, *_: (_ for _ in ()).throw(PermissionError(13, "no", str(path))))
        assert not store.keys()
    assert store.closed[0].startswith(f"{file} cannot be read by ")
    time.sleep(0.02)  # the time of a change may be that of the last tick
    file.chmod(0o640)
    assert list(store.keys()) == [vendor.key.kid]
