"""A snapshot is of one moment, whatever is imported meanwhile (docs/design/architecture.md, Reads)."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator

import pytest

from lts.store import sql
from lts.store.writing.snapshot import Snapshot
from tests.support.kit import Lab, item
from tests.support.wait import PATIENCE


@pytest.fixture
def many_switches() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def ids(view: Snapshot) -> tuple[list[int], list[int]]:
    """Numbers of the items: in the tables, in the catalog."""
    return sorted(number for (number,) in sql.rows(view.db, "SELECT id FROM items")), sorted(view.catalog.items)


def test_what_is_imported_after_its_first_moment_is_not_in_it(server: Lab) -> None:
    server.load(item())
    with server.ctx.store.snapshot() as view:
        server.load(item("later"), license_id="200")
        assert ids(view) == ([1], [1])


def test_tables_and_catalog_are_of_one_moment_while_licenses_come(server: Lab, many_switches: None) -> None:
    def load() -> None:
        for number in range(25):
            server.load(item(f"item {number}"), license_id=str(number))

    loading = threading.Thread(target=load, daemon=True)
    loading.start()
    seen = 0
    while loading.is_alive():
        with server.ctx.store.snapshot() as view:
            in_tables, in_catalog = ids(view)
            assert in_tables == in_catalog
            seen += 1
    loading.join(PATIENCE)
    assert seen
    assert len(server.ctx.store.catalog.items) == 25
