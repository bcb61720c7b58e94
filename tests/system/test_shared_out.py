"""Commands about the items of a handshake code, and those that put a backup into place."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lts.cli.main import main
from tests.support.kit import item, lab

Said = pytest.CaptureFixture[str]
CODE = "216998-100"


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a stopped server with a code of three items."""
    monkeypatch.setenv("LTS_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("LTS_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    with lab(tmp_path) as here:
        here.ctx.trust.add(here.vendor.pub)
        here.load(item("a"), item("b"), item("c"))
    yield tmp_path / "data"


def edited(capsys: Said, *items: str) -> str:
    """What is said of an edit of the items."""
    assert main(["handshake", "edit", CODE, *(word for one in items for word in ("--item", one))]) == 0
    said = capsys.readouterr()
    assert said.out == f"{CODE}\n"
    return said.err


def test_items_that_are_taken_out_are_named(capsys: Said) -> None:
    assert edited(capsys, "2:5", "#3") == f"Note: {CODE} has #2 b (cap 5), #3 c. Removed: #1 a.\n"
    assert edited(capsys, "3", "2") == f"Note: {CODE} has #2 b, #3 c.\n", "in order of use; the cap is gone"
    assert edited(capsys, "1") == f"Note: {CODE} has #1 a. Removed: #2 b, #3 c.\n"


@pytest.mark.parametrize("none", ["none", ""])
def test_a_code_can_be_left_without_items(none: str, capsys: Said) -> None:
    nothing = f"Note: {CODE} has no items, and authorizes nobody."
    assert edited(capsys, none) == f"{nothing} Removed: #1 a, #2 b, #3 c.\n"
    assert edited(capsys, none) == f"{nothing}\n"
    assert main(["handshake", "edit", CODE, "--item", "none", "--item", "1"]) == 2
    assert "Write an item as NO or NO:CAP, not 'none'." in capsys.readouterr().err


def test_help_says_that_the_list_is_replaced_and_how_it_is_emptied(capsys: Said) -> None:
    with pytest.raises(SystemExit):
        main(["handshake", "edit", "--help"])
    told = " ".join(capsys.readouterr().out.split())
    assert "all that are named are the code's items; '' or none removes these" in told


def test_whom_another_name_concerns_is_shown_once_it_is_given_and_not_when_it_is_refused(
    tmp_path: Path, capsys: Said
) -> None:
    with lab(tmp_path) as here:
        here.authorize(CODE)
    assert main(["handshake", "add", "216998", "taken"]) == 0
    capsys.readouterr()
    assert main(["handshake", "edit", CODE, "--rename", "taken"]) == 1
    assert "Leases stay valid" not in capsys.readouterr().err
    assert main(["handshake", "edit", CODE, "--rename", "free"]) == 0
    assert (
        f"used the name {CODE} in the last 30 days, and it gave 1 authorization. Leases stay valid"
        in capsys.readouterr().err
    )
    assert main(["handshake", "edit", "216998-free", "--rename", "free"]) == 0
    assert capsys.readouterr().err == ""


def given(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    """Standard input with this content."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content), encoding="utf-8"))


def test_a_backup_comes_from_standard_input_as_it_went_to_standard_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    assert main(["backup", "b.lts"]) == 0
    content = Path("b.lts").read_bytes()
    given(monkeypatch, content)
    assert main(["verify", "-"]) == 0
    assert "all signatures are valid" in capsys.readouterr().out
    assert main(["handshake", "remove", CODE, "--yes"]) == 0
    given(monkeypatch, content)
    assert main(["restore", "-"]) == 0
    capsys.readouterr()
    assert main(["handshake", "list"]) == 0
    assert CODE in capsys.readouterr().out
    assert not list(tmp_path.glob("*standard*"))


@pytest.mark.parametrize("command", ["restore", "verify"])
def test_what_is_no_backup_on_standard_input_is_named(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    given(monkeypatch, b"LTS2abc")
    assert main([command, "-"]) == 1
    assert capsys.readouterr().err == (
        "lts: Standard input is a license key for an application; give a backup (a file that lts backup made).\n"
    )
    assert main(["handshake", "list"]) == 0, "nothing was touched"


def test_a_command_that_needs_the_server_stopped_says_only_that(data: Path, capsys: Said) -> None:
    Path("b.lts").write_bytes(b"")
    assert main(["backup", "c.lts"]) == 0
    capsys.readouterr()
    with lab(data.parent) as here:
        here.here.folder.announce("http://127.0.0.1:1/lts")
        for words in (["restore", "c.lts"], ["restore", "--undo"], ["verify", "--rebuild-indexes"]):
            assert main(words) == 1
            said = capsys.readouterr().err
            assert said.startswith(f"lts: {data} is in use by another LTS (process ")
            assert said.endswith(" at http://127.0.0.1:1/lts/page/#/index.html; stop that one first.\n")
