"""Inside, a handshake code is known by its number: renaming and removing one, and codes of the same name.

See docs/design/authorizing.md, Names and numbers.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from uuid import uuid4

import pytest

from lts.crypto import read_jws
from lts.errors import NotVerified, Refusal
from lts.protocol import DAY_SECONDS, LEASE_TYPE, iso
from lts.rules.alerting.notices import Notice
from lts.service.licensing import codeuse, handshakes
from lts.service.maintenance import archives, attention, verify
from lts.service.metering import release
from lts.service.statistics import usage
from lts.store.file.schema import MIGRATIONS
from lts.store.history import archive
from tests.support.kit import NOON, ORGANIZATION, FakeTime, Lab, Vendor, item, lab
from tests.support.leases import signed, without
from tests.support.olddatabase import turn_to_schema

CODE = f"{ORGANIZATION}-100"


def rename(server: Lab, code: str, custom: str) -> str:
    return handshakes.edit(server.ctx, code, {"custom": custom}, "test", server.time.now).name


def refused(server: Lab, code: str) -> int | str:
    with pytest.raises(Refusal) as caught:
        server.authorize(code)
    return caught.value.code


def former(server: Lab) -> list[Notice]:
    """What Home says of codes that had other names."""
    found = attention.notices(server.ctx, server.time.now)
    return [notice for notice in found if notice.code in ("code-former-name", "code-name-passed-on")]


def old(server: Lab, lease: str) -> str:
    """The lease as LTS 0.1.0 would have given it."""
    return without(server, lease, "code", "asked", "auth_time")


def test_renaming_a_code_keeps_every_lease_reporting_renewing_and_releasing(server: Lab) -> None:
    code = server.load(item(way="device", quota=1, graceQuota=0))
    lease = server.authorize(code).lease
    server.time.forward(60)
    renamed = rename(server, code, "new")
    answer = server.report(lease, {"QR": 2})
    assert answer.results[0].status == "counted"
    assert answer.lease is not None
    told = read_jws(answer.lease, LEASE_TYPE).claims()
    assert (told["hs"], told["code"]) == (code, 1), "clients of 0.1.0 count by name"
    assert server.report(old(server, lease), {"QR": 5}).lease is not None
    assert usage.usage(server.ctx, code=renamed).total == 5
    assert refused(server, code) == 101
    assert refused(server, renamed) == 120
    release.release(server.ctx, answer.lease, server.time.now)
    assert server.live() == 0
    assert read_jws(server.authorize(renamed).lease, LEASE_TYPE).claims()["hs"] == renamed


def test_a_code_made_again_under_a_name_inherits_nothing(server: Lab) -> None:
    server.load(item(way="device", quota=1))
    second = handshakes.add(server.ctx, ORGANIZATION, {"custom": "b", "items": [{"id": 1}]}, "test", NOON).name
    lease = server.authorize(second).lease
    server.time.forward(60)
    handshakes.remove(server.ctx, second, "test", server.time.now)
    server.time.forward(60)
    again = handshakes.add(
        server.ctx, ORGANIZATION, {"custom": "b", "items": [{"id": 1}]}, "test", server.time.now
    ).name
    numbers = {c.key: c.removed for c in server.ctx.store.catalog.codes_by_key.values() if c.name == again}
    assert numbers == {2: True, 3: False}
    for text, status in ((lease, "counted"), (old(server, lease), "unchanged")):
        answer = server.report(text, {"QR": 3})
        assert (answer.results[0].status, answer.lease) == (status, None), "nothing is renewed under a removed code"
    assert usage.usage(server.ctx, code=again).total == 0
    assert usage.usage(server.ctx, code="#2").total == 3
    release.release(server.ctx, lease, server.time.now)
    assert server.live() == 0
    assert {(c.id, c.name, c.removed) for c in usage.subjects(server.ctx).handshake_codes} == {
        (1, CODE, False), (2, again, True), (3, again, False),
    }  # fmt: skip


def test_a_name_given_to_another_code_takes_no_leases_along(server: Lab) -> None:
    first = server.load(item("a"), item("b", product="writer"))
    lease = server.authorize(first).lease
    server.time.forward(60)
    moved = rename(server, first, "moved")
    other = handshakes.add(
        server.ctx, ORGANIZATION, {"custom": "100", "items": [{"id": 1}]}, "test", server.time.now
    ).name
    assert other == first
    for count, text in ((4, lease), (6, old(server, lease))):
        server.report(text, {"QR": count})
    assert (usage.usage(server.ctx, code=moved).total, usage.usage(server.ctx, code=other).total) == (6, 0)
    later = old(server, server.authorize(other).lease)
    server.report(later, {"QR": 1})
    assert usage.usage(server.ctx, code=other).total == 1, "it belongs to the code that had its name at its time"


def test_a_lease_without_a_number_is_counted_where_it_was_given_over_a_clock_set_back(server: Lab) -> None:
    first = server.load(item("a"))
    server.time.forward(3600)
    lease = old(server, server.authorize(first).lease)
    moved = rename(server, first, "moved")
    server.time.wall -= 1800
    other = handshakes.add(
        server.ctx, ORGANIZATION, {"custom": "100", "items": [{"id": 1}]}, "test", server.time.now
    ).name
    server.time.forward(7200)
    server.report(lease, {"QR": 4})
    assert (usage.usage(server.ctx, code=moved).total, usage.usage(server.ctx, code=other).total) == (4, 0)


def test_a_number_counts_only_if_its_code_once_had_the_name(server: Lab) -> None:
    code = server.load(item())
    claims = read_jws(server.authorize(code).lease, LEASE_TYPE).claims()
    for wrong in ({"hs": "216998-other"}, {"code": 7}, {"code": 2**40}):
        with pytest.raises(NotVerified):
            server.report(signed(server, {**claims, **wrong}), {"QR": 1})
        release.release(server.ctx, signed(server, {**claims, **wrong}), NOON)
    rename(server, code, "new")
    assert server.report(signed(server, {**claims, "hs": "216998-new"}), {"QR": 1}).lease is not None


def test_who_asks_by_a_former_name_is_shown_until_nobody_does(server: Lab) -> None:
    code = server.load(item(way="device", quota=9))
    server.report(server.authorize(code).lease, {"QR": 1})
    server.authorize(code)
    assert codeuse.code_use(server.ctx, code, NOON).devices == 2
    server.time.forward(3600)
    rename(server, code, "mid")
    renamed = rename(server, f"{ORGANIZATION}-mid", "new")
    [told] = former(server)
    assert (told.params["code"], told.params["id"], told.params["devices"], told.params["refused"]) == (
        renamed,
        1,
        2,
        0,
    )
    assert told.params["former"] == f"{code}, {ORGANIZATION}-mid"
    server.time.forward(20 * DAY_SECONDS)
    assert refused(server, code) == 101
    server.ctx.refusals.flush(server.ctx.store, server.time.now)
    assert server.ctx.refusals.latest()[0].handshake_code == code, "Why? shows what was asked"
    server.time.forward(25 * DAY_SECONDS)
    [told] = former(server)
    assert (told.params["devices"], told.params["refused"]) == (0, 1)
    server.time.forward(10 * DAY_SECONDS)
    assert not former(server)


def test_a_code_that_nobody_used_by_its_former_name_is_not_reported(server: Lab) -> None:
    rename(server, server.load(item()), "new")
    assert not former(server)


def figures(server: Lab) -> list[tuple[object, ...]]:
    """Of each code that is shown: its name, those it had, devices, refused requests, and when it got its name."""
    server.ctx.refusals.flush(server.ctx.store, server.time.now)
    return [tuple(n.params[name] for name in ("code", "former", "devices", "refused", "time")) for n in former(server)]


def test_a_name_that_a_code_got_back_is_no_former_one(server: Lab) -> None:
    code = server.load(item(way="device", quota=9))
    server.report(server.authorize(code).lease, {"QR": 1})
    server.time.forward(3600)
    away = rename(server, code, "x")
    refused(server, code)
    server.ctx.refusals.flush(server.ctx.store, server.time.now)
    server.time.forward(600)
    rename(server, away, "100")
    server.report(server.authorize(code).lease, {"QR": 1})
    assert figures(server) == [], "nobody asked by x"
    back = iso(server.time.now)
    server.time.forward(3600)
    refused(server, away)
    assert figures(server) == [(code, away, 0, 1, back)]


def test_who_authorizes_by_the_new_name_on_the_day_of_the_renaming_did_not_use_the_former_one(server: Lab) -> None:
    code = server.load(item(way="device", quota=9))
    server.report(server.authorize(code).lease, {"QR": 1})
    server.time.forward(3600)
    renamed = rename(server, code, "new")
    since = iso(server.time.now)
    server.time.forward(600)
    server.report(server.authorize(renamed).lease, {"QR": 1})
    assert figures(server) == [(renamed, code, 1, 0, since)]


def test_requests_by_any_former_name_are_shown_with_all_of_them(server: Lab) -> None:
    first = server.load(item())
    renamed = rename(server, rename(server, first, "h"), "now")
    refused(server, f"{ORGANIZATION}-h")
    assert figures(server) == [(renamed, f"{first}, {ORGANIZATION}-h", 0, 1, iso(NOON))]


def test_a_former_name_that_another_code_got_is_shown_and_still_when_that_one_is_removed(server: Lab) -> None:
    first = server.load(item("a"), item("b"))
    server.report(server.authorize(first).lease, {"QR": 1})
    server.time.forward(3600)
    renamed = rename(server, first, "new")
    since = iso(server.time.now)
    handshakes.add(server.ctx, ORGANIZATION, {"custom": "100", "items": [{"id": 2}]}, "test", NOON)
    assert server.authorize(first).items[0].item_id == "b"
    [told] = former(server)
    assert (told.code, told.params["taken"], told.params["devices"]) == ("code-name-passed-on", first, 1)
    handshakes.remove(server.ctx, first, "test", server.time.now)
    assert refused(server, first) == 101
    assert figures(server) == [(renamed, first, 1, 1, since)]
    assert former(server)[0].code == "code-former-name"


def test_names_of_before_are_learnt_from_the_feed_and_its_archives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    time, vendor = FakeTime(), Vendor()
    monkeypatch.setattr(archive, "STRETCH", 12)
    with lab(tmp_path, time, vendor) as server:
        code, device = server.load(item()), str(uuid4())
        lease = old(server, server.authorize(code, device).lease)
        time.forward(60)
        rename(server, code, "mid")
        time.forward(60)
        handshakes.add(server.ctx, ORGANIZATION, {"custom": "100", "items": [{"id": 1}]}, "test", time.now)
        for _ in range(20):
            server.authorize(code, device)
        time.forward(3 * DAY_SECONDS)
        rename(server, f"{ORGANIZATION}-mid", "new")
        assert archives.archive_old_changes(server.ctx.store, tmp_path / "data", time.now) == 24
        names = server.rows("SELECT * FROM code_names")
        assert len(names) == 4
    turn_to_schema(tmp_path / "data" / "lts.db", 4)
    shutil.copytree(tmp_path, lost := tmp_path.with_name("lost"))
    with lab(tmp_path, time, vendor) as server:
        assert server.rows("PRAGMA user_version") == [(len(MIGRATIONS),)]
        assert server.rows("SELECT * FROM code_names") == names
        assert verify.verify(tmp_path / "data", server.ctx.trust) == []
        server.report(lease, {"QR": 2})
        assert usage.usage(server.ctx, code=f"{ORGANIZATION}-new").total == 2
        assert usage.usage(server.ctx, code=code).total == 0
    for file in (lost / "data" / "archive").iterdir():
        file.unlink()
    with lab(lost, time, vendor) as server:
        assert server.authorize(f"{ORGANIZATION}-new", device).lease
        assert any("archive" in fault for fault in verify.verify(lost / "data", server.ctx.trust))


def told(server: Lab) -> list[tuple[object, ...]]:
    """Of each code that is shown: devices and authorizations while it had another name, and refused since."""
    return [tuple(n.params[name] for name in ("devices", "authorizations", "refused")) for n in former(server)]


@pytest.mark.parametrize(("way", "devices"), [("device", 2), ("concurrentDevice", 2), ("scan", 0)])
def test_who_only_authorizes_by_a_former_name_is_shown_too(server: Lab, way: str, devices: int) -> None:
    code = server.load(item(way=way, quota=9))
    server.authorize(code)
    server.authorize(code)
    use = codeuse.code_use(server.ctx, code, server.time.now)
    assert (use.devices, use.authorizations, use.reported) == (devices, 2, 0)
    server.time.forward(3600)
    renamed = rename(server, code, "new")
    assert told(server) == [(devices, 2, 0)]
    server.authorize(renamed)
    assert told(server) == [(devices, 2, 0)], "by its present name"
    server.time.forward(29 * DAY_SECONDS)
    assert told(server) == [(devices, 2, 0)]
    server.time.forward(DAY_SECONDS)
    assert told(server) == []


def test_a_seat_taken_in_the_hour_of_the_renaming_is_shown_and_one_by_the_new_name_is_not(server: Lab) -> None:
    code = server.load(item(way="device", quota=9))
    other = handshakes.add(server.ctx, ORGANIZATION, {"custom": "b", "items": [{"id": 1}]}, "test", NOON).name
    server.authorize(other)
    renamed = rename(server, code, "new")
    server.time.forward(60)
    server.authorize(renamed)
    assert told(server) == []
    again = rename(server, other, "c")
    server.time.forward(60)
    server.authorize(again)
    assert told(server) == [(1, 1, 0)]


@pytest.mark.parametrize("way", ["device", "scan"])
def test_in_its_first_hour_a_renamed_code_is_shown_though_its_devices_keep_reporting(server: Lab, way: str) -> None:
    code = server.load(item(way=way, quota=9))
    lease = server.authorize(code).lease
    server.time.forward(120)
    renamed = rename(server, code, "new")
    server.time.forward(300)
    server.report(lease, {"QR": 1})
    server.authorize(renamed)
    assert [(granted, refused) for _, granted, refused in told(server)] == [(1, 0)]


def test_what_was_refused_before_a_second_renaming_is_shown_after_it(server: Lab) -> None:
    code = server.load(item())
    mid = rename(server, code, "mid")
    refused(server, code)
    server.time.forward(2 * DAY_SECONDS)
    renamed = rename(server, mid, "new")
    assert [line[:4] for line in figures(server)] == [(renamed, f"{code}, {mid}", 0, 1)]
    [notice] = former(server)
    assert "0 devices used it and it gave 0 authorizations; 1 request with a former name was refused" in (notice.detail)


@pytest.mark.parametrize("pause", [60, 2 * DAY_SECONDS])
def test_before_a_second_renaming_those_who_asked_by_the_present_name_are_shown(server: Lab, pause: int) -> None:
    code = server.load(item(way="device", quota=9))
    server.report(server.authorize(code).lease, {"QR": 1})
    server.authorize(code)
    server.time.forward(pause + 180)
    mid = rename(server, code, "mid")
    server.time.forward(pause)
    use = codeuse.code_use(server.ctx, mid, server.time.now)
    assert (use.devices, use.authorizations) == (0, 0), "nobody asked by mid"
    assert (use.seats, use.reported) == (2, 1), "they are refused when it is removed"
    server.time.forward(3600)
    server.authorize(mid)
    use = codeuse.code_use(server.ctx, mid, server.time.now)
    assert (use.devices, use.authorizations) == (1, 1)
