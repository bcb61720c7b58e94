"""The threads of a pair's two servers, woven by chance: whatever order they run in while the two are linked, never do
both answer clients (docs/design/pair.md, Invariants).

Each thread of lts/background/heartbeat.py, and one client of the main, is a strand. Just one runs at a time. It goes on
to its next rest: before a request is heard, before its answer is, before it has a lock, or at its end. Which goes on
is drawn from a seed, so that a run can be repeated. Time passes by half seconds, once all have come to a rest; no
strand rests for long, so that the two are linked all the while.
"""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import SimpleNamespace
from typing import TypeVar
from unittest import mock

from lts.errors import CannotStore, LtsError, PeerError
from lts.service.pair import handover
from lts.service.pair.acknowledgments import Acknowledgments
from tests.support.duet import Duet, Player

T = TypeVar("T")
TICK = 0.5
REST_TICKS = 2
"""How long a message or a thread may be under way."""
LOST = 4
"""Messages that may be lost in one run."""
STILL_SECONDS = (4.0, 8.0, 16.0, 24.0)
DEVICE = "00000000-0000-0000-0000-00000000004d"


class Killed(BaseException):
    """The process of a strand ended while it rested."""


class Strand:
    """A thread that does `step` over and over, and rests where `rest` is called."""

    def __init__(self, player: Player, name: str, step: Callable[[], object]) -> None:
        self.player = player
        self.name = f"{player.name} {name}"
        self.resting: str | None = None
        """Where, None between two steps."""
        self.ticks = 0
        self.ran = False
        self.error: BaseException | None = None
        self._step = step
        self._killed = False
        self._go, self._back = threading.Semaphore(0), threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def go_on(self) -> None:
        """Let it run to its next rest."""
        self.ran, self.ticks = True, 0
        self._go.release()
        self._back.acquire()
        if self.error is not None:
            raise self.error

    def kill(self) -> None:
        """Its process ends: it comes to the end of its step without doing more."""
        self._killed = True
        while self.resting is not None:
            self.go_on()
        self._killed = False

    def rest(self, where: str) -> None:
        """Called by the strand itself. Raises Killed."""
        self.resting = where
        self._back.release()
        self._go.acquire()
        if self._killed:
            raise Killed

    def _run(self) -> None:
        _here.strand = self
        while True:
            self._go.acquire()
            try:
                self._step()
            except (Killed, LtsError):
                pass
            except BaseException as error:  # noqa: BLE001  # told by go_on
                self.error = error
            self.resting = None
            self._back.release()


_here = threading.local()


def _rest(where: str) -> None:
    """The running strand rests; another thread continues."""
    strand: Strand | None = getattr(_here, "strand", None)
    if strand is not None:
        strand.rest(where)


def _there(part: T | None) -> T:
    assert part is not None
    return part


class Lock:
    """In place of a lock that is held while others continue."""

    def __init__(self) -> None:
        self._held = False

    def __enter__(self) -> None:
        while self._held:
            _rest("lock")
        self._held = True

    def __exit__(self, *_: object) -> None:
        self._held = False


def woven(real: Acknowledgments, serial: int) -> bool:
    """See Acknowledgments.wait: who waits for the other server lets the strands go on."""
    until = real._elapsed() + 1.0
    while real.in_step and real.serial < serial and hasattr(_here, "strand"):
        if real._elapsed() >= until:
            real.fall_out()
        else:
            _rest("confirm")
    return real.serial >= serial


