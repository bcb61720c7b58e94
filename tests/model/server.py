"""The real server under a sequence: a data folder in memory, two vendors, a clock that the sequence moves."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from contextlib import ExitStack
from functools import cache
from pathlib import Path

from lts.server import opened
from lts.service.clock import Clock
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
    """Open from the beginning; `restart` closes the data folder and opens it anew. `origin` is a folder to begin with,
    at the same time of day."""

    def __init__(self, origin: Path | None = None) -> None:
        self._folders = ExitStack()
        self.folder = Path(self._folders.enter_context(tempfile.TemporaryDirectory(prefix="model-", dir=scratch())))
        shutil.copytree(origin or _first_start(), self.folder, dirs_exist_ok=True)
        self.time = FakeTime(BEGIN)
        self._open()

    def _open(self) -> None:
        self._stack = ExitStack()
        config = config_for(self.folder)
        here = self._stack.enter_context(opened(config, read_labels=lambda: LABELS, clock=self.time.clock()))
        here.ctx.clock = Clock(here.ctx.store.highest_time, lambda: self.time.wall, lambda: self.time.elapsed)
        here.ctx.clock.look()
        self.lab = Lab(here, self.time, vendors()[0], config)

    def restart(self, down: int) -> None:
        """Closed for some seconds; the highest time seen was kept, as a job does every minute."""
        ctx = self.lab.ctx
        ctx.store.keep_clock(ctx.clock.state.highest)
        self._stack.close()
        self.time.forward(down)
        self._open()

    def shut(self) -> None:
        """Closed; the folder stays."""
        self._stack.close()

    def close(self) -> None:
        """The end; the folder goes."""
        self._stack.close()
        self._folders.close()
