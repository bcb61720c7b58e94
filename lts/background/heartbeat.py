"""The threads of a server in a pair: one follows the other server, one beats, two look after a disk that fails.

All keep elapsed time, whatever the clock does (APScheduler sleeps by the clock, so they are none of its jobs).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from lts.errors import CannotStore, LtsError
from lts.service.pair.follower import Follower
from lts.service.pair.handover import HandOver
from lts.service.pair.node import Node
from lts.service.pair.peerclient import Send
from lts.service.pair.sending import HttpSend

log = logging.getLogger("lts.pair")
BEAT_SECONDS = 0.5
STOP_SECONDS = 2.0
PROBE_SECONDS = 1.0
PAUSE_SECONDS = 0.5
"""Between two tries when the other server did not answer."""


class Heartbeat:
    """The running threads; `stop` them before the store is closed."""

    def __init__(self, node: Node, send: Send | None = None) -> None:
        self._node = node
        self._line, self._beside = HttpSend(node.url), HttpSend(node.url)
        self._follower = Follower(node, send or self._line)
        self._hand_over = HandOver(node, self._beside)
        self._stopping = threading.Event()
        steps: list[tuple[str, Callable[[], bool | None], float]] = [
            ("lts-beat", node.beat, BEAT_SECONDS),
            ("lts-follow", self._follower.step, PAUSE_SECONDS),
            ("lts-hand", self._hand_over.look, BEAT_SECONDS),
            ("lts-probe", self._hand_over.probe, PROBE_SECONDS),
        ]
        self._threads = [
            threading.Thread(target=self._run, args=(step, pause), name=name, daemon=True)
            for name, step, pause in steps
        ]

    def start(self) -> None:
        """Begin; the server listens by now, so that the other one can call back."""
        for thread in self._threads:
            thread.start()

    def leave(self, seconds: float) -> None:
        """Before a stop in good order: let the other server serve, within so many seconds."""
        leaving = threading.Thread(target=self._leave, name="lts-leave", daemon=True)
        leaving.start()
        leaving.join(seconds)

    def _leave(self) -> None:
        try:
            self._hand_over.leave()
        except LtsError as error:
            log.warning("%s", error.detail)
        except Exception:
            log.exception("nothing was handed over")

    def stop(self) -> None:
        """End all; a request under way is broken off. One that waits for a resolver ends by itself, and does nothing
        more."""
        self._stopping.set()
        self._line.cancel()
        self._beside.cancel()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(STOP_SECONDS)

    def _run(self, step: Callable[[], bool | None], pause: float) -> None:
        """Do a step over and over, with a pause after each that does not ask to go on at once."""
        while not self._stopping.is_set():
            try:
                if step():
                    continue
            except CannotStore:  # lts.server tells of it
                pass
            except LtsError as error:
                log.warning("%s", error.detail)
            except Exception:
                log.exception("the pair's thread goes on")
            self._stopping.wait(pause)
