"""The real server under a sequence: a data folder in memory, two vendors, a clock that the sequence moves."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from functools import cache
from pathlib import Path

from lts.errors import Refusal
from lts.server import opened
from lts.service.maintenance import backups
from tests.support.duet import Duet
from tests.support.kit import LABELS, NOON, FakeTime, Lab, Vendor, config_for

BEGIN = NOON


def scratch() -> str | None:
    """A folder in memory, where the system has one: nothing here is about disks."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


@cache
def vendors() -> tuple[Vendor, Vendor]:
    """Those of all sequences of this process."""
    return Vendor("First"), Vendor("Second")


@cache
def _first_start() -> Path:
    """A data folder at its first start, to be copied."""
    folder = Path(_kept.enter_context(tempfile.TemporaryDirectory(prefix="model-", dir=scratch())))
    (folder / "trust").mkdir()
    for vendor in vendors():
        (folder / "trust" / f"{vendor.key.kid}.pub").write_bytes(vendor.pub)
    with opened(config_for(folder), read_labels=lambda: LABELS, clock=FakeTime(BEGIN).clock()):
        pass
    return folder


_kept = ExitStack()
"""Of the folder that lives as long as the process."""
atexit.register(_kept.close)


class Server:
    """Open from the beginning; `restart` closes the data folder and opens it again. `origin` is a folder to begin with,
    at the same time of day."""

    def __init__(self, origin: Path | None = None) -> None:
        self._folders = ExitStack()
        self.machine: tuple[str, ...] = LABELS
        self.folder = self._place()
        shutil.copytree(origin or _first_start(), self.folder, dirs_exist_ok=True)
        self.time = FakeTime(BEGIN)
        self._open()

    def _place(self) -> Path:
        """An empty folder."""
        return Path(self._folders.enter_context(tempfile.TemporaryDirectory(prefix="model-", dir=scratch())))

    def _open(self) -> None:
        self._stack = ExitStack()
        config = config_for(self.folder)
        here = self._stack.enter_context(opened(config, read_labels=lambda: self.machine, clock=self.time.clock()))
        store = here.ctx.store
        self.opened = store.highest_time, store.least_time, self.time.now, self.time.elapsed
        here.ctx.clock.begin(store.highest_time, store.least_time)
        here.ctx.clock.look()
        try:
            here.ctx.running.check_serving()
        except Refusal:  # one that had a partner listens first whether that one serves (docs/design/pair.md, Run alone)
            self.time.forward(2)
        self.lab = Lab(here, self.time, vendors()[0], config)

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.folder / "data"

    def restart(self, down: int, meanwhile: Callable[[], object] = lambda: None) -> None:
        """Closed for some seconds; something is done meanwhile."""
        self.keep_clock()
        self._stack.close()
        meanwhile()
        self.time.forward(down)
        self._open()

    def keep_clock(self) -> None:
        """The highest time seen is kept, as a job does every few seconds."""
        self.lab.ctx.store.watch_clock(lambda: self.lab.ctx.clock.kept)

    def back_up(self) -> Path:
        """A backup, put away."""
        self.keep_clock()
        ctx = self.lab.ctx
        made = backups.backup(ctx.store.path, self.data, self.time.now, ctx.trust)
        return Path(shutil.move(made, self._place()))

    def move(self, machine: tuple[str, ...]) -> None:
        """The folder is copied to another place, of a machine with these labels."""
        place = self._place()
        shutil.copytree(self.folder, place, dirs_exist_ok=True)
        self.folder, self.machine = place, machine

    def leave_to_a_standby(self, machine: tuple[str, ...]) -> None:
        """This server is the main of a pair until an empty standby on another machine has everything; from then on that
        one goes on alone."""
        duet = Duet(self._place(), vendors()[0], self.time)
        shutil.copytree(self.folder, duet.main.folder, dirs_exist_ok=True)
        duet.main.labels, duet.standby.labels = self.machine, machine
        duet.open()
        duet.settle()
        duet.close()
        self.folder, self.machine = duet.standby.folder, machine

    def shut(self) -> None:
        """Closed; the folder stays."""
        self._stack.close()

    def close(self) -> None:
        """The end; the folder goes."""
        self._stack.close()
        self._folders.close()
