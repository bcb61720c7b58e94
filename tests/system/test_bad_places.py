"""Full and read-only disks, closed streams, a user whom nobody knows, a renamed log: one sentence for each start."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from lts.cli.main import main
from lts.cli.serving import runner
from lts.config import Log
from lts.logs import handler
from lts.server import opened
from tests.support.lines import ROOT, environment
from tests.support.wait import wait_until

pytestmark = pytest.mark.slow

Said = pytest.CaptureFixture[str]
POSIX = pytest.mark.skipif(os.name != "posix", reason="signals and streams of POSIX")
PAGE = 4096
COMMANDS = [["serve", "--no-browser"], ["setup-code"], ["backup", "b.lts"], ["verify"], ["verify", "--rebuild-indexes"],
            ["password", "reset", "--yes"], ["doctor"], ["status"], ["request", "-o", "r.json"]]  # fmt: skip


def is_mounter() -> bool:
    return sys.platform == "linux" and os.geteuid() == 0 and os.access("/bin/mount", os.X_OK)


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A small disk of its own; `serve` ends as soon as all is open."""
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)], check=False)
    if done.returncode:
        pytest.skip("mounting is not allowed here")

    def run(self: runner.Runner) -> None:
        with opened(self._config):
            pass

    monkeypatch.setattr(runner.Runner, "run", run)
    monkeypatch.setenv("LTS_DATA_DIR", str(place / "data"))
    monkeypatch.delenv("LTS_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def fill(disk: Path, left: int) -> None:
    """Take all of a disk's room but so many pages."""
    (disk / "fill").unlink(missing_ok=True)
    stat = os.statvfs(disk)
    (disk / "fill").write_bytes(bytes(max(0, stat.f_bavail * stat.f_frsize - left * PAGE)))


LOG_LINE = r"\d{4}-\d\d-\d\dT[\d:]+Z WARNING "
"""What a server logs before it gives up, with the path in it as well."""


def is_one_sentence(said: str, disk: Path) -> bool:
    lines = [line for line in said.splitlines() if not re.match(LOG_LINE, line)]
    return len(lines) == 1 and lines[0].startswith("lts: ") and str(disk) in lines[0] and lines[0].endswith(".")


@pytest.mark.skipif(not is_mounter(), reason="only root mounts a disk of a test's own")
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_disk_with_room_for_any_number_of_pages_is_a_sentence_with_the_path(
    words: list[str], disk: Path, capsys: Said
) -> None:
    for new in (True, False) if words[0] == "serve" else (False,):
        for left in (*range(16), 20, 40, 60, 80, 100):
            subprocess.run(["find", str(disk), "-mindepth", "1", "-delete"], check=True)
            if not new:
                assert main(["serve", "--no-browser"]) == 0
            capsys.readouterr()
            fill(disk, left)
            code = main(words)
            told = capsys.readouterr()
            if words == ["doctor"]:
                assert "itself" not in told.err
                continue
            assert code == 0 or is_one_sentence(told.err, disk), (left, told.err)
            (disk / "fill").unlink()
            assert main(["serve", "--no-browser"]) == 0, "it goes on once there is room"


@pytest.mark.skipif(not is_mounter(), reason="only root mounts a disk of a test's own")
def test_a_restore_or_verify_without_room_names_the_disk_and_not_the_backup_or_the_database(
    disk: Path, capsys: Said
) -> None:
    assert main(["serve", "--no-browser"]) == 0
    assert main(["backup", "b.lts"]) == 0
    data, of_the_second = disk / "data", 0
    for left in (4, 20):
        fill(disk, left)
        capsys.readouterr()
        assert main(["restore", "b.lts"]) == 1
        assert capsys.readouterr().err == (
            f"lts: {data} cannot be written (No space left on device); free some space on its disk. Nothing was"
            " restored.\n"
        )
    for left in range(10, 40, 6):
        fill(disk, left)
        capsys.readouterr()
        if main(["verify"]):
            err = capsys.readouterr().err
            assert is_one_sentence(err, disk), err
            of_the_second += f"lts: {data / 'verify-'}" in err and "is replayed there into a second database" in err
    assert of_the_second > 1


@pytest.mark.skipif(not is_mounter(), reason="only root mounts a disk of a test's own")
def test_doctor_says_that_a_disk_is_read_only_also_where_the_database_can_be_read(disk: Path, capsys: Said) -> None:
    assert main(["serve", "--no-browser"]) == 0
    path = disk / "data" / "lts.db"
    db, names = apsw.Connection(str(path)), ("lts.db", "lts.db-wal", "lts.db-shm")
    db.execute("UPDATE origins SET uuid = uuid")
    kept = {name: (path.parent / name).read_bytes() for name in names}
    db.close()
    for name, content in kept.items():  # as a kill leaves it
        (path.parent / name).write_bytes(content)
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    capsys.readouterr()
    assert main(["doctor"]) == 1
    [fault] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("[!!]") and str(disk) in line]
    assert fault == f"[!!] The disk of {path.parent} is read-only; mount the disk so that it can be written."


