"""Folders that are closed to who types a command, or were deleted under it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lts.cli.develop.client import _vendor_key
from lts.cli.main import main
from lts.cli.place import folder_of
from lts.crypto import SigningKey
from lts.envfolder import SCRIPT
from tests.support.kit import lab
from tests.support.lines import environment
from tests.support.nobody import NOBODY, ONLY_ROOT, as_nobody, open_to_all

pytestmark = pytest.mark.slow

Said = pytest.CaptureFixture[str]
POSIX = pytest.mark.skipif(os.name != "posix", reason="rights and folders of POSIX")


def give(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        os.chown(path, NOBODY, NOBODY)


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the data of a stopped server."""
    folder = tmp_path / "house"
    folder.mkdir()
    with lab(folder):
        pass
    monkeypatch.setenv("LTS_DATA_DIR", str(folder / "data"))
    monkeypatch.delenv("LTS_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    return folder


@ONLY_ROOT
@pytest.mark.parametrize("words", [("status",), ("handshake", "list"), ("doctor",), ("restore", "--list")], ids=str)
def test_a_command_works_where_the_current_folder_is_closed_to_its_user(words: tuple[str, ...], house: Path) -> None:
    give(house)
    closed = house.parent / "closed"
    closed.mkdir(mode=0o700)
    (closed / "lts.json").write_text("{}", encoding="utf-8")
    done = as_nobody(house.parent, *words, stands_in=closed)
    assert "closed" not in done.stderr
    assert done.returncode == 0, done.stderr


@POSIX
def test_a_file_that_nobody_may_have_meant_may_be_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, **_: object) -> os.stat_result:
        raise PermissionError(13, "Permission denied", str(path))

    x = SigningKey.generate().public.x
    with monkeypatch.context() as patch:
        patch.setattr(Path, "stat", refuse)
        patch.setattr("os.stat", refuse)
        assert _vendor_key(x) == x
        assert folder_of(tmp_path, lambda _: True, {"HOME": "/closed"}, windows=False) == tmp_path


@POSIX
@pytest.mark.parametrize(
    "words",
    [("--data", "d", "status"), ("--config", "x.json", "status"), ("backup", "b.bak"), ("vendor", "spec", "-o", "x"),
     ("request", "-o", "r.json"), ("--data", "d", "serve", "--no-browser", "--port", "0")],
    ids=" ".join,
)  # fmt: skip
def test_a_deleted_current_folder_is_reported(words: tuple[str, ...], house: Path, capsys: Said) -> None:
    gone = house / "gone"
    gone.mkdir()
    os.chdir(gone)
    gone.rmdir()
    assert main(list(words)) == 1
    assert capsys.readouterr().err == "lts: The current folder is gone; change to another one.\n"
    assert main(["status"]) == 0  # what names no path from there works


@ONLY_ROOT
@pytest.mark.parametrize("closed", ["data", "data/placing.json"])
def test_who_may_not_look_learns_who_may_list_what_was_replaced(closed: str, house: Path) -> None:
    (house / "data").chmod(0o755)
    (house / closed).touch()
    (house / closed).chmod(0o700)
    done = as_nobody(house.parent, "restore", "--list")
    assert done.returncode == 1
    assert f"The data folder {house / 'data'} is not open to " in done.stderr
    assert "run this as root, or as the user that runs the server." in done.stderr
    assert "Errno" not in done.stderr
    assert "empty folder" not in done.stderr


@ONLY_ROOT
@pytest.mark.parametrize("mode", [0o500, 0o000])
def test_the_owner_of_a_closed_data_folder_is_shown_how_to_open_it(mode: int, house: Path) -> None:
    give(house)
    data = house / "data"
    data.chmod(mode)
    for words in (("status",), ("restore", "--undo")):
        done = as_nobody(house.parent, *words)
        assert done.returncode == 1
        assert f"open your own folder by `chmod u+rwx {data}`." in done.stderr


