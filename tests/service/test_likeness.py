"""Devices that look alike: a browser that forgot its identity, as an administrator sees it.

See docs/design/administering.md, Devices that look alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import msgspec
import pytest

from lts.errors import AdminError
from lts.rules.metering.likeness import Caller, likeness_of
from lts.rules.values.paging import Page
from lts.service.maintenance import verify
from lts.service.metering import release
from lts.service.statistics import devicelist
from lts.store.changes import records
from lts.store.changes.feed import Change
from lts.store.changes.records import ChangeKind, GrantChange, decode_payload, encode_payload
from lts.store.history import archive
from lts.store.tables import likeness
from lts.store.writing.transaction import Transaction
from tests.support.duet import Duet, in_step, template
from tests.support.kit import NOON, FakeTime, Lab, Vendor, item, lab
from tests.support.picture import picture

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:{0}) Gecko/20100101 Firefox/{0}"
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/143.0.0.0 Safari/537.36"
CODE = "216998-100"
OFFICE = Caller("192.0.2.7", FIREFOX.format("140.0"))


def come(server: Lab, code: str, caller: Caller | None, count: int = 1) -> list[str]:
    """New devices that authorize for a seat."""
    made = [str(uuid4()) for _ in range(count)]
    for device in made:
        server.authorize(code, device=device, caller=caller, charge_way="device")
    return made


def alike(server: Lab) -> dict[str, int]:
    """What the list says of each device."""
    found = devicelist.find(server.ctx, Page(), None, False, False, server.time.now)
    return {row.device_id: row.alike for row in found.devices}


def like(server: Lab, device: str) -> set[str]:
    """The devices that look like one."""
    found = devicelist.find(server.ctx, Page(), None, False, False, server.time.now, UUID(device))
    assert found.found == len(found.devices)
    return {row.device_id for row in found.devices}


def change(server: Lab, query: str) -> None:
    """Something that no program does."""

    def operation(tx: Transaction) -> None:
        tx.note_written_beside()
        tx.execute(query)

    server.ctx.store.write(operation)


@pytest.fixture
def duet(tmp_path: Path) -> Iterator[Duet]:
    """Main and standby in step, the main with a license."""
    with in_step(template(tmp_path / "duet", item("seats", "device", 10))) as made:
        yield made


def test_a_browser_that_forgets_its_identity_is_counted_with_what_it_was_before(server: Lab) -> None:
    code = server.load(item("seats", "device", 10))
    forgetful = come(server, code, OFFICE, 3)
    later = come(server, code, Caller(OFFICE.address, FIREFOX.format("141.0.2")))
    others = [
        *come(server, code, Caller(OFFICE.address, CHROME)),
        *come(server, code, Caller("192.0.2.8", OFFICE.agent)),
    ]
    unknown = come(server, code, None, 2)
    assert alike(server) == dict.fromkeys(forgetful + later, 3) | dict.fromkeys(others + unknown, 0)
    assert like(server, forgetful[1]) == {*forgetful, *later}
    assert like(server, unknown[0]) == {unknown[0]}
    assert devicelist.one(server.ctx, UUID(forgetful[0]), NOON).alike == 3
    with pytest.raises(AdminError, match="no device"):
        like(server, str(uuid4()))


def test_a_seat_of_a_forgotten_identity_is_freed_for_the_next_one(server: Lab) -> None:
    code = server.load(item("seats", "device", 2, graceQuota=0))
    old, new = come(server, code, OFFICE, 2)
    release.release_seat(server.ctx, old, 1, "Ana", NOON)
    come(server, code, OFFICE)
    assert alike(server)[new] == 2


def test_the_mark_is_of_the_first_time_and_neither_address_nor_program_is_kept(server: Lab, tmp_path: Path) -> None:
    code = server.load(item("seats", "device", 10))
    first, second = come(server, code, OFFICE, 2)
    server.authorize(code, device=first, caller=Caller("198.51.100.9", CHROME), charge_way="device")
    assert alike(server) == {first: 1, second: 1}
    stored = b"".join(path.read_bytes() for path in (tmp_path / "data").glob("lts.db*"))
    assert OFFICE.address.encode() not in stored
    assert b"Firefox" not in stored


def test_a_replay_of_the_feed_gives_the_same_marks(server: Lab, tmp_path: Path) -> None:
    come(server, server.load(item("seats", "device", 10)), OFFICE, 3)
    assert verify.verify(tmp_path / "data", server.ctx.trust) == []
    change(server, "UPDATE devices SET mark = 1 WHERE id = 2")
    assert any("devices" in fault for fault in verify.verify(tmp_path / "data", server.ctx.trust))


def test_marks_of_two_servers_say_nothing_of_each_other() -> None:
    assert likeness_of(b"1" * 32, OFFICE) == likeness_of(b"1" * 32, OFFICE) != likeness_of(b"2" * 32, OFFICE)
    assert likeness_of(b"1" * 32, Caller("192.0.2.7")) != likeness_of(b"1" * 32, Caller("192.0.2.70"))
    assert -(1 << 31) <= likeness_of(b"1" * 32, Caller("\udcff", "\udcff" * 9999)) < 1 << 31


def test_the_standby_shows_them_too_and_goes_on_counting(duet: Duet) -> None:
    first = come(duet.main.server, CODE, OFFICE, 2)
    duet.settle()
    duet.main.close()
    duet.run(17)
    second = come(duet.standby.server, CODE, OFFICE)
    assert alike(duet.standby.server) == dict.fromkeys(first + second, 2)
    duet.settle()
    assert alike(duet.main.server) == dict.fromkeys(first + second, 2)
    assert duet.main.faults() == duet.standby.faults() == []


def test_a_device_that_two_servers_met_from_two_places_has_one_mark_on_both(duet: Duet) -> None:
    duet.cut = True
    duet.run(20)
    devices = [str(uuid4()) for _ in range(8)]
    for number, device in enumerate(devices):
        for player in duet.players:
            come_from = Caller(f"{player.name} {number}")
            player.server.authorize(CODE, device=device, caller=come_from, charge_way="device")
    duet.settle()
    shown = [
        server.rows("SELECT hex(uuid), mark FROM devices ORDER BY 1")
        for server in [player.server for player in duet.players]
    ]
    assert shown[0] == shown[1]
    assert len(shown[0]) == len(devices)
    assert all(mark is not None for _, mark in shown[0])
    assert picture(duet.main.server) == picture(duet.standby.server)
    assert duet.main.faults() == duet.standby.faults() == []


OLD_GRANTED = msgspec.defstruct(
    "OldGranted",
    [(f.name, f.type) for f in msgspec.structs.fields(GrantChange) if f.name != "likeness"],
    array_like=True,
)


def test_programs_with_and_without_marks_read_each_other() -> None:
    new = GrantChange(1, bytes(16), 2, 1, 0, None, (), -7)
    old = msgspec.msgpack.decode(encode_payload(new), type=OLD_GRANTED)
    assert msgspec.structs.asdict(old).items() < msgspec.structs.asdict(new).items()
    assert decode_payload(ChangeKind.GRANT, encode_payload(old)) == msgspec.structs.replace(new, likeness=None)


def test_a_stretch_that_an_upgrade_lies_in_is_archived_as_it_is() -> None:
    new = GrantChange(2, bytes(16), 2, 1, 0, None, (records.SeatRecord(1, 1, 60, 0, (2,)),), -7)
    old = OLD_GRANTED(*msgspec.structs.astuple(new)[:-1])
    rows = [encode_payload(record) for record in (old, new, old, old, new)]
    changes = [Change(1, n, NOON + n, ChangeKind.GRANT, payload, b"") for n, payload in enumerate(rows, 1)]
    assert [payload for _, _, _, payload in archive.unpack(archive.pack(changes))] == rows


def test_marks_that_came_before_the_upgrade_are_filled_in(tmp_path: Path) -> None:
    time, vendor = FakeTime(), Vendor()
    with lab(tmp_path, time, vendor) as server:
        made = come(server, server.load(item("seats", "device", 10)), OFFICE, 3)

        change(server, "UPDATE devices SET mark = NULL")
        assert alike(server) == dict.fromkeys(made, 0)

        def fill(tx: Transaction) -> None:
            tx.note_written_beside()
            likeness.fill(tx.db)

        server.ctx.store.write(fill)
        assert alike(server) == dict.fromkeys(made, 2)
        assert verify.verify(tmp_path / "data", server.ctx.trust) == []