@pytest.mark.skipif(not is_mounter(), reason="only root mounts a disk of a test's own")
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_disk_that_is_read_only_is_a_sentence_with_the_path(words: list[str], disk: Path, capsys: Said) -> None:
    assert main(["serve", "--no-browser"]) == 0
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    capsys.readouterr()
    assert main(words) == 1
    told = capsys.readouterr()
    if words == ["doctor"]:
        [fault] = [line for line in told.out.splitlines() if line.startswith("[!!]") and str(disk) in line]
        assert "is read-only" in fault
        assert fault.endswith("mount the disk so that it can be written.")
        return
    assert is_one_sentence(told.err, disk), told.err
    assert "read-only" in told.err.lower()
    assert "rights" not in told.err
    assert "in its place" not in told.err


@pytest.mark.skipif(not is_mounter(), reason="only root mounts a disk of a test's own")
def test_what_was_replaced_is_not_called_lost_where_the_disk_is_full(disk: Path, capsys: Said) -> None:
    assert main(["serve", "--no-browser"]) == 0
    assert main(["backup", "b.lts"]) == main(["restore", "b.lts"]) == 0
    fill(disk, 0)
    capsys.readouterr()
    assert main(["restore", "--list"]) == 0
    [line] = capsys.readouterr().out.splitlines()
    assert "a database that cannot be read now" in line
    assert line.endswith("free some space on its disk, or check the disk.")


def started(folder: Path, shell: str, *, log: bool = True) -> tuple[subprocess.Popen[bytes], int]:
    """A server started by a shell that replaces itself, and its process id, once it serves."""
    settings = {"port": 0, "dataDir": "data", **({"log": {"file": "lts.log"}} if log else {})}
    (folder / "lts.json").write_text(json.dumps(settings), encoding="utf-8")
    command = [sys.executable, "-m", "lts.cli.main", "serve", "--no-browser", "--config", str(folder / "lts.json")]
    process = subprocess.Popen(["sh", "-c", f'exec "$@" {shell}', "sh", *command], env=environment(),
                               start_new_session=True)  # fmt: skip
    note = folder / "data" / "lts.running"
    wait_until(lambda: note.exists() and b"http" in note.read_bytes(), "the server serves")
    return process, process.pid


@POSIX
def test_a_start_with_all_streams_closed_serves_and_stops(tmp_path: Path) -> None:
    process, _ = started(tmp_path, "<&- >&- 2>&-", log=False)
    process.terminate()
    assert process.wait(30) == 0


@POSIX
def test_running_from_source_with_all_streams_closed_works(tmp_path: Path) -> None:
    code = ("import sys; from pathlib import Path; from lts import bootstrap\n"
            "bootstrap.ensure_venv = lambda *a, **k: Path(sys.executable)\n"
            "sys.exit(bootstrap.run(sys.argv[1:]))")  # fmt: skip
    shell = [
        "sh",
        "-c",
        'exec "$@" <&- >&- 2>&-',
        "sh",
        sys.executable,
        "-c",
        code,
        "vendor",
        "spec",
        "-o",
        "spec.json",
    ]
    done = subprocess.run(shell, env=environment(), cwd=tmp_path, timeout=60, check=False)
    assert done.returncode == 0
    assert (tmp_path / "spec.json").stat().st_size


@POSIX
def test_after_a_hang_up_a_renamed_log_goes_on_as_a_new_file(tmp_path: Path) -> None:
    process, number = started(tmp_path, "</dev/null >/dev/null 2>&1")
    try:
        os.kill(number, signal.SIGHUP)
        log = tmp_path / "lts.log"
        wait_until(lambda: log.exists() and log.stat().st_size > 0, "a line in the log")
        log.rename(tmp_path / "lts.log.old")
        before = (tmp_path / "lts.log.old").read_bytes()
        os.kill(number, signal.SIGHUP)
        wait_until(lambda: log.exists() and log.stat().st_size > 0, "a line in the log")
        assert (tmp_path / "lts.log.old").read_bytes() == before
        assert process.poll() is None
    finally:
        process.terminate()
        assert process.wait(30) == 0


@POSIX
def test_a_terminal_that_is_closed_ends_the_server_and_one_that_is_there_does_not(tmp_path: Path) -> None:
    import pty  # there is none on Windows

    number, master = pty.fork()
    if number == 0:
        settings = {"port": 0, "dataDir": "data", "log": {"file": "lts.log"}}
        (tmp_path / "lts.json").write_text(json.dumps(settings), encoding="utf-8")
        command = ["-m", "lts.cli.main", "serve", "--no-browser", "--config", str(tmp_path / "lts.json")]
        os.execve(sys.executable, [sys.executable, *command], environment())
    note = tmp_path / "data" / "lts.running"
    wait_until(lambda: note.exists() and b"http" in note.read_bytes(), "the server serves")
    os.kill(number, signal.SIGHUP)
    wait_until(lambda: (tmp_path / "lts.log").stat().st_size > 0, "a line in the log")
    assert os.waitpid(number, os.WNOHANG) == (0, 0)
    os.close(master)
    wait_until(lambda: os.waitpid(number, os.WNOHANG)[0] == number, "the server ends")
    assert not note.exists(), "in good order"


