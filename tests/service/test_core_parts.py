"""The small parts that every use case needs: what they keep, for how long, and how much of it."""

from __future__ import annotations

import json
import os
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lts.errors import TokenError
from lts.protocol import DAY_SECONDS
from lts.rules import labels as rules
from lts.service.core import files, labels
from lts.service.core.licensefiles import LicenseFiles
from lts.service.core.newcomers import Newcomers
from lts.service.core.recentcalls import RecentCalls
from lts.service.core.refusals import AskedRequest, Refusals, RefusedRequest
from lts.service.core.today import Today
from lts.service.metering import goneon, newnames
from lts.service.metering.goneon import notices as gone_on_notices
from lts.service.metering.newnames import detail_of
from lts.service.metering.newnames import notices as folded_notices
from lts.service.statistics import usage
from lts.store.tables import audit, meta
from lts.web.admin.jsonpieces import as_json
from tests.support.kit import NOON, Lab, item

MIDNIGHT = NOON // DAY_SECONDS * DAY_SECONDS
"""A multiple of a day, of an hour and of a minute."""


def refused(name: str, time: int = NOON) -> RefusedRequest:
    return RefusedRequest(time, name, 104, "no", None, AskedRequest(), ())


def test_failures_of_a_code_are_those_of_the_last_sixty_minutes() -> None:
    calls = RecentCalls()
    for after, failed in ((0, True), (60, False), (59, False)):
        calls.note(1, MIDNIGHT + after, failed=failed)
    calls.note(2, MIDNIGHT, failed=True)
    found = {after: calls.of_last_hour(1, MIDNIGHT + after) for after in (0, 59, 60, 3599, 3600, 3659, 3660)}
    assert found == {0: (1, 2), 59: (1, 2), 60: (1, 3), 3599: (1, 3), 3600: (0, 1), 3659: (0, 1), 3660: None}
    assert [calls.granted_within(1, MIDNIGHT, MIDNIGHT + end) for end in (59, 60, 119, 120)] == [0, 1, 1, 2]
    assert [calls.granted_within(1, MIDNIGHT + begin, MIDNIGHT + 120) for begin in (59, 60)] == [2, 1]
    assert calls.granted_within(2, MIDNIGHT, MIDNIGHT + 60) == 0


def lines_of(server: Lab, action: str) -> list[str]:
    """Subjects of the lines of the audit log, oldest first."""
    with server.ctx.store.reader() as db:
        return [line.subject for line in reversed(audit.lines(db, audit.AuditFilter(actions=(action,)), 0, 1000))]


def test_a_hundred_devices_a_day_that_go_on_are_recorded_each_item_once(server: Lab) -> None:
    today = Today()

    def tell(device: str, at: int) -> None:
        server.ctx.store.write(lambda tx: goneon.note(tx, today, device, ["one", "one", "two"], at))

    for device in ("d", "d"):
        tell(device, NOON)
    assert lines_of(server, goneon.GONE_ON) == ["d", "d"]
    for number in range(50):
        tell(f"d{number}", NOON)
    assert (len(lines_of(server, goneon.GONE_ON)), goneon.MOST_A_DAY) == (100, 100)
    tell("d", MIDNIGHT + DAY_SECONDS - 1)
    assert len(lines_of(server, goneon.GONE_ON)) == 100
    tell("d", MIDNIGHT + DAY_SECONDS)
    assert len(lines_of(server, goneon.GONE_ON)) == 102


def test_ten_devices_of_the_last_week_that_went_on_are_noticed(server: Lab) -> None:
    for number in range(11):
        server.ctx.note_event("used-after-release", {"subject": f"device-{number:02}", "item": "one"})
        server.time.forward(1)
    now = server.time.now
    with server.ctx.store.reader() as db:
        *named, more = gone_on_notices(db, now)
        assert [one.params["device"] for one in named] == [f"device-{number:02}" for number in range(10, 0, -1)]
        assert (more.code, more.params) == ("used-after-release-more", {"count": 1})
        assert more.detail.startswith("And 1 more: ")
        assert len(gone_on_notices(db, now - 2 + 7 * DAY_SECONDS)) == 2
        assert len(gone_on_notices(db, now - 1 + 7 * DAY_SECONDS)) == 1
        assert gone_on_notices(db, now + 7 * DAY_SECONDS) == []


