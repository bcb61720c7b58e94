"""`lts vendor spec` and what the vendor's commands say next: from the key to the customer by pasting."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import pytest

from lts.cli import paste
from lts.cli.main import main
from lts.crypto import SigningKey
from lts.errors import LicenseFileError
from lts.rules.licensing import activation, licensefile
from lts.vendor import issuing, spec
from tests.support.kit import NOON, Vendor

UUID = "6F1C2B7E-8C1D-4A0E-9A57-0C6A2F7A1B11"


def test_the_sample_spec_is_issued_as_it_is_and_uses_every_field() -> None:
    sample = spec.sample(NOON)
    made = issuing.issue(sample, Vendor().key, "Vendor", NOON)
    assert [item.expires_at is None for item in made.items] == [False, False, False, True]
    assert all(item.starts_at <= NOON for item in made.items)
    assert set(sample) == set(spec.LICENSE_FIELDS)
    assert {name for item in sample["items"] for name in item} == set(spec.ITEM_FIELDS)


def test_what_is_marked_required_is_required() -> None:
    sample = spec.sample(NOON)
    for field in spec.REQUIRED:
        less = json.loads(json.dumps(sample))
        less.pop(field, None)
        if field != "items":
            less["items"] = less["items"][:1]
            less["items"][0].pop(field, None)
        with pytest.raises(LicenseFileError, match=field):
            issuing.issue(less, Vendor().key, "Vendor", NOON)


def test_help_describes_every_field(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("spec", "issue"):
        with pytest.raises(SystemExit) as ended:
            main(["vendor", command, "--help"])
        assert ended.value.code == 0
        out = capsys.readouterr().out
        for name in (*spec.LICENSE_FIELDS, *spec.ITEM_FIELDS):
            assert f" {name} " in out, name


def pasted(line: str) -> list[str]:
    """The arguments of a command that was shown."""
    words = shlex.split(line.removeprefix("Next: "))
    assert words[: len(paste.program())] == paste.program()
    return words[len(paste.program()) :]


@pytest.mark.skipif(sys.platform == "win32", reason="pasted as a POSIX shell reads it")
def test_each_command_says_the_next_and_it_works_as_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    asked = activation.build(UUID, SigningKey.generate(), ("cpu:1",), "strong", NOON)
    Path("request.json").write_text(asked, encoding="utf-8")
    words = ["vendor", "init", "my vendor's é", "--name", "Vendor"]
    seen = []
    while words[:2] != ["license", "import"]:
        seen.append(words[1])
        assert main(words) == 0, words
        [line] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Next: ")]
        words = pasted(line)
    assert seen == ["init", "spec", "issue", "activate"]
    assert [server.uuid for server in licensefile.read(Path(words[2]).read_bytes()).servers] == [UUID]


def test_nothing_is_written_over_a_file_of_another_kind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["vendor", "init", str(tmp_path), "--name", "Vendor"]) == 0
    key, spec_file = tmp_path / "vendor.key", tmp_path / "s.json"
    kept = key.read_bytes()
    assert main(["vendor", "spec", "-o", str(spec_file)]) == 0
    for target in (key, tmp_path / "vendor.pub", spec_file):
        assert main(["vendor", "issue", "--key", str(key), str(spec_file), "-o", str(target)]) == 1
        assert "name another file" in capsys.readouterr().err
    assert main(["backup", str(key), "--data", str(tmp_path / "none")]) == 1
    assert "name another file" in capsys.readouterr().err
    assert key.read_bytes() == kept
    for _ in range(2):  # over an older one of its own kind it may
        assert main(["vendor", "issue", "--key", str(key), str(spec_file), "-o", str(tmp_path / "a.lic")]) == 0


def test_a_spec_saved_by_powershell_is_read(tmp_path: Path) -> None:
    assert main(["vendor", "init", str(tmp_path), "--name", "Vendor"]) == 0
    path = tmp_path / "s.json"
    path.write_text(json.dumps(spec.sample(NOON)), encoding="utf-16")
    assert main(["vendor", "issue", "--key", str(tmp_path / "vendor.key"), str(path), "-o", str(tmp_path / "a")]) == 0


def test_a_wrong_file_is_named_by_every_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["vendor", "init", str(tmp_path), "--name", "Vendor"]) == 0
    key, pub, lic = (str(tmp_path / name) for name in ("vendor.key", "vendor.pub", "a.lic"))
    assert main(["vendor", "spec", "-o", str(tmp_path / "s.json")]) == 0
    assert main(["vendor", "issue", "--key", key, str(tmp_path / "s.json"), "-o", lic]) == 0
    capsys.readouterr()
    out, none = ["-o", str(tmp_path / "out")], ["--data", str(tmp_path / "none")]
    for words, said in (
        (["vendor", "issue", "--key", pub, lic, *out], "is a vendor's public key; give the vendor's private key"),
        (["vendor", "issue", "--key", lic, lic, *out], "is a license file; give the vendor's private key"),
        (["vendor", "issue", "--key", key, lic, *out], "is a license file; give the spec of a license"),
        (["vendor", "activate", "--key", key, pub, "--uuid", UUID, *out], "public key; give a license file"),
        (["vendor", "activate", "--key", key, lic, "--request", lic, *out], "give the server's activation request"),
        (["vendor", "amend", "--key", key, lic, str(tmp_path / "s.json"), *out], "give a list of changes"),
        (
            ["trust", key, "--yes", *none],
            "which nobody but its owner may have; give the vendor's public",
        ),
        (["license", "show", pub], "is a vendor's public key; give a license file"),
        (
            ["license", "import", key, *none],
            "which nobody but its owner may have; give a license file",
        ),
        (["restore", lic, *none], "is a license file; give a backup"),
        (["verify", pub, *none], "is a vendor's public key; give a backup"),
        (["authorize", "--server", "http://a/", "--code", "c", "--vendor-key", lic], "give the vendor's public key"),
    ):
        assert main(words) == 1, words
        err = capsys.readouterr().err.splitlines()
        assert len([line for line in err if line.startswith("lts: ")]) == 1
        assert said in err[-1], words
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "none").exists()
