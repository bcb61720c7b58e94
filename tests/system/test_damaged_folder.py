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
from lts.cli.serving import runner
from lts.server import opened
from lts.store.file import integrity
from tests.support.kit import item, lab

pytestmark = pytest.mark.slow

Said = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder of a stopped server that was in use."""
    monkeypatch.setenv("LTS_DATA_DIR", str(tmp_path / "data"))
    (tmp_path / "lts.json").write_text('{"vendorKeys": "trust"}', encoding="utf-8")
    monkeypatch.setenv("LTS_CONFIG", str(tmp_path / "lts.json"))
    monkeypatch.chdir(tmp_path)
    with lab(tmp_path) as here:
        here.load(item())
    for name in ("lts.db-wal", "lts.db-shm"):
        (tmp_path / "data" / name).unlink(missing_ok=True)
    return tmp_path / "data"


@pytest.fixture(autouse=True)
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """`serve` ends as soon as all is open."""

    def run(self: runner.Runner) -> None:
        with opened(self._config):
            pass

    monkeypatch.setattr(runner.Runner, "run", run)


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


BITS = {
    "a column": (b"payload BLOB NOT NULL, hash BLOB", b"payload BLOB NOT NULL, hasi BLOB", "changes"),
    "a default": (b"d2 INTEGER NOT NULL DEFAULT 0", b"d2 INTEGER NOT NULL DEFAULT 1", "usage_devices"),
    "a condition": (b"codes) WHERE flags & 2 = 0", b"codes) WHERE flags & 2 = 1", "seats_by_end"),
    "a table": (b"CREATE TABLE rounds", b"CREATE TABLE roundr", "rounds"),
}


@pytest.mark.parametrize("words", [["serve", "--no-browser"], ["verify"], ["doctor"], ["status"], ["backup", "b.lts"]])
@pytest.mark.parametrize("bit", BITS)
def test_a_flipped_bit_in_the_stored_schema_is_reported_as_damage(
    bit: str, words: list[str], data: Path, capsys: Said
) -> None:
    before, after, name = BITS[bit]
    whole = (data / "lts.db").read_bytes()
    assert before in whole
    (data / "lts.db").write_bytes(whole.replace(before, after))
    said = said_by(words, capsys)
    assert f"{data / 'lts.db'} is damaged (" in said, said
    assert "run `lts restore BACKUP`" in said
    assert name in said


def test_what_was_replaced_with_a_damaged_schema_is_listed_and_not_put_back(data: Path, capsys: Said) -> None:
    assert main(["backup", "good.lts"]) == 0
    before, after, _ = BITS["a column"]
    (data / "lts.db").write_bytes((data / "lts.db").read_bytes().replace(before, after))
    assert main(["restore", "good.lts"]) == 0
    capsys.readouterr()
    assert main(["restore", "--list"]) == 0
    assert "It holds no database that can be read." in capsys.readouterr().out
    said = said_by(["restore", "--undo"], capsys)
    assert f"{data / 'replaced-1' / 'lts.db'} is damaged (schema: the table changes is not as" in said
    assert main(["status"]) == 0


def test_a_backup_with_a_damaged_schema_is_refused(data: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    before, after, _ = BITS["a default"]
    (data / "lts.db").write_bytes((data / "lts.db").read_bytes().replace(before, after))
    with monkeypatch.context() as patch:
        patch.setattr(integrity, "schema_faults", lambda db: [])  # as LTS 0.1.0 made it
        assert main(["backup", "bad.lts"]) == 0
    capsys.readouterr()
    for words in (["restore", "bad.lts"], ["restore", "--accept-as-is", "bad.lts"], ["verify", "bad.lts"]):
        assert "bad.lts cannot be restored: " in (said := said_by(words, capsys)), said
        assert "the table usage_devices is not as this program makes it" in said
    assert not (data / "replaced-1").exists()


@pytest.mark.parametrize(
    "left", ["lts.mark", "server.key", "vault.key", "backups/x.lts", "lts-schema3.db", "archive/x"]
)
def test_doctor_says_of_what_is_left_of_a_server_what_the_start_says(left: str, tmp_path: Path, capsys: Said) -> None:
    place = tmp_path / "left"
    (place / left).parent.mkdir(parents=True)
    (place / left).write_bytes(b"x")
    for words in (["serve", "--no-browser"], ["doctor"]):
        said = said_by([*words, "--data", str(place)], capsys)
        assert "identity.json is missing though this data folder was in use (there is " in said, (words, said)


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
def test_a_file_that_is_no_database_is_reported_by_every_command(
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
    said = "is older than lts.mark next to it says"
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
