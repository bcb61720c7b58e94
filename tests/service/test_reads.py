"""What is only read needs nothing of the writer, and costs no more than what there is to show."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from lts.errors import Refusal
from lts.protocol import DAY_SECONDS, SLOT_SECONDS, iso, slot_of
from lts.rules.licensing import licensefile
from lts.rules.licensing.licensefile import License
from lts.rules.metering.checks import Request
from lts.rules.values.paging import Page
from lts.service.access import auditlog
from lts.service.alerting import alerts
from lts.service.core.licensefiles import LicenseFiles
from lts.service.licensing import archiving, codeuse, handshakes, itemlist, licenses
from lts.service.licensing.catalog import Builder
from lts.service.licensing.licenses import Choice
from lts.service.maintenance import attention
from lts.service.metering import explain
from lts.service.statistics import devicelist, forecasts, usage
from lts.service.statistics.usage import DayLine, HourLine
from lts.store.writing.transaction import Transaction
from lts.vendor import issuing
from tests.store.test_seat_counts import fill
from tests.support.kit import NOON, FakeTime, Lab, Vendor, item, lab
from tests.support.steps import WORST, counted

WAYS = ("device", "scan", "concurrentDevice", "server", "concurrentInstance")
CODE = "216998-100"


def many(count: int) -> list[dict[str, Any]]:
    """So many items of all ways that are counted."""
    return [item(f"i{n}", WAYS[n % len(WAYS)], 10, modules=["QR", f"m{n}"]) for n in range(count)]


def imported(server: Lab, *items: dict[str, Any]) -> License:
    """A license of these items, imported."""
    license_file = server.vendor.activate(server.vendor.issue(*items), server.ctx)
    import_file(server, license_file)
    return license_file


def import_file(server: Lab, license_file: License) -> None:
    licenses.import_license(server.ctx, licensefile.render(license_file).encode(), Choice(), "test", server.time.now)


def amended(server: Lab, license_file: License, *items: dict[str, Any]) -> License:
    return issuing.amend(license_file, {"items": list(items)}, server.vendor.key, "Vendor")


def asked(code: str = CODE, **more: Any) -> Request:
    """A request of a new device."""
    return Request(UUID(int=1 << 100).bytes, "reader", "server", code, **more)


def reads(server: Lab, file: bytes) -> dict[str, Callable[[], object]]:
    """All that is read for people."""
    ctx, now = server.ctx, server.time.now
    return {
        "items": lambda: itemlist.describe(ctx, now),
        "preview": lambda: licenses.preview(ctx, file, Choice(), now),
        "explain": lambda: explain.explain(ctx, asked(), now),
        "attention": lambda: attention.notices(ctx, now),
        "overview": lambda: usage.overview(ctx, now),
        "usage": lambda: usage.usage(ctx, grouping="device"),
        "devices": lambda: devicelist.find(ctx, Page(), None, True, False, now),
        "code use": lambda: codeuse.code_use(ctx, CODE, now),
        "codes": lambda: handshakes.describe(ctx, keys=True),
        "forecasts": lambda: forecasts.last_days(ctx, itemlist.describe(ctx, now), now),
        "audit": lambda: auditlog.export(ctx, "", (), 0, 1 << 40),
    }


def test_what_is_only_shown_is_shown_while_the_writer_is_busy(server: Lab) -> None:
    license_file = imported(server, *many(10))
    lease = server.authorize(CODE).lease
    server.report(lease, {"QR": 3})
    file = licensefile.render(amended(server, license_file, item("i0", "device", 0))).encode()
    held, told = threading.Event(), threading.Event()

    def hold(tx: Transaction) -> bool:
        held.set()
        return told.wait(30)

    busy = threading.Thread(target=lambda: server.ctx.store.write(hold))
    busy.start()
    assert held.wait(30)
    before = server.ctx.store.writer.queue_depth
    for name, read in reads(server, file).items():
        read()
        assert server.ctx.store.writer.queue_depth == before, name
    told.set()
    busy.join()


def test_looking_for_alerts_writes_once_when_there_is_news_and_not_at_all_otherwise(server: Lab) -> None:
    imported(server, item("a", "scan", 10))
    lease = server.authorize(CODE).lease
    server.report(lease, {"QR": 9})
    for expected in (1, 0):
        before = server.ctx.store.writer.operations
        alerts.check(server.ctx, server.time.now)
        assert server.ctx.store.writer.operations == before + expected


def test_explain_tells_the_seat_that_frees_next_however_many_there_are(server: Lab) -> None:
    imported(server, item("a", "device", 10))
    fill(server, 10_500)
    answer = explain.explain(server.ctx, asked(), NOON).items[0]
    assert answer.next_free == iso(NOON + 3599 - 3000)
    holders = [UUID(one.device).int for one in answer.holders or []]
    assert holders[:2] == [10_500, 10_497], "those of a second by number"
    assert len(holders) == explain.HOLDERS_SHOWN


def test_explain_tells_live_seats_and_overdraft_of_concurrent_items(server: Lab) -> None:
    imported(server, item("a", "concurrentInstance", 2, overdraft=9))
    first, second = server.authorize(CODE, instances=2).lease, server.authorize(CODE, instances=1).lease
    answer = explain.explain(server.ctx, asked(), NOON).items[0]
    assert (answer.used, answer.overdraft, answer.overdraft_spent) == (3, 9, 0)
    assert answer.next_free == iso((slot_of(NOON) + 2) * SLOT_SECONDS)
    assert len(answer.holders or []) == 2
    server.report(first)
    server.report(second)
    assert explain.explain(server.ctx, asked(), NOON).items[0].overdraft_spent == 1
    server.time.forward(360)
    answer = explain.explain(server.ctx, asked(), server.time.now).items[0]
    assert (answer.used, answer.holders, answer.next_free) == (0, [], None)


def test_explain_says_of_each_device_what_an_authorization_does(server: Lab) -> None:
    """Overused, with a device that holds the oldest lease, one that holds a younger one, and new ones."""
    imported(server, item("a", "concurrentDevice", 1, overdraft=0), item("b", "device", 1, graceQuota=0, modules=["B"]))
    old, young, other = (str(UUID(int=n)) for n in (1, 2, 3))
    server.authorize(CODE, old, charge_way="concurrentDevice")
    server.time.forward(7)
    server.authorize(CODE, young, charge_way="device", modules=("B",))
    for device in (old, young, other):
        for way, modules in (("concurrentDevice", ("QR",)), ("device", ("B",))):
            request = asked(charge_way=way, modules=modules)
            request = request._replace(device=UUID(device).bytes)
            told = explain.explain(server.ctx, request, server.time.now).code
            try:
                server.authorize(CODE, device, charge_way=way, modules=modules)
                done = 0
            except Refusal as refusal:
                done = int(refusal.code)
            assert told == done, (device, way)


def test_the_overdraft_is_recomputed_once_the_quota_changes_and_after_a_restart(tmp_path: Path) -> None:
    time, vendor = FakeTime(), Vendor()

    def spent(server: Lab) -> tuple[int, int]:
        told = itemlist.describe(server.ctx, time.now)[0].overdraft_spent or 0
        return told, explain.explain(server.ctx, asked(), time.now).items[0].overdraft_spent or 0

    with lab(tmp_path, time, vendor) as server:
        license_file = imported(server, item("a", "concurrentDevice", 1, overdraft=100))
        leases = [server.authorize(CODE).lease for _ in range(4)]
        for lease in leases:
            server.report(lease, slot=slot_of(NOON))
        assert spent(server) == (3, 3)
        import_file(server, amended(server, license_file, item("a", "concurrentDevice", 2, overdraft=100)))
        assert spent(server) == (2, 2)
        for lease in leases[:3]:
            server.report(lease, slot=slot_of(NOON) - 1)
        assert spent(server) == (3, 3)
        server.authorize(CODE)
        for lease in leases:
            server.report(lease, slot=slot_of(NOON) - 2)
        assert spent(server) == (5, 5)
    with lab(tmp_path, time, vendor) as server:
        assert spent(server) == (5, 5)
        server.authorize(CODE)
        assert spent(server) == (5, 5)
        time.forward(366 * DAY_SECONDS)
        assert itemlist.describe(server.ctx, time.now)[0].overdraft_spent == 0


def grown(tmp_path: Path, count: int) -> dict[str, int]:
    """Steps of each work at so many items in a code."""
    folder = tmp_path / str(count)
    folder.mkdir()
    with counted() as steps, lab(folder, FakeTime(), Vendor()) as server:
        spec = many(count)
        file = server.vendor.activate(server.vendor.issue(*spec), server.ctx)
        found = {"import": steps.of(lambda: import_file(server, file))}
        lease = server.authorize(CODE).lease
        ids = [{"id": n, "cap": 5} for n in range(1, count + 1)]
        changes = {"edit": {"note": "x"}, "all items": {"items": ids, "manualOrder": True}}
        for name, change in changes.items():
            found[name] = steps.of(lambda c=change: handshakes.edit(server.ctx, CODE, c, "test", NOON))  # type: ignore[misc]
        newer = amended(server, file, *[{**one, "quota": 11} for one in spec], item("new", "device"))
        for name, read in reads(server, licensefile.render(newer).encode()).items():
            found[name] = steps.of(read)
        found["report"] = steps.of(lambda: server.report(lease, {"QR": 1}))
        found["renewal"] = steps.of(lambda: import_file(server, newer))
        found["open"] = steps.of(lambda: [handshakes.describe(server.ctx), itemlist.describe(server.ctx, NOON)])
        return found


def test_work_on_many_items_grows_with_their_number_alone(tmp_path: Path) -> None:
    assert sys.getprofile() is None
    small, large = grown(tmp_path, 150), grown(tmp_path, 300)
    for name, cost in large.items():
        assert cost < small[name] * WORST, (name, small[name], cost)


def test_a_change_of_settings_reads_no_license_and_no_code_again(tmp_path: Path) -> None:
    costs = []
    for count in (100, 800):
        folder = tmp_path / str(count)
        folder.mkdir()
        with counted() as steps, lab(folder, FakeTime(), Vendor()) as server:
            imported(server, *many(count))
            costs.append(steps.of(lambda s=server: s.ctx.store.refresh_catalog()))  # type: ignore[misc]  # bound at once
    assert costs[1] - costs[0] < 700 * 30, "some steps of SQLite for each item in a code, none in Python"


def test_a_catalog_of_what_changed_is_the_one_that_is_built_from_nothing(server: Lab) -> None:
    def check() -> None:
        ctx = server.ctx
        fresh = Builder(ctx.trust, LicenseFiles(ctx.trust), ctx.identity, ctx.vault, ctx.delegation)
        with ctx.store.reader() as db:
            assert ctx.store.catalog == fresh(db)

    first = imported(server, *many(6))
    check()
    server.load(item("z"), license_id="200", choice=Choice(to_code=CODE))
    check()
    handshakes.edit(server.ctx, CODE, {"password": "s3cret", "items": [{"id": 2, "cap": 3}, {"id": 1}]}, "test", NOON)
    check()
    handshakes.add(server.ctx, None, {"custom": "two", "items": [{"id": 1}], "isDefault": True}, "test", NOON)
    check()
    second = amended(server, first, item("i1", "scan", 99), item("new", "device"))
    import_file(server, second)
    check()
    assert server.ctx.store.catalog.codes["216998-100"].entries[2].item.terms.quota == 99
    import_file(server, issuing.revoke(second, ["i0"], server.vendor.key, "Vendor"))
    check()
    handshakes.remove(server.ctx, CODE, "test", NOON)
    check()
    key = server.config.vendor_keys / f"{server.vendor.key.kid}.pub"
    key.rename(key.with_suffix(".gone"))
    server.ctx.store.refresh_catalog()
    check()
    assert {entry.state for entry in server.ctx.store.catalog.items.values()} == {"invalid"}
    key.with_suffix(".gone").rename(key)
    server.ctx.store.refresh_catalog()
    check()
    assert server.ctx.store.catalog.items[2].state == "active"


@pytest.mark.parametrize("changing", [True, False])
def test_statistics_of_an_item_by_one_code_speak_of_that_code_alone(server: Lab, changing: bool) -> None:
    imported(server, item("a", quota=100), item("b", quota=100, modules=["B"]))
    handshakes.add(server.ctx, None, {"custom": "two", "items": [{"id": 1}]}, "test", NOON)
    for code, units in ((CODE, 3), ("216998-two", 5), ("216998-two", 1)):
        server.report(server.authorize(code, modules=("QR",)).lease, {"QR": units})
    server.report(server.authorize(CODE, modules=("B",)).lease, {"B": 7})
    if changing:
        server.time.forward(DAY_SECONDS)
        server.report(server.authorize("216998-two", modules=("QR",)).lease, {"QR": 2})
    both = {"code": CODE, "item": "a"}
    told = usage.overview(server.ctx, server.time.now, **both)
    assert told.all == told.period == {"QR": 3}
    line = {"QR": 3}, None, None, None, None, None
    assert told.days == [DayLine(usage.day_text(NOON // DAY_SECONDS), *line)]
    hours = usage.hours(server.ctx, usage.day_text(NOON // DAY_SECONDS), **both)
    assert hours.hours == [HourLine(12, *line)]
    of_item = usage.overview(server.ctx, server.time.now, item="a").days[0]
    assert (of_item.units, of_item.devices) == ({"QR": 9}, 3)


def test_what_archiving_a_license_ends_is_found_among_its_own_items(tmp_path: Path) -> None:
    costs = []
    for count in (20, 160):
        folder = tmp_path / str(count)
        folder.mkdir()
        with counted() as steps, lab(folder, FakeTime(), Vendor()) as server:
            imported(server, *many(count))
            server.load(item("own", "device", 5), license_id="own")
            server.authorize("216998-own")
            assert archiving.license_use(server.ctx, "own", None, NOON).seats == 1
            costs.append(steps.of(lambda s=server: archiving.license_use(s.ctx, "own", None, NOON)))  # type: ignore[misc]  # bound at once
    assert costs[1] < costs[0] * 1.5, costs


def test_a_device_is_authorized_by_one_look_however_many_like_items_there_are(tmp_path: Path) -> None:
    costs = []
    for count in (20, 420):
        folder = tmp_path / str(count)
        folder.mkdir()
        with counted() as steps, lab(folder, FakeTime(), Vendor()) as server:
            imported(server, *[item(f"i{n}", "device", 5) for n in range(count)])
            device = str(UUID(int=7))
            lease = server.authorize(CODE, device).lease
            costs.append([
                steps.of(lambda s=server: s.authorize(CODE)),  # type: ignore[misc]  # bound at once
                steps.of(lambda s=server, d=device: s.authorize(CODE, d)),  # type: ignore[misc]
                steps.of(lambda s=server, text=lease: s.report(text, {"QR": 1})),  # type: ignore[misc]
            ])  # fmt: skip
    for small, large in zip(*costs, strict=True):
        assert large - small < 400 * 12, "some steps to see what each item is for, none of SQLite"
