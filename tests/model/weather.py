"""Steps of bad weather: backups, restores and the way back, a data folder that goes to another place or machine.

What came after a backup is lost on purpose (docs/design/machine.md, Other content in its place); devices and vendors
go on with what they were given meanwhile.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lts.service.folder import restoring
from tests.model.calling import Calling
from tests.model.licenses import DAY
from tests.model.product import Product
from tests.model.scene import Scene, same
from tests.model.server import vendors
from tests.model.watch import HOUR
from tests.support.kit import LABELS

MACHINES = (LABELS, ("mac:11", "machine-id:22", "processor-id:cc"), ("mac:33", "machine-id:44", "processor-id:cc"))
"""Labels of machines that are not the same."""


@dataclass(frozen=True)
class Kept:
    """What a data folder held at a moment: as the model has it, the server's numbers of codes, its machine, and its
    feed; `file` is the backup."""

    model: Product
    code_keys: dict[int, int]
    machine: tuple[str, ...]
    file: Path | None = None


@dataclass(frozen=True)
class Identity:
    """What a move put away: a server's UUID, its machine, and the main's word it had."""

    uuid: str
    machine: tuple[str, ...]
    stands_in: tuple[str, int]


class Weather(Calling):
    """The data folder goes back, and elsewhere."""

    def __init__(self, features: dict[str, bool], world: Scene | None = None) -> None:
        super().__init__(features, world)
        self.backups: list[Kept] = []
        self.replaced: list[Kept | Identity] = []
        self.home: tuple[str, ...] = self.server.machine
        """The machine of which the data folder's identity is."""

    def _holds(self, file: Path | None = None) -> Kept:
        return Kept(copy.deepcopy(self.model), dict(self.code_keys), self.home, file)

    def _back_up(self) -> None:
        self.backups.append(self._holds(self.server.back_up()))

    def _restore(self, backup: int, down: int) -> None:
        if not self.backups:
            return
        kept = self.backups[backup % len(self.backups)]
        assert kept.file is not None
        file = kept.file
        self.replaced.append(self._holds())
        self._put_in_place(kept, down, lambda: restoring.restore(file, self.server.data))

    def _undo(self, down: int, machine: int | None = None) -> None:
        """The content that was replaced last is put back, or else the identity; on another machine if one is given."""
        if not self.replaced:
            return

        def put() -> None:
            restoring.undo(self.server.data, "test")
            if machine is not None:
                self.server.move(MACHINES[machine])

        contents = [at for at, kept in enumerate(self.replaced) if isinstance(kept, Kept)]
        kept = self.replaced.pop(contents[-1] if contents else -1)
        if isinstance(kept, Kept):
            self.replaced.append(self._holds())
            self._put_in_place(kept, down, put)
        else:
            self.replaced.append(self._identity())
            self.server.restart(down, put)
            self.model.others |= {self.model.me}
            self.model.me, self.home, self.model.stands_in = kept.uuid, kept.machine, kept.stands_in
            self._opened()

    def _identity(self) -> Identity:
        return Identity(self.model.me, self.home, self.model.stands_in)

    def _put_in_place(self, kept: Kept, down: int, put: Callable[[], object]) -> None:
        feed = self._feed()
        self.server.restart(down, put)
        same("another feed", True, self._feed() != feed)
        self.model = copy.deepcopy(kept.model)
        self.code_keys, self.home = dict(kept.code_keys), kept.machine
        self.numbers, self.met = {}, 0
        self._opened()

    def _feed(self) -> tuple[str, str]:
        me = self.server.lab.ctx.identity
        return me.uuid, me.incarnation

    def _move(self, machine: int, down: int) -> None:
        self.server.restart(down, lambda: self.server.move(MACHINES[machine]))
        self._opened()

    def _opened(self) -> None:
        """On another machine the server has another UUID: the newest that was put away and is that machine's, else a
        new one (docs/design/machine.md, Machine labels)."""
        now = self.server.lab.ctx.identity.uuid
        same("another UUID", self.server.machine != self.home, now != self.model.me)
        if now != self.model.me:
            before, back = self._identity(), self._take_back()
            self.replaced.append(before)
            same("gone back to", now if back is None else back.uuid, now)
            self.model.others |= {self.model.me}
            self.model.me, self.home = now, self.server.machine
            # the main's word is for the key that it was given to
            self.model.stands_in = ("", 0) if back is None else back.stands_in
        self._reopened()

    def _take_back(self) -> Identity | None:
        """The identity of this machine that was put away last, which lies there no more; in a whole folder it stays,
        and no main's word comes with it."""
        for at, kept in reversed(list(enumerate(self.replaced))):
            if kept.machine == self.server.machine:
                if isinstance(kept, Kept):
                    return Identity(kept.model.me, kept.machine, ("", 0))
                del self.replaced[at]
                return kept
        return None

    def _stand_in(self, machine: int) -> None:
        """A standby follows the server, and is run alone from then on, by the main's word for 7 days
        (docs/design/pair.md, Certificates)."""
        if self.model.others or self.server.machine == MACHINES[machine]:
            return  # whose leases of before a new standby knows is not told
        main = self.model.me
        self.server.restart(0, lambda: self.server.leave_to_a_standby(MACHINES[machine]))
        self.model.watch.confirmed()
        held = self.server.lab.ctx.delegation()
        same("whose word it has", main, held and held.main_uuid)
        assert held is not None
        given = max(self.server.time.now, self.model.known - 2 * HOUR)
        same("for 7 days", True, abs(held.until - given - 7 * DAY) < 60)
        self.backups.clear()  # those of the main are not to be restored on its standby
        self.replaced.clear()  # its folder holds nothing that the main's folder had put away
        self._opened()
        self.replaced.clear()  # nor the main's identity
        self.model.stands_in = main, held.until

    def _activate(self, license: int) -> None:
        """The vendor activates a license for the machine at which its server is now."""
        if self.sales:
            sale = self.sales[license % len(self.sales)]
            self._import(sale, vendors()[sale.vendor].activate(sale.file, self.server.lab.ctx), {})
