"""`lts vendor …` and `lts license show`: what a vendor types, from the key to a revoked item."""

from __future__ import annotations

import io
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from lts.cli.main import main
from lts.crypto import SigningKey
from lts.rules.licensing import activation, licensefile, vendorkey
from tests.support.kit import NOON, Vendor, item, lab

UUID = "6F1C2B7E-8C1D-4A0E-9A57-0C6A2F7A1B11"
SPEC = Path(__file__).resolve().parents[2] / "examples" / "spec.json"


def lts(*words: Any) -> int:
    return main([str(word) for word in words])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A vendor's folder with a key, a new license, and a server's request; the machine has an empty trust store."""
    monkeypatch.setenv("LTS_DATA_DIR", str(tmp_path / "data"))
    (tmp_path / "lts.json").write_text("{}", encoding="utf-8")
    monkeypatch.setenv("LTS_CONFIG", str(tmp_path / "lts.json"))
    assert lts("vendor", "init", tmp_path / "v", "--name", "Vendor") == 0
    assert lts("vendor", "issue", "--key", tmp_path / "v/vendor.key", SPEC, "-o", tmp_path / "new.lic") == 0
    text = activation.build(UUID, SigningKey.generate(), ("cpu:1",), "weak", NOON)
    (tmp_path / "r.json").write_text(text, encoding="utf-8")
    return tmp_path


def read(path: Path) -> licensefile.License:
    return licensefile.read(path.read_bytes())


def test_a_license_goes_from_the_spec_to_a_revoked_item(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key = ("--key", folder / "v/vendor.key")
    bound, more, less = folder / "bound.lic", folder / "more.lic", folder / "less.lic"
    assert lts("vendor", "activate", *key, folder / "new.lic", "--request", folder / "r.json", "-o", bound) == 0
    assert "binding: weak" in capsys.readouterr().err
    (folder / "c.json").write_text(json.dumps({"items": [{"itemId": "desks", "quota": 50}]}), encoding="utf-8")
    assert lts("vendor", "amend", *key, bound, folder / "c.json", "-o", more) == 0
    assert lts("vendor", "revoke", *key, more, "--item", "scans-2027", "-o", less) == 0
    assert [read(path).revision for path in (bound, more, less)] == [1, 2, 3]
    assert {i.item_id: i.quota for i in read(less).items}["desks"] == 50
    assert read(less).revokes == {"scans-2027"}
    assert len(read(less).certificates) == 1


def test_a_bare_uuid_is_enough_but_said_to_be_less(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = folder / "bound.lic"
    words = ("vendor", "activate", "--key", folder / "v/vendor.key", folder / "new.lic", "-o", out)
    assert lts(*words, "--uuid", "{" + UUID.lower() + "}") == 0
    assert "allow_pinned" in capsys.readouterr().err
    assert [server.uuid for server in read(out).servers] == [UUID]
    assert lts(*words, "--uuid", "nonsense") == 1
    assert "nonsense" in capsys.readouterr().err


def test_a_strangers_file_is_not_activated(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "forged.lic").write_text(licensefile.render(Vendor().issue(item())), encoding="utf-8")
    out = folder / "out.lic"
    words = ("vendor", "activate", "--key", folder / "v/vendor.key", folder / "forged.lic", "-o", out)
    assert lts(*words, "--uuid", UUID) == 1
    assert "not signed by your key" in capsys.readouterr().err
    assert not out.exists()


def test_a_protected_key_and_its_successor_work_by_the_passphrase(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LTS_VENDOR_PASSPHRASE", "geheim é")
    new = folder / "next"
    begun = ("vendor", "init", new, "--name", "Vendor", "--passphrase", "--replaces", folder / "v/vendor.key")
    assert lts(*begun) == 0
    assert b"ENCRYPTED" in (new / "vendor.key").read_bytes()
    out = folder / "out.lic"
    words = ("vendor", "activate", "--key", new / "vendor.key", folder / "new.lic", "--uuid", UUID, "-o", out)
    assert lts(*words) == 0
    assert read(out).vendor_kid == vendorkey.read((new / "vendor.pub").read_bytes()).key.kid
    monkeypatch.setenv("LTS_VENDOR_PASSPHRASE", "wrong")
    assert lts(*words) == 1
    assert "passphrase" in capsys.readouterr().err


def test_show_says_whose_key_it_is_and_whether_it_is_trusted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    shown = vendorkey.fingerprint(read(folder / "new.lic").vendor_kid)
    assert lts("license", "show", folder / "new.lic") == 0
    out = capsys.readouterr().out
    assert shown in out
    assert "not in your trust store" in out
    for trust in (folder / "v", folder / "v/vendor.pub"):
        assert lts("license", "show", folder / "new.lic", "--trust", trust) == 0
        assert "not in your trust store" not in capsys.readouterr().out
    assert lts("license", "show", folder / "new.lic", "--json", "--trust", folder / "v") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["trusted"], told["fingerprint"], told["licenseStatus"]) == (True, shown, "New")


def test_show_fails_when_the_keys_given_did_not_sign_the_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "other").mkdir()
    assert lts("license", "show", folder / "new.lic", "--trust", folder / "other") == 1
    assert "holds no vendor key" in capsys.readouterr().err
    (folder / "other" / "o.pub").write_bytes(Vendor().pub)
    assert lts("license", "show", folder / "new.lic", "--trust", folder / "other") == 1
    assert "fingerprint" in capsys.readouterr().err
    assert lts("license", "show", folder / "new.lic", "--trust", SPEC) == 1
    assert f"{SPEC} is the spec of a license; give the vendor's public key" in capsys.readouterr().err


PICTURE = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"


@pytest.mark.parametrize("data", [PICTURE, b"{", b"Dear customer,", bytes(range(256))])
@pytest.mark.parametrize(
    "words",
    [
        ("license", "show", "FILE"),
        ("license", "import", "FILE"),
        ("trust", "FILE", "--yes"),
        ("vendor", "issue", "--key", "v/vendor.key", "FILE", "-o", "out.lic"),
        ("vendor", "issue", "--key", "FILE", str(SPEC), "-o", "out.lic"),
        ("vendor", "activate", "--key", "v/vendor.key", "FILE", "--uuid", UUID, "-o", "out.lic"),
        ("vendor", "activate", "--key", "v/vendor.key", "new.lic", "--request", "FILE", "-o", "out.lic"),
        ("vendor", "revoke", "--key", "v/vendor.key", "FILE", "--item", "scans", "-o", "out.lic"),
        ("vendor", "amend", "--key", "v/vendor.key", "FILE", "changes.json", "-o", "out.lic"),
        ("vendor", "amend", "--key", "v/vendor.key", "new.lic", "FILE", "-o", "out.lic"),
    ],
    ids=repr,
)
def test_a_file_that_cannot_be_used_is_named(
    words: tuple[str, ...],
    data: bytes,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(folder)
    Path("changes.json").write_text('{"remove": []}', encoding="utf-8")
    Path("the file").write_bytes(data)
    capsys.readouterr()
    assert main(["the file" if word == "FILE" else word for word in words]) == 1
    told = capsys.readouterr().err.splitlines()[-1]
    assert told.startswith("lts: the file")
    if data == PICTURE:
        assert told.startswith("lts: the file is nothing that LTS knows; give ")
    assert not Path("out.lic").exists()


def test_a_spec_at_standard_input_is_called_that(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for given, said in ((b"{", "Standard input cannot be read: Not JSON"), (b"{}", "Standard input: In the spec, ")):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
        assert main(["vendor", "issue", "--key", str(folder / "v/vendor.key"), "-", "-o", str(folder / "out.lic")]) == 1
        assert capsys.readouterr().err.startswith(f"lts: {said}")


def test_the_alias_of_an_activated_file_is_not_passed_over(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("vendor", "activate", "--key", folder / "v/vendor.key", "--uuid", UUID)
    assert lts(*words, folder / "new.lic", "-o", folder / "a.lic", "--alias", "first") == 0
    assert lts(*words, folder / "a.lic", "-o", folder / "b.lic", "--alias", "other") == 1
    told = f"lts: {folder / 'a.lic'} is activated as first, which stays; leave out --alias.\n"
    assert capsys.readouterr().err.endswith(told)
    assert not (folder / "b.lic").exists()
    assert lts(*words, folder / "a.lic", "-o", folder / "b.lic", "--alias", "first") == 0


def test_a_servers_key_signs_no_license(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with lab(folder):
        pass
    (folder / "link.key").symlink_to(folder / "data" / "server.key")
    capsys.readouterr()
    for key in (folder / "data" / "server.key", folder / "link.key"):
        assert lts("vendor", "issue", "--key", key, SPEC, "-o", folder / "out.lic") == 1
        assert capsys.readouterr().err == (
            f"lts: {key} is the key of a server, as identity.json next to it shows; give the vendor's private key"
            " (vendor.key).\n"
        )
    assert not (folder / "out.lic").exists()
    for name in ("vendor.key", "vendor.pub"):  # a vendor's own, wherever it lies
        shutil.copy(folder / "v" / name, folder / "data" / name)
    assert lts("vendor", "issue", "--key", folder / "data" / "vendor.key", SPEC, "-o", folder / "out.lic") == 0


def test_a_new_file_in_the_place_of_an_activated_one_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key = ("--key", folder / "v/vendor.key")
    bound = folder / "bound.lic"
    assert lts("vendor", "activate", *key, folder / "new.lic", "--uuid", UUID, "-o", bound) == 0
    capsys.readouterr()
    assert lts("vendor", "issue", *key, SPEC, "-o", bound) == 0
    license_id = read(bound).license_id
    assert capsys.readouterr().err == (
        f"Note: This replaced an activated license file: license {license_id}, revision 1.\n"
    )
    assert lts("vendor", "issue", *key, SPEC, "-o", bound) == 0
    assert capsys.readouterr().err == ""
