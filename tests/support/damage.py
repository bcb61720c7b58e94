"""One bit of a database turned over, in the place that a test wants."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path

import apsw


def flip(path: Path, index: str, rng: random.Random) -> None:
    """Turn over one bit of what an index holds: within a cell of one of its leaves. The database is closed."""
    with contextlib.closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as db:
        size = int(db.execute("PRAGMA page_size").get)
        pages = db.execute("SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' AND ncell > 0", (index,))
        page = rng.choice([number for (number,) in pages])
    data = bytearray(path.read_bytes())
    begin = (page - 1) * size
    cells = int.from_bytes(data[begin + 3 : begin + 5], "big")
    places = [int.from_bytes(data[at : at + 2], "big") for at in range(begin + 8, begin + 8 + 2 * cells, 2)]
    chosen = rng.choice(places)
    length = data[begin + chosen]  # of an index's cell: the bytes that follow, short ones here
    data[begin + chosen + 1 + rng.randrange(length)] ^= 1 << rng.randrange(8)
    path.write_bytes(bytes(data))
