"""Units by device are what the day rows hold, whatever was reported when, and whatever days are asked for."""

from __future__ import annotations

import random
from collections import Counter
from uuid import UUID

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lts.protocol import DAY_SECONDS, SLOTS_PER_DAY, slot_of
from lts.service.licensing import handshakes
from lts.service.maintenance import days, verify
from lts.service.statistics import usage
from lts.store import sql
from lts.store.file.schema import V2
from lts.store.rows import deviceunits
from lts.store.rows.dayrow import DaySeries, DaySeriesKey, encode_day, sums_of_day
from lts.store.rows.deviceunits import SPAN, Key
from lts.store.tables.statistics import Selection, units_by, units_by_device
from tests.support.kit import NOON, Lab, entry, item

TODAY = NOON // DAY_SECONDS
DEVICES = [str(UUID(int=n + 1)) for n in range(4)]
DAYS = st.integers(0, 3 * SPAN)


def table() -> apsw.Connection:
    db = apsw.Connection(":memory:")
    db.execute(V2)
    return db


def chosen(key: Key, selection: Selection) -> bool:
    code, _, key_item, _, day = key
    return (
        (selection.codes is None or code in selection.codes)
        and (selection.items is None or key_item in selection.items)
        and selection.first_day <= day <= selection.last_day
    )


def summed(sums: dict[Key, int], selection: Selection) -> dict[tuple[int, int], int]:
    """What `units_by_device` has to say, one by one."""
    found: Counter[tuple[int, int]] = Counter()
    for key, units in sums.items():
        if chosen(key, selection):
            found[key[1], key[3]] += units
    return {group: units for group, units in found.items() if units}


def of_day_rows(db: apsw.Connection) -> dict[Key, int]:
    """All that the day rows hold but presence."""
    found: Counter[Key] = Counter()
    for day, device, code, data in sql.rows(db, "SELECT day, device, code, data FROM usage_days"):
        for key_item, type_key, units in sums_of_day(data):
            if isinstance(type_key, int) and type_key:
                found[code, device, key_item, type_key, day] += units
    return dict(found)


KEYS = st.tuples(st.integers(1, 2), st.integers(1, 3), st.integers(1, 2), st.integers(1, 2), DAYS)
BATCHES = st.lists(st.dictionaries(KEYS, st.integers(1, 1 << 40), max_size=20), max_size=5)
CHOICES = st.none() | st.sets(st.integers(1, 2), min_size=1).map(tuple)


@given(batches=BATCHES, codes=CHOICES, items=CHOICES, days=st.tuples(DAYS, DAYS).map(sorted))
def test_any_range_of_days_is_the_sum_of_its_days(
    batches: list[dict[Key, int]], codes: tuple[int, ...] | None, items: tuple[int, ...] | None, days: list[int]
) -> None:
    db, sums = table(), Counter[Key]()
    for batch in batches:
        deviceunits.add(db, batch)
        sums.update(batch)
    for first, last in (days, (0, 200_000)):
        selection = Selection(codes, items, first, last)
        assert units_by_device(db, selection) == summed(sums, selection)
    db.close()


@given(sums=st.dictionaries(KEYS, st.integers(1, 1 << 40), max_size=30))
def test_the_day_rows_fill_the_table_as_reports_would_have(sums: dict[Key, int]) -> None:
    db, expected = table(), table()
    deviceunits.add(expected, sums)
    db.execute("CREATE TABLE usage_days (day, device, code, data)")
    for (code, device, key_item, type_key, day), units in sums.items():
        branches: dict[DaySeriesKey, DaySeries] = {
            (branch, key_item, type_key): closed(part) for branch, part in enumerate((units - 1, 1))
        }
        row = encode_day({**branches, (0, key_item, 0): closed(1)})
        db.execute("INSERT INTO usage_days VALUES (?, ?, ?, ?)", (day, device, code, row))
    deviceunits.fill(db)
    everything = "SELECT * FROM usage_devices"
    assert sql.rows(db, everything) == sql.rows(expected, everything)
    db.close()
    expected.close()


def closed(units: int) -> DaySeries:
    series = DaySeries()
    series.closed_sum = units
    return series


def agree(server: Lab, rng: random.Random) -> None:
    """Sums by device are those of the day rows and of every other grouping."""
    with server.ctx.store.reader() as db:
        held = of_day_rows(db)
        ranges = [sorted(rng.choices(range(TODAY - 40, TODAY + 80), k=2)) for _ in range(8)]
        for codes, items in ((None, None), ((1,), None), ((2,), None), ((1, 2), (1,)), ((1, 2), (2,))):
            for first, last in (*ranges, (0, usage.MAX_DAY)):
                selection = Selection(codes, items, first, last)
                by_device = units_by_device(db, selection)
                assert by_device == summed(held, selection)
                by_type = {key: n for (_, key), n in units_by(db, selection, "type").items()}
                assert by_type == Counter(kind for (_, kind), n in by_device.items() for _ in range(n))
    tables = {by: usage.usage(server.ctx, grouping=by) for by in ("device", "type", "day", "hour")}
    assert len({table.total for table in tables.values()}) == 1


@pytest.mark.parametrize("seed", range(4))
def test_late_and_repeated_reports_closed_days_and_removals_keep_all_sums_equal(server: Lab, seed: int) -> None:
    rng = random.Random(seed)
    server.load(item("a", quota=10**6), item("b", quota=10**6, modules=["OCR"]))
    second = handshakes.add(server.ctx, "216998", {"custom": "two", "items": [{"id": 1}, {"id": 2}]}, "test", NOON).name
    leases = [
        server.authorize(code, device, modules=("QR", "OCR")).lease for code in (None, second) for device in DEVICES
    ]

    def report(times: int) -> None:
        for _ in range(times):
            now, back = slot_of(server.time.now), rng.randrange(29 * SLOTS_PER_DAY)
            entries = [
                entry(now - back + n, {name: rng.randint(0, 3) for name in ("QR", "OCR", "else")})
                for n in range(min(back, rng.choice([1, 3, 500])) + 1)
            ]
            lease = rng.choice(leases)
            for _ in range(rng.randint(1, 2)):
                server.report_many(lease, list(entries))

    report(10)
    agree(server, rng)
    handshakes.edit(server.ctx, second, {"items": [{"id": 1}]}, "test", server.time.now)
    server.time.forward(25 * DAY_SECONDS)
    report(10)
    agree(server, rng)
    handshakes.remove(server.ctx, second, "test", server.time.now)
    days.close_old_days(server.ctx, list(range(TODAY - 30, TODAY + 26)), server.time.now)
    agree(server, rng)
    server.time.forward(20 * DAY_SECONDS)
    report(10)
    agree(server, rng)
    assert verify.verify(server.ctx.config.data_dir, server.ctx.trust) == []
