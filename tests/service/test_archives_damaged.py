"""An archive of the change feed that is damaged is named wherever a folder or a backup of it is looked at."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lts.cli.main import main
from lts.errors import AdminError
from lts.service.core import labels
from lts.service.core.trust import TrustStore
from lts.service.folder import restoring
from lts.service.maintenance import archives, backups, doctor, verify
from lts.store import replay
from lts.store.history import archive
from lts.store.store import DATABASE
from tests.support.kit import NOON, FakeTime, Vendor, config_for, item, lab

TIME, VENDOR = FakeTime(), Vendor()


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a stopped server with several archives."""
    monkeypatch.setattr(archive, "STRETCH", 4)
    monkeypatch.setattr("tests.support.kit.LABELS", labels.fingerprints())
    with lab(tmp_path, TIME, VENDOR) as server:
        server.load(item())
        for _ in range(12):
            server.report(server.authorize().lease, {"QR": 1})
        assert archives.archive_old_changes(server.ctx.store, tmp_path / "data", NOON + 9 * 86400) >= 12
    return tmp_path / "data"


def flipped(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 4
    file.write_bytes(content)


def folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def other(file: Path) -> None:
    shutil.copy(sorted(file.parent.iterdir())[1], file)


WAYS: dict[str, tuple[Callable[[Path], object], str]] = {
    "a bit": (flipped, "damaged"),
    "empty": (lambda file: file.write_bytes(b""), "damaged"),
    "half": (lambda file: file.write_bytes(file.read_bytes()[:50]), "damaged"),
    "another in its place": (other, "damaged"),
    "a folder of its name": (folder, "gone"),
    "gone": (lambda file: file.unlink(), "gone"),
}


@pytest.mark.parametrize("how", WAYS)
def test_a_damaged_archive_is_named_everywhere(how: str, data: Path) -> None:
    spoil, fault = WAYS[how]
    trust = TrustStore(config_for(data.parent).vendor_keys, data)
    first, second = sorted((data / "archive").iterdir())[:2]
    kept = first.read_bytes()
    assert not [one for one in doctor.examine(config_for(data.parent)) if one.level == doctor.FAULT]
    spoil(first)
    [found] = [one.words for one in doctor.examine(config_for(data.parent)) if one.level == doctor.FAULT]
    assert found.startswith(f"{first} is {fault}: old changes cannot be verified")
    cause, *more = verify.verify(data, trust)
    assert first.name in cause
    assert more == [replay.NOT_COMPARED]
    told: list[str] = []
    made = backups.backup(data / DATABASE, data, NOON, trust, told.append)
    assert told == [found]
    place = data.parent / "place"
    place.mkdir()
    verb = f"lacks archive/{first.name}" if fault == "gone" else f"holds archive/{first.name} damaged"
    with pytest.raises(AdminError, match=f"{verb}. Nothing was changed. Take another backup"):
        restoring.restore(made, place)
    assert not list(place.iterdir())
    assert first.name in verify.verify_backup(made, data.parent / "trust")[0]
    restoring.restore(made, place, "Ann", as_it_is=True)
    assert sorted(path.name for path in place.glob("lts.db*")) == [DATABASE]
    (data.parent / "other").mkdir()
    (data.parent / "other" / "data").symlink_to(place)
    with lab(data.parent / "other", TIME, VENDOR) as server:
        [(detail,)] = server.rows("SELECT detail FROM audit WHERE action = 'restored'")
        assert f"{made.name} {verb}" in detail
    if first.is_dir():
        first.rmdir()
    first.write_bytes(kept)
    flipped(second)
    first.unlink()
    words = [one.words for one in doctor.examine(config_for(data.parent)) if one.level == doctor.FAULT]
    assert [one.split(":")[0] for one in words] == [f"{first} is gone", f"{second} is damaged"]


def test_a_backup_with_a_damaged_archive_is_made_and_reported(
    data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LTS_DATA_DIR", str(data))
    first = sorted((data / "archive").iterdir())[0]
    flipped(first)
    made = data.parent / "a.lts"
    assert main(["backup", str(made)]) == 1
    said = capsys.readouterr()
    assert said.out.startswith(f"{made}: ")
    assert said.err.startswith(f"lts: {first} is damaged: ")
    place = data.parent / "place"
    assert main(["restore", str(made), "--data", str(place)]) == 1
    assert f"{made} holds archive/{first.name} damaged" in capsys.readouterr().err
    assert main(["restore", "--accept-as-is", str(made), "--data", str(place)]) == 0


@pytest.mark.parametrize("words", [[], ["--list", "--accept-as-is"], ["--undo", "--accept-as-is"], ["--list", "a.lts"]])
def test_what_a_restore_cannot_mean_is_refused(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LTS_DATA_DIR", str(tmp_path / "data"))
    try:
        code = main(["restore", *words])
    except SystemExit as ended:
        code = int(ended.code or 0)
    assert code == 2
    assert capsys.readouterr().err
