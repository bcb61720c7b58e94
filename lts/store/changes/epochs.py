"""Since when an origin serves: what decides between changes of two origins (docs/design/pair.md, Both serving)."""

from __future__ import annotations

from typing import NamedTuple


class Epoch(NamedTuple):
    """When an origin began to serve: its number, whether as main, its place among those that continued one another, and
    how far it then had other origins (serials)."""

    number: int
    main: bool
    generation: int
    knows: dict[int, int]

    @property
    def weight(self) -> tuple[int, bool, int]:
        """What decides between changes of two origins; above that of every origin it knows."""
        return self.number, self.main, self.generation


FIRST_EPOCH = Epoch(0, True, 0, {})
"""That of a server that never was one of a pair."""
