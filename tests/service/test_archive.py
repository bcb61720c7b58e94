"""A license can go and come back; an item charged in another way starts at zero (docs/decisions/0021-archive.md)."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from msgspec.structs import replace

from lts.errors import AdminError, LicenseFileError, Refusal
from lts.protocol import DAY_SECONDS, SLOT_SECONDS
from lts.rules.alerting.calendar import calendar
from lts.rules.licensing import licensefile
from lts.rules.values.paging import Page
from lts.service.alerting import alerts
from lts.service.licensing import archiving, handshakes, itemlist, licenses
from lts.service.licensing.archiving import LicenseUse
from lts.service.licensing.licenses import Choice
from lts.service.maintenance import attention, verify
from lts.service.metering import release
from lts.service.statistics import devicelist, forecasts, usage
from lts.store.tables import audit
from lts.store.tables import licenses as stored_licenses
from lts.vendor import issuing
from tests.support.duet import Duet, copy_of, in_step, template
from tests.support.kit import NOON, ORGANIZATION, FakeTime, Lab, Vendor, item, lab
from tests.support.picture import picture

ITEMS = (item("scans", quota=100), item("desks", "device", 3, modules=["OCR"]),
         item("float", "concurrentDevice", 3, modules=["PDF"]))  # fmt: skip


class Sold:
    """A license of three items in its revisions, and a server that holds it."""

    def __init__(self, server: Lab, *items: dict[str, Any]) -> None:
        self.server = server
        self.file = server.vendor.activate(server.vendor.issue(*(items or ITEMS)), server.ctx)
        self.code = self.bring().handshake_code or ""

    def bring(self, choice: Choice | None = None, server: Lab | None = None) -> licenses.Preview:
        """Import the newest file."""
        here, data = server or self.server, licensefile.render(self.file).encode()
        return licenses.import_license(here.ctx, data, choice or Choice(), "test", here.time.now)

    def amend(self, *changes: dict[str, Any]) -> None:
        """The next revision."""
        vendor = self.server.vendor
        self.file = issuing.amend(self.file, {"items": list(changes)}, vendor.key, vendor.name)

    def archive(self, server: Lab | None = None) -> LicenseUse:
        """Archive it."""
        here = server or self.server
        return archiving.archive(here.ctx, "100", None, "test", here.time.now)

    def states(self, server: Lab | None = None) -> list[str]:
        """Of its items."""
        here = server or self.server
        return [one.state for one in itemlist.describe(here.ctx, here.time.now)]


@pytest.fixture
def sold(server: Lab) -> Sold:
    return Sold(server)


def refused(server: Lab, code: str, **more: Any) -> int:
    with pytest.raises(Refusal) as caught:
        server.authorize(code, **more)
    assert isinstance(caught.value.code, int)
    return caught.value.code


def test_an_archived_license_authorizes_nobody_and_its_seats_end(server: Lab, sold: Sold) -> None:
    device = str(uuid4())
    for module in ("QR", "OCR", "PDF"):
        server.authorize(sold.code, device, modules=(module,))
    server.authorize(sold.code, modules=("OCR",))
    use = archiving.license_use(server.ctx, "100", None, server.time.now)
    assert use == LicenseUse("100", "216998", 3, 3, [sold.code], archived=False)
    assert sold.archive() == replace(use, archived=True)
    assert [refused(server, sold.code, modules=(m,)) for m in ("QR", "OCR", "PDF")] == [113] * 3
    assert refused(server, sold.code, device=device, modules=("OCR",)) == 113
    assert server.live(2) == 0
    shown = devicelist.find(server.ctx, Page(), None, True, False, server.time.now)
    assert shown.found == 0
    code = next(one for one in handshakes.describe(server.ctx) if one.name == sold.code)
    assert {entry.item_id: entry.archived for entry in code.items} == dict.fromkeys(("scans", "desks", "float"), True)
    with pytest.raises(AdminError, match="archived already"):
        sold.archive()


def test_reports_under_its_leases_count_on_it_and_renew_nothing(server: Lab, sold: Sold) -> None:
    leases = [server.authorize(sold.code, modules=(module,)).lease for module in ("QR", "OCR", "PDF")]
    sold.archive()
    server.time.forward(60)
    for lease in leases:
        told = server.report(lease, {"QR": 5})
        assert [result.status for result in told.results] == ["counted"]
        assert told.lease is None
        release.release(server.ctx, lease, server.time.now)
    assert (server.used(1), server.used(2), server.used(3)) == (5, 5, 5)
    table = usage.usage(server.ctx, item="desks")
    assert table.total == 5
    assert {e.item_id: e.archived for e in usage.subjects(server.ctx).items} == dict.fromkeys(
        ("scans", "desks", "float"), True
    )


def test_its_file_takes_it_back_with_its_counts_and_codes_and_without_its_seats(server: Lab, sold: Sold) -> None:
    device = str(uuid4())
    first = server.authorize(sold.code, device, modules=("OCR",))
    server.report(server.authorize(sold.code, modules=("QR",)).lease, {"QR": 95})
    sold.archive()
    data = licensefile.render(sold.file).encode()
    shown = licenses.preview(server.ctx, data, Choice(), server.time.now)
    assert (shown.status, shown.takes_back, shown.difference.added) == ("taken-back", True, ())
    assert sold.states() == ["archived"] * 3
    done = sold.bring()
    assert (done.status, done.takes_back) == ("taken-back", True)
    assert sold.states() == ["active"] * 3
    assert sold.bring().status == "already-imported"
    assert (server.live(2), server.used(1)) == (0, 95)
    again = server.authorize(sold.code, device, modules=("OCR",))
    assert again.items[0].grant > first.items[0].grant
    release.release(server.ctx, first.lease, server.time.now)  # of a grant that is over: it frees nobody else's seat
    assert server.report(first.lease).lease is None
    assert server.live(2) == 1
    for _ in range(2):
        server.authorize(sold.code, modules=("OCR",))
    release.release(server.ctx, again.lease, server.time.now)
    assert server.live(2) == 2


def test_a_license_is_archived_and_taken_back_over_and_over(server: Lab, sold: Sold) -> None:
    data = licensefile.render(sold.file).encode()
    for _ in range(3):
        assert not licenses.preview(server.ctx, data, Choice(), server.time.now).takes_back
        sold.archive()
        assert licenses.preview(server.ctx, data, Choice(), server.time.now).takes_back
        assert sold.bring().takes_back


def test_a_renewed_file_takes_it_back_and_an_older_one_does_not(server: Lab, sold: Sold) -> None:
    old = licensefile.render(sold.file).encode()
    sold.archive()
    sold.amend({"itemId": "desks", "quota": 5}, item("more"))
    data = licensefile.render(sold.file).encode()
    shown = licenses.preview(server.ctx, data, Choice(), server.time.now)
    assert (shown.status, shown.takes_back, shown.difference.renewed) == ("renewal", True, ("desks",))
    sold.bring()
    assert sold.states() == ["active"] * 4
    assert not licenses.preview(server.ctx, data, Choice(), server.time.now).takes_back
    sold.archive()
    assert sold.states() == ["archived"] * 4
    with pytest.raises(LicenseFileError, match=r"Revision 2 .* is imported already"):
        licenses.import_license(server.ctx, old, Choice(), "test", server.time.now)
    assert sold.states() == ["archived"] * 4
    sold.bring()
    assert sold.states() == ["active"] * 4


def test_what_was_done_is_in_the_audit_log(server: Lab, sold: Sold) -> None:
    sold.archive()
    server.time.forward(1)
    sold.bring()
    with server.ctx.store.reader() as db:
        lines = audit.lines(db, audit.AuditFilter(actions=("license-archived", "license-taken-back")), 0, 9)
    assert [(line.action, line.actor, line.subject, line.detail) for line in lines] == [
        ("license-taken-back", "test", "100", {"revision": 1}),
        ("license-archived", "test", "100", {"revision": 1}),
    ]


def test_alerts_forecasts_calendar_and_home_are_silent_about_it(server: Lab) -> None:
    sold = Sold(server, item("scans", quota=100, expiresAt="2026-12-01"), item("desks", "device", 1, modules=["OCR"]))
    lease = server.authorize(sold.code, modules=("QR",)).lease
    server.authorize(sold.code, modules=("OCR",))
    for _ in range(5):
        server.time.forward(DAY_SECONDS - 4 * SLOT_SECONDS)
        server.report(lease, {"QR": 18})
    now = server.time.now
    items = itemlist.describe(server.ctx, now)
    assert forecasts.last_days(server.ctx, items, now)
    assert {notice.code for notice in attention.notices(server.ctx, now)} >= {"item-ends", "quota-nearly-used"}
    assert len([m for m in alerts._measures(server.ctx, now) if not m.key.startswith("failures")]) >= 4
    sold.archive()
    items = itemlist.describe(server.ctx, now)
    assert forecasts.last_days(server.ctx, items, now) == {}
    about = ("item-", "quota-", "overdraft-")
    assert not [n for n in attention.notices(server.ctx, now) if n.code.startswith(about)]
    assert [m for m in alerts._measures(server.ctx, now) if not m.key.startswith("failures")] == []
    assert "VEVENT" not in calendar(items, {}, "uuid", now)


def test_a_hidden_item_stays_in_its_codes_and_goes_into_no_other(server: Lab, sold: Sold) -> None:
    handshakes.add(server.ctx, None, {"custom": "other"}, "test", NOON)
    sold.archive()
    keep = [{"id": 1, "cap": 5}, {"id": 2}, {"id": 3}]
    handshakes.edit(server.ctx, sold.code, {"items": keep, "note": "kept"}, "test", NOON)
    with pytest.raises(AdminError) as caught:
        handshakes.edit(server.ctx, "216998-other", {"items": [{"id": 1}]}, "test", NOON)
    assert caught.value.code == "archived-item"
    sold.bring()
    handshakes.edit(server.ctx, "216998-other", {"items": [{"id": 1}]}, "test", NOON)


def test_a_license_is_named_by_its_organization_where_two_vendors_have_its_id(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        other = Vendor("Other")
        here.load(item())
        here.ctx.trust.add(other.pub)
        data = other.file(here.ctx, item(), organization="2")
        licenses.import_license(here.ctx, data, Choice(), "test", NOON)
        with pytest.raises(AdminError) as caught:
            archiving.archive(here.ctx, "100", None, "test", NOON)
        assert (caught.value.code, caught.value.field) == ("which-organization", "organizationId")
        archiving.archive(here.ctx, "100", "2", "test", NOON)
        assert [one.state for one in itemlist.describe(here.ctx, NOON)] == ["active", "archived"]
        for name, owner in (("101", None), ("100", "3")):
            with pytest.raises(AdminError) as caught:
                archiving.license_use(here.ctx, name, owner, NOON)
            assert caught.value.code == "no-such-license"


def test_it_stays_archived_over_a_restart_and_verifies(tmp_path: Path) -> None:
    time, vendor = FakeTime(), Vendor()
    with lab(tmp_path, time, vendor) as here:
        sold = Sold(here)
        device = str(uuid4())
        for _ in range(2):
            here.authorize(sold.code, modules=("OCR",))
            here.authorize(sold.code, device, modules=("PDF",))
        sold.archive()
    with lab(tmp_path, time, vendor) as here:
        sold.server = here
        assert sold.states() == ["archived"] * 3
        assert here.live(2) == 0
        sold.bring()
        for _ in range(3):
            here.authorize(sold.code, modules=("OCR",))
        assert here.live(2) == 3
    with lab(tmp_path, time, vendor) as here:
        assert here.live(2) == 3
        assert verify.verify(here.config.data_dir, here.ctx.trust) == []


WAYS = ["device", "server", "concurrentDevice", "concurrentInstance", "scan"]


@pytest.mark.parametrize("after", WAYS)
@pytest.mark.parametrize("before", WAYS)
def test_an_item_charged_in_another_way_begins_with_grants_of_its_own(server: Lab, before: str, after: str) -> None:
    if before == after:
        return
    sold = Sold(server, item("one", before, 2, deploymentTypes=["server"], graceQuota=0))
    device = str(uuid4())
    old = server.authorize(sold.code, device)
    server.authorize(sold.code)
    sold.amend({"itemId": "one", "chargeWay": after})
    sold.bring()
    assert server.live() == 0
    new = server.authorize(sold.code, device)
    server.authorize(sold.code)
    seated = after != "scan"
    assert (new.items[0].grant > old.items[0].grant) == seated
    assert server.report(old.lease, {"QR": 1}).lease is None
    release.release(server.ctx, old.lease, server.time.now)
    if after in ("device", "server"):
        assert server.live() == 2
        assert refused(server, sold.code) == 120
    server.time.forward(60)
    assert server.report(new.lease).lease is not None
    sold.amend({"itemId": "one", "chargeWay": before})  # and back: neither has anything of the first time
    sold.bring()
    assert server.live() == 0
    back = server.authorize(sold.code, device)
    assert server.report(new.lease).lease is None
    release.release(server.ctx, new.lease, server.time.now)
    if before in ("device", "server"):
        assert server.live() == 1
        release.release(server.ctx, back.lease, server.time.now)
        assert server.live() == 0
    assert verify.verify(server.config.data_dir, server.ctx.trust) == []


@functools.lru_cache(maxsize=1)
def pair_template() -> Duet:
    """A pair that holds the license; made once."""
    return template(Path(tempfile.mkdtemp()), *ITEMS)


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[Duet]:
    """Main and standby with the license, which lost sight of each other, so that both serve."""
    with in_step(copy_of(pair_template(), tmp_path / "duet")) as duet:
        duet.cut = True
        duet.run(20)
        yield duet


def of_pair(duet: Duet) -> Sold:
    """The license that both hold."""
    sold = Sold.__new__(Sold)
    sold.server = duet.main.server
    with duet.main.server.ctx.store.reader() as db:
        [stored] = list(stored_licenses.newest(db))
    sold.file, sold.code = licensefile.parse(stored.jws), f"{ORGANIZATION}-100"
    return sold


def assert_same(duet: Duet, sold: Sold, state: str) -> None:
    """Met again, both say the same of the license."""
    duet.settle()
    for player in duet.players:
        assert set(sold.states(player.server)) == {state}
        assert player.faults() == []
    assert picture(duet.main.server) == picture(duet.standby.server)


@pytest.mark.parametrize("which", ["main", "standby"])
def test_apart_what_one_archived_the_other_goes_on_granting_until_they_meet(apart: Duet, which: str) -> None:
    sold = of_pair(apart)
    one = apart.main if which == "main" else apart.standby
    device = str(uuid4())
    kept = one.server.authorize(sold.code, device, modules=("OCR",))
    sold.archive(one.server)
    other = one.other.server
    for module in ("OCR", "PDF"):
        lease = other.authorize(sold.code, device, modules=(module,)).lease
        other.report(lease, {"QR": 4})
    assert_same(apart, sold, "archived")
    main = apart.main.server
    assert (main.live(2), main.used(2), main.used(3)) == (0, 4, 4)
    sold.bring(server=main)
    apart.run(2)
    assert main.authorize(sold.code, device, modules=("OCR",)).items[0].grant > kept.items[0].grant
    assert main.live(2) == 1
    assert_same(apart, sold, "active")


@pytest.mark.parametrize("which", ["main", "standby"])
def test_a_renewal_of_one_outweighs_the_archive_of_the_other(apart: Duet, which: str) -> None:
    sold = of_pair(apart)
    one = apart.main if which == "main" else apart.standby
    sold.archive(one.server)
    sold.amend({"itemId": "desks", "quota": 5})
    sold.bring(server=one.other.server)
    assert_same(apart, sold, "active")


@pytest.mark.parametrize("which", ["main", "standby"])
def test_of_two_decisions_about_one_revision_the_later_counts(apart: Duet, which: str) -> None:
    """Not the epoch: the standby that acts has a higher one, and its first decision is the older."""
    sold = of_pair(apart)
    one = apart.main if which == "main" else apart.standby
    sold.archive(one.other.server)
    sold.archive(one.server)
    sold.bring(server=one.server)
    assert_same(apart, sold, "active")