def test_ten_places_with_too_many_new_devices_are_noticed_for_a_day() -> None:
    newcomers = Newcomers()
    for number in range(11):
        newcomers.note(f"192.0.2.{number}", "1-a", NOON)
    newcomers.note("192.0.2.1", "1-a", NOON + 1)
    told = [str(one.params["address"]) for one in newcomers.notices(NOON + DAY_SECONDS - 1)]
    assert told == [f"192.0.2.{number}" for number in (*range(2, 11), 1)]
    assert [one.params["address"] for one in newcomers.notices(NOON + DAY_SECONDS)] == ["192.0.2.1"]
    assert newcomers.notices(NOON + DAY_SECONDS + 1) == []


def test_fifty_new_names_of_a_device_and_five_hundred_of_a_license_get_a_number_in_a_day(server: Lab) -> None:
    today, vendor = Today(), ("kid", "100")
    server.ctx.store.write(lambda tx: tx.note_written_beside())

    def give(prefix: str, number: int, device: int, at: int, license_name: tuple[str, str] = vendor) -> int:
        """How many of some names got a number, in transactions of 40."""
        found: list[Any] = []

        def some(begin: int) -> None:
            server.ctx.store.write(
                lambda tx: found.extend(
                    newnames.number(tx, today, f"{prefix}-{n}", bytes([device]), license_name, at)
                    for n in range(begin, min(begin + 40, number))
                )
            )

        for begin in range(0, number, 40):
            some(begin)
        return sum(isinstance(one, int) for one in found)

    assert give("first", 60, 1, MIDNIGHT) == 50
    assert give("first", 60, 1, MIDNIGHT + DAY_SECONDS - 1) == 50  # those are known now
    assert [give(f"d{device}", 50, device, MIDNIGHT) for device in range(2, 11)] == [50] * 9
    assert give("last", 5, 20, MIDNIGHT) == 0
    assert give("other", 5, 20, MIDNIGHT, ("kid", "200")) == 5
    assert give("last", 60, 1, MIDNIGHT + DAY_SECONDS) == 50


def test_a_license_with_too_many_names_is_reported_once_a_day(server: Lab) -> None:
    today = Today()
    for license_id, at in (("100", NOON), ("100", NOON), ("200", NOON), ("100", NOON + DAY_SECONDS)):
        server.ctx.store.write(partial(newnames.note, today=today, folded=["b", "a"], device="d",
                                       license_name=("kid", license_id), now=at))  # fmt: skip
    assert lines_of(server, newnames.FOLDED) == ["100", "200", "100"]
    with server.ctx.store.reader() as db:
        assert folded_notices(db, NOON + DAY_SECONDS)[0].params["type"] == "a"


@pytest.mark.parametrize(("number", "some"), [(1, "a"), (3, "a, b, c"), (4, "a, b, c, …")])
def test_a_client_is_shown_three_names_that_were_folded(number: int, some: str) -> None:
    assert detail_of("dcba"[4 - number :]).endswith(f"too many new type names today: {some}.")


def test_folded_names_of_the_last_two_days_are_noticed_a_license_at_a_time(server: Lab) -> None:
    for license_id, name in (("100", "old"), ("100", "new"), ("200", "x")):
        server.ctx.note_event("types-folded", {"subject": license_id, "device": "d", "type": name})
        server.time.forward(1)
    now = server.time.now
    with server.ctx.store.reader() as db:
        assert [(one.params["license"], one.params["type"]) for one in folded_notices(db, now)] == [
            ("200", "x"), ("100", "new"),
        ]  # fmt: skip
        assert len(folded_notices(db, now - 1 + 2 * DAY_SECONDS)) == 1
        assert folded_notices(db, now + 2 * DAY_SECONDS) == []


