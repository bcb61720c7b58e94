"""`lts authorize`, `report` and `release` where their state cannot be kept, and with a wrong server or key; `lts
conformance` with a driver that ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from lts.cli.main import main
from lts.protocol import LicenseKey

KEY = LicenseKey(("http://127.0.0.1:9/lts/",), None, "216998-100", None, None).encode()
COMMANDS = ("authorize", "report", "release")
Said = pytest.CaptureFixture[str]


def said_by(capsys: Said, *words: object) -> str:
    """The one sentence with which a command fails, after its notes."""
    assert main([str(word) for word in words]) in (1, 2)
    lines = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("Note: ")]
    assert len(lines) == 1, lines
    assert "Errno" not in lines[0]
    return lines[0]


@pytest.mark.parametrize("command", COMMANDS)
def test_without_a_home_folder_the_message_asks_for_the_folder_of_the_state(
    command: str, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", unknown)
    assert "add --state DIR" in said_by(capsys, command, "--key", KEY)


@pytest.mark.parametrize("device", [(), ("--device", "0b6ad1f5-6d4c-4a4e-8a51-7f5f1d8a9d10")])
def test_authorize_asks_for_nothing_where_its_state_cannot_be_kept(
    device: tuple[str, ...], capsys: Said, tmp_path: Path
) -> None:
    blocked = tmp_path / "a file"
    blocked.write_bytes(b"")
    told = said_by(capsys, "authorize", "--key", KEY, "--state", blocked / "state", *device)
    assert f"state cannot be kept in {blocked / 'state'}" in told
    assert "nothing was asked for" in told


@pytest.mark.parametrize("command", ["report", "release"])
def test_without_a_lease_there_is_nothing_to_report_under_or_to_give_back(
    command: str, capsys: Said, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    assert f"There is no lease in {state}; " in said_by(capsys, command, "--key", KEY, "--state", state)
    (tmp_path / "file").write_bytes(b"")
    state = tmp_path / "file" / "state"
    assert f"There is no lease in {state}, which cannot be used (" in said_by(
        capsys, command, "--key", KEY, "--state", state
    )


@pytest.mark.parametrize("key", ["xyz", " ", "é", "A" * 42])
def test_an_invalid_vendor_key_is_named_as_such(key: str, capsys: Said, tmp_path: Path) -> None:
    told = said_by(capsys, "authorize", "--key", KEY, "--state", tmp_path, "--vendor-key", key)
    assert told.startswith(f"lts: --vendor-key is {key!r}, which is neither a file")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("127.0.0.1:48391", "the server's URL begins with http:// or https://"),
        ("ftp://lts.example.com/lts/", "the server's URL begins with http:// or https://"),
        ("http:///lts/", "the server's URL begins with http:// or https://"),
        ("http://[", "is not a URL"),
        ("http://127.0.0.1:99999/lts/", "is not a URL"),
        ("http://127.0.0.1:9/lts/", "cannot be reached ("),
    ],
)
def test_a_server_that_cannot_be_asked_is_reported_in_words(url: str, words: str, capsys: Said, tmp_path: Path) -> None:
    told = said_by(capsys, "authorize", "--server", url, "--code", "216998-100", "--state", tmp_path)
    assert words in told


def test_conformance_finds_the_vectors_by_itself(capsys: Said) -> None:
    assert "The driver 'false' ended instead of answering" in said_by(capsys, "conformance", "false")