class Weave:
    """One run on a pair in step; the main's disk is full as it begins."""

    def __init__(self, duet: Duet, seed: int) -> None:
        self.duet = duet
        self._rng = random.Random(seed)
        self._lost = 0
        self._late: list[tuple[Player, str, dict[str, str], bytes]] = []
        """Requests that come when nobody waits for an answer any more."""
        self._still: dict[str, float] = {}
        """Until when a process stands still."""
        self._asked = self.handed_over = False
        """Whether the main asked the standby to serve, since its disk is as it is, and ever."""
        self.told: list[str] = []
        self._lease = duet.main.server.authorize(None, DEVICE).lease
        self._news = self._rng.choice((0.0, 0.1, 0.5))
        self.strands = [Strand(player, name, step) for player in duet.players for name, step in self._steps(player)]
        for player in duet.players:
            self._prepare(player)
        duet.main.set_disk(full=True)

    def _steps(self, player: Player) -> Iterator[tuple[str, Callable[[], object]]]:
        yield "beats", lambda: player.node.beat()
        yield "follows", lambda: _there(player.follower).step()
        if player is self.duet.main:
            yield "looks", lambda: _there(player.hand_over).look()
            yield "probes", lambda: _there(player.hand_over).probe()
            yield "answers", self._client

    def _prepare(self, player: Player) -> None:
        node = player.node
        node.acknowledgments.wait = partial(woven, node.acknowledgments)  # type: ignore[method-assign]
        node.hand_over.moving = Lock()  # type: ignore[assignment]
        for line in (_there(player.follower)._line, _there(player.hand_over)._line):
            line._send = partial(self._send, player)

    def _client(self) -> None:
        """A report; one that is answered by 200 is answered by the only one that serves."""
        with contextlib.suppress(CannotStore):
            self.duet.main.server.report(self._lease, {"QR": self._rng.randint(1, 9)})
            assert not self.duet.standby.answers(), "counted by the main while the standby serves"

    # what passes between the two

    def _send(
        self, player: Player, path: str, headers: dict[str, str], body: bytes, timeout: float
    ) -> tuple[int, Mapping[str, str], bytes]:
        begun = self.duet.time.elapsed
        try:
            self._under_way("request", player, path, begun + timeout)
        except (Killed, PeerError):
            if self._rng.random() < 0.5:
                self._late.append((player.other, path, headers, body))
            raise
        if path == "take-over":
            self._asked = self.handed_over = True
        answer = _there(player.other.endpoint).answer(path, headers, body)
        self._under_way("answer", player, path, begun + timeout)
        return answer

    def _under_way(self, what: str, player: Player, path: str, until: float) -> None:
        _rest(f"{what} {path}")
        while player.other.name in self._still and self.duet.time.elapsed < until:
            _rest(f"{what} {path}")
        likely = 0.5 if path == "take-over" else 0.02
        lost = hasattr(_here, "strand") and self._lost < LOST and self._rng.random() < likely
        self._lost += lost
        if lost or self.duet.time.elapsed > until or player.other.name in self._still:
            raise PeerError("peer-unreachable", "Nothing came.")

    # what happens

    def run(self, seconds: float) -> None:
        """Time passes."""
        module = SimpleNamespace(sleep=lambda seconds: _rest("sleep"))
        with mock.patch.object(handover, "time", module):
            for _ in range(int(seconds / TICK)):
                self._tick()

    def _tick(self) -> None:
        for strand in self.strands:
            strand.ran = False
            strand.ticks += 1
        while waiting := [one for one in self.strands if self._is_due(one)]:
            self._go_on(self._rng.choice(waiting))
        self.duet.forward(TICK)
        for name in [name for name, until in self._still.items() if until <= self.duet.time.elapsed]:
            del self._still[name]
            self._note(f"{name} goes on")
        self.check("time passes")

    def _is_due(self, strand: Strand) -> bool:
        if strand.player.name in self._still:
            return False
        if strand.resting in (None, "lock", "confirm"):
            return not strand.ran
        return strand.ticks > REST_TICKS or self._rng.random() < 0.6

    def _go_on(self, strand: Strand) -> None:
        self._may_happen()
        if strand.player.name in self._still:
            return
        where = strand.resting
        strand.go_on()
        if where != strand.resting or where is None:
            self._note(f"{strand.name}: {where} -> {strand.resting}")
        if strand.player.must_reopen:
            raise AssertionError("no first copy was to be made")
        self.check(strand.name)

    def _may_happen(self) -> None:
        draw, main, standby = self._rng.random(), self.duet.main, self.duet.standby
        if draw < (0.15 if self._asked and main.full else 0.005):
            main.set_disk(full=not main.full)
            self._asked = False
            self._note(f"the main's disk is full: {main.full}")
        elif draw > 0.999:
            standby.set_disk(full=not standby.full)
            self._note(f"the standby's disk is full: {standby.full}")
        elif draw > 0.998:
            player = self._rng.choice(self.duet.players)
            self._still[player.name] = self.duet.time.elapsed + self._rng.choice(STILL_SECONDS)
            self._note(f"{player.name} stands still")
        elif draw > 0.997:
            self._restart(self._rng.choice(self.duet.players))
        elif draw > 0.997 - self._news / 20:
            with contextlib.suppress(CannotStore):
                standby.server.ctx.note_event("something", {})
        elif draw > 0.9:
            self._come_late()

    def _come_late(self) -> None:
        late, self._late = self._late, []
        for player, path, headers, body in late:
            code = _there(player.endpoint).answer(path, headers, body)[0]
            self._note(f"{path} comes late to {player.name}: {code}")

    def _restart(self, player: Player) -> None:
        for strand in self.strands:
            if strand.player is player:
                strand.kill()
        self._still.pop(player.name, None)
        player.close()
        player.open()
        self._prepare(player)
        self._note(f"{player.name} is restarted")

    def _note(self, what: str) -> None:
        self.told.append(f"{self.duet.time.elapsed:.1f} {what}")

    def check(self, by: str) -> None:
        """What must hold all the while."""
        both = all(player.answers() and player.name not in self._still for player in self.duet.players)
        assert not both, "\n".join([*self.told[-60:], f"both answer clients: {by}"])

    def end(self) -> None:
        """All faults are over, and the main is restarted, so that it takes back at once: both settle."""
        self._still.clear()
        for player in self.duet.players:
            player.set_disk(full=False)
        for player in self.duet.players[::-1]:
            self._restart(player)
        self._lost = LOST
        self.duet.settle()