@pytest.mark.skipif(sys.platform != "linux", reason="the full device is Linux's")
@pytest.mark.parametrize("gone", [False, True], ids=["a full disk", "a reader that is gone"])
def test_a_start_whose_lines_nobody_can_have_serves(gone: bool, tmp_path: Path) -> None:
    (tmp_path / "lts.json").write_text(json.dumps({"port": 0, "dataDir": "data"}), encoding="utf-8")
    command = ["-m", "lts.cli.main", "serve", "--no-browser", "--config", str(tmp_path / "lts.json")]
    reader, writer = os.pipe()
    os.close(reader)
    out = writer if gone else os.open("/dev/full", os.O_WRONLY)
    process = subprocess.Popen([sys.executable, *command], env=environment(), stdout=out, stderr=subprocess.PIPE)
    note = tmp_path / "data" / "lts.running"
    try:
        wait_until(lambda: note.exists() and b"http" in note.read_bytes(), "the server serves")
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        told = process.communicate(timeout=60)[1].decode()
    finally:
        process.kill()
        for descriptor in {out, writer}:
            os.close(descriptor)
    assert process.returncode == 0, told
    assert "Traceback" not in told


def test_a_folder_in_place_of_the_log_is_reported(
    tmp_path: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner.Runner, "run", lambda self: None)
    settings = {"port": 0, "log": {"file": str(tmp_path)}, "vendorKeys": str(tmp_path / "lts.json")}
    (tmp_path / "lts.json").write_text(json.dumps(settings), encoding="utf-8")
    for words in (["serve", "--no-browser"], ["doctor"]):
        assert main([*words, "--config", str(tmp_path / "lts.json"), "--data", str(tmp_path / "data")]) == 1
        out, err = capsys.readouterr()
        assert f"The log {tmp_path} cannot be written (" in out + err
    assert f"{tmp_path / 'lts.json'} is not a folder, so no vendor key is read there" in out


def test_a_log_that_cannot_be_written_is_one_sentence(tmp_path: Path, capsys: Said) -> None:
    (tmp_path / "file").write_bytes(b"")
    settings = {"port": 0, "log": {"file": str(tmp_path / "file" / "lts.log")}}
    (tmp_path / "lts.json").write_text(json.dumps(settings), encoding="utf-8")
    assert main(["serve", "--no-browser", "--config", str(tmp_path / "lts.json")]) == 1
    told = capsys.readouterr().err
    assert is_one_sentence(told, tmp_path / "file"), told


@pytest.mark.skipif(sys.platform != "linux", reason="the full device is Linux's")
def test_a_log_on_a_full_disk_is_reported_once_and_stops_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    full = tmp_path / "full.log"
    full.symlink_to("/dev/full")
    lines = handler(Log(file=full))
    lines.start()
    for number in range(3):
        lines.handle(lines_record(number))
    assert lines.finish(10)
    told = capfd.readouterr().err
    assert told.count("cannot be written (No space left on device)") == 1
    assert "Traceback" not in told


def lines_record(number: int) -> logging.LogRecord:
    return logging.LogRecord("test", logging.WARNING, "", 0, f"line {number}", (), None)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root can become another user")
def test_a_user_without_a_name_a_home_and_an_environment_can_run_it(tmp_path: Path) -> None:
    (tmp_path / "house").mkdir()
    (tmp_path / "house").chmod(0o777)
    for place in (tmp_path, *tmp_path.parents):
        if place.name.startswith(("pytest-", "popen-", "test_")):
            place.chmod(0o755)
    # all is loaded by root: Python's own files may not be open to everybody
    code = (
        "import contextlib, io, os, sys\n"
        "from lts.cli.main import main\n"
        "from lts.server import opened\n"
        "from lts.cli.serving import runner\n"
        "def run(self):\n"
        "    with opened(self._config): pass\n"
        "runner.Runner.run = run\n"
        "commands = [['serve', '--no-browser'], ['status'], ['setup-code'], ['verify'], ['backup', 'b.lts'],\n"
        "            ['password', 'reset', '--yes'], ['usage'], ['vendor', 'spec', '-o', 'spec.json']]\n"
        "def all(data):\n"
        "    return [main([*words] if words[0] == 'vendor' else [*words, '--data', data]) for words in commands]\n"
        "with contextlib.redirect_stdout(io.StringIO()):\n"
        "    os.chdir(sys.argv[1]); assert not any(all('first')), 'as root'\n"
        "os.chdir('house'); os.setgroups([]); os.setgid(12345); os.setuid(12345); os.environ.clear()\n"
        "sys.exit(any(all('data')))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], env={**environment(), "PYTHONPATH": str(ROOT)},
                          capture_output=True, encoding="utf-8", timeout=120, check=False)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
