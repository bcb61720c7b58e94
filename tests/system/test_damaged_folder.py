"""A data folder with a file missing, damaged or of another program: `verify`, `status` and `doctor` say so alike."""

from __future__ import annotations

import contextlib
import os
import random
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from lts.cli.main import main
from lts.service.core import labels
from tests.support.kit import item, lab

Said = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder of a stopped server that was in use."""
    monkeypatch.setattr("tests.support.kit.LABELS", labels.fingerprints())
    monkeypatch.setenv("LTS_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("LTS_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    with lab(tmp_path) as here:
        here.load(item())
    for name in ("lts.db-wal", "lts.db-shm"):
        (tmp_path / "data" / name).unlink(missing_ok=True)
    return tmp_path / "data"


META = {
    "highestTime": ("abc", 10**13, -1, "9" * 20, 1e20),
    "leastTime": ("abc", 10**13, 1.5),
    "servedDays": ("abc", "[99999999]", "{}", 7),
    "notes": ("x", "{}", "[[1, 2]]", '[["a", "b", "c", 4]]'),
    "generation": ("abc", -1, 1 << 60),
    "refusals": (7, "[]"),
    "signInLink": ("x", '["a", "b", "c", 4]', "[]"),
}


def said_by(words: list[str], capsys: Said) -> str:
    """What a command that finds a fault says of it, in a sentence."""
    assert main(words) == 1
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    return out + err


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in META.items() for value in values])
def test_what_a_database_keeps_for_itself_and_cannot_be_is_named(
    name: str, value: object, data: Path, capsys: Said
) -> None:
    with contextlib.closing(apsw.Connection(str(data / "lts.db"))) as db:
        db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))
    for words in (["serve", "--no-browser"], ["verify"], ["doctor"]):
        said = said_by(words, capsys)
        assert f"lts.db is damaged ({name} in its table meta: " in said, (words, said)
        assert "run `lts restore BACKUP`" in said


@pytest.mark.parametrize("name", ["pair.json", "placing.json"])
@pytest.mark.parametrize("content", ["", "[]", "x", '{"uuid": 1, "source": 2}'])
def test_a_note_of_the_folder_that_cannot_be_one_is_named(name: str, content: str, data: Path, capsys: Said) -> None:
    (data / name).write_text(content)
    for words in (["serve", "--no-browser"], ["verify"], ["doctor"]):
        said = said_by(words, capsys)
        assert re.search(rf"{re.escape(str(data / name))} (cannot be read|is damaged) \(", said), (words, said)
        assert "__init__" not in said


def half(path: Path) -> None:
    """The first half of it."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def noise(path: Path) -> None:
    """Bytes that mean nothing."""
    path.write_bytes(random.Random(1).randbytes(4096))


def holes(path: Path) -> None:
    """A database whose pages, but the first, hold bytes that mean nothing."""
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + random.Random(1).randbytes(len(whole) - 4096))


def empty(path: Path) -> None:
    """No byte."""
    path.write_bytes(b"")


def folder(path: Path) -> None:
    """A folder in its place."""
    path.unlink()
    path.mkdir()


def loop(path: Path) -> None:
    """A link to itself."""
    path.unlink()
    path.symlink_to(path.name)


def foreign(path: Path) -> None:
    """The database of another program, which never set a version."""
    path.unlink()
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE guests (name TEXT)")
    db.commit()
    db.close()


def newer(path: Path) -> None:
    """What a newer program left behind."""
    db = apsw.Connection(str(path))
    db.execute("PRAGMA user_version = 999")
    db.close()


def pipe(path: Path) -> None:
    """A pipe that nobody writes to."""
    path.unlink()
    os.mkfifo(path)


POSIX = pytest.param(loop, marks=pytest.mark.skipif(os.name != "posix", reason="links of POSIX"))
PIPE = pytest.param(pipe, marks=pytest.mark.skipif(os.name != "posix", reason="pipes of POSIX"))
DATABASES = [half, noise, holes, empty, Path.unlink, folder, POSIX, foreign, newer]


@pytest.mark.parametrize("damage", DATABASES)
def test_a_database_that_is_none_is_told_by_every_command(
    damage: Callable[[Path], None], data: Path, capsys: Said
) -> None:
    path = data / "lts.db"
    damage(path)
    for command in ("verify", "status"):
        assert main([command]) == 1
        err = capsys.readouterr().err
        assert err.startswith(f"lts: {path} "), err
        assert len(err.splitlines()) == 1
    assert main(["doctor"]) == 1
    assert f"[!!] {path} " in capsys.readouterr().out
    if damage is foreign:
        with sqlite3.connect(path) as db:
            assert db.execute("SELECT name FROM sqlite_schema").fetchall() == [("guests",)]


def test_verify_finds_the_database_of_before(data: Path, capsys: Said) -> None:
    before = (data / "lts.db").read_bytes()
    with lab(data.parent) as here:
        here.ctx.note_event("something", {})
    main(["verify"])
    said = "is older than lts.mark beside it says"
    assert said not in capsys.readouterr().out
    (data / "lts.db").write_bytes(before)
    assert main(["verify"]) == 1
    assert said in capsys.readouterr().out


@pytest.mark.parametrize("name", ["identity.json", "server.key", "vault.key"])
@pytest.mark.parametrize("damage", [noise, empty, Path.unlink, folder, POSIX, PIPE])
def test_doctor_finds_what_keeps_the_server_from_starting(
    damage: Callable[[Path], None], name: str, data: Path, capsys: Said
) -> None:
    damage(data / name)
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert f"[!!] {data / name} " in out, out
    for command in ("status", "verify"):
        assert main([command]) == 1, command
        err = capsys.readouterr().err
        assert len(err.splitlines()) == 1, err


def test_doctor_finds_nothing_in_a_folder_that_is_whole_or_new(data: Path, capsys: Said) -> None:
    assert main(["doctor"]) == 0
    assert f"[ok] Database {data / 'lts.db'}: ok" in capsys.readouterr().out
    (data.parent / "new").mkdir()
    assert main(["doctor", "--data", str(data.parent / "new")]) == 0
    assert "holds no server yet" in capsys.readouterr().out


def test_doctor_finds_a_data_folder_that_cannot_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("LTS_DATA_DIR", str(tmp_path / "file" / "deep" / "data"))
    assert main(["doctor"]) == 1
    assert f"cannot make it in {tmp_path / 'file'}; give that user the rights" in capsys.readouterr().out