def test_the_last_five_hundred_refused_requests_are_kept_and_given_to_the_other_server_once() -> None:
    refusals = Refusals()
    for number in range(501):
        refusals.note(1, refused(f"r{number:03}", NOON + number))
    latest = refusals.latest()
    assert (len(latest), latest[0].request_id, latest[-1].request_id) == (500, "r500", "r001")
    number, given = refusals.since(500)
    assert (number, [one.request_id for one in given]) == (501, ["r500"])
    assert refusals.since(number) == (501, [])
    refusals.take([refused("x", NOON + 1000), refused("old", NOON), refused("r500", 0)])
    assert (refusals.latest()[0].request_id, len(refusals.latest())) == ("x", 500)
    assert "old" not in {one.request_id for one in refusals.latest()}
    assert refusals.since(number) == (501, [])  # the other server's own are not given back


def test_refusals_are_counted_once_and_kept_for_the_next_start(server: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    refusals, store = Refusals(), server.ctx.store

    def counted() -> int:
        return usage.usage(server.ctx, grouping="authorizations").total

    refusals.note(1, refused("a"))
    refusals.note(1, refused("b"))
    with monkeypatch.context() as patch:
        patch.setattr(store, "write", lambda operation: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            refusals.flush(store, NOON)
    serial = store.serial
    refusals.flush(store, NOON)
    assert (store.serial, counted()) == (serial + 1, 2)
    refusals.flush(store, NOON)
    assert (store.serial, counted()) == (serial + 1, 2)
    refusals.take([refused("c", NOON + 1)])
    refusals.flush(store, NOON)
    assert store.serial == serial + 1  # nothing to count, but to keep
    with store.reader() as db:
        kept = meta.refusals(db)
    again = Refusals(kept)
    assert [one.request_id for one in again.latest()] == ["c", "b", "a"]
    assert Refusals(b"broken").latest() == []


def test_labels_of_a_machine_are_read_from_its_files(tmp_path: Path) -> None:
    def write(name: str, text: str) -> None:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text + "\n")

    def adapter(name: str, device: str, address: str, **more: str) -> None:
        write(f"sys/class/net/{name}/address", address)
        for file, text in more.items():
            write(f"sys/class/net/{name}/{file.replace('__', '/')}", text)
        if device:
            (tmp_path / device).mkdir(parents=True, exist_ok=True)
            (tmp_path / "sys/class/net" / name / "device").symlink_to(tmp_path / device)

    assert dict(labels._linux(tmp_path)) == {rules.BOARD: ""}
    write("etc/machine-id", "m" * 31)
    assert rules.MACHINE_ID not in dict(labels._linux(tmp_path))
    write("etc/machine-id", "")
    write("var/lib/dbus/machine-id", "m" * 32)
    write("sys/class/dmi/id/board_serial", "B1")
    write("proc/cpuinfo", "vendor_id : V\nmodel : 7: 8\ncache : 1\n\nvendor_id : V\nmodel : 7: 8")
    adapter("eth0", "pci0/net", "f4:8e:38:00:00:01", addr_assign_type="0")
    adapter("eth1", "pci0/old", "f4:8e:38:00:00:02")
    adapter("eth2", "pci0/set", "f4:8e:38:00:00:03", addr_assign_type="3")
    adapter("eth3", "pci0/bond", "f4:8e:38:00:00:04", bonding_slave__perm_hwaddr="f4:8e:38:00:00:05")
    adapter("usb0", "pci0/usb1", "f4:8e:38:00:00:06")
    adapter("veth", "devices/virtual/net", "f4:8e:38:00:00:07")
    adapter("br0", "", "f4:8e:38:00:00:08")
    found = sorted(labels._linux(tmp_path))
    assert found == [
        (rules.BOARD, "B1"),
        *((rules.MAC, address) for address in ("", *(f"f4:8e:38:00:00:0{n}" for n in (1, 2, 5)))),
        (rules.MACHINE_ID, "m" * 32),
        (rules.PROCESSOR, "V|7: 8"),
    ]


def test_labels_that_count_become_fingerprints(monkeypatch: pytest.MonkeyPatch) -> None:
    macs = [(rules.MAC, f"F4-8E-38-00-00-{n:02X}") for n in range(9)]
    machine = [(rules.MACHINE_ID, "0123 abcd"), (rules.BOARD, "None"), (rules.PROCESSOR, "1"), *macs, *macs]
    monkeypatch.setattr(labels, "_linux", lambda _: iter(machine))
    monkeypatch.setattr(labels, "_windows", lambda: iter(machine))
    monkeypatch.setenv("LTS_HOST_ID", " host ")
    raw = list(labels._raw())
    assert raw == [
        (rules.HOST, "host"), (rules.MACHINE_ID, "0123 abcd"), (rules.PROCESSOR, "1"),
        *((rules.MAC, f"f4:8e:38:00:00:{n:02x}") for n in range(8)),
    ]  # fmt: skip
    assert labels.fingerprints() == tuple(sorted({labels.fingerprint(*one) for one in raw}))


def test_a_fingerprint_is_the_same_in_every_version_of_lts() -> None:
    expected = "machine-id:019caeb854c8a31490a634c256419db0"
    assert labels.fingerprint("machine-id", "0123 ABCD") == labels.fingerprint("machine-id", "0123abcd") == expected
    assert labels.fingerprint("mac", "0123abcd")[4:] != expected[11:]


def test_a_file_is_moved_whole_and_private_or_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"new" * 1000)
    target.write_bytes(b"old")
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfileobj", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
        with pytest.raises(OSError, match="full"):
            files.move_private(source, target)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["source", "target"]
    assert target.read_bytes() == b"old"
    files.move_private(source, target)
    assert {one.name: one.read_bytes() for one in tmp_path.iterdir()} == {"target": b"new" * 1000}
    assert target.stat().st_mode & 0o077 == 0


