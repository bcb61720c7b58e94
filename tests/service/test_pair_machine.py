"""A state machine of two nodes over a transport that loses, doubles, delays and reorders.

See docs/design/pair.md, Invariants.

`python3 -m tests.soak.machine pair` runs 2,000 examples; here it is a short run.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from unittest import mock
from uuid import UUID

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from lts.errors import AdminError, CannotStore, Refusal
from lts.protocol import slot_of
from lts.rules.licensing import licensefile
from lts.service.folder import folderstate, restoring
from lts.service.licensing import archiving, handshakes, licenses
from lts.service.licensing.licenses import Choice
from lts.service.metering import newnames, release
from lts.store.tables import licenses as stored
from lts.vendor import issuing
from tests.support.duet import FATES, Duet, Player, copy_of, template
from tests.support.kit import item
from tests.support.picture import counts, picture

DEVICES = [str(UUID(int=n + 1)) for n in range(6)]
QUOTA, GRACE = 3, 1
Lease = tuple[str, str, str]
"""(device, product, lease)."""
Counted = tuple[str, str, str, int, int]
"""(device, product, type, slot, which machine with the device's identity)."""


@cache
def made_once() -> Duet:
    seats = item("seats", "device", QUOTA, graceQuota=34, product="seats", modules=["S"])
    return template(Path(tempfile.mkdtemp(prefix="duet-")), seats, item("scans", "scan", 10**6))


both = st.sampled_from(["main", "standby"])
machines = st.sampled_from([0, 0, 0, 1])
fates = st.sampled_from(FATES)


class PairMachine(RuleBasedStateMachine):
    """What clients got an answer to must be counted once on both when the two have met again."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="duet-"))
        self.duet = copy_of(made_once(), self.folder)
        self.sent: defaultdict[Counted, int] = defaultdict(int)
        self.acknowledged: defaultdict[Counted, int] = defaultdict(int)
        self.leases: list[Lease] = []
        self.chains: dict[tuple[str, int], str] = {}
        self.few_names = mock.patch.object(newnames, "OF_DEVICE", 1)
        self.few_names.start()
        self.apart = False
        self.kept: str | None = None

    @initialize(skew=st.sampled_from([0, -5 * 3600, 5 * 3600]))
    def begin(self, skew: int) -> None:
        self.duet.standby.clock.skew = skew
        self.duet.settle()

    def player(self, name: str) -> Player:
        return self.duet.main if name == "main" else self.duet.standby

    @contextlib.contextmanager
    def not_both_by_this(self) -> Iterator[None]:
        """Whatever happens within makes not both serve, cut or not."""
        before = self.duet.main.answers() and self.duet.standby.answers()
        yield
        assert before or not (self.duet.main.answers() and self.duet.standby.answers())

    # time and the network

    @rule(seconds=st.sampled_from([0.5, 3.0, 9.0, 16.0]))
    def run(self, seconds: float) -> None:
        self.duet.run(seconds)

    @rule(name=both, seconds=st.sampled_from([4.0, 8.0, 20.0]))
    def stand_still(self, name: str, seconds: float) -> None:
        """One process is stopped for a while; the other continues."""
        other = self.player(name).other
        for _ in range(int(seconds * 2)):
            self.duet.forward(0.5)
            other.beat()
            if other.lab is not None:
                other.lab.ctx.clock.look()

    @rule(name=both, fate=fates)
    def follow(self, name: str, fate: str) -> None:
        player = self.player(name)
        if player.follow(fate) and fate == "well" and name == "standby":
            assert not (self.duet.main.answers() and self.duet.standby.answers()), "both serve though linked"

    @rule(name=both)
    def beat(self, name: str) -> None:
        self.player(name).beat()

    @rule(name=both)
    def late_ones_arrive(self, name: str) -> None:
        with self.not_both_by_this():
            self.player(name).deliver_late()

    @rule()
    def cut(self) -> None:
        self.duet.cut = True
        self.apart = True

    @rule()
    def mend(self) -> None:
        self.duet.cut = False

    @rule(name=both)
    def goes_down(self, name: str) -> None:
        self.player(name).close()
        self.apart = True

    @rule(fate=fates)
    def the_main_is_stopped_in_order(self, fate: str) -> None:
        main = self.duet.main
        if main.lab is not None:
            main.fates["take-over"] = fate
            with self.not_both_by_this():
                main.stop()
            main.fates.clear()
            self.apart = True

    @rule(name=both, full=st.booleans())
    def the_disk_fills(self, name: str, full: bool) -> None:
        self.player(name).set_disk(full=full)
        self.apart = True

    @rule(fate=fates)
    def look_at_the_disk(self, fate: str) -> None:
        self.duet.main.fates["take-over"] = fate
        with self.not_both_by_this():
            self.duet.main.hand()
        self.duet.main.fates.clear()

    @rule(name=both)
    def comes_up(self, name: str) -> None:
        self.player(name).open()

    # an old copy of the database

    @precondition(lambda self: self.kept is None and self.duet.in_step())
    @rule(name=both)
    def keep_a_copy(self, name: str) -> None:
        player = self.player(name)
        player.close()
        shutil.copytree(player.folder / "data", self.folder / "kept")
        player.open()
        self.kept = name
        self.apart = True

    @precondition(lambda self: self.kept is not None)
    @rule(alone=st.booleans())
    def put_the_copy_back(self, alone: bool) -> None:
        """Everything is on the other server: an old copy on one must lose nothing, neither that of all its folder nor
        that of the database alone, which is named at the start and goes on once it is accepted."""
        assert self.kept is not None
        self.duet.settle()
        player = self.player(self.kept)
        player.close()
        data = player.folder / "data"
        if alone:
            shutil.copy(self.folder / "kept" / "lts.db", data / "lts.db")
            if folderstate.examine(data) is not None:
                restoring.accept(data, "test")
        else:
            shutil.rmtree(data)
            shutil.copytree(self.folder / "kept", data)
        self.kept = None
        self.apart = True
        shutil.rmtree(self.folder / "kept")
        player.open()

    # clients and administrators

    @rule(name=both, device=st.sampled_from(DEVICES), product=st.sampled_from(["seats", "reader"]), machine=machines)
    def authorize(self, name: str, device: str, product: str, machine: int) -> None:
        player = self.player(name)
        if player.lab is None:
            return
        try:
            done = player.lab.authorize(None, device, product=product, clone_token=self._chain(device, machine))
        except (Refusal, CannotStore) as refusal:
            assert refusal.code in (100, 120, 113, 150, 151), refusal.detail
            return
        self.chains[device, machine] = done.clone_token
        self.leases.append((device, product, done.lease))

    def _chain(self, device: str, machine: int) -> str | None:
        """The machine's token; a copy begins with that of the first."""
        return self.chains.get((device, machine)) or self.chains.get((device, 0))

    @rule(device=st.sampled_from(DEVICES), machine=machines)
    def lose_a_token(self, device: str, machine: int) -> None:
        self.chains.pop((device, machine), None)

    @precondition(lambda self: self.leases)
    @rule(name=both, data=st.data(), count=st.integers(1, 300), back=st.integers(-2, 2), machine=machines,
          kind=st.sampled_from(["QR", "QR", "a", "b", "c"]))  # fmt: skip
    def report(self, name: str, data: st.DataObject, count: int, back: int, machine: int, kind: str) -> None:
        player = self.player(name)
        device, product, lease = data.draw(st.sampled_from(self.leases))
        if player.lab is None:
            return
        slot = slot_of(self.duet.time.now) - back - (120 if self.duet.standby.clock.skew < 0 else 0)
        key = (device, product, kind, slot, machine)
        self.sent[key] = max(count, self.sent[key])
        try:
            done = player.lab.report(lease, {kind: count}, slot, self._chain(device, machine))
        except (Refusal, CannotStore) as refusal:
            assert refusal.code in (100, 141, 150), refusal.detail
            return
        self.chains[device, machine] = done.clone_token
        if done.results[0].status in ("counted", "unchanged"):
            self.acknowledged[key] = max(count, self.acknowledged[key])

    @precondition(lambda self: self.leases)
    @rule(name=both, data=st.data())
    def give_back(self, name: str, data: st.DataObject) -> None:
        player = self.player(name)
        *_, lease = data.draw(st.sampled_from(self.leases))
        if player.lab is None:
            return
        try:
            release.release(player.lab.ctx, lease, player.clock.now)
        except (Refusal, CannotStore) as refusal:
            assert refusal.code in (100, 141, 150), refusal.detail

    @rule(name=both, custom=st.sampled_from(["a", "b"]), what=st.sampled_from(["add", "note", "default", "remove"]))
    def change_a_code(self, name: str, custom: str, what: str) -> None:
        player = self.player(name)
        if player.lab is None or not player.answers():
            return
        ctx, now = player.lab.ctx, player.clock.now
        try:
            if what == "add":
                handshakes.add(ctx, "216998", {"custom": custom}, name, now)
            elif what == "remove":
                handshakes.remove(ctx, f"216998-{custom}", name, now)
            else:
                change = {"note": f"by {name}"} if what == "note" else {"isDefault": True}
                handshakes.edit(ctx, f"216998-{custom}", change, name, now)
        except (AdminError, CannotStore) as error:
            assert error.code in ("code-exists", "no-such-code", "default-code", 150), error.detail

    @rule(name=both, what=st.sampled_from(["archive", "take back", "charge in another way"]))
    def change_the_license(self, name: str, what: str) -> None:
        player = self.player(name)
        if player.lab is None or not player.answers():
            return
        ctx, now = player.lab.ctx, player.clock.now
        with ctx.store.reader() as db:
            file = licensefile.parse(next(iter(stored.newest(db))).jws)
        if what == "archive":
            with contextlib.suppress(AdminError, CannotStore):  # archived already
                archiving.archive(ctx, file.license_id, None, name, now)
            return
        if what == "charge in another way":
            way = {"device": "server", "server": "device"}[file.items[0].charge_way]
            vendor = self.duet.vendor
            file = issuing.amend(file, {"items": [{"itemId": "seats", "chargeWay": way}]}, vendor.key, vendor.name)
        with contextlib.suppress(CannotStore):
            licenses.import_license(ctx, licensefile.render(file).encode(), Choice(), name, now)

    # what must hold

    @invariant()
    def the_quota_holds(self) -> None:
        for player in self.duet.players:
            if player.lab is not None and player.lab.ctx.store.catalog.items:
                limit = (QUOTA + GRACE) * (2 if self.apart else 1)
                assert player.lab.live(1) <= limit

    def teardown(self) -> None:
        self.few_names.stop()
        try:
            if self.duet.main.lab is None and self.duet.standby.lab is None and not self.folder.exists():
                return
            self.duet.settle()
            main, standby = self.duet.main.lab, self.duet.standby.lab
            assert main is not None
            assert standby is not None
            for lab in (main, standby):
                counted = counts(lab)
                for key, sent in _most(self.sent).items():
                    assert _least(self.acknowledged)[key] <= counted.pop(key, 0) <= sent, key
                assert not counted, "counted but never sent"
            one, other = picture(main), picture(standby)
            for part in one:
                assert one[part] == other[part], part
            for player in self.duet.players:
                assert player.faults() == [], player.name
        finally:
            self.duet.close()
            shutil.rmtree(self.folder, ignore_errors=True)


def _most(counted: dict[Counted, int]) -> defaultdict[tuple[str, int], int]:
    """Units of a slot when every machine counts by itself."""
    sums: defaultdict[tuple[str, int], int] = defaultdict(int)
    for (device, _, _, slot, _), count in counted.items():
        sums[device, slot] += count
    return sums


def _least(counted: dict[Counted, int]) -> defaultdict[tuple[str, int], int]:
    """Units of a slot when what the machines counted was the same."""
    highest: defaultdict[tuple[str, str, str, int], int] = defaultdict(int)
    for (device, product, kind, slot, _), count in counted.items():
        key = device, product, kind, slot
        highest[key] = max(count, highest[key])
    sums: defaultdict[tuple[str, int], int] = defaultdict(int)
    for (device, _, _, slot), count in highest.items():
        sums[device, slot] += count
    return sums


TestPairMachine = PairMachine.TestCase
TestPairMachine.settings = settings(
    max_examples=15, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
