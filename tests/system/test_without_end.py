"""Files that are too large, and standard input that never ends: only as much is read as such a file may have."""

from __future__ import annotations

import io
import sys
import tracemalloc
from pathlib import Path

import pytest

from lts.cli.main import main

Said = pytest.CaptureFixture[str]
MIB = 1 << 20
pytestmark = pytest.mark.usefixtures("nowhere")
READERS = [
    ("license", "show"),
    ("license", "import"),
    ("trust", "--yes"),
    ("vendor", "issue", "spec.json", "-o", "new.lic", "--key"),
    ("vendor", "issue", "--key", "v/vendor.key", "-o", "new.lic"),
    ("vendor", "amend", "--key", "v/vendor.key", "old.lic", "-o", "new.lic"),
    ("vendor", "activate", "--key", "v/vendor.key", "old.lic", "-o", "new.lic", "--request"),
]


class Endless(io.RawIOBase):
    """Zeros without end; whoever goes on reading is found out."""

    left = 8 * MIB

    def readable(self) -> bool:
        return True

    def readinto(self, into: object) -> int:
        assert isinstance(into, memoryview)
        self.left -= len(into)
        assert self.left > 0, "it is read without end"
        into[:] = bytes(len(into))
        return len(into)


@pytest.fixture(autouse=True)
def vendor(nowhere: None, capsys: Said) -> None:
    """A vendor's folder with a key and a license; the machine has an empty trust store."""
    assert main(["vendor", "init", "v", "--name", "Vendor"]) == 0
    assert main(["vendor", "spec", "-o", "spec.json"]) == 0
    assert main(["vendor", "issue", "--key", "v/vendor.key", "spec.json", "-o", "old.lic"]) == 0
    capsys.readouterr()


def said_by(capsys: Said, *words: str) -> str:
    """The one sentence with which a command fails."""
    assert main(list(words)) == 1
    [line] = capsys.readouterr().err.splitlines()
    return line


def huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(256 * MIB)


@pytest.mark.parametrize("words", READERS, ids=str)
def test_an_endless_input_is_refused_by_its_size(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(Endless())))
    assert said_by(capsys, *words, "-").startswith("lts: Standard input is too large (over ")


@pytest.mark.parametrize("words", READERS, ids=str)
def test_a_huge_file_is_not_read_into_memory(words: tuple[str, ...], capsys: Said) -> None:
    huge(Path("huge"))
    tracemalloc.start()
    try:
        said = said_by(capsys, *words, "huge")
        assert tracemalloc.get_traced_memory()[1] < 64 * MIB
    finally:
        tracemalloc.stop()
    assert said.startswith("lts: huge is too large (over ")


@pytest.mark.parametrize("command", ["restore", "verify"])
def test_an_endless_input_that_is_no_backup_does_not_fill_the_disk(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    Path("data").mkdir()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(Endless())))
    assert said_by(capsys, command, "-").startswith("lts: Standard input is empty; give a backup ")


def test_what_is_too_large_is_still_called_what_it_is(capsys: Said) -> None:
    Path("other").write_bytes(b"PK\x03\x04".ljust(30, b"\0") + b"lts.db" + bytes(2 * MIB))
    assert said_by(capsys, "license", "show", "other") == (
        "lts: other is a backup of a server; give a license file (.lic)."
    )


def test_a_huge_configuration_or_public_key_is_not_read_whole(capsys: Said) -> None:
    Path("trust").mkdir()
    for path in (Path("huge.json"), Path("v/vendor.pub"), Path("trust/a.pub")):
        huge(path)
    Path("lts.json").write_text("{}", encoding="utf-8")
    tracemalloc.start()
    try:
        assert main(["--config", "huge.json", "status"]) == 1
        assert main(["vendor", "issue", "--key", "v/vendor.key", "spec.json", "-o", "new.lic"]) == 1
        assert main(["--config", "lts.json", "license", "show", "old.lic"]) == 0
        assert tracemalloc.get_traced_memory()[1] < 64 * MIB
    finally:
        tracemalloc.stop()
    capsys.readouterr()
    Path("huge.json").write_bytes(b"{" + b" " * MIB + b"}")
    assert said_by(capsys, "--config", "huge.json", "status").endswith(
        "huge.json is too large (over 1 MiB); name the configuration of a server (lts.json)."
    )
