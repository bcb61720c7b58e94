"""`lts doctor`: what it says of the addresses in license keys and of the binding to the machine."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lts.cli.main import main
from lts.config import Config
from lts.errors import DataFolderError
from lts.protocol import DAY_SECONDS, iso
from lts.service.core import labels
from lts.service.folder import datafolder
from lts.service.folder.datafolder import DataFolder
from lts.service.licensing import serverurls
from lts.service.maintenance import attention, doctor
from tests.support import kit
from tests.support.kit import Lab, Vendor, config_for, item, lab


def said(config: Config, level: str) -> str:
    return "\n".join(one.words for one in doctor.examine(config) if one.level == level)


def test_an_address_of_this_machine_alone_is_named_with_what_to_do(tmp_path: Path) -> None:
    config = config_for(tmp_path)
    for local in (None, "http://localhost:48080/lts/", "http://127.0.0.1/", "http://[::1]:5/", "http://0.0.0.0/"):
        told = said(replace(config, public_url=local), doctor.NOTE)
        assert "name this server as localhost" in told, local
        assert "Set Server URL" in told
        assert "publicUrl" in told
    told = said(replace(config, public_url="https://lts.example.com/lts/"), doctor.OK)
    assert "License keys name https://lts.example.com/lts/" in told
    assert "localhost" not in said(replace(config, public_url="https://lts.example.com/lts/"), doctor.NOTE)


def test_a_server_that_runs_says_its_own_address(tmp_path: Path) -> None:
    folder = DataFolder.hold(tmp_path / "data")
    try:
        folder.announce("http://127.0.0.1:48931/lts")
        assert "License keys name http://127.0.0.1:48931/lts/" in said(config_for(tmp_path), doctor.OK)
        public = replace(config_for(tmp_path), public_url="https://lts.example.com/lts/")
        assert "License keys name https://lts.example.com/lts/" in said(public, doctor.OK)
    finally:
        folder.release()
    assert "48931" not in said(config_for(tmp_path), doctor.OK)


def test_what_was_set_in_the_portal_counts_before_the_configuration(server: Lab) -> None:
    serverurls.change(server.ctx, ["https://a.example/lts/", "http://127.0.0.1:9/lts/"], "test", server.time.now)
    assert "License keys name https://a.example/lts/ and http://127.0.0.1:9/lts/" in said(server.config, doctor.OK)
    assert "as localhost" in said(server.config, doctor.NOTE)
    serverurls.change(server.ctx, ["https://a.example/lts/"], "test", server.time.now)
    assert "as localhost" not in said(server.config, doctor.NOTE)


@pytest.mark.parametrize(
    ("known", "level"),
    [
        (("processor-id:a",), doctor.NOTE),
        (("machine-id:a", "processor-id:b"), doctor.NOTE),
        ((), doctor.FAULT),
        (("machine-id:a", "processor-id:b", "mac:c"), doctor.OK),
    ],
)
def test_a_weak_binding_says_what_it_means_and_what_to_do(
    known: tuple[str, ...], level: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kit, "LABELS", known)
    with lab(tmp_path):
        pass
    told = said(config_for(tmp_path), level)
    assert f"{len(known)} machine labels are known" in told or (len(known) == 1 and "1 machine label is known" in told)
    weak = level != doctor.OK
    assert ("The binding to this machine is weak" in told) == weak
    assert ("LTS_HOST_ID" in told) == weak
    assert ("A vendor may refuse" in told) == weak


def test_before_the_first_start_it_is_said_of_the_labels_that_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labels, "fingerprints", lambda: ("mac:a",))
    assert "1 machine label is known (mac), and 3 are needed" in said(config_for(tmp_path), doctor.NOTE)


def test_notes_are_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("LTS_CONFIG", raising=False)
    monkeypatch.setattr(labels, "fingerprints", lambda: ("mac:a",))
    assert main(["doctor", "--data", str(tmp_path / "data")]) == 0
    out = capsys.readouterr().out
    assert out.count("[note]") == 2
    assert "[!!]" not in out


def test_a_vendor_key_that_is_gone_is_a_fault_and_its_backup_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    vendor = Vendor()
    with lab(tmp_path, vendor=vendor) as here:
        here.load(item())
    monkeypatch.chdir(tmp_path)
    for name in ("LTS_CONFIG", "LTS_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "lts.json").write_text('{"dataDir": "data", "vendorKeys": "trust"}', encoding="utf-8")
    words = f"The vendor key {vendor.key.kid}, which signed a stored license, is not trusted any more"
    assert words not in said(config_for(tmp_path), doctor.FAULT)
    assert main(["backup", "whole.lts", "--config", "lts.json"]) == 0
    assert words not in capsys.readouterr().err
    for folder in (tmp_path / "trust", tmp_path / "data" / "trust"):
        for file in folder.glob("*.pub"):
            file.unlink()
    assert words in said(config_for(tmp_path), doctor.FAULT)
    assert "keys trusted" not in said(config_for(tmp_path), doctor.OK)
    assert main(["backup", "less.lts", "--config", "lts.json"]) == 1
    assert words in capsys.readouterr().err
    assert (tmp_path / "less.lts").exists()


@pytest.mark.parametrize("name", ["lts.mark", "server.key", "vault.key", "identity.json"])
def test_a_folder_in_place_of_a_file_is_reported_once_with_what_to_do(name: str, tmp_path: Path) -> None:
    with lab(tmp_path):
        pass
    (tmp_path / "data" / name).unlink()
    (tmp_path / "data" / name).mkdir()
    told = f"{tmp_path / 'data' / name} is a folder; move the folder away, or restore a backup."
    assert said(config_for(tmp_path), doctor.FAULT) == told
    with pytest.raises(DataFolderError) as caught, lab(tmp_path):
        pass
    assert caught.value.detail == told


@pytest.mark.parametrize(
    ("after", "level", "words"),
    [
        (60, doctor.OK, "which agrees with the highest time seen"),
        (-3 * 3600, doctor.FAULT, "before the highest time seen"),
        (2 * DAY_SECONDS, doctor.NOTE, "over a day after the highest time seen"),
    ],
)
def test_the_clock_is_compared_with_the_highest_time_that_a_stopped_server_has_seen(
    after: int, level: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with lab(tmp_path) as here:
        seen = here.time.now
    monkeypatch.setattr("lts.service.maintenance.doctor.time.time", lambda: float(seen + after))
    [told] = [one for one in doctor.examine(config_for(tmp_path)) if "highest time seen" in one.words]
    assert (told.level, words in told.words) == (level, True)
    assert f"The clock shows {iso(seen + after)}" in told.words
    assert ("lts clock reset" in told.words) == (level == doctor.FAULT)


@pytest.mark.parametrize(("step", "command"), [(-3 * 3600, "lts clock reset"), (3 * DAY_SECONDS, "lts clock accept")])
def test_a_server_that_runs_reports_its_clock(
    step: int, command: str, server: Lab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Remote:
        def call(self, method: str, path: str) -> dict[str, Any]:
            assert (method, path) == ("GET", "/home")
            found = attention.notices(server.ctx, server.time.now)
            return {"pair": None, "attention": [vars(notice) for notice in found]}

    monkeypatch.setattr(datafolder, "running_server", lambda path: {"pid": 1})
    monkeypatch.setattr("lts.cli.repair.upkeep.session", lambda config: nullcontext(Remote()))
    monkeypatch.setenv("LTS_DATA_DIR", str(server.config.data_dir))
    monkeypatch.delenv("LTS_CONFIG", raising=False)
    main(["doctor"])
    assert "[!!] The clock" not in capsys.readouterr().out
    server.time.wall += step
    server.ctx.clock.look()
    assert main(["doctor"]) == 1
    [told] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("[!!] The clock")]
    assert command in told
