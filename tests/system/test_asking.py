"""Commands that ask: what they say it does to whom, and what they do without anybody to answer."""

from __future__ import annotations

import getpass
import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lts.cli import ask
from lts.cli.main import main
from lts.errors import AdminError
from lts.rules.licensing import licensefile, vendorkey
from lts.service.access import accounts
from lts.service.core.context import Context
from lts.service.licensing import handshakes
from lts.service.licensing import licenses as licenses_service
from lts.service.licensing.licenses import Choice
from lts.store.tables import licenses
from lts.vendor import issuing
from tests.support.kit import Lab, item, lab

Typed = Callable[[str], None]


class Terminal(io.StringIO):
    """A console in which some lines are typed."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """The laboratory is on this machine, as the commands do: else they would find a folder that was moved."""


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Typed:
    """`typed(lines)` makes a console with these lines; what is said there is on its standard error."""

    def sit_down(lines: str) -> None:
        monkeypatch.setattr(sys, "stdin", Terminal(lines))
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)

    return sit_down


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a stopped server with codes 216998-100 (default) and 216998-two, a seat by the latter, a password
    and a session."""
    monkeypatch.setenv("LTS_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("LTS_CONFIG", raising=False)
    with lab(tmp_path) as here:
        fill(here)
    yield tmp_path / "data"


def fill(here: Lab) -> None:
    here.load(item("seats", "device", 5))
    handshakes.add(here.ctx, "216998", {"custom": "two", "items": [{"id": 1, "cap": None}]}, "test", here.time.now)
    for _ in range(2):
        given = here.authorize("216998-two")
    here.report(given.lease, {"QR": 3})


def codes(capsys: pytest.CaptureFixture[str]) -> list[str]:
    capsys.readouterr()
    assert main(["handshake", "list", "--json"]) == 0
    return [code["name"] for code in json.loads(capsys.readouterr().out)]


def test_removing_a_code_says_whom_it_stops_and_asks(
    data: Path, typed: Typed, capsys: pytest.CaptureFixture[str]
) -> None:
    typed("n\n")
    assert main(["handshake", "remove", "216998-two"]) == 1
    err = capsys.readouterr().err
    assert "2 devices hold a seat through it" in err
    assert "1 device reported through it in the last 30 days" in err
    assert "Remove 216998-two (#2, organization 216998)? [y/N]" in err
    assert err.splitlines()[-1].endswith("lts: Nothing was changed.")
    assert codes(capsys) == ["216998-100", "216998-two"]
    typed("yes\n")
    assert main(["handshake", "remove", "216998-two"]) == 0
    assert codes(capsys) == ["216998-100"]


def test_without_a_console_nothing_is_done_and_the_option_is_named(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["handshake", "remove", "216998-two"]) == 1
    err = capsys.readouterr().err
    assert err.startswith(
        "lts: Applications with a license key of 216998-two are refused once it is removed: 2 devices"
    )
    assert "--yes" in err
    assert codes(capsys) == ["216998-100", "216998-two"]
    assert main(["handshake", "remove", "216998-two", "--yes"]) == 0
    assert codes(capsys) == ["216998-100"]


def test_an_input_that_ends_is_no(data: Path, typed: Typed, capsys: pytest.CaptureFixture[str]) -> None:
    typed("")
    assert main(["handshake", "remove", "216998-two"]) == 1
    assert len(codes(capsys)) == 2


@pytest.mark.parametrize("command", ["handshake remove 216998-two", "vendor init v --name V --passphrase"])
def test_ctrl_c_at_a_question_ends_the_command_as_shells_know_it(
    data: Path, command: str, monkeypatch: pytest.MonkeyPatch, typed: Typed, capsys: pytest.CaptureFixture[str]
) -> None:
    def ctrl_c(*_: object) -> str:
        raise KeyboardInterrupt

    typed("")
    monkeypatch.chdir(data.parent)
    monkeypatch.delenv("LTS_VENDOR_PASSPHRASE", raising=False)
    monkeypatch.setattr(sys.stdin, "readline", ctrl_c)
    monkeypatch.setattr(getpass, "getpass", ctrl_c)
    assert main(command.split()) == 130
    err = capsys.readouterr().err
    assert err.endswith("\nlts: Stopped by Ctrl-C.\n")
    assert "Traceback" not in err
    assert codes(capsys) == ["216998-100", "216998-two"]
    assert not (data.parent / "v" / "vendor.key").exists()


def test_archiving_a_license_says_what_ends_and_asks(
    data: Path, typed: Typed, capsys: pytest.CaptureFixture[str]
) -> None:
    def listed(*more: str) -> list[str]:
        capsys.readouterr()
        assert main(["license", "list", "--json", *more]) == 0
        return [one["itemId"] for one in json.loads(capsys.readouterr().out)]

    typed("n\n")
    assert main(["license", "archive", "100"]) == 1
    err = capsys.readouterr().err
    assert "its 1 item and authorize nobody: 2 seats would end at once" in err
    assert "Used by: 216998-100, 216998-two. Statistics would be kept." in err
    assert "Archive license 100? [y/N]" in err
    assert (listed(), listed("--archived")) == (["seats"], [])
    typed("y\n")
    assert main(["license", "archive", "100", "--organization", "216998"]) == 0
    assert "Importing its file takes it back." in capsys.readouterr().out
    assert (listed(), listed("--archived")) == ([], ["seats"])
    assert main(["license", "list"]) == 0
    said = "No license is in use; 1 license item is archived: lts license list --archived\n"
    assert capsys.readouterr().out == said
    for words, said in (
        (["license", "archive", "100"], "License 100 is archived already."),
        (["license", "archive", "7"], "There is no license '7' on this server."),
        (["license", "archive", "100", "--organization", "1"], "There is no license '100' on this server."),
    ):
        capsys.readouterr()
        assert main([*words, "--yes"]) == 1
        assert said in capsys.readouterr().err


def test_importing_its_file_takes_an_archived_license_back(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with lab(tmp_path) as here, here.ctx.store.reader() as db:
        [stored] = licenses.newest(db)
    file = licensefile.parse(stored.jws)
    (tmp_path / "a.lic").write_text(licensefile.render(file), encoding="utf-8")
    trusted = ["--fingerprint", vendorkey.fingerprint(file.vendor_kid)]
    assert main(["license", "archive", "100", "--yes"]) == 0
    capsys.readouterr()
    assert main(["license", "import", str(tmp_path / "a.lic"), "--preview", *trusted]) == 0
    assert capsys.readouterr().out == "License 100 revision 1 was archived and would be taken back.\n"
    assert main(["license", "import", str(tmp_path / "a.lic"), *trusted]) == 0
    assert capsys.readouterr().out == "License 100 revision 1 was archived and is taken back.\n"
    assert main(["license", "import", str(tmp_path / "a.lic")]) == 0
    assert "imported already" in capsys.readouterr().out


def test_a_preview_says_which_seats_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LTS_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("LTS_CONFIG", raising=False)
    with lab(tmp_path) as here:
        sold = here.vendor.activate(here.vendor.issue(item("a", "device", 5), item("b", "device", 5)), here.ctx)
        licenses_service.import_license(here.ctx, licensefile.render(sold).encode(), Choice(), "test", here.time.now)
        here.authorize()
        here.ctx.trust.add(here.vendor.pub)
    anew = {"items": [{"itemId": name, "chargeWay": "server"} for name in "ab"]}
    amended = issuing.amend(sold, anew, here.vendor.key, "Vendor")
    (tmp_path / "a.lic").write_text(licensefile.render(amended), encoding="utf-8")
    for words in (["--preview"], []):
        assert main(["license", "import", str(tmp_path / "a.lic"), *words]) == 0
        out = capsys.readouterr().out
        assert "  b is charged in another way\n" in out
        assert (
            "  a is charged in another way: 1 seat in use ends; nothing is renewed, and devices keep working until"
            " their leases end\n"
        ) in out


def set_password(ctx: Context, now: int) -> None:
    from lts.service.access import sessions

    accounts.set_up(ctx, sessions.setup_code(ctx) or "", "correct horse battery", now)
    sessions.begin(ctx, "admin", "127.0.0.1", "browser", now)


def test_resetting_the_password_asks_once_there_is_one(
    data: Path, typed: Typed, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["setup-code"]) == 0
    open_one = capsys.readouterr().out
    assert main(["password", "reset"]) == 0  # nothing to forget: nothing to ask
    assert capsys.readouterr().out == f"No password is set, so there is none to forget.\n{open_one}"
    with lab(tmp_path) as here:
        set_password(here.ctx, here.time.now)
    capsys.readouterr()
    assert main(["password", "reset"]) == 1
    assert "The password of admin would be forgotten and 0 sessions of that user would end at once" in (
        err := capsys.readouterr().err
    )
    assert "--yes" in err
    typed("no\n")
    assert main(["password", "reset"]) == 1
    assert "Forget the password of admin? [y/N]" in capsys.readouterr().err
    assert main(["password", "reset", "--yes"]) == 0
    assert "Set-up code:" in capsys.readouterr().out


def test_promoting_a_single_server_is_refused_before_anybody_is_asked(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["promote"]) == 1
    assert "This is a single server" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["promote"], ["promote", "--yes"]])
