"""docs/vendor.md followed as a new vendor would: its commands pasted one after another, as they stand."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lts.rules.licensing import licensefile
from tests.docs.test_docs import DOCS, World, blocks, lts_words

GUIDE = DOCS / "vendor.md"


@pytest.fixture
def started(tmp_path: Path) -> Iterator[World]:
    """A customer's server and an empty folder of the vendor's, which here are one."""
    world = World(tmp_path)
    world.start()
    yield world
    world.stop()


@pytest.mark.skipif(os.name != "posix", reason="tested where the server ends at a signal")
def test_its_commands_work_one_after_another_as_they_stand(started: World) -> None:
    run = []
    for block in blocks(GUIDE):
        if block.info == ("json",):
            (started.folder / "changes.json").write_text("\n".join(block.lines), encoding="utf-8")
            continue
        for command, _ in block.commands():
            words = lts_words(command)
            assert words, command
            done = started.run(words)
            assert done.returncode == 0, (command, done.stdout)
            run.append(words[1] if words[0] == "vendor" else words[0])
    assert run == ["init", "spec", "issue", "request", "activate", "amend", "revoke", "license"]
    last = licensefile.read((started.folder / "sale-3.lic").read_bytes())
    assert (last.revision, {item.item_id: item.quota for item in last.items}["scans"]) == (3, 200_000)
    assert {item.item_id for item in last.items} - last.revokes == {"scans", "servers"}
