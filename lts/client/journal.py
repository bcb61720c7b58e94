"""The record of `use`: a line for each call, appended to a file of this process.

A line that was written survives kill -9, and costs a microsecond or two. The lines are taken into the state's database
later, in one transaction with how far the file was read, so that each counts once, whoever takes it: this process, or
the next one if this one was killed. If there is no folder, or nothing can be written, lines stay in memory.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from lts.errors import words_of

log = logging.getLogger("lts.client")
SUFFIX = ".use"
ROTATE_BYTES = 1 << 20
KEPT_SECONDS = 31 * 86400
"""How long a file that is read to its end is left to its process, which may still be writing."""
Counted = Counter[tuple[str, str, str, int, str]]
"""Counts by (lease id, handshake code, item id, slot, type)."""


class Journal:
    """Thread-safe. `line` is made once by `entry` and written as often as it is used."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._file: int | None = None
        self._retired: int | None = None
        self.path: Path | None = None
        self._lock = threading.Lock()
        self._memory: Counted = Counter()
        self.fault: str | None = None
        """Why lines are kept only in memory, None while they reach the disk."""
        if folder is not None:
            self._open()

    def _open(self) -> None:
        assert self._folder is not None
        path = self._folder / f"{os.getpid()}-{uuid.uuid4().hex[:8]}{SUFFIX}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
        try:
            self._file = os.open(path, flags, 0o600)
            self.path = path
        except OSError as error:
            self._file, self.path, self.fault = None, None, words_of(error)

    @staticmethod
    def entry(jti: str, code: str, item: str, type_name: str) -> bytes:
        """The part of a line that stays the same for a lease and a type."""
        return json.dumps([jti, code, item, type_name]).encode() + b"\n"

    def add(self, slot: int, count: int, entry: bytes) -> None:
        """Keep a count; on disk when this returns, or in memory when the disk takes nothing."""
        line = b"%d %d %b" % (slot, count, entry)
        file = self._file
        if file is not None:
            try:
                if os.write(file, line) == len(line):
                    return
                self.fault = "the disk is full"
            except OSError as error:
                self.fault = words_of(error)
        jti, code, item, type_name = json.loads(entry)
        with self._lock:
            self._memory[jti, code, item, slot, type_name] += count

    def take_memory(self) -> Counted:
        """What could not be written, once."""
        with self._lock:
            taken, self._memory = self._memory, Counter()
        return taken

    def put_back(self, counted: Counted) -> None:
        """What was taken could not be stored."""
        with self._lock:
            self._memory.update(counted)

    def renew(self) -> None:
        """Continue in a new file if this one is too large, is gone, or could not be written."""
        if self._folder is None:
            return
        try:
            usable = self.path is not None and self.fault is None and self.path.stat().st_size < ROTATE_BYTES
        except OSError:
            usable = False
        if usable:
            return
        if self._retired is not None:
            os.close(self._retired)
        # a thread may be writing this very moment: closed the next time, and its lines are read from the file
        self._retired, self.fault = self._file, None
        self._open()

    def close(self) -> None:
        for file in (self._file, self._retired):
            if file is not None:
                os.close(file)
        self._file = self._retired = None


def files(folder: Path) -> list[Path]:
    """All journals of a folder, of other processes too."""
    return sorted(folder.glob(f"*{SUFFIX}"))


def read(path: Path, offset: int) -> tuple[Counted, int]:
    """(counts of the complete lines from `offset` on, where they end). Lines that nobody wrote are left out."""
    with path.open("rb") as file:
        file.seek(offset)
        data = file.read()
    whole = data[: data.rfind(b"\n") + 1]
    counted: Counted = Counter()
    for line in whole.split(b"\n"):
        try:
            slot, count, entry = line.split(b" ", 2)
            jti, code, item, type_name = json.loads(entry)
            str(type_name).encode("utf-8")
            counted[str(jti), str(code), str(item), int(slot), str(type_name)] += int(count)
        except UnicodeEncodeError:  # earlier versions took names that nothing can store or send
            log.error("usage of %a was dropped: that is no type name", type_name)
        except ValueError:
            continue
    return counted, offset + len(whole)


def is_over(path: Path, read_to: int, now: Callable[[], float] = time.time) -> bool:
    """Whether a file is read to its end and so old that its process is gone."""
    try:
        found = path.stat()
    except OSError:
        return False
    return found.st_size <= read_to and now() - found.st_mtime > KEPT_SECONDS
