"""Every command, in places that commands are not made for: no traceback, an exit code of 0, 1 or 2, and words."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lts.rules.licensing import licensefile
from tests.support.everycommand import ENDING, named, run_here
from tests.support.kit import Vendor, item, lab
from tests.support.lines import environment
from tests.support.nobody import ONLY_ROOT, as_nobody

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("nowhere")]


@pytest.mark.parametrize("leaf", ENDING, ids=named)
def test_a_command_without_arguments_or_data_says_what_is_missing(
    leaf: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    code = run_here(*leaf)
    out, err = capsys.readouterr()
    assert code in (0, 1, 2)
    assert "Traceback" not in err
    assert "at fault" not in err
    if code == 1 and leaf != ("doctor",):
        assert len([line for line in err.splitlines() if line.startswith("lts: ")]) == 1, err
        assert err.rstrip().endswith("."), err
    assert out or err


WANTING_DATA = [
    ("usage",), ("status",), ("verify",), ("portal",), ("setup-code",), ("handshake", "list"), ("license", "list"),
    ("request", "-o", "r.json"), ("backup", "b.lts"), ("password", "reset", "--yes"),
]  # fmt: skip


@pytest.mark.parametrize("words", WANTING_DATA, ids=named)
def test_a_folder_of_something_else_is_left_as_it_is(
    words: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "notes.txt").write_text("mine", encoding="utf-8")
    assert run_here(*words) == 1
    said = f"lts: The folder {tmp_path / 'data'} holds no LTS data; start the server once, or name --data DIR.\n"
    assert capsys.readouterr().err == said
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["notes.txt"]
    assert not (tmp_path / "r.json").exists()


def test_a_file_in_place_of_the_data_folder_is_reported_by_whatever_looks_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("lts.cli.administer.portal.has_desktop", lambda: False)
    (tmp_path / "data").write_text("mine", encoding="utf-8")
    for words in WANTING_DATA:
        assert run_here(*words) == 1, words
        out, err = capsys.readouterr()
        assert err.startswith(f"lts: {tmp_path / 'data'} is not a folder; set dataDir to the data folder"), words
        assert not out


def lts(*words: str, **streams: object) -> subprocess.CompletedProcess[bytes]:
    """A command in a process of its own, whose streams a test chooses."""
    chosen = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    env = {**environment(), **{name: os.environ[name] for name in ("LTS_DATA_DIR", "HOME")}}
    command = [sys.executable, "-m", "lts.cli.main", *words]
    return subprocess.run(command, env=env, timeout=120, check=False, **chosen)  # type: ignore[call-overload,no-any-return]  # streams of any kind


PRINTING = [
    ("doctor",), ("vendor", "spec"), ("usage", "--format", "csv"), ("--help",), ("--version",), ("status", "--help"),
]  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="the full device is Linux's")
@pytest.mark.parametrize("words", PRINTING, ids=named)
@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["at the end", "at once"])
@pytest.mark.slow
def test_a_full_disk_under_the_output_is_a_sentence(
    words: tuple[str, ...], unbuffered: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_data(tmp_path)
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    with Path("/dev/full").open("wb") as full:
        done = lts(*words, stdout=full)
    assert done.returncode == 1
    is_told_at_once = unbuffered or {"--help", "--version"} & {*words}
    said = "The output cannot be" if is_told_at_once else "This was done, but its output cannot be"
    assert done.stderr.decode() == f"lts: {said} written (No space left on device).\n"


@pytest.mark.skipif(sys.platform != "linux", reason="the full device is Linux's")
@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("lisense",), 2),
        (("status", "--nope"), 2),
        (("status",), 1),
        (("authorize", "--key", "x"), 1),
        (("--help",), 0),
    ],
)
@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["at the end", "at once"])
def test_the_exit_code_is_the_same_where_nothing_can_be_written(
    words: tuple[str, ...], code: int, unbuffered: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    read, write = os.pipe()
    os.close(read)
    with Path("/dev/full").open("wb") as full, os.fdopen(write, "wb") as broken:
        assert [lts(*words, stderr=stream).returncode for stream in (full, broken)] == [code, code]


@pytest.mark.skipif(os.name != "posix", reason="pipes of POSIX")
@pytest.mark.parametrize("words", PRINTING, ids=named)
def test_a_reader_that_has_seen_enough_is_no_fault(words: tuple[str, ...], tmp_path: Path) -> None:
    make_data(tmp_path)
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as broken:
        done = lts(*words, stdout=broken)
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.skipif(os.name != "posix", reason="closes streams by number")
@pytest.mark.parametrize("words", PRINTING, ids=named)
def test_closed_streams_take_nothing_and_give_nothing(words: tuple[str, ...], tmp_path: Path) -> None:
    """But a command that makes a document has made none then, and says so."""
    make_data(tmp_path)
    shell = 'exec "$@" <&- >&-'
    env = {**environment(), **{name: os.environ[name] for name in ("LTS_DATA_DIR", "HOME")}}
    command = ["sh", "-c", shell, "sh", sys.executable, "-m", "lts.cli.main", *words]
    done = subprocess.run(command, env=env, stderr=subprocess.PIPE, timeout=120, check=False)
    if words == ("vendor", "spec"):
        assert (done.returncode, b"closed" in done.stderr, done.stderr.count(b"\n")) == (1, True, 1)
    else:
        assert (done.returncode, done.stderr) == (0, b"")


def make_data(folder: Path) -> None:
    """A data folder, so that there is something to print."""
    with lab(folder):
        pass


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("false", "The driver 'false' ended instead of answering "),
        ("there-is-no-such-program-here", "cannot be started"),
        ("'unbalanced", "cannot be started"),
        (" ", "Name the client's driver: the URL of one, or the command that starts it."),
        ("http://[", "does not answer"),
    ],
)
def test_an_invalid_driver_is_reported_in_a_sentence(
    target: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_here("conformance", target) == 1
    err = capsys.readouterr().err
    assert err.startswith("lts: ")
    assert len(err.splitlines()) == 1
    assert said in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("serve", "--data", "a.txt"), "a.txt is not a folder; set dataDir to the data folder, or name it by --data."),
        (("serve", "--data", "a.txt/b"), "b is not a folder; set dataDir to the data folder, or name it by --data."),
        (("status", "--data", "a.txt"), "a.txt is not a folder; set dataDir to the data folder, or name it by --data."),
        (("license", "show", "none.lic"), "none.lic cannot be read (No such file or directory); check the name."),
        (("license", "show", "."), ". cannot be read (Is a directory); name a file in it."),
        (("license", "show", "/dev/null"), "(it is a pipe or a device, not a file); name a file."),
        (("vendor", "issue", "--key", "k", "a.txt", "-o", "o"), "k cannot be read (No such file or directory); check"),
        (("vendor", "init", "a.txt", "--name", "V"), "a.txt"),
        (("status", "--config", "none.json"), "none.json cannot be read (No such file or directory); check the name."),
        (("doctor", "--data", "d" * 300), "cannot be read (File name too long); check the name."),
        (("verify", "--data", "d" * 300), "cannot be read (File name too long); check the name."),
        (("conformance", "x", "--vectors", "none"), "The driver 'x' cannot be started ("),
    ],
)  # fmt: skip
@pytest.mark.skipif(os.name != "posix", reason="words of POSIX")
def test_a_file_that_cannot_be_read_is_reported_with_what_to_do(
    words: tuple[str, ...], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.txt").write_text("{}", encoding="utf-8")
    assert run_here(*words) == 1
    err = capsys.readouterr().err
    assert said in err
    assert len(err.splitlines()) == 1
    assert ";" in err


@ONLY_ROOT
@pytest.mark.parametrize(
    "words", [("verify",), ("license", "show"), ("doctor",), ("status",), ("clock", "reset")], ids=named
)
@pytest.mark.parametrize("closed", ["house/data", "house"])
@pytest.mark.slow
def test_somebody_without_rights_gets_that_answer(words: tuple[str, ...], closed: str, tmp_path: Path) -> None:
    (tmp_path / "house").mkdir()
    make_data(tmp_path / "house")
    (tmp_path / closed).chmod(0o700)
    if words == ("license", "show"):
        path = tmp_path / "a.lic"
        path.write_text(licensefile.render(Vendor().issue(item())), encoding="utf-8")
        words = (*words, str(path))
    done = as_nobody(tmp_path, *words)
    assert "Traceback" not in done.stderr, done.stderr
    if words[0] == "license":
        assert done.returncode == 0
        assert "data/trust cannot be read by" in done.stderr
    else:
        assert done.returncode == 1
        assert "run this as root, or as the user that runs the server" in done.stderr


@ONLY_ROOT
@pytest.mark.parametrize(
    "words", [("vendor", "spec", "-o"), ("vendor", "init", "--name", "V"), ("license", "show"), ("backup",)], ids=named
)
def test_nobody_is_advised_to_become_root_for_a_folder_that_is_not_the_servers(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "closed").mkdir(mode=0o700)
    path = tmp_path / "closed" / "file"
    path.write_bytes(b"")
    done = as_nobody(tmp_path, *words, str(path))
    assert done.returncode == 1
    assert done.stderr.startswith(f"lts: {path}")
    assert "Permission denied" in done.stderr
    assert "run this" not in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
@pytest.mark.parametrize(
    ("words", "path"),
    [
        (("status",), "data/lts.running"),
        (("usage",), "data/lts.running"),
        (("serve", "--no-browser", "--port", "0"), "data/lts.running"),
        (("vendor", "init", "vendor", "--name", "V"), "vendor"),
        (("vendor", "spec", "-o", "spec.json"), "spec.json"),
    ],
)
def test_a_disk_that_takes_nothing_is_named_with_the_path(words: tuple[str, ...], path: str, tmp_path: Path) -> None:
    make_data(tmp_path)
    done = limited(*words)
    assert done.returncode == 1
    assert done.stderr.startswith(b"lts: ")
    assert f"{path} cannot be written (File too large)".encode() in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
def test_a_vendors_key_that_could_not_be_written_does_not_block_the_next(tmp_path: Path) -> None:
    words = ("vendor", "init", str(tmp_path / "vendor"), "--name", "V")
    assert limited(*words).returncode == 1
    assert lts(*words).returncode == 0


def limited(*words: str) -> subprocess.CompletedProcess[bytes]:
    """A command that may write into pipes, but not a byte into a file."""
    import resource  # there is none on Windows

    return lts(*words, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE])
@pytest.mark.parametrize("path", ["some/file", None])
def test_a_fault_of_the_machine_is_a_sentence_whether_the_system_names_the_file_or_not(
    number: int, path: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: object) -> None:
        raise OSError(number, os.strerror(number), path)

    monkeypatch.setattr("lts.cli.sell.vendor.write_text", fails)
    assert run_here("vendor", "spec", "-o", "spec.json") == 1
    err = capsys.readouterr().err
    assert err.startswith(f"lts: {path or 'A file'} cannot be ")
    assert ("free some space" in err) == (number in (errno.ENOSPC, errno.EDQUOT))
    assert len(err.splitlines()) == 1
