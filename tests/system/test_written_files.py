"""Every command that writes a file: what it replaces, what it refuses, and that nothing is half done."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lts.cli.main import main
from lts.rules.licensing import activation, licensefile
from lts.vendor import spec
from tests.support.kit import NOON, Vendor, item, lab
from tests.support.lines import environment

pytestmark = pytest.mark.slow

Said = pytest.CaptureFixture[str]
POSIX = pytest.mark.skipif(os.name != "posix", reason="pipes, devices and links of POSIX")
WRITING = ["backup", "request", "spec", "issue", "activate", "revoke", "amend"]


@pytest.fixture(autouse=True)
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stopped server's data, a vendor's key, and what its commands read."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LTS_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("LTS_CONFIG", raising=False)
    vendor = Vendor()
    (tmp_path / "vendor.key").write_bytes(vendor.key.to_pem())
    (tmp_path / "vendor.pub").write_bytes(vendor.pub)
    (tmp_path / "spec.json").write_text(json.dumps(spec.sample(NOON)), encoding="utf-8")
    (tmp_path / "old.lic").write_text(licensefile.render(vendor.issue(item())), encoding="utf-8")
    (tmp_path / "changes.json").write_text('{"items": [{"itemId": "one", "quota": 7}]}', encoding="utf-8")
    with lab(tmp_path) as here:
        me = here.ctx.identity
        request = activation.build(me.uuid, me.key, me.labels, "strong", NOON)
    (tmp_path / "request.json").write_text(request, encoding="utf-8")
    return tmp_path


def words_of(command: str, output: object) -> list[str]:
    """A command that would write to `output`."""
    key = ["--key", "vendor.key"]
    told: dict[str, list[object]] = {
        "backup": ["backup", output],
        "request": ["request", "-o", output],
        "spec": ["vendor", "spec", "-o", output],
        "issue": ["vendor", "issue", *key, "spec.json", "-o", output],
        "activate": ["vendor", "activate", *key, "old.lic", "--request", "request.json", "-o", output],
        "revoke": ["vendor", "revoke", *key, "old.lic", "--item", "one", "-o", output],
        "amend": ["vendor", "amend", *key, "old.lic", "changes.json", "-o", output],
    }
    return [str(word) for word in told[command]]


def refusal(command: str, output: object, capsys: Said) -> str:
    """The one sentence by which a command refuses to write."""
    capsys.readouterr()
    assert main(words_of(command, output)) == 1
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1, told
    return told[0]


@pytest.mark.parametrize("command", WRITING)
def test_nothing_is_written_into_a_data_folder(command: str, house: Path, capsys: Said) -> None:
    (house / "near").symlink_to(house / "data")
    before = sorted((house / "data").rglob("*"))
    for name in ("lts.lock", "placing.json", "lts.db-journal", "incoming", "archive", "replaced-2", "trust/a.pub"):
        for folder in ("data", "near"):
            said = refusal(command, Path(folder) / name, capsys)
            assert f"is in the data folder {house / 'data'}, which is for the server's own files" in said
    assert main(["vendor", "init", "--name", "V", "data/incoming"]) == 1
    assert [path for path in sorted((house / "data").rglob("*")) if path not in before] == []


@pytest.mark.parametrize("command", ["authorize", "report", "release"])
def test_no_client_keeps_its_state_in_a_data_folder(command: str, house: Path, capsys: Said) -> None:
    (house / "near").symlink_to(house / "data")
    before = sorted((house / "data").rglob("*"))
    for state in ("data", "data/incoming", "near/trust", "data/a/b"):
        for device in ([], ["--device", "4b9cd2a6-9a34-4a51-9f9d-5b6f1e2cbe0f"]):
            words = [command, "--server", "http://127.0.0.1:9/lts", "--code", "1-a", "--state", state, *device]
            assert main(words) == 1
            said = capsys.readouterr().err
            assert f"is in the data folder {house / 'data'}, which is for the server's own files" in said
    assert sorted((house / "data").rglob("*")) == before


@pytest.mark.parametrize(
    "words", [("serve", "--no-browser", "--port", "0"), ("restore", "b.lts"), ("restore", "--undo")], ids=" ".join
)
def test_no_data_folder_is_made_in_another_one(words: tuple[str, ...], house: Path, capsys: Said) -> None:
    assert main(["backup", "b.lts"]) == 0
    (house / "near").symlink_to(house / "data")
    (house / "data" / "empty").mkdir()
    before = sorted((house / "data").rglob("*"))
    for inner in ("data/incoming", "near/trust", "data/a/b", "data/empty"):
        if words[-1] == "--undo" and not Path(inner).exists():
            continue
        capsys.readouterr()
        assert main(["--data", inner, *words]) == 1
        said = capsys.readouterr().err
        assert f"is in the data folder {house / 'data'}, which is for the server's own files" in said
    assert sorted((house / "data").rglob("*")) == before


def test_a_data_folder_that_is_in_another_one_already_is_used(house: Path) -> None:
    assert main(["backup", "b.lts"]) == 0
    assert main(["--data", "old", "restore", "b.lts"]) == 0
    Path("old").rename("data/old")
    assert main(["--data", "data/old", "status"]) == 0


@POSIX
@pytest.mark.parametrize("command", WRITING)
def test_a_link_is_followed_and_stays(command: str, house: Path) -> None:
    (house / "far").mkdir()
    (house / "near").symlink_to(house / "far" / "file")
    for _ in range(2):  # where there is nothing yet, and over what it wrote
        assert main(words_of(command, "near")) == 0
        assert (house / "near").is_symlink()
        assert (house / "far" / "file").stat().st_size > 50
        assert [path.name for path in (house / "far").iterdir()] == ["file"]


@POSIX
@pytest.mark.parametrize("command", WRITING)
def test_what_is_no_plain_file_is_refused_and_stays(command: str, house: Path, capsys: Said) -> None:
    os.mkfifo("pipe")
    Path("to-pipe").symlink_to("pipe")
    Path("to-null").symlink_to("/dev/null")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("socket")
        for name in ("pipe", "to-pipe", "to-null", "/dev/null", "/dev/full", "socket"):
            if Path(name).exists():
                assert "is a pipe or a device, not a file" in refusal(command, name, capsys)
    assert stat.S_ISFIFO(Path("pipe").stat().st_mode)
    assert Path("/dev/null").is_char_device()
    Path("loop").symlink_to("loop")
    assert "loop cannot be written" in refusal(command, "loop", capsys)


@pytest.mark.parametrize("command", WRITING)
def test_a_folder_or_a_place_in_none_is_named(command: str, house: Path, capsys: Said) -> None:
    (house / "folder").mkdir()
    assert refusal(command, "folder", capsys) == "lts: folder is a folder; name a file in it."
    assert "there is no folder" in refusal(command, Path("gone") / "file", capsys)
    assert not list((house / "data").glob("backups/*"))


@pytest.mark.parametrize("command", WRITING)
def test_a_dash_writes_to_standard_output_and_nothing_else(command: str, house: Path) -> None:
    env = {**environment(), "LTS_DATA_DIR": str(house / "data")}
    done = subprocess.run([sys.executable, "-m", "lts.cli.main", *words_of(command, "-")], env=env,
                          capture_output=True, stdin=subprocess.DEVNULL, timeout=120, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert main(words_of(command, "file")) == 0
    begun = (house / "file").read_bytes()[:10]  # of two backups the content differs behind it
    assert done.stdout[:10] == begun
    assert not (house / "-").exists()
    if command == "backup":
        (house / "piped").write_bytes(done.stdout)
        assert main(["verify", "piped"]) == 0
        assert not list((house / "data" / "backups").iterdir())
    elif command != "spec":
        assert b"Next:" not in done.stdout
        assert done.stdout.rstrip().endswith((b"-----", b"}"))


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
@pytest.mark.parametrize("command", ["spec", "issue", "amend"])
def test_a_disk_without_room_leaves_the_file_that_was_there(command: str, house: Path) -> None:
    import resource  # there is none on Windows

    assert main(words_of(command, "file")) == 0
    before = (house / "file").read_bytes()
    done = subprocess.run([sys.executable, "-m", "lts.cli.main", *words_of(command, "file")], capture_output=True,
                          env=environment(), stdin=subprocess.DEVNULL, timeout=120, check=False,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (16, 16)))  # fmt: skip
    assert (done.returncode, done.stderr) == (
        1,
        b"lts: file cannot be written (File too large); name a place where files may be as large.\n",
    )
    assert (house / "file").read_bytes() == before
    assert not list(house.glob("*.part"))


@POSIX
def test_a_file_that_is_replaced_keeps_its_rights(house: Path) -> None:
    assert main(words_of("issue", "file")) == 0
    (house / "file").chmod(0o640)
    assert main(words_of("issue", "file")) == 0
    assert stat.S_IMODE((house / "file").stat().st_mode) == 0o640
    assert main(words_of("backup", "whole.lts")) == 0
    assert stat.S_IMODE((house / "whole.lts").stat().st_mode) == 0o600


@pytest.mark.parametrize("command", WRITING)
def test_a_file_of_another_kind_stays(command: str, house: Path, capsys: Said) -> None:
    for content in (b"# Notes\n", b"\xff\xfe\x00 \x80", (house / "old.lic").read_bytes()[:40]):
        (house / "notes").write_bytes(content)
        assert "name another file to write to" in refusal(command, "notes", capsys)
        assert (house / "notes").read_bytes() == content
    (house / "notes").write_bytes(b"")
    assert main(words_of(command, "notes")) == 0


def test_a_spec_that_somebody_changed_stays(house: Path, capsys: Said) -> None:
    assert main(words_of("spec", "mine.json")) == 0
    assert main(words_of("spec", "mine.json")) == 0, "it is as it was"
    changed = (house / "mine.json").read_text(encoding="utf-8").replace("1001", "7777")
    (house / "mine.json").write_text(changed, encoding="utf-8")
    assert "a spec that somebody has changed" in refusal("spec", "mine.json", capsys)
    assert (house / "mine.json").read_text(encoding="utf-8") == changed


@POSIX
@pytest.mark.parametrize("read", [0, 100, 40_000, None])
def test_a_backup_whose_reader_leaves_early_has_failed(read: int | None, house: Path) -> None:
    """None: one that takes all of it, and takes its time."""
    env = environment() | {"LTS_DATA_DIR": str(house / "data")}
    if read == 40_000:  # more than a pipe holds
        (house / "data" / "trust").mkdir(exist_ok=True)
        (house / "data" / "trust" / "noise").write_bytes(os.urandom(300_000))
    with subprocess.Popen(
        [sys.executable, "-m", "lts.cli.main", "backup", "-"], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as command:
        assert command.stdout is not None
        assert command.stderr is not None
        if read is None:
            assert command.stdout.read(2) == b"PK"
            while command.stdout.read(20_000):
                time.sleep(0.1)
        else:
            assert len(command.stdout.read(read)) == read
        command.stdout.close()
        said = command.stderr.read().decode()
        code = command.wait(timeout=60)
    if read is None:
        assert (code, said.count("\n")) == (0, 1), said
    else:
        assert (code, said) == (1, "lts: The program that reads the backup ended early; see its output.\n")
    assert not list((house / "data" / "backups").iterdir())
