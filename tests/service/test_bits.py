"""One bit turned over anywhere in the database: the check at the start finds it, or `lts verify` does."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path

import apsw

from lts.errors import DatabaseDamaged
from lts.service.core.trust import TrustStore
from lts.service.maintenance import heads, verify
from lts.store.file import database, integrity
from lts.store.store import DATABASE
from tests.support.kit import NOON, Vendor, config_for, item, lab

TRIES = 60
UNCOUNTED = {"turns", "heads", "meta", "sessions", "attempts"}
"""Tables on which no count, seat or setting depends: turns, times of heads, what is this server's alone."""
_ALL = "SELECT * FROM {} NOT INDEXED"
Content = dict[str, list[str]]


def furnished(folder: Path) -> Path:
    """The database of a stopped server with devices, seats, leases, reports, tallies and a signed head."""
    with lab(folder, vendor=Vendor()) as here:
        items = item("d", "device", quota=50), item("c", "concurrentDevice", quota=50), item("s", quota=5000)
        code = here.load(*items)
        for number in range(25):
            here.report(here.authorize(code).lease, {"QR": 3, f"type {number % 5}": 2})
        heads.sign_head(here.ctx, NOON)
    return folder / "data" / DATABASE


def cells(path: Path) -> tuple[int, dict[str, list[int]]]:
    """The size of a page, and the pages that hold rows, by table or index."""
    pages: dict[str, list[int]] = {}
    with contextlib.closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as db:
        size = int(db.execute("PRAGMA page_size").get)
        query = "SELECT name, pageno FROM dbstat WHERE ncell > 0 AND pagetype = 'leaf'"
        for name, page in db.execute(query):
            pages.setdefault(str(name), []).append(int(page))
    return size, pages


def rows(path: Path) -> Content | None:
    """All rows as text, None where they cannot be read."""
    try:
        with contextlib.closing(database.open_reader(path)) as db:
            return {name: [repr(row) for row in db.execute(_ALL.format(name))] for name in integrity.tables(db)}
    except (apsw.Error, UnicodeDecodeError):
        return None


def test_a_bit_anywhere_is_found_unless_it_is_in_no_row(tmp_path: Path) -> None:
    path, rng, found = furnished(tmp_path), random.Random(7), 0
    whole, before, (size, pages) = path.read_bytes(), rows(path), cells(path)
    trust = TrustStore(config_for(tmp_path).vendor_keys, path.parent)
    names = sorted(name for name in pages if name not in UNCOUNTED)
    for number in range(TRIES):
        name = names[number % len(names)]
        data, begin = bytearray(whole), (rng.choice(pages[name]) - 1) * size
        at = rng.randrange(int.from_bytes(data[begin + 5 : begin + 7], "big"), size)
        data[begin + at] ^= 1 << rng.randrange(8)
        path.write_bytes(bytes(data))
        with contextlib.closing(database.open_reader(path)) as db:
            faults: list[object] = list(integrity.faults(db))
        try:
            faults = faults or list(verify.verify(path.parent, trust))
        except DatabaseDamaged as error:
            faults.append(error.detail)
        found += bool(faults)
        assert faults or rows(path) == before, (name, at)
    assert found > TRIES * 9 // 10


def test_a_turn_of_an_origin_that_there_is_not_is_named(tmp_path: Path) -> None:
    path = furnished(tmp_path)
    with contextlib.closing(apsw.Connection(str(path))) as db:
        db.execute("UPDATE turns SET origin = 99")
    trust = TrustStore(config_for(tmp_path).vendor_keys, path.parent)
    assert "turns: nothing is known of origin 99." in verify.verify(path.parent, trust)
