"""What may happen to a pair: each kind of torment, what it may cost its clients at most, and whether the two servers
can talk all the while (docs/design/pair.md, What is promised, Handing over)."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from tests.soak.clients import Clients
from tests.support.twins import Twin, Twins

LONGER, HANDED_OVER = 5.0, 20.0
"""Seconds beyond takeOverAfterSeconds: until clients have found the standby when a main stands still, and until a main
with a full disk has handed over."""


@dataclass
class Scene:
    """A pair at rest with its clients; `limit` is its takeOverAfterSeconds."""

    pair: Twins
    clients: Clients
    rng: random.Random
    limit: float

    def rest(self, *parts: float) -> None:
        """Wait for one of these parts of the limit."""
        time.sleep(self.rng.choice(parts or (0.1, 0.4, 0.8, 1.5)) * self.limit)

    def handed_over(self) -> None:
        """Wait until the standby serves clients, as long as that may take."""
        until = time.monotonic() + self.limit + HANDED_OVER
        while self.clients.answers.of != "standby" and time.monotonic() < until:
            time.sleep(0.05)

    def soon(self, event: threading.Event) -> None:
        """Wait for what a main with a full disk comes to, as long as that may take."""
        event.wait(self.limit + HANDED_OVER)


@dataclass(frozen=True)
class Kind:
    """`torment` does something, and may leave it as it is; `promised` is the longest time without an answer, in seconds
    by takeOverAfterSeconds, None where nothing is promised. `linked`: that never both serve must hold all the while. A
    main that stood still learns of the other's epoch a moment before it stops to serve (`stands_still`)."""

    torment: Callable[[Scene], None]
    promised: Callable[[float], float] | None = None
    linked: bool = True
    stands_still: bool = False


# faults of one server


def _kill(twin: Twin) -> None:
    twin.signal(signal.SIGCONT)
    twin.kill()


def _begin(scene: Scene, fault: str, twin: Twin) -> None:
    if fault == "kill":
        _kill(twin)
    elif fault == "end":
        twin.stop()
    elif fault == "stop":
        twin.signal(signal.SIGSTOP)
    else:
        twin.set_disk(full=True)
    if fault in ("kill", "end") and scene.rng.random() < 0.5:
        twin.start()


def _one(fault: str, main: bool, scene: Scene) -> None:
    _begin(scene, fault, scene.pair.main if main else scene.pair.standby)
    scene.rest()


# faults of the link


def _cut(pair: Twins) -> None:
    pair.to_main.cut()
    pair.to_standby.cut()


def _break(scene: Scene, fault: str) -> None:
    pair = scene.pair
    if fault == "cut":
        _cut(pair)
    elif fault == "delay":
        pair.to_main.delay = pair.to_standby.delay = 0.8
    elif fault == "loss":
        pair.to_main.loss = pair.to_standby.loss = 0.2
    else:
        link = pair.to_main if fault == "deaf to main" else pair.to_standby
        link.deaf[scene.rng.choice(("to", "back"))] = True


def _between(fault: str, scene: Scene) -> None:
    _break(scene, fault)
    scene.rest()


_OF_ONE, _OF_LINK = ("kill", "stop", "end", "full disk"), ("cut", "deaf to main", "deaf to standby", "delay", "loss")


def _two_at_once(scene: Scene) -> None:
    """Any two, the second while the first lasts or just after."""
    pair = scene.pair
    for _ in range(2):
        fault = scene.rng.choice(_OF_ONE + _OF_LINK)
        if fault in _OF_ONE:
            _begin(scene, fault, scene.rng.choice((pair.main, pair.standby)))
        else:
            _break(scene, fault)
        scene.rest()
        if scene.rng.random() < 0.5:
            pair.mend()
            for twin in (pair.main, pair.standby):
                twin.signal(signal.SIGCONT)


# a main whose disk is full


def _full_disk(scene: Scene) -> None:
    """Until the standby serves; then the main takes back by itself, or at once where it was started since."""
    scene.pair.main.set_disk(full=True)
    scene.handed_over()
    scene.rest(0.1, 0.4)


def _yes_lost(scene: Scene) -> None:
    """The main can store again as soon as it asked: it serves no more all the same."""
    watched = scene.pair.to_standby.watch("take-over", lose_answer=True)
    scene.pair.main.set_disk(full=True)
    scene.soon(watched.answered)
    scene.pair.main.set_disk(full=False)
    scene.handed_over()
    scene.rest(0.1, 0.4)


def _both_full(scene: Scene) -> None:
    """The standby says no, until one of the two can store."""
    pair = scene.pair
    watched = pair.to_standby.watch("take-over")
    pair.standby.set_disk(full=True)
    pair.main.set_disk(full=True)
    scene.soon(watched.answered)
    scene.rest(0.1, 0.4)
    first = scene.rng.choice((pair.main, pair.standby))
    first.set_disk(full=False)
    if first is pair.standby:
        scene.handed_over()
    scene.rest(0.1)


def _restarted(scene: Scene) -> None:
    """The main ends when it asks, or once the standby serves, and is back with room on its disk."""
    main = scene.pair.main
    watched = scene.pair.to_standby.watch("take-over")
    main.set_disk(full=True)
    scene.soon(watched.asked)
    if scene.rng.random() < 0.5:
        _kill(main)
    else:
        scene.handed_over()
        main.stop()
    scene.rest(0.0, 0.1, 0.4)
    main.start()


def _cut_after(scene: Scene) -> None:
    """The link is cut as soon as the yes came by."""
    watched = scene.pair.to_standby.watch("take-over")
    scene.pair.main.set_disk(full=True)
    scene.soon(watched.answered)
    _cut(scene.pair)
    scene.rest(0.1, 0.4, 1.5)


def _promised(fault: str) -> Callable[[float], float] | None:
    if fault == "end":
        return lambda limit: 1.0
    return {"kill": lambda limit: limit + 1.0, "stop": lambda limit: limit + LONGER}.get(fault)


def _kinds() -> Iterator[tuple[str, Kind]]:
    for fault in _OF_ONE[:3]:
        yield f"{fault} main", Kind(partial(_one, fault, True), _promised(fault), stands_still=fault == "stop")
    for fault in _OF_ONE:
        yield f"{fault} standby", Kind(partial(_one, fault, False))
    for fault in _OF_LINK:
        yield fault, Kind(partial(_between, fault), linked=fault == "delay")
    handed = {"full disk main": _full_disk, "yes lost": _yes_lost, "main restarted meanwhile": _restarted,
              "cut after the yes": _cut_after}  # fmt: skip
    for name, torment in handed.items():
        yield name, Kind(torment, lambda limit: limit + HANDED_OVER)
    yield "both disks full", Kind(_both_full)
    yield "two at once", Kind(_two_at_once, linked=False)


KINDS: dict[str, Kind] = dict(_kinds())


def dealt(rng: random.Random) -> Iterator[str]:
    """Kinds without end, by chance, each as often as every other."""
    while True:
        yield from rng.sample(list(KINDS), len(KINDS))