def test_promoting_a_main_is_refused_before_anybody_is_asked(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "lts.json").write_text('{"servers": ["self", "http://127.0.0.1:9/lts/"]}', encoding="utf-8")
    monkeypatch.setenv("LTS_CONFIG", str(tmp_path / "lts.json"))
    with lab(tmp_path):
        pass
    assert main(words) == 1
    assert capsys.readouterr().err == "lts: This server is the main already.\n"


def test_promoting_a_standby_needs_a_yes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "lts.json").write_text('{"servers": ["http://127.0.0.1:9/lts/", "self"]}', encoding="utf-8")
    monkeypatch.setenv("LTS_CONFIG", str(tmp_path / "lts.json"))
    with lab(tmp_path):
        pass
    assert main(["promote"]) == 1
    err = capsys.readouterr().err
    assert "the old one may never serve again" in err
    assert "--yes" in err


@pytest.mark.parametrize("command", ["pair", "status"])
def test_of_a_stopped_server_of_a_pair_it_is_shown_that_it_does_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    (tmp_path / "lts.json").write_text('{"servers": ["self", "http://127.0.0.1:9/lts/"]}', encoding="utf-8")
    monkeypatch.setenv("LTS_CONFIG", str(tmp_path / "lts.json"))
    with lab(tmp_path):
        pass
    assert main([command]) == 0
    out = capsys.readouterr().out
    assert "main, is not running" in out
    assert "Start it" in out
    assert "is starting" not in out
    assert "In step" not in out
    assert main([command, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["running"] is False
    for part in (told, told.get("pair", told)):
        assert part["status"] == "stopped"


def test_a_single_server_that_does_not_run_is_stopped(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["running"], told["status"], told["pair"]) == (False, "stopped", None)


def test_an_unknown_vendor_is_confirmed_at_the_console_or_by_its_fingerprint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: Typed, capsys: pytest.CaptureFixture[str]
) -> None:
    with lab(tmp_path) as here:
        (tmp_path / "a.lic").write_text(licensefile.render(here.vendor.activate(here.vendor.issue(item()), here.ctx)))
    monkeypatch.setenv("LTS_DATA_DIR", str(tmp_path / "data"))  # without the trust folder of the laboratory
    assert main(["license", "import", str(tmp_path / "a.lic")]) == 1
    err = capsys.readouterr().err
    assert "add --fingerprint " in err
    typed("y\n")
    assert main(["license", "import", str(tmp_path / "a.lic")]) == 0
    assert "Is the fingerprint the vendor's? [y/N]" in capsys.readouterr().err


def test_a_new_passphrase_is_typed_twice_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LTS_VENDOR_PASSPHRASE", raising=False)
    answers = iter(["geheim é", "geheim é", "one", "other", ""])
    monkeypatch.setattr(getpass, "getpass", lambda prompt: next(answers))
    assert ask.passphrase("New: ", "LTS_VENDOR_PASSPHRASE", new=True) == "geheim é".encode()
    with pytest.raises(AdminError, match="differ"):
        ask.passphrase("New: ", "LTS_VENDOR_PASSPHRASE", new=True)
    with pytest.raises(AdminError, match="empty"):
        ask.passphrase("New: ", "LTS_VENDOR_PASSPHRASE", new=True)
    monkeypatch.setenv("LTS_VENDOR_PASSPHRASE", "given")
    assert ask.passphrase("New: ", "LTS_VENDOR_PASSPHRASE", new=True) == b"given"


def test_an_argument_that_is_no_text_is_said_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["handshake", "key", "B\udcfcro"]) == 2
    assert "the argument 'B?ro' is not text in utf-8; retype it." in capsys.readouterr().err
