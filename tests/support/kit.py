"""What tests build on: a vendor, licenses, and an open server over a real data folder with a clock of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from lts.config import Config
from lts.crypto import SigningKey
from lts.protocol import DAY_SECONDS, SLOT_SECONDS, iso, slot_of
from lts.rules.clock import Moment
from lts.rules.licensing import activation, licensefile, vendorkey
from lts.rules.licensing.licensefile import License
from lts.rules.metering.checks import Request
from lts.rules.metering.likeness import Caller
from lts.rules.metering.usage import BadEntry, Entry
from lts.server import Opened, opened
from lts.service.core.clock import Clock
from lts.service.core.context import Context
from lts.service.licensing import licenses
from lts.service.licensing.licenses import Choice
from lts.service.metering import authorize, report
from lts.service.metering.authorize import AuthorizeOutcome
from lts.service.metering.report import ReportOutcome
from lts.store import sql
from lts.store.tables import seats
from lts.store.writing.transaction import Transaction
from lts.vendor import issuing

NOON = 1_795_609_063
"""2026-11-25T12:17:43Z: noon and some. Within an hour and a slot, since what is exact to the second would never show on
the full hour."""
DAY = NOON // DAY_SECONDS * DAY_SECONDS
"""The beginning of that day, 00:00 UTC."""
LABELS = ("mac:aa", "machine-id:bb", "processor-id:cc")
ORGANIZATION = "216998"


def at(now: int) -> Moment:
    """A time by a clock that nobody doubts."""
    return Moment(now, now, now)


class FakeTime:
    """Wall and elapsed time that tests move."""

    def __init__(self, now: int = NOON) -> None:
        self.wall = float(now)
        self.elapsed = 1000.0

    def forward(self, seconds: float) -> None:
        """Time passes."""
        self.wall += seconds
        self.elapsed += seconds

    def clock(self) -> Clock:
        """A Clock over this time."""
        return Clock(0, lambda: self.wall, lambda: self.elapsed)

    @property
    def now(self) -> int:
        """UTC seconds."""
        return int(self.wall)


def item(item_id: str = "one", way: str = "scan", quota: int = 100, **more: Any) -> dict[str, Any]:
    """An item of a spec for the product "reader", from a day before NOON to a year after."""
    spec: dict[str, Any] = {
        "itemId": item_id,
        "product": "reader",
        "chargeWay": way,
        "quota": quota,
        "modules": ["QR"],
        "startsAt": iso(NOON - DAY_SECONDS),
        "expiresAt": iso(NOON + 365 * DAY_SECONDS),
    }
    if way == "concurrentInstance":
        spec["deploymentTypes"] = ["server"]
    if way == "domain":
        spec["domains"] = ["example.com"]
    return {**spec, **more}


class Vendor:
    """A vendor with a key; makes licenses for a server."""

    def __init__(self, name: str = "Vendor") -> None:
        self.name = name
        self.key = SigningKey.generate()

    @property
    def pub(self) -> bytes:
        """The `.pub` file."""
        return vendorkey.build(self.name, self.key, NOON).encode()

    def issue(self, *items: dict[str, Any], license_id: str = "100", organization: str = ORGANIZATION) -> License:
        """A new license over some items."""
        spec = {"licenseId": license_id, "organizationId": organization, "items": list(items)}
        return issuing.issue(spec, self.key, self.name, NOON)

    def activate(self, license_file: License, ctx: Context) -> License:
        """The license bound to a server by its activation request."""
        me = ctx.identity
        request = activation.build(me.uuid, me.key, me.labels, me.binding, NOON)
        return issuing.activate(license_file, [activation.read(request.encode())], self.key, self.name, NOON)

    def file(self, ctx: Context, *items: dict[str, Any], **more: str) -> bytes:
        """An activated license file."""
        return licensefile.render(self.activate(self.issue(*items, **more), ctx)).encode()


class Lab:
    """An open server whose vendor is trusted."""

    def __init__(self, here: Opened, time: FakeTime, vendor: Vendor, config: Config) -> None:
        self.here = here
        self.ctx = here.ctx
        self.time = time
        self.vendor = vendor
        self.config = config

    def load(self, *items: dict[str, Any], choice: Choice | None = None, **more: str) -> str:
        """Import a license of these items; returns the handshake code."""
        done = licenses.import_license(
            self.ctx, self.vendor.file(self.ctx, *items, **more), choice or Choice(), "test", self.time.now
        )
        return done.handshake_code or ""

    def authorize(
        self, code: str | None = None, device: str | None = None, caller: Caller | None = None, **more: Any
    ) -> AuthorizeOutcome:
        """Authorize a device (a new one by default) for the product "reader"; `code` "" names none."""
        request = Request(
            device=UUID(device).bytes if device else uuid4().bytes,
            product=more.pop("product", "reader"),
            deployment_type=more.pop("deployment_type", "server"),
            handshake_code=f"{ORGANIZATION}-100" if code is None else code or None,
            **more,
        )
        return authorize.authorize(self.ctx, request, self.ctx.clock.now(), caller)

    def report(
        self, lease: str, usage: dict[str, int] | None = None, slot: int | None = None, clone_token: str | None = None
    ) -> ReportOutcome:
        """Report one slot (the present one by default)."""
        number = slot_of(self.time.now) if slot is None else slot
        return self.report_many(lease, [entry(number, usage or {})], clone_token)

    def report_many(self, lease: str, entries: list[Entry | BadEntry], clone_token: str | None = None) -> ReportOutcome:
        """Report many slots."""
        return report.begin(
            self.ctx, self.ctx.leases.verify(lease), clone_token, entries, self.ctx.clock.now()
        ).finish()

    def live(self, item_key: int = 1) -> int:
        """Live seats of an item."""
        return self.ctx.store.write(lambda tx: seats.live(tx, item_key, 0, self.time.now))

    def used(self, item_key: int = 1) -> int:
        """Units used of an item."""
        return self.ctx.store.write(lambda tx: tx.counters.sums["item", item_key, 0])

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of the database."""
        with self.ctx.store.reader() as db:
            return sql.rows(db, query)


def end_all_sessions(tx: Transaction) -> None:
    """Every session of the portal ends, as if its time were over."""
    tx.execute("DELETE FROM sessions")
    tx.note_written_beside()


def entry(slot: int, usage: dict[str, int]) -> Entry:
    """One entry of a report."""
    return Entry(slot, iso(slot * SLOT_SECONDS), usage)


def config_for(folder: Path, **more: Any) -> Config:
    """A configuration whose data lie in a folder."""
    return Config(None, data_dir=folder / "data", vendor_keys=folder / "trust", port=0, **more)


@contextlib.contextmanager
def lab(folder: Path, time: FakeTime | None = None, vendor: Vendor | None = None) -> Iterator[Lab]:
    """An open server in a folder; opening the same folder again is a restart."""
    time, vendor, config = time or FakeTime(), vendor or Vendor(), config_for(folder)
    config.vendor_keys.mkdir(exist_ok=True)
    (config.vendor_keys / f"{vendor.key.kid}.pub").write_bytes(vendor.pub)
    with opened(config, read_labels=lambda: LABELS, clock=time.clock()) as here:
        yield Lab(here, time, vendor, config)
