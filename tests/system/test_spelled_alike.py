"""Commands about handshake codes of two organizations that are spelled alike, and about items of one id."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lts.cli.main import main
from lts.rules.licensing import licensefile
from lts.service.licensing import licenses
from lts.service.licensing.licenses import Choice
from tests.support.kit import Vendor, item, lab

Said = pytest.CaptureFixture[str]
VENDOR = Vendor()
BOTH = "2 handshake codes are spelled 1-2-3: #1 of organization 1 and #2 of organization 1-2."


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The folder of a stopped server with codes `2-3` of organization 1 and `3` of organization 1-2."""
    monkeypatch.setenv("LTS_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("LTS_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    with lab(tmp_path, vendor=VENDOR) as here:
        here.ctx.trust.add(VENDOR.pub)
        for organization, name in (("1", "2-3"), ("1-2", "3")):
            sold = VENDOR.activate(VENDOR.issue(item("scan"), organization=organization, license_id=name), here.ctx)
            licenses.import_license(here.ctx, licensefile.render(sold).encode(), Choice(), "test", here.time.now)
        here.report(here.authorize("1-2-3", organization_id="1-2").lease, {"QR": 3})
    yield


def test_a_list_tells_them_apart(capsys: Said) -> None:
    assert main(["handshake", "list"]) == 0
    rows = [line.split()[:5] for line in capsys.readouterr().out.splitlines()[1:]]
    assert rows == [["*", "#1", "1-2-3", "1", "#1"], ["*", "#2", "1-2-3", "1-2", "#2"]]


@pytest.mark.parametrize("words", [("remove", "--yes"), ("edit", "--note", "n"), ("key",), ("order",)], ids=" ".join)
def test_no_command_takes_one_of_them_unasked(words: tuple[str, ...], capsys: Said) -> None:
    command, *options = words
    assert main(["handshake", command, "1-2-3", *options]) == 1
    assert BOTH in capsys.readouterr().err
    assert main(["handshake", command, "#2", *options]) == 0
    if command != "remove":
        assert main(["handshake", command, " 1-2-3 ", "--organization", " 1-2 ", *options]) == 0


def test_the_answer_names_the_one_that_was_taken(capsys: Said) -> None:
    assert main(["handshake", "remove", "1-2-3", "--organization", "1-2", "--yes"]) == 0
    assert capsys.readouterr().out == "1-2-3 (#2, organization 1-2) is removed; its history stays.\n"
    assert main(["handshake", "add", "1-2", "3"]) == 0
    said = capsys.readouterr()
    assert said.out == "1-2-3\n"
    assert "A handshake code of organization 1 is, or was, spelled 1-2-3 too." in said.err


def test_usage_says_of_which_items_it_is(capsys: Said) -> None:
    assert main(["usage", "--item", "scan"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0] == ("Usage of #1 scan of license 2-3, organization 1; #2 scan of license 3, organization 1-2.")
    assert main(["usage", "--item", "#2", "--format", "csv"]) == 0
    csv = capsys.readouterr()
    assert csv.out.lstrip("\ufeff").splitlines() == ["all,type,units", "all,QR,3"]
    assert csv.err == "Note: Usage of #2 scan of license 3, organization 1-2.\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--organization", "nope"), "This server has no license of organization 'nope'."),
        (("--organization", " "), "organizationId must not be empty; leave it out to mean all."),
        (("--code", " "), "code must not be empty; leave it out to mean all."),
        (("--item", " "), "item must not be empty; leave it out to mean all."),
        (("--item", "#9"), "There is no license item '#9'."),
        (("--code", "1-2-3"), f"{BOTH} Name the organization too, or # and the number instead."),
    ],
)
def test_what_names_nothing_is_said_and_shows_nothing(words: tuple[str, ...], said: str, capsys: Said) -> None:
    assert main(["usage", *words]) == 1
    assert capsys.readouterr() == ("", f"lts: {said}\n")
    assert main(["usage", "--organization", "1-2"]) == 0


def test_a_list_of_items_names_what_other_commands_take(capsys: Said) -> None:
    assert main(["license", "list"]) == 0
    rows = [line.split()[:3] for line in capsys.readouterr().out.splitlines()[1:]]
    assert rows == [["#1", "scan", "2-3"], ["#2", "scan", "3"]]
    assert main(["handshake", "edit", "#1", "--item", "#1:5"]) == 0
    assert main(["handshake", "order", "#1", "#1"]) == 0
