"""The frames of SQLite's write-ahead log (https://sqlite.org/fileformat2.html, The Write-Ahead Log), read without
SQLite, which stops at the first damaged frame and ignores what follows.

See docs/design/machine.md, What a data folder says of itself.
"""

from __future__ import annotations

import itertools
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lts import plainfile

_HEADER, _FRAME = 32, 24
_MAGIC = 0x377F0682
_USUAL_PAGE = 4096
_SIZES = frozenset(1 << power for power in range(9, 17))
_WORD = 0xFFFFFFFF
Sums = tuple[int, int]


@dataclass(frozen=True)
class Damage:
    """A log of `size` bytes is valid up to `whole` (0 = damaged from its beginning), with stored commits after that."""

    whole: int
    size: int


@dataclass(frozen=True)
class _Frame:
    page: int
    is_commit: bool
    salts: bytes
    follows: bool
    """Whether its checksum continues the checksum of the previous frame."""


def damage(path: Path) -> Damage | None:
    """Damage in the middle of a log that nobody writes; None if it is valid up to its end, or to a torn commit.

    The frames of a log that started over have other salts than those left of the previous one. A commit is synced
    before anything is written after it, and one that failed is overwritten in place. So if frames after the end include
    a commit, that commit was durable once, whatever power cut or kill came after it. The last commit of a log may be
    torn, which is no damage. Linear in the log, 0.1 s a MiB at most. Raises OSError.
    """
    plainfile.check(path)
    size = path.stat().st_size
    with path.open("rb") as file:
        header = file.read(_HEADER)
        if len(header) < _HEADER:
            return None
        magic, _, page_size = struct.unpack(">3I", header[:12])
        order = ">" if magic & 1 else "<"  # of the words that are summed; the rest is big-endian in any log
        begun = struct.unpack(">2I", header[24:])
        intact = magic | 1 == _MAGIC | 1 and page_size in _SIZES and _sums(order, (0, 0), header[:24]) == begun
        page_size = page_size if intact else _USUAL_PAGE
        if not intact:
            order = "<" if sys.byteorder == "little" else ">"
        blocks = iter(lambda: file.read(_FRAME + page_size), b"")
        frames = _frames(blocks, _FRAME + page_size, order, begun)
        salts = header[16:24] if intact else None
        return _look(frames, salts, size, _FRAME + page_size, whole=_HEADER if intact else 0)


def _look(frames: Iterator[_Frame], salts: bytes | None, size: int, frame_bytes: int, *, whole: int) -> Damage | None:
    ended = salts is None
    committed: int | None = None
    for frame in frames:
        salts = salts or frame.salts
        own = frame.salts == salts
        if not ended and own and frame.follows:
            whole += frame_bytes
            continue
        ended = True
        if not own or not frame.follows:
            committed = None
        elif committed not in (None, frame.page):  # a commit may be filled up with its last page to a sector's end
            return Damage(whole, size)
        if own and frame.follows and frame.is_commit and committed is None:
            committed = frame.page
    return None


def _frames(blocks: Iterator[bytes], frame_bytes: int, order: str, begun: Sums) -> Iterator[_Frame]:
    before, salts = begun, b""
    for block in itertools.takewhile(lambda block: len(block) == frame_bytes, blocks):
        page, pages = struct.unpack(">2I", block[:8])
        stated = struct.unpack(">2I", block[16:_FRAME])
        follows = page > 0 and (not salts or salts == block[8:16])
        follows = follows and _sums(order, _sums(order, before, block[:8]), block[_FRAME:]) == stated
        before, salts = stated, block[8:16]
        yield _Frame(page, pages > 0, salts, follows)


def _sums(order: str, before: Sums, data: bytes) -> Sums:
    one, two = before
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for first, second in zip(words[::2], words[1::2], strict=True):
        one = (one + first + two) & _WORD
        two = (two + second + one) & _WORD
    return one, two