@ONLY_ROOT
@pytest.mark.parametrize("closed", ["data/lts.db", "lts.log"])
def test_doctor_says_as_the_start_does_that_a_file_can_be_read_but_not_written(closed: str, house: Path) -> None:
    (house / "lts.json").write_text(json.dumps({"log": {"file": "lts.log"}}), encoding="utf-8")
    (house / "lts.log").touch()
    give(house)
    os.chown(house / closed, 0, 0)
    (house / closed).chmod(0o644)
    words = ("--config", str(house / "lts.json"))
    told = as_nobody(house.parent, "doctor", *words)
    assert told.returncode == 1
    faults = [line for line in told.stdout.splitlines() if line.startswith("[!!]")]
    assert f"{house / closed} cannot be written" in faults[0]
    assert all("(Permission denied)" in fault for fault in faults)
    assert ("Database" in told.stdout) == (closed == "lts.log")


@ONLY_ROOT
def test_files_next_to_the_database_and_its_folder_are_looked_at(house: Path) -> None:
    give(house)
    closed = [house / "data" / name for name in ("lts.db-wal", "lts.db-shm")]
    for path in closed:
        path.touch(mode=0o644)
    (house / "data").chmod(0o555)
    code = "import sys, pathlib; from lts.store.file.database import closed_files as f;"
    code += f"import os; os.setuid({NOBODY}); print(*f(pathlib.Path(sys.argv[1])), sep='\\n')"
    open_to_all(house.parent)
    done = subprocess.run([sys.executable, "-c", code, str(house / "data" / "lts.db")], env=environment(),
                          capture_output=True, encoding="utf-8", timeout=60, check=True)  # fmt: skip
    assert [Path(line.split()[0]) for line in done.stdout.splitlines()] == [*closed, house / "data"]


@POSIX
@pytest.mark.parametrize("words", [("backup", "-"), ("vendor", "spec")], ids=" ".join)
def test_a_closed_output_takes_no_file(words: tuple[str, ...], house: Path) -> None:
    command = 'exec "$0" -m lts.cli.main "$@" >&-'
    env = {**environment(), "LTS_DATA_DIR": str(house / "data")}
    done = subprocess.run(["/bin/sh", "-c", command, sys.executable, *words], env=env, capture_output=True,
                          encoding="utf-8", timeout=60, check=False)  # fmt: skip
    assert (done.returncode, done.stderr) == (1, "lts: Standard output is closed; name a file to write to.\n")


def test_who_has_a_set_up_code_of_a_stopped_server_is_asked_to_start_it(house: Path, capsys: Said) -> None:
    for words in (["setup-code"], ["password", "reset", "--yes"]):
        assert main(words) == 0
        assert "\nStart the server first, then set the password at http://" in capsys.readouterr().out


def test_a_change_of_nothing_says_what_can_be_changed(house: Path, capsys: Said) -> None:
    assert main(["handshake", "edit", "216998-1"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("lts: Say what to change: --rename, ")
    with pytest.raises(SystemExit):
        main(["handshake", "edit", "--help"])
    shown = {word.strip("[],") for word in capsys.readouterr().out.split() if word.strip("[],").startswith("--")}
    assert {word.strip(",.\n") for word in said.split() if word.startswith("--")} == shown - {
        "--help", "--config", "--data", "--organization",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [(" ", 2, "--name is empty; give the vendor's name as customers see it."),
     ("x" * 501, 1, "In the vendor's key, name is longer than 500 characters.")],
    ids=["empty", "long"],
)  # fmt: skip
def test_a_vendor_has_a_name(name: str, code: int, said: str, tmp_path: Path, capsys: Said) -> None:
    assert main(["vendor", "init", str(tmp_path / "keys"), "--name", name]) == code
    assert capsys.readouterr().err == f"lts: {said}\n"
    assert not (tmp_path / "keys").exists()


@POSIX
def test_the_command_of_an_environment_says_that_its_python_is_closed(tmp_path: Path) -> None:
    (tmp_path / "lts").write_text(SCRIPT, encoding="ascii")
    done = subprocess.run(["/bin/sh", str(tmp_path / "lts"), "status"], capture_output=True, encoding="utf-8",
                          timeout=60, check=False)  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == f"lts: {tmp_path}/python is not open to you; run this as the user who installed LTS.\n"
