"""One process a data folder, whoever looks meanwhile; the command line's token; network shares."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from lts.errors import DataFolderError, DataFolderLocked
from lts.service.folder import datafolder
from lts.service.folder.datafolder import DataFolder, read_token, running_server
from tests.support.lines import environment

HOLD = """
import sys, time
from pathlib import Path
from lts.service.folder.datafolder import DataFolder
folder = DataFolder.hold(Path(sys.argv[1]))
folder.announce("http://127.0.0.1:1234/lts")
print("held", flush=True)
time.sleep(60)
"""


def test_a_second_process_is_told_who_holds_the_folder_and_a_killed_one_holds_nothing(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True, env=environment()
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    assert running_server(tmp_path) == {"pid": holder.pid, "address": "http://127.0.0.1:1234/lts"}
    with pytest.raises(DataFolderLocked) as caught:
        DataFolder.hold(tmp_path)
    assert str(holder.pid) in caught.value.detail
    assert "127.0.0.1:1234" in caught.value.detail
    holder.kill()
    holder.wait()
    holder.stdout.close()
    assert running_server(tmp_path) is None
    folder = DataFolder.hold(tmp_path)
    folder.release()


def test_looking_whether_a_server_runs_never_keeps_one_from_starting(tmp_path: Path) -> None:
    DataFolder.hold(tmp_path).release()
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            running_server(tmp_path)

    looker = threading.Thread(target=look)
    looker.start()
    try:
        for _ in range(50):
            DataFolder.hold(tmp_path).release()
    finally:
        stop.set()
        looker.join()


def test_the_token_is_new_at_each_start_and_gone_after(tmp_path: Path) -> None:
    tokens = set()
    for _ in range(2):
        folder = DataFolder.hold(tmp_path)
        tokens.add(folder.new_token())
        assert read_token(tmp_path) in tokens
        folder.release()
    assert len(tokens) == 2
    with pytest.raises(DataFolderError):
        read_token(tmp_path)


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("x", encoding="utf-8")
    with pytest.raises(DataFolderError) as caught:
        DataFolder.hold(tmp_path / "data")
    assert str(tmp_path / "data") in caught.value.detail


@pytest.mark.parametrize(("system", "warned"), [("nfs4", True), ("cifs", True), ("ext4", False)])
def test_a_network_share_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, system: str, warned: bool
) -> None:
    mounts = [SimpleNamespace(mountpoint="/", fstype="ext4", opts="rw"),
              SimpleNamespace(mountpoint=str(tmp_path), fstype=system, opts="rw")]  # fmt: skip
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: mounts)
    warning = datafolder.network_warning(tmp_path / "data")
    assert (warning is not None) is warned
    assert datafolder.network_warning(tmp_path.with_name(tmp_path.name + "-local")) is None, "another folder's mount"


def test_only_a_folder_of_this_user_is_to_be_opened_by_its_owner(tmp_path: Path) -> None:
    assert "chmod" not in datafolder.not_open(tmp_path / "none"), "nobody can say whose it is"
    assert "chmod" not in datafolder.not_open(tmp_path), "it is open"


def test_a_system_that_names_no_mounts_does_not_stop_the_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def none(**_: object) -> object:
        raise FileNotFoundError(2, "No such file or directory", "/proc/self/mounts")

    monkeypatch.setattr("psutil.disk_partitions", none)
    assert datafolder.network_warning(tmp_path) is None
