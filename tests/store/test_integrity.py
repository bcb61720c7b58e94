"""Every index of the schema damaged by one bit: found by the check, and mended from its table."""

from __future__ import annotations

import contextlib
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from lts.errors import DatabaseDamaged
from lts.store.file import integrity
from lts.store.file.schema import APPLICATION_ID, MIGRATIONS
from tests.support.damage import flip

ROWS = 5
TRIES = 12


def empty(path: Path) -> apsw.Connection:
    db = apsw.Connection(str(path))
    for script in MIGRATIONS:
        db.execute(script)
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {len(MIGRATIONS)}")
    return db


def indexes() -> list[tuple[str, str]]:
    """(table, index) of the whole schema, those of UNIQUE too."""
    with contextlib.closing(apsw.Connection(":memory:")) as db:
        for script in MIGRATIONS:
            db.execute(script)
        found = db.execute("SELECT tbl_name, name FROM sqlite_schema WHERE type = 'index' ORDER BY name").fetchall()
    return [(str(table), str(name)) for table, name in found]


INDEXES = indexes()


def values(columns: list[str], row: int) -> Iterator[int | str | bytes]:
    """Values of a row, all unlike those of other rows. Flags of seats are even: their index leaves others out."""
    for number, kind in enumerate(columns):
        if kind == "TEXT":
            yield f"text {row} {number}"
        elif kind == "BLOB":
            yield bytes([row, number] * 8)
        else:
            yield 1000 * row + 4 * number


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with rows in every table."""
    path = tmp_path_factory.mktemp("whole") / "lts.db"
    with contextlib.closing(empty(path)) as db:
        for table in integrity.tables(db):
            columns = [str(kind) for _, _, kind, *_ in db.execute(f"PRAGMA table_info({table})").fetchall()]
            marks = ", ".join("?" * len(columns))
            for row in range(1, ROWS + 1):
                db.execute(f"INSERT INTO {table} VALUES ({marks})", tuple(values(columns, row)))
        assert not integrity.faults(db)
    return path


def content(path: Path) -> dict[str, list[tuple[object, ...]]]:
    with contextlib.closing(apsw.Connection(str(path))) as db:
        return {table: db.execute(f"SELECT * FROM {table} NOT INDEXED").fetchall() for table in integrity.tables(db)}


def test_the_schema_has_the_indexes_that_are_tried() -> None:
    assert len(INDEXES) >= 9
    assert any(name.startswith("sqlite_autoindex") for _, name in INDEXES), "those of UNIQUE"


@pytest.mark.parametrize(("table", "index"), INDEXES)
def test_a_bit_in_an_index_is_found_by_the_whole_check_and_by_that_of_its_table_and_is_mended(
    table: str, index: str, whole: Path, tmp_path: Path
) -> None:
    rng, path = random.Random(index), tmp_path / "lts.db"
    for _ in range(TRIES):
        shutil.copy(whole, path)
        flip(path, index, rng)
        with contextlib.closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as db:
            for found in (integrity.faults(db), integrity.faults_of(db, table)):
                assert found
                assert all(fault.index for fault in found), found
                assert integrity.remedy(found) == integrity.REBUILD
        integrity.rebuild(path)
        with contextlib.closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as db:
            assert not integrity.faults(db)
            assert db.execute("PRAGMA user_version").get == len(MIGRATIONS)
            assert db.execute("PRAGMA application_id").get == APPLICATION_ID
        assert content(path) == content(whole)
        assert [one.name for one in tmp_path.iterdir()] == ["lts.db"]


def test_damage_in_a_table_is_no_matter_of_its_indexes(whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "lts.db"
    shutil.copy(whole, path)
    data = bytearray(path.read_bytes())
    with contextlib.closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as db:
        size = int(db.execute("PRAGMA page_size").get)
        page = int(db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'devices'").get)
    data[(page - 1) * size : page * size] = bytes(size)
    path.write_bytes(bytes(data))
    with contextlib.closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as db:
        assert integrity.remedy(integrity.faults(db)) == integrity.RESTORE
    with pytest.raises(DatabaseDamaged, match="lts restore BACKUP"):
        integrity.rebuild(path)
    assert path.read_bytes() == bytes(data)
    assert [one.name for one in tmp_path.iterdir()] == ["lts.db"]


def test_a_unique_value_that_occurs_twice_is_not_repaired_by_leaving_one_out(whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "lts.db"
    shutil.copy(whole, path)
    with contextlib.closing(apsw.Connection(str(path))) as db:
        sql = db.execute("SELECT sql FROM sqlite_schema WHERE name = 'types'").get
        db.execute("PRAGMA writable_schema = ON")
        db.execute("UPDATE sqlite_schema SET sql = ? WHERE name = 'types'", (sql.replace(" UNIQUE", ""),))
        db.execute("DELETE FROM sqlite_schema WHERE name = 'sqlite_autoindex_types_1'")
    with contextlib.closing(apsw.Connection(str(path))) as db:
        db.execute("INSERT INTO types SELECT 7, name FROM types LIMIT 1")
        db.execute("PRAGMA writable_schema = ON")
        db.execute("UPDATE sqlite_schema SET sql = ? WHERE name = 'types'", (sql,))
    with pytest.raises(DatabaseDamaged, match="lts restore BACKUP"):
        integrity.rebuild(path)


def test_what_was_only_in_the_journal_is_kept_when_indexes_are_rebuilt(whole: Path, tmp_path: Path) -> None:
    crashed, path = tmp_path / "crashed.db", tmp_path / "lts.db"
    shutil.copy(whole, crashed)
    with contextlib.closing(apsw.Connection(str(crashed))) as db:
        db.execute("PRAGMA journal_mode = WAL").fetchall()
        db.execute("INSERT INTO meta VALUES ('in the journal', 1)")
        shutil.copy(crashed, path)
        shutil.copy(f"{crashed}-wal", f"{path}-wal")
    integrity.rebuild(path)
    assert not Path(f"{path}-wal").exists()
    with contextlib.closing(apsw.Connection(str(path))) as db:
        assert db.execute("SELECT value FROM meta WHERE name = 'in the journal'").get == 1