def test_a_write_that_fails_leaves_the_old_file_and_names_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    files.write_private(path, b"old")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "full")))
        with pytest.raises(OSError, match="full") as caught:
            files.write_private(path, b"new")
    assert caught.value.filename == str(path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", lambda a, b: (_ for _ in ()).throw(OSError(1, "immutable", str(a), None, str(b))))
        with pytest.raises(PermissionError, match="immutable") as refused:
            files.write_private(path, b"new")
    assert refused.value.filename == str(path)
    assert {one.name: one.read_bytes() for one in tmp_path.iterdir()} == {"file": b"old"}


def test_a_stored_file_is_believed_as_long_as_its_vendor_is(server: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    jws = server.vendor.issue(item()).jws
    kept = LicenseFiles(server.ctx.trust)
    first = kept.read(jws)
    assert kept.read(jws) is first
    assert kept.content(jws) is first
    monkeypatch.setattr(server.ctx.trust, "get", lambda _: None)
    with pytest.raises(TokenError, match="not in the trust store"):
        kept.read(jws)
    head, payload, signature = jws.split(".")
    monkeypatch.undo()
    with pytest.raises(TokenError):
        LicenseFiles(server.ctx.trust).read(f"{head}.{payload}.{signature[:-4]}AAAA")


@pytest.mark.parametrize(
    "asked",
    [
        {"device": "d", "product": "p", "version": None, "edition": "e", "deploymentType": "server", "chargeWay": None,
         "modules": ["a"], "instances": 1, "client": None},
        {"call": "report", "device": None},
    ],
)  # fmt: skip
def test_what_a_refused_request_asked_is_stored_and_shown_as_ever(asked: dict[str, object]) -> None:
    """Null apart from absent, in this order."""
    stored = msgspec.msgpack.encode(asked)
    read = msgspec.msgpack.decode(stored, type=AskedRequest)
    assert msgspec.msgpack.encode(read) == stored
    assert json.dumps(as_json(read)) == json.dumps(asked)
