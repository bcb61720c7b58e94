"""Two nodes of a pair in one process, stepped by hand, over a transport that loses, doubles, delays and reorders."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

from lts.config import Config
from lts.errors import CannotStore, PeerError
from lts.server import opened
from lts.service.core.clock import Clock
from lts.service.maintenance import verify
from lts.service.pair.acknowledgments import Acknowledgments
from lts.service.pair.follower import Follower
from lts.service.pair.handover import HandOver
from lts.service.pair.node import Node
from lts.service.pair.peerendpoint import PeerEndpoint
from tests.support.kit import NOON, FakeTime, Lab, Vendor

URLS = {"main": "https://main.example.com/lts/", "standby": "https://standby.example.com/lts/"}
LABELS = {"main": ("machine-id:aa", "mac:bb"), "standby": ("machine-id:cc", "mac:dd")}
Late = tuple[str, dict[str, str], bytes]
FATES = ("well", "request lost", "answer lost", "twice", "late")


class SkewedTime(FakeTime):
    """The shared time as one server's clock shows it."""

    def __init__(self, time: FakeTime) -> None:
        super().__init__()
        self._time = time
        self.skew = 0

    @property
    def now(self) -> int:
        """UTC seconds by this server's clock."""
        return int(self._time.wall) + self.skew


class Stepping:
    """Where a thread would wait for the standby, the standby takes a step instead."""

    def __init__(self, real: Acknowledgments, pump: Callable[[], None]) -> None:
        self._real = real
        self._pump = pump
        self._pumping = False

    def wait(self, serial: int) -> bool:
        """See Acknowledgments."""
        real = self._real
        if real.in_step and real.serial < serial and not self._pumping:
            self._pumping = True
            try:
                self._pump()
            finally:
                self._pumping = False
            if real.serial < serial:
                real.fall_out()
        return real.serial >= serial


@dataclass
class Player:
    """One of the two servers, open or not."""

    name: str
    folder: Path
    vendor: Vendor
    time: FakeTime
    late: list[Late] = field(default_factory=list)
    fate: str = "well"
    fates: dict[str, str] = field(default_factory=dict)
    """Fate of the next request to a path."""
    full: bool = False
    """Whether its disk takes nothing."""
    other: Player = field(init=False)
    """Set by Duet."""
    linked: Callable[[], bool] = lambda: True
    labels: tuple[str, ...] = ()
    """Of its machine, where they are not those of LABELS."""
    _stack: ExitStack = field(default_factory=ExitStack)
    lab: Lab | None = None
    endpoint: PeerEndpoint | None = None
    follower: Follower | None = None
    hand_over: HandOver | None = None
    must_reopen: bool = False

    def __post_init__(self) -> None:
        self.clock = SkewedTime(self.time)

    @property
    def config(self) -> Config:
        """What the server starts with."""
        return self.made_config()

    def made_config(self) -> Config:
        """As the guide has it."""
        servers = ("self", URLS["standby"]) if self.name == "main" else (URLS["main"], "self")
        return Config(None, data_dir=self.folder / "data", vendor_keys=self.folder / "trust", servers=servers,
                      public_url=URLS[self.name])  # fmt: skip

    def open(self) -> None:
        """Start the server."""
        if self.lab is not None:
            return
        self._stack = ExitStack()
        clock = Clock(0, lambda: self.clock.now, lambda: self.time.elapsed)
        labels = self.labels or LABELS[self.name]
        here = self._stack.enter_context(opened(self.config, read_labels=lambda: labels, clock=clock))
        store = here.ctx.store
        clock.begin(store.highest_time, store.least_time, store.newest_time)
        self.lab = Lab(here, self.clock, self.vendor, self.config)
        stepping = Stepping(self.node.acknowledgments, self._pump)
        self.node.acknowledgments.wait = stepping.wait  # type: ignore[method-assign]
        self.endpoint = PeerEndpoint(self.node)
        self.follower = Follower(self.node, self.send, self._reopen_soon, wait=0.0)
        self.node.informing.send = self.send
        self.hand_over = HandOver(self.node, self.send)
        self.set_disk(full=self.full)
        self.must_reopen = False

    def _reopen_soon(self) -> None:
        self.must_reopen = True

    def set_disk(self, *, full: bool) -> None:
        """Whether every commit fails from now on, as on a full disk."""
        self.full = full
        if self.lab is None:
            return

        def refuse(cursor: Any, statement: str, bindings: Any) -> bool:
            if statement == "COMMIT":
                raise apsw.FullError("database or disk is full")
            return True

        self.server.ctx.store.writer._db.exec_trace = refuse if full else None

    def stop(self) -> bool:
        """An orderly stop; whether the other server serves from then on, as far as this one knows."""
        assert self.hand_over is not None
        done = self.hand_over.leave()
        self.close()
        return done

    def hand(self) -> None:
        """What else comes with a beat: a look at the disk, and a try of it."""
        if self.lab is not None and self.hand_over is not None:
            self.hand_over.look()
            self.hand_over.probe()

    def close(self) -> None:
        """The server is down."""
        self._stack.close()
        self.lab = None

    @property
    def server(self) -> Lab:
        """The open server."""
        assert self.lab is not None
        return self.lab

    @property
    def node(self) -> Node:
        """The open server's place in the pair."""
        assert isinstance(self.server.ctx.running.partner, Node)
        return self.server.ctx.running.partner

    def _pump(self) -> None:
        """The other server's next request comes in, twice: it takes what is new, then says that it has."""
        if self.other.lab is not None:
            self.other.follow()
            self.other.follow()

    def follow(self, fate: str = "well") -> bool:
        """One poll of the other server; whether it succeeded."""
        if self.lab is None:
            return False
        self.fate = fate
        assert self.follower is not None
        before = self.node.peer.followed
        self.node.peer.followed = -1.0
        with contextlib.suppress(CannotStore):
            self.follower.step()
        done = self.node.peer.followed >= 0
        if not done:
            self.node.peer.followed = before
        self.fate = "well"
        if self.must_reopen:
            self.close()
            self.open()
        return done

    def beat(self) -> None:
        """One look around."""
        if self.lab is not None:
            with contextlib.suppress(CannotStore):
                self.node.beat()

    def send(
        self, path: str, headers: dict[str, str], body: bytes, timeout: float
    ) -> tuple[int, Mapping[str, str], bytes]:
        """See peerclient.Send: the way to the other server."""
        fate, self.fate = self.fates.pop(path, self.fate), "well"
        if fate == "late":
            self.late.append((path, headers, body))
        if fate in ("request lost", "late") or not self.linked() or self.other.lab is None:
            raise PeerError("peer-unreachable", "Nothing answers.")
        assert self.other.endpoint is not None
        answer = self.other.endpoint.answer(path, headers, body)
        if fate == "twice" and self.other.endpoint is not None:
            again = self.other.endpoint.answer(path, headers, body)[0]
            assert path == "hello" or answer[0] != 200 or again == 409, f"{path} taken twice"
        if fate == "answer lost":
            raise PeerError("peer-unreachable", "Nothing came back.")
        return answer

    def deliver_late(self) -> None:
        """What was held up arrives now, out of order."""
        late, self.late = self.late[::-1], []
        for path, headers, body in late:
            if self.other.lab is not None and self.other.endpoint is not None:
                self.other.endpoint.answer(path, headers, body)

    def answers(self) -> bool:
        """Whether clients are answered right now."""
        if self.lab is None:
            return False
        try:
            self.lab.ctx.running.check_serving()
        except Exception:  # noqa: BLE001  # a refusal, whichever
            return False
        return True

    def faults(self) -> list[str]:
        """What lts verify says."""
        return verify.verify(self.folder / "data", self.server.ctx.trust)


