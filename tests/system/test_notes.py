"""What commands say beside their result: on standard error, so that standard output stays for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from lts.cli.main import main
from lts.errors import AdminError
from lts.protocol import LicenseKey
from lts.service.licensing import handshakes, serverurls
from tests.support.kit import Vendor, item, lab

Said = pytest.CaptureFixture[str]
VENDOR = Vendor()


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a stopped server with one organization."""
    monkeypatch.setenv("LTS_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("LTS_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    with lab(tmp_path, vendor=VENDOR) as here:
        here.load(item())
        here.ctx.trust.add(VENDOR.pub)
    yield tmp_path


def test_a_key_for_this_machine_alone_is_named_beside_the_key(data: Path, capsys: Said) -> None:
    assert main(["handshake", "key", "216998-100"]) == 0
    out, err = capsys.readouterr()
    assert LicenseKey.decode(out).servers == ("http://127.0.0.1:48080/lts/",)
    assert len(out.splitlines()) == 1
    assert err.startswith("Note: License keys name this server as localhost")
    assert "Set Server URL" in err
    assert "publicUrl" in err


def test_a_key_with_an_address_for_all_is_the_key_alone(data: Path, capsys: Said) -> None:
    with lab(data, vendor=VENDOR) as here:
        serverurls.change(here.ctx, ["https://lts.example.com/lts/"], "test", here.time.now)
    assert main(["handshake", "key", "216998-100"]) == 0
    assert capsys.readouterr().err == ""


def test_a_binding_stays_until_it_is_changed_and_a_code_shows_what_it_is_bound_to(data: Path, capsys: Said) -> None:
    for words, bound in (
        (["--domain", "shop.de", "--domain", "a.de"], "bound to domain shop.de, a.de"),
        (["--process", "till.exe"], "bound to domain shop.de, a.de; process till.exe"),
        (["--domain", ""], "bound to process till.exe"),
        (["--process", "none"], "bound to no application"),
    ):
        assert main(["handshake", "edit", "216998-100", *words]) == 0
        assert capsys.readouterr() == ("216998-100\n", f"Note: 216998-100 is {bound}.\n")
    assert main(["handshake", "edit", "216998-100", "--note", "x"]) == 0
    assert capsys.readouterr().err == ""


def test_the_only_organization_need_not_be_named(data: Path, capsys: Said) -> None:
    assert main(["handshake", "add", "shop", "--item", "1"]) == 0
    assert main(["handshake", "add", "216998", "other"]) == 0
    assert capsys.readouterr().out == "216998-shop\n216998-other\n"


def test_among_two_organizations_one_has_to_be_named(data: Path, capsys: Said) -> None:
    with lab(data, vendor=VENDOR) as here:
        here.load(item("x"), license_id="7", organization="555")
    assert main(["handshake", "add", "shop"]) == 1
    assert capsys.readouterr().err == "lts: There are 2 organizations: name one of 216998, 555.\n"
    assert main(["handshake", "add", "555", "shop"]) == 0
    assert main(["handshake", "add", "777", "shop"]) == 1
    assert "No license of organization 777 is imported yet" in capsys.readouterr().err


def test_without_any_license_it_is_said_that_one_is_needed(tmp_path: Path) -> None:
    with lab(tmp_path, vendor=Vendor()) as here, pytest.raises(AdminError, match="No license is imported yet"):
        handshakes.add(here.ctx, None, {"custom": "shop"}, "test", here.time.now)


def test_an_lts_json_in_the_current_folder_is_named_and_not_used(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    (data / "lts.json").write_text(json.dumps({"port": 0, "dataDir": "elsewhere"}), encoding="utf-8")
    assert main(["license", "list"]) == 0
    out, err = capsys.readouterr()
    assert err.startswith("Note: the lts.json in this folder is not used, but ")
    assert err.endswith("To use it, add --config lts.json.\n")
    assert "scan" in out
    monkeypatch.delenv("LTS_DATA_DIR")
    assert main(["license", "list", "--config", "lts.json"]) == 1
    assert capsys.readouterr().err.startswith(f"lts: There is no data folder {data / 'elsewhere'} yet")
    monkeypatch.setenv("LTS_CONFIG", "lts.json")
    assert main(["license", "list"]) == 1
    assert "is not used" not in capsys.readouterr().err


def test_an_authorization_without_a_product_says_what_it_asks_for(tmp_path: Path, capsys: Said) -> None:
    words = ["authorize", "--server", "http://127.0.0.1:9/lts/", "--code", "c", "--state", str(tmp_path)]
    assert main(words) == 1
    err = capsys.readouterr().err
    assert "Note: without --product it asks for the product demo, as a desktop application" in err
    assert main([*words, "--deployment", "server"]) == 1
    assert "demo, as a server application (--deployment server)" in capsys.readouterr().err
    assert main([*words, "--product", "reader"]) == 1
    assert "Note" not in capsys.readouterr().err


def test_an_unknown_deployment_type_is_a_usage_error_and_help_names_the_default(capsys: Said) -> None:
    for words in (["authorize", "--server", "a", "--deployment", "phone"], ["explain", "--deployment", "phone"]):
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert ended.value.code == 2
    for command in ("authorize", "report", "explain"):
        with pytest.raises(SystemExit):
            main([command, "--help"])
        assert "deployment type (default: desktop)" in " ".join(capsys.readouterr().out.split())
