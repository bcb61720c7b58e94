"""Vendor keys that the server's user cannot read: the message says which file or folder it is, and what to do."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.support.kit import item, lab
from tests.support.nobody import NOBODY, ONLY_ROOT, as_nobody

pytestmark = pytest.mark.slow


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A stopped server's data with a license; its vendor's key is in `data/trust`, and `keys` is the configured folder.
    All of it is nobody's."""
    folder = tmp_path / "house"
    folder.mkdir()
    with lab(folder) as server:
        server.load(item())
    (folder / "trust").rename(folder / "data" / "trust")
    (folder / "keys").mkdir()
    (folder / "keys" / "other.pub").write_text("nothing", encoding="utf-8")
    (folder / "lts.json").write_text(json.dumps({"dataDir": "data", "vendorKeys": "keys"}), encoding="utf-8")
    for path in (folder, *folder.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    return folder


def told(house: Path, *words: str) -> tuple[int, str]:
    """The exit code of a command of nobody, and all that it says."""
    done = as_nobody(house.parent, *words, "--config", str(house / "lts.json"))
    return done.returncode, done.stdout + done.stderr


@ONLY_ROOT
@pytest.mark.parametrize(
    ("closed", "mode", "named"),
    [("data/trust", 0, "data/trust"), ("data/trust", 0o400, "data/trust/*.pub"), ("keys", 0, "keys"),
     ("data/trust/*.pub", 0, "data/trust/*.pub"), ("keys/other.pub", 0, "keys/other.pub")],
)  # fmt: skip
def test_a_closed_vendor_key_is_reported_at_the_start_and_by_each_command_that_needs_it(
    closed: str, mode: int, named: str, house: Path
) -> None:
    [words], [path] = [f"{one} cannot be read by " for one in house.glob(named)], house.glob(closed)
    path.chmod(mode)
    lost = closed.startswith("data")
    for command, code in (("status", 0), ("doctor", 1), ("verify", int(lost))):
        done, said = told(house, command)
        assert done == code, said
        assert (words in said) == (command != "verify" or lost), said
        assert "Put its file back" not in said
        assert f"{words.partition(' ')[0]} is not a vendor key" not in said
    assert said.count("give that user the rights.") == lost
