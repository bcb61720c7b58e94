"""Instances of an application on one device: taken and given back within what the lease grants."""

from __future__ import annotations

import threading
from types import TracebackType

from lts.client.errors import Refused
from lts.errors import RefusalCode

KEPT_SLOTS = 40


class Instances:
    """Thread-safe. `asked` is how many the client asks the server for; with one nothing is counted."""

    def __init__(self, asked: int) -> None:
        self._asked = asked
        self._lock = threading.Lock()
        self._held = 0
        self._most: dict[int, int] = {}

    def acquire(self, count: int, granted: int, slot: int) -> Held:
        """Take some of those granted. Raises Refused 120 when fewer are free, ValueError for less than one."""
        if type(count) is not int or count < 1:
            raise ValueError(f"count is a whole number of at least 1, not {count!r}.")
        with self._lock:
            if self._held + count > granted:
                free = granted - self._held
                raise Refused(
                    RefusalCode.USED_UP, f"Instances granted to this device: {granted}, of them free: {free}.", "-"
                )
            self._held += count
            self._note(slot)
        return Held(self, count)

    def give_back(self, count: int) -> None:
        """Some are free again; the slot keeps the most."""
        with self._lock:
            self._held -= count

    def _note(self, slot: int) -> None:
        self._most[slot] = max(self._most.get(slot, 0), self._held)
        for old in [one for one in self._most if one < slot - KEPT_SLOTS]:
            del self._most[old]

    def of(self, slot: int, present: int) -> dict[str, int]:
        """What a report says about a slot: the most taken at once as `instances`, {} if instances are not used
        or none was taken."""
        if self._asked == 1:
            return {}
        with self._lock:
            if slot == present and self._held:
                self._note(slot)
            most = self._most.get(slot, 0)
        return {"instances": most} if most else {}


class Held:
    def __init__(self, owner: Instances, count: int) -> None:
        self._owner = owner
        self._count = count

    def release(self) -> None:
        """Give them back; a second call does no harm."""
        count, self._count = self._count, 0
        self._owner.give_back(count)

    def __enter__(self) -> Held:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
