"""Files and folders in the way that are not what they should be, and options that cannot hold: a sentence for each."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from lts.cli.main import main
from lts.service.core.files import move_private
from tests.support.kit import Vendor, lab
from tests.support.lines import environment, launch
from tests.support.wait import PATIENCE

pytestmark = pytest.mark.slow

Said = pytest.CaptureFixture[str]
POSIX = pytest.mark.skipif(os.name != "posix", reason="pipes and links of POSIX")


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder of a stopped server, which every command works on."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LTS_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("LTS_CONFIG", raising=False)
    with lab(tmp_path):
        pass
    return tmp_path / "data"


def run(*words: object) -> int:
    """The exit code of a command in this process."""
    try:
        return main([str(word) for word in words])
    except SystemExit as ended:
        return int(ended.code or 0)


def said_by(capsys: Said, *words: object) -> str:
    """The one sentence with which a command fails."""
    assert run(*words) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1, lines
    return lines[0]


@pytest.mark.parametrize("command", ["serve", "demo", "sandbox"])
@pytest.mark.parametrize("port", ["65536", "-1", "99999999999999999999", "http", "٣"])
def test_an_invalid_port_is_a_usage_error(command: str, port: str, capsys: Said) -> None:
    assert run(command, f"--port={port}") == 2
    assert "a port is a number from 0 to 65535" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["demo", "sandbox"])
def test_a_command_with_a_folder_of_its_own_takes_no_other(command: str, capsys: Said, tmp_path: Path) -> None:
    for words in ((command, "--data", tmp_path / "x"), ("--data", tmp_path / "x", command)):
        assert run(*words) == 2
        assert "leave out --data" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


@POSIX
@pytest.mark.parametrize(
    "words", [("license", "show"), ("license", "import"), ("trust",), ("restore",), ("verify",), ("doctor", "--config")]
)
def test_a_pipe_in_the_place_of_a_file_is_refused_at_once(words: tuple[str, ...], capsys: Said) -> None:
    os.mkfifo("pipe")
    assert run(*words, "pipe") == 1
    told = capsys.readouterr()
    assert "cannot be read (it is a pipe or a device, not a file)" in told.err + told.out


@POSIX
@pytest.mark.parametrize("words", [("backup",), ("request", "-o"), ("vendor", "spec", "-o")], ids=" ".join)
def test_a_pipe_is_never_replaced_by_a_file(words: tuple[str, ...], data: Path, capsys: Said) -> None:
    os.mkfifo("pipe")
    assert run(*words, "pipe") == 1
    assert "pipe is a pipe or a device, not a file" in capsys.readouterr().err
    assert Path("pipe").is_fifo()


@POSIX
def test_a_note_whose_place_is_taken_by_a_folder_is_named(data: Path, capsys: Said) -> None:
    (data / "lts.running").unlink(missing_ok=True)
    (data / "lts.running").mkdir()
    assert "move away the file or folder in its place" in said_by(capsys, "status")


@POSIX
def test_a_pipe_among_the_trusted_keys_is_passed_over(data: Path, capsys: Said) -> None:
    (data / "trust").mkdir(exist_ok=True)
    os.mkfifo(data / "trust" / "a.pub")
    assert run("doctor") == 1
    assert "a.pub is not a vendor key and is skipped" in capsys.readouterr().out


@POSIX
@pytest.mark.parametrize("command", [("status",), ("doctor",), ("backup", "b.bak"), ("verify",)], ids=" ".join)
def test_what_lies_in_the_place_of_the_lock_is_named(command: tuple[str, ...], data: Path, capsys: Said) -> None:
    (data / "lts.lock").unlink()
    (data / "lts.lock").mkdir()
    if command == ("verify",):  # which needs no lock
        assert run(*command) == 0
        return
    assert f"{data / 'lts.lock'} cannot be opened" in said_by(capsys, *command)
    (data / "lts.lock").rmdir()
    (data / "lts.lock").symlink_to("lts.lock")
    assert f"{data / 'lts.lock'} cannot be opened" in said_by(capsys, *command)
    (data / "lts.lock").unlink()
    os.mkfifo(data / "lts.lock")
    assert f"{data / 'lts.lock'} cannot be opened" in said_by(capsys, *command)


@pytest.mark.skipif(os.name != "posix", reason="Windows lets nobody delete a folder that is in use")
def test_a_server_whose_folder_was_deleted_still_stops_in_good_order(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "lts.json").write_text('{"port": 0}', encoding="utf-8")
    process, _ = launch(tmp_path / "new")
    try:
        shutil.rmtree(tmp_path / "new" / "data")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=PATIENCE) == 0
    finally:
        process.kill()
        process.wait()


def test_several_backups_at_once_to_one_name_leave_one_whole_one_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    contents = [bytes([number]) * 3_000_000 for number in range(4)]
    for number, content in enumerate(contents):
        (tmp_path / f"{number}.lts").write_bytes(content)
    movers = [threading.Thread(target=move_private, args=(tmp_path / f"{n}.lts", folder / "b.bak")) for n in range(4)]
    for mover in movers:
        mover.start()
    for mover in movers:
        mover.join()
    assert [path.name for path in folder.iterdir()] == ["b.bak"]
    assert (folder / "b.bak").read_bytes() in contents
    assert not list(tmp_path.glob("*.lts"))


def test_in_a_pipe_the_fingerprint_comes_before_the_sentence_about_it(tmp_path: Path) -> None:
    (tmp_path / "vendor.pub").write_bytes(Vendor().pub)
    command = [sys.executable, "-m", "lts.cli.main", "trust", str(tmp_path / "vendor.pub")]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env=environment(), timeout=PATIENCE, check=False, text=True)  # fmt: skip
    first, second = done.stdout.splitlines()
    assert "fingerprint" in first
    assert second.startswith("lts: Compare the fingerprint")


KEPT = ("lts.db", "lts.db-wal", "lts.db-shm", "lts.db-journal", "lts.mark", "identity.json", "server.key", "vault.key",
        "pair.json", "placing.json", "lts.lock", "cli.token")  # fmt: skip


@POSIX
@pytest.mark.parametrize("command", ["usage", "status", "doctor", "verify", "serve"])
@pytest.mark.parametrize("name", KEPT)
def test_a_pipe_in_the_place_of_a_file_of_the_data_folder_holds_nobody_up(
    name: str, command: str, data: Path, capsys: Said
) -> None:
    (data / name).unlink(missing_ok=True)
    os.mkfifo(data / name)
    if command == "verify" and name == "lts.lock":  # which needs no lock
        return
    assert run(command) == 1
    told = capsys.readouterr()
    said = told.out + told.err
    assert str(data / name) in said
    assert "give that user the rights" not in said
    assert "a pipe or a device" in said
    assert (data / name).is_fifo() or name == "cli.token"


@POSIX
@pytest.mark.parametrize("name", [*KEPT[1:5], "pair.json", "cli.token", "archive", "backups", "incoming", "trust"])
def test_doctor_shows_what_keeps_the_start_from_working(name: str, data: Path, capsys: Said) -> None:
    if (data / name).is_dir():
        shutil.rmtree(data / name)
    if "." in name:
        (data / name).unlink(missing_ok=True)
        (data / name).mkdir()
    else:
        (data / name).write_text("")
    told = said_by(capsys, "serve")
    assert f"{data / name} is " in told
    assert run("doctor") == 1
    assert told.removeprefix("lts: ") in capsys.readouterr().out


@POSIX
def test_a_pipe_in_the_place_of_an_archive_or_a_partial_file_holds_nobody_up(data: Path, capsys: Said) -> None:
    for name in ("lts.running.part", ".writable"):
        os.mkfifo(data / name)
        told = said_by(capsys, "serve")
        assert str(data / name) in told
        assert "a pipe or a device" in told
        (data / name).unlink()


@POSIX
def test_a_restore_moves_away_whatever_is_in_the_place_of_a_file(data: Path, tmp_path: Path, capsys: Said) -> None:
    assert run("backup", "b.lts") == 0
    for name in sorted({*KEPT} - {"lts.lock", "placing.json"}):
        (data / name).unlink(missing_ok=True)
        os.mkfifo(data / name)
        assert run("restore", "b.lts") == 0
        assert not (data / name).is_fifo()
    capsys.readouterr()
    assert run("restore", "--list") == 0
    assert "lts.db is a pipe or a device" in capsys.readouterr().out
    (data / "placing.json").mkdir()
    assert "placing.json is a folder; move the folder away" in said_by(capsys, "restore", "b.lts")
