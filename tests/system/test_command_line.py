"""The whole job by commands alone: with the server stopped, and with it running."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from tests.support.lines import environment, lts
from tests.support.wait import PATIENCE

SPEC = {
    "licenseId": "100",
    "organizationId": "216998",
    "items": [
        {"itemId": "scans", "product": "reader", "chargeWay": "scan", "quota": 100, "modules": ["QR"],
         "startsAt": "2020-01-01T00:00:00Z", "expiresAt": None},
        {"itemId": "seats", "product": "writer", "chargeWay": "device", "quota": 2, "modules": ["PDF"],
         "startsAt": "2020-01-01T00:00:00Z", "expiresAt": None},
    ],
}  # fmt: skip


@contextmanager
def serving(data: Path, *arguments: str) -> Iterator[str]:
    """A server process on a data folder; its URL."""
    command = [sys.executable, "-m", "lts.cli.main", "serve", "--no-browser", "--port", "0", "--data", str(data)]
    process = subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, text=True, env=environment())
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert "running" in line, line
        yield line.split()[-1].split("page/")[0]
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=PATIENCE) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with blanks and other letters in its name, and a vendor's key and license in it."""
    place = tmp_path / "with blank é 许可"
    place.mkdir()
    assert lts("vendor", "init", place / "vendor", "--name", "Vendor").code == 0
    (place / "spec.json").write_text(json.dumps(SPEC), encoding="utf-8")
    done = lts("vendor", "issue", "--key", place / "vendor/vendor.key", place / "spec.json", "-o", place / "new.lic")
    assert done.code == 0, done.err
    return place


def activate(folder: Path, data: Path) -> Path:
    assert lts("request", "-o", folder / "r.json", data=data).code == 0
    done = lts("vendor", "activate", "--key", folder / "vendor/vendor.key", folder / "new.lic", "--request",
               folder / "r.json", "-o", folder / "bound.lic")  # fmt: skip
    assert done.code == 0, done.err
    return folder / "bound.lic"


@pytest.mark.slow
def test_from_nothing_to_counted_usage_with_a_running_server(folder: Path) -> None:
    data = folder / "data"
    with serving(data) as url:
        license_file = activate(folder, data)
        unknown = lts("license", "import", license_file, data=data)
        assert unknown.code == 1
        assert "fingerprint" in unknown.err
        assert lts("trust", folder / "vendor/vendor.pub", "--yes", data=data).code == 0
        preview = lts("license", "import", license_file, "--preview", data=data)
        assert "2 would be added" in preview.out
        done = lts("license", "import", license_file, data=data)
        assert done.code == 0, done.err
        assert "216998-100" in done.out
        key = lts("handshake", "key", "216998-100", data=data).out.strip()
        state = folder / "client"
        device = str(uuid4())
        common = ("--key", key, "--product", "reader", "--device", device, "--state", state)
        assert lts("authorize", *common).code == 0
        slot = ("--slot", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
        assert "counted" in lts("report", *common, "--usage", "QR=7", *slot).out
        assert "unchanged" in lts("report", *common, "--usage", "QR=7", *slot).out
        assert lts("release", *common).code == 0
        assert url.startswith("http://127.0.0.1:")
        table = json.loads(lts("usage", "--code", "216998-100", "--format", "json", data=data).out)
        assert table["total"] == 7
        assert lts("usage", "--by", "device", "--format", "csv", data=data).out.splitlines()[1] == f"{device},QR,7"
        status = json.loads(lts("status", "--json", data=data).out)
        assert (status["running"], status["items"]) == (True, 2)
        assert lts("backup", folder / "b.lts", data=data).code == 0
        assert lts("verify", data=data).code == 0
        assert lts("portal", data=data).out.startswith(f"{url}page/#/index.html?setup=")
        second = lts("serve", "--no-browser", "--port", "0", data=data)
        assert second.code == 1
        assert str(data) in second.err
        assert "127.0.0.1" in second.err
    assert lts("verify", folder / "b.lts", data=data).code == 0
    restored = lts("restore", folder / "b.lts", data=data)
    assert restored.code == 0, restored.err
    assert json.loads(lts("usage", "--format", "json", data=data).out)["total"] == 7


@pytest.mark.slow
def test_the_same_commands_work_on_the_folder_of_a_stopped_server(folder: Path) -> None:
    data = folder / "data"
    assert "no data folder" in lts("status", data=data).err
    with serving(data):
        pass
    license_file = activate(folder, data)
    assert lts("trust", folder / "vendor/vendor.pub", "--yes", data=data).code == 0
    assert lts("license", "import", license_file, "--new-code", "team", data=data).code == 0
    made = lts("handshake", "add", "216998", "two", "--item", "1:5", "--password", "s3cret", data=data)
    assert made.out.strip() == "216998-two"
    listed = lts("handshake", "list", "--json", data=data)
    assert "s3cret" not in listed.out
    assert [code["name"] for code in json.loads(listed.out)] == ["216998-team", "216998-two"]
    assert lts("handshake", "order", "216998-team", "2", "1", data=data).code == 0
    explained = lts("explain", "--code", "216998-team", "--product", "reader", "--version", "3", data=data)
    assert explained.out.startswith("OK")
    assert lts("handshake", "remove", "216998-two", "--yes", data=data).code == 0
    assert lts("doctor", data=data).code == 0
    assert lts("clock", "reset", data=data).code == 0
    assert lts("verify", data=data).code == 0


def test_usage_errors_end_with_2_and_failures_with_1_and_one_sentence(folder: Path) -> None:
    assert lts("nonsense").code == 2
    assert lts("license").code == 2
    wrong = lts("license", "show", folder / "spec.json")
    assert wrong.code == 1
    assert wrong.err.startswith("lts: ")
    assert len(wrong.err.splitlines()) == 1
    missing = lts("vendor", "issue", "--key", folder / "none.key", folder / "spec.json", "-o", folder / "x.lic")
    assert (missing.code, len(missing.err.splitlines())) == (1, 1)


def test_a_key_is_protected_by_its_passphrase_and_never_overwritten(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = lts("vendor", "init", folder / "vendor", "--name", "Other")
    assert again.code == 1
    assert "exists" in again.err


def test_a_taken_port_is_named_with_the_setting_to_change(folder: Path) -> None:
    with serving(folder / "data") as url:
        port = url.split(":")[2].split("/")[0]
        taken = lts("serve", "--no-browser", "--port", port, data=folder / "other")
        assert taken.code == 1
        assert port in taken.err
        assert "port" in taken.err.lower()
