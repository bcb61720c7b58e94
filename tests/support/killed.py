"""A process that is killed before its n-th change of the file system: nothing after it happens, no clean-up either."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.support.kit import Lab

_CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.truncate", "shutil.rmtree")
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


class Killed(BaseException):
    """What the killed process sees; no program catches it."""


class _Watch:
    """Counts changes below `folder` while it is set; an audit hook of Python, which stays for the process's life."""

    def __init__(self) -> None:
        self.folder: str | None = None
        self.left = 0
        self.seen: list[str] = []
        self.then: Callable[[], None] | None = None
        sys.addaudithook(self.hear)

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Python is about to do something."""
        if self.folder is None:
            return
        changes = bool((arguments[2] or 0) & _WRITES) if event == "open" else event in _CHANGES
        if not changes or not str(arguments[0]).startswith(self.folder):
            return
        if self.then is not None:
            folder, self.folder = self.folder, None
            self.then()
            self.folder = folder
        else:
            self.left -= 1
            if self.left <= 0:
                raise Killed
            self.seen.append(f"{event} {arguments[0]}")


_watch: _Watch | None = None


@contextlib.contextmanager
def each_change(folder: Path, then: Callable[[], None]) -> Iterator[None]:
    """Call `then` before each change of the file system below `folder`."""
    watch = _the_watch()
    watch.folder, watch.then = str(folder), then
    try:
        yield
    finally:
        watch.folder = watch.then = None


def _the_watch() -> _Watch:
    global _watch
    _watch = _watch or _Watch()
    return _watch


def killed_before(number: int, folder: Path, work: Callable[[], object]) -> list[str] | None:
    """Do `work`, killed before its `number`-th change (from 1 on) of what is below `folder`. The changes it made when
    it came to its end, None when it was killed."""
    watch = _the_watch()
    watch.folder, watch.left, watch.seen = str(folder), number, []
    try:
        work()
    except BaseException:
        if watch.left > 0:
            raise
        return None
    finally:
        watch.folder = None
    return watch.seen


def every_step(folder: Callable[[int], Path], work: Callable[[Path], object]) -> Iterator[tuple[int, Path]]:
    """(number, folder) after `work` was killed at each of its steps in a folder made for it, and last when it was not.

    Asserts that there were steps at all.
    """
    number = 0
    while True:
        number += 1
        here = folder(number)
        done = killed_before(number, here, lambda here=here: work(here))  # type: ignore[misc]  # called at once
        yield number, here
        if done is not None:
            assert len(done) == number - 1 > 0
            return


def killed_now(server: Lab, target: Path) -> Path:
    """The data folder as a kill at this moment leaves it."""
    return Path(shutil.copytree(server.config.data_dir, target / "data"))


def work(server: Lab, units: int, times: int = 1) -> None:
    """Report so many units, so many times."""
    for _ in range(times):
        server.report(server.authorize().lease, {"QR": units})
