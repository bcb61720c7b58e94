"""Commands on the data folder of another machine: they look, and leave whose it is to a start of the server."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest

from lts.cli.main import main
from lts.service.core import identity
from lts.service.folder import placing
from tests.support.kit import Vendor, item, lab

Said = pytest.CaptureFixture[str]
LOOKS = [["handshake", "list"], ["license", "list"], ["usage"], ["status"], ["device", "list"], ["backup", "b.lts"]]
WRITES = [["handshake", "add", "shop"], ["request", "-o", "r.json"], ["clock", "accept"], ["setup-code"],
          ["password", "reset", "--yes"]]  # fmt: skip


@pytest.fixture(autouse=True)
def _of_this_machine() -> None:
    """Here the folders are another machine's: see conftest.py."""


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder of a stopped server that ran on a machine with other labels than this one."""
    monkeypatch.setenv("LTS_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("LTS_HOST_ID", "this-machine")
    (tmp_path / "lts.json").write_text('{"vendorKeys": "trust"}', encoding="utf-8")
    monkeypatch.setenv("LTS_CONFIG", str(tmp_path / "lts.json"))
    monkeypatch.chdir(tmp_path)
    with lab(tmp_path, vendor=Vendor()) as here:
        here.load(item())
    return tmp_path / "data"


@pytest.mark.parametrize("words", LOOKS, ids=" ".join)
def test_a_command_that_looks_says_whose_it_is_and_leaves_it(words: list[str], data: Path, capsys: Said) -> None:
    before = (data / "identity.json").read_bytes()
    assert main(words) == 0
    told = capsys.readouterr().err
    assert told.count(f"Note: The data folder {data} is another machine's; it keeps its LTS UUID.") == 1
    assert (data / "identity.json").read_bytes() == before
    assert placing.numbers(data) == []


def test_a_backup_that_was_made_elsewhere_holds_the_identity(data: Path, tmp_path: Path) -> None:
    mine = identity.load(data)
    assert main(["backup", "b.lts"]) == 0
    assert main(["restore", "b.lts", "--data", str(tmp_path / "new")]) == 0
    assert (identity.load(tmp_path / "new").uuid, identity.load(tmp_path / "new").key.kid) == (mine.uuid, mine.key.kid)


@pytest.mark.parametrize("words", WRITES, ids=" ".join)
def test_a_command_that_needs_the_server_here_says_so(words: list[str], data: Path, capsys: Said) -> None:
    before = (data / "identity.json").read_bytes()
    assert main(words) == 1
    told = capsys.readouterr().err.splitlines()
    assert told[-1].startswith(f"lts: The data folder {data} is another machine's, and this needs the server here:")
    assert (data / "identity.json").read_bytes() == before


def test_doctor_shows_what_a_start_would_do(data: Path, capsys: Said) -> None:
    main(["doctor"])
    assert f"[note] The data folder {data} is another machine's: a start of the server" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "code"), [(["handshake", "list"], 0), (["handshake", "edit", "no-shop", "--note", "x"], 1)]
)
def test_a_command_that_converts_an_older_database_says_so_first(
    words: list[str], code: int, data: Path, tmp_path: Path, capsys: Said
) -> None:
    releases = Path(__file__).resolve().parents[1] / "releases"
    shutil.rmtree(data)
    with zipfile.ZipFile(releases / "0.1.0.zip") as release:
        release.extractall(tmp_path)
    for quiet in ("doctor", "verify"):
        main([quiet])
        assert not list(data.glob("lts-schema*.db"))
    capsys.readouterr()
    for told_now in (True, False):
        assert main(words) == code
        told = capsys.readouterr().err
        [kept] = data.glob("lts-schema*.db")
        said = f"Note: {data / 'lts.db'} is of an older LTS. This command converts it, as the first start would do,"
        assert (f"{said} and keeps it as it was in {kept.name}." in told) == told_now
        assert "read as it is" not in told