class Duet:
    """Both, sharing a time that never steps."""

    def __init__(self, folder: Path, vendor: Vendor | None = None, time: FakeTime | None = None) -> None:
        self.folder = folder
        self.vendor = vendor or Vendor()
        self.time = time or FakeTime(NOON)
        self.cut = False
        self.main = Player("main", folder / "main", self.vendor, self.time)
        self.standby = Player("standby", folder / "standby", self.vendor, self.time)
        for player, other in ((self.main, self.standby), (self.standby, self.main)):
            player.other = other
            player.linked = lambda: not self.cut
            (player.folder / "trust").mkdir(parents=True, exist_ok=True)
        (self.main.folder / "trust" / "v.pub").write_bytes(self.vendor.pub)

    @property
    def players(self) -> tuple[Player, Player]:
        """The main first."""
        return self.main, self.standby

    def open(self) -> None:
        """Start both."""
        for player in self.players:
            player.open()

    def close(self) -> None:
        """End both."""
        for player in self.players:
            player.close()

    def forward(self, seconds: float) -> None:
        """Time passes for both, unwatched."""
        self.time.forward(seconds)

    def run(self, seconds: float) -> None:
        """Time passes, with both beating and following as their threads would."""
        passed = 0.0
        while passed < seconds:
            self.time.forward(0.5)
            passed += 0.5
            self.turn()

    def turn(self) -> None:
        """Each beats and follows once."""
        for player in self.players:
            player.beat()
            player.hand()
            player.follow()

    def settle(self, turns: int = 1500) -> None:
        """Mended and up, let them go on until both have everything and the main serves: after a full disk it takes up
        to ten minutes."""
        self.cut = False
        for player in self.players:
            player.set_disk(full=False)
        self.open()
        for _ in range(turns):
            self.time.forward(0.5)
            self.turn()
            if self.in_step():
                return
        raise AssertionError("the two do not come to rest")

    def in_step(self) -> bool:
        """Whether the main serves, the standby stands by and has everything."""
        main, standby = self.main, self.standby
        if main.lab is None or standby.lab is None:
            return False
        return (
            main.answers()
            and standby.lab.ctx.running.status == "standby"
            and main.node.acknowledgments.in_step
            and main.lab.ctx.store.positions() != []
            and sorted(main.lab.ctx.store.positions()) == sorted(standby.lab.ctx.store.positions())
        )


@contextlib.contextmanager
def in_step(duet: Duet) -> Iterator[Duet]:
    """Both open, the standby with all that the main has; closed at the end."""
    duet.open()
    duet.settle()
    duet.turn()  # each hears that the other has everything
    yield duet
    duet.close()


def template(folder: Path, *items: dict[str, Any]) -> Duet:
    """A joined pair whose main holds a license; closed, to be copied."""
    duet = Duet(folder)
    duet.main.open()
    duet.run(16)
    duet.main.server.load(*items)
    duet.standby.open()
    duet.settle()
    duet.close()
    return duet


def copy_of(original: Duet, folder: Path) -> Duet:
    """The same pair in another folder."""
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(folder)
    shutil.copytree(original.folder, folder)
    duet = Duet(folder, original.vendor)
    duet.time.wall, duet.time.elapsed = original.time.wall, original.time.elapsed
    return duet
