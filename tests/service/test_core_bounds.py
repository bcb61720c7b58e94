"""Small parts of the server at their bounds, and what stays as versions before made it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lts.errors import AdminError, DataFolderError, Refusal
from lts.rules import labels as rules
from lts.rules.pair import REFUSING, REPLACED, SERVING, STARTING, ServingStatus
from lts.service.core import files, identity, labels
from lts.service.core.pinned import delegation_of
from lts.service.core.recentcalls import RecentCalls
from lts.service.core.refusals import AskedRequest, Refusals, RefusedRequest
from lts.service.core.running import not_serving
from lts.service.core.trust import TrustStore
from lts.service.core.vault import Vault
from lts.service.metering import goneon, newnames
from lts.store.changes import records
from lts.store.tables import meta
from lts.store.writing.transaction import Transaction
from tests.support.kit import NOON, Lab, Vendor


def note(server: Lab, name: str, *details: dict[str, str]) -> None:
    """Lines of the audit log, one a second, in one change."""

    def operation(tx: Transaction) -> None:
        for number, detail in enumerate(details):
            tx.emit(records.EventChange("system", name, detail), NOON + number)

    server.ctx.store.write(operation)


def test_of_folded_names_the_last_hundred_lines_are_looked_at(server: Lab) -> None:
    note(server, newnames.FOLDED, *({"subject": f"l{n:03}", "device": "d", "type": "t"} for n in range(101)))
    with server.ctx.store.reader() as db:
        found = [one.params["license"] for one in newnames.notices(db, NOON + 101)]
    assert found == [f"l{n:03}" for n in range(100, 0, -1)]


def test_of_devices_that_went_on_the_lines_of_a_week_are_looked_at(server: Lab) -> None:
    """A hundred a day at most are written."""
    note(server, goneon.GONE_ON, *({"subject": "b" if n else "a", "item": f"i{n % 9}"} for n in range(701)))
    with server.ctx.store.reader() as db:
        [only] = goneon.notices(db, NOON + 701)
    assert only.params["device"] == "b"


@pytest.mark.parametrize(("minutes", "known"), [(1, (0, 0)), (5, (0, 0)), (6, None), (30, None)])
def test_who_asks_every_few_minutes_was_in_charge_meanwhile(minutes: int, known: tuple[int, int] | None) -> None:
    calls, begun = RecentCalls(), 100 * 3600
    for minute in range(0, 120, minutes):
        found = calls.of_last_hour(1, begun + minute * 60)
        if minute < 59:
            assert found is None, "not for an hour yet"
    assert found == known


def test_refusals_kept_over_a_restart_are_given_to_the_other_server(server: Lab) -> None:
    refusals = Refusals()
    for name in ("a", "b"):
        refusals.note(0, RefusedRequest(NOON, name, 104, "no", None, AskedRequest(), ()))
    refusals.flush(server.ctx.store, NOON)
    with server.ctx.store.reader() as db:
        again = Refusals(meta.refusals(db))
    number, given = again.since(0)
    assert (number, sorted(one.request_id for one in given)) == (2, ["a", "b"])


def test_refusals_are_written_when_something_is_new(server: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    refusals, one = Refusals(), RefusedRequest(NOON, "a", 104, "no", None, AskedRequest(), ())
    refusals.note(1, one)
    refusals.flush(server.ctx.store, NOON)
    written: list[object] = []
    monkeypatch.setattr(server.ctx.store, "write", written.append)
    refusals.take([one])
    refusals.flush(server.ctx.store, NOON)
    assert written == []
    refusals.take([RefusedRequest(NOON, "b", 104, "no", None, AskedRequest(), ())])
    refusals.flush(server.ctx.store, NOON)
    refusals.flush(server.ctx.store, NOON)
    assert len(written) == 1


@pytest.mark.parametrize(
    ("code", "named", "nobody"),
    [(101, None, True), (101, "x", True), (121, None, True), (123, None, True), (141, None, True), (141, "1-a", False),
     (142, None, False), (120, "1-a", False)],
)  # fmt: skip
def test_a_refusal_that_anybody_could_have_sent_is_of_nobody(code: int, named: str | None, *, nobody: bool) -> None:
    assert RefusedRequest(NOON, "a", code, "no", named, AskedRequest(), ()).of_nobody == nobody


def test_a_file_that_is_no_key_is_named_until_it_is_gone(tmp_path: Path) -> None:
    vendor, wrong = Vendor(), tmp_path / "wrong.pub"
    (tmp_path / "good.pub").write_bytes(vendor.pub)
    wrong.write_text("nothing")
    trust = TrustStore(tmp_path, tmp_path / "data")
    assert (list(trust.keys()), trust.changed()) == ([vendor.key.kid], False)
    assert [one.params["file"] for one in trust.warnings] == [str(wrong)]
    wrong.unlink()
    assert trust.changed()
    assert (list(trust.keys()), trust.warnings, trust.changed()) == ([vendor.key.kid], [], False)


@pytest.mark.parametrize("size", [0, 1, (1 << 20) + 1])
def test_a_file_of_any_size_is_written_for_its_owner_alone_and_has_its_digest(tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    files.write_private(tmp_path / "file", content)
    assert (tmp_path / "file").read_bytes() == content
    assert files.file_digest(tmp_path / "file") == hashlib.sha256(content).digest()
    if os.name == "posix":
        assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o600


@pytest.mark.skipif(sys.platform == "win32", reason="a folder's rights decide there")
@pytest.mark.parametrize(("euid", "owner", "given"), [(0, 7, True), (0, 1, True), (0, 0, False), (7, 7, False)])
def test_root_gives_what_it_made_to_the_folders_owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, euid: int, owner: int, *, given: bool
) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "file").touch()
    found: list[tuple[str, int, int, bool]] = []
    monkeypatch.setattr(os, "geteuid", lambda: euid)
    monkeypatch.setattr(
        os, "chown", lambda path, user, group, follow_symlinks: found.append((path.name, user, group, follow_symlinks))
    )
    folder = SimpleNamespace(stat=lambda: SimpleNamespace(st_uid=owner, st_gid=8), rglob=tmp_path.rglob)
    files.give_to_owner(folder)  # type: ignore[arg-type]
    assert sorted(found) == ([("file", owner, 8, False), ("sub", owner, 8, False)] if given else [])


def test_every_uuid_is_one_of_version_8() -> None:
    made = [uuid.UUID(identity._new_uuid(("mac:a",))) for _ in range(40)]
    assert {(one.version, one.variant) for one in made} == {(8, uuid.RFC_4122)}
    assert len(set(made)) == 40


@pytest.mark.parametrize("name", [identity.IDENTITY, identity.KEY])
def test_a_folder_in_the_place_of_a_file_is_named(tmp_path: Path, name: str) -> None:
    identity.load_or_create(tmp_path, lambda: ("mac:a",))
    (tmp_path / name).unlink()
    (tmp_path / name).mkdir()
    with pytest.raises(DataFolderError, match="is a folder; move the folder away"):
        identity.load(tmp_path)


def test_what_a_version_before_sealed_can_be_opened(tmp_path: Path) -> None:
    """AES-GCM with a nonce of 12 bytes before it, bound to the purpose."""
    vault, nonce = Vault(bytes(32)), b"n" * 12
    assert vault.unseal(nonce + AESGCM(bytes(32)).encrypt(nonce, b"geheim", b"mail"), "mail") == "geheim"
    assert len(vault.fingerprint) == 32
    (tmp_path / "vault.key").write_bytes(bytes(32))
    assert Vault.load(tmp_path).fingerprint == vault.fingerprint


@pytest.mark.parametrize("certificates", [(), ("x",), ("x", "y"), ("x", "y", "z")])
def test_a_delegation_that_nobody_signed_ended_in_1970(certificates: tuple[str, ...]) -> None:
    assert delegation_of("main", certificates).until == 0


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (REFUSING, "This is the standby server"),
        (STARTING, "is starting"),
        (REPLACED, "was replaced by another one for good; use the other server URL"),
    ],
)
def test_who_does_not_serve_says_so_and_to_try_again_in_a_second(
    server: Lab, status: ServingStatus, words: str
) -> None:
    server.ctx.running.check_serving()
    server.ctx.running.check_in_charge()
    server.ctx.running.status = status
    with pytest.raises(Refusal, match=words) as refused:
        server.ctx.running.check_serving()
    assert (refused.value.code, refused.value.retry_after) == (100, 1)
    with pytest.raises(AdminError) as caught:
        server.ctx.running.check_in_charge()
    assert (caught.value.code, caught.value.status) == ("not-in-charge", 409)


def test_a_client_refused_while_the_server_starts_learns_that() -> None:
    assert "is starting" in not_serving(SERVING).detail


class Registry:
    """A registry of Windows: values and subkeys by the path of a key."""

    HKEY_LOCAL_MACHINE, KEY_READ, KEY_WOW64_64KEY = "HKLM", 0x20019, 0x100

    def __init__(self, values: dict[str, dict[str, str]]) -> None:
        self._values = values

    @contextlib.contextmanager
    def OpenKey(self, root: str, path: str, options: int, rights: int) -> Iterator[str]:
        assert (root, options, rights) == ("HKLM", 0, 0x20119), "the 64-bit view, whatever Python runs"
        if not any(f"{name}\\".startswith(f"{path}\\") for name in self._values):
            raise FileNotFoundError
        yield path

    def QueryValueEx(self, path: str, name: str) -> tuple[str, int]:
        if name not in self._values.get(path, {}):
            raise FileNotFoundError
        return self._values[path][name], 1

    def _below(self, path: str) -> list[str]:
        return sorted({one[len(path) + 1 :].split("\\")[0] for one in self._values if one.startswith(f"{path}\\")})

    def QueryInfoKey(self, path: str) -> tuple[int, int, int]:
        return len(self._below(path)), 0, 0

    def EnumKey(self, path: str, number: int) -> str:
        return self._below(path)[number]


NETWORK = r"SYSTEM\CurrentControlSet\Control\Network\{4D36E972-E325-11CE-BFC1-08002BE10318}"


@pytest.mark.parametrize("readable", [True, False])
def test_labels_of_windows_are_read_from_its_registry(monkeypatch: pytest.MonkeyPatch, *, readable: bool) -> None:
    known = {
        r"SOFTWARE\Microsoft\Cryptography": {"MachineGuid": "guid"},
        r"HARDWARE\DESCRIPTION\System\BIOS": {"BaseBoardSerialNumber": "board"},
        rf"{NETWORK}\{{1}}\Connection": {"Name": "Ethernet", "PnpInstanceID": r"PCI\VEN_8086"},
        rf"{NETWORK}\{{2}}\Connection": {"Name": "Dongle", "PnpInstanceID": r"USB\VID_0BDA"},
        rf"{NETWORK}\{{3}}\Connection": {"Name": "Without a bus"},
    }
    link, other = SimpleNamespace(family=psutil.AF_LINK, address="F4-8E-38-00-00-01"), SimpleNamespace(family=2)
    adapters = {"Ethernet": [other, link], "Dongle": [link], "Without a bus": [link], "Unknown": [link]}
    monkeypatch.setitem(sys.modules, "winreg", Registry(known if readable else {}))
    monkeypatch.setattr(labels, "sys", SimpleNamespace(platform="win32"))
    monkeypatch.setattr(psutil, "net_if_addrs", lambda: adapters)
    monkeypatch.setenv("PROCESSOR_IDENTIFIER", "processor" if readable else "")
    assert list(labels._windows()) == (
        [
            (rules.MACHINE_ID, "guid"), (rules.BOARD, "board"), (rules.PROCESSOR, "processor"),
            (rules.MAC, "F4-8E-38-00-00-01"),
        ]
        if readable
        else [(rules.MACHINE_ID, ""), (rules.BOARD, "")]
    )  # fmt: skip
