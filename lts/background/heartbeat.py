"""The threads of a server in a pair, one for each step of its work (lts.service.pair.work).

All keep elapsed time, whatever the clock does (APScheduler sleeps by the clock, so they are not its jobs).
"""

from __future__ import annotations

import logging
import threading

from lts.errors import CannotStore, LtsError
from lts.service.core.partner import PairWork, Step

log = logging.getLogger("lts.pair")
STOP_SECONDS = 2.0


class Heartbeat:
    """The running threads, none without a partner; `stop` them before the store is closed."""

    def __init__(self, work: PairWork) -> None:
        self._work = work
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(step,), name=step.name, daemon=True) for step in work.steps
        ]

    def start(self) -> None:
        """Begin; the server listens by now, so that the other one can call back."""
        for thread in self._threads:
            thread.start()

    def leave(self, seconds: float) -> None:
        """Before an orderly stop: let the other server serve, within this many seconds."""
        if not self._threads:
            return
        leaving = threading.Thread(target=self._leave, name="lts-leave", daemon=True)
        leaving.start()
        leaving.join(seconds)

    def _leave(self) -> None:
        try:
            self._work.leave()
        except LtsError as error:
            log.warning("%s", error.detail)
        except Exception:
            log.exception("nothing was handed over")

    def stop(self) -> None:
        """End all; a request under way is broken off. One that waits for a resolver ends by itself, and does nothing
        more."""
        self._stopping.set()
        self._work.cancel()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(STOP_SECONDS)

    def _run(self, step: Step) -> None:
        """Do a step over and over, with a pause after each that does not ask to continue at once."""
        while not self._stopping.is_set():
            try:
                if step.do():
                    continue
            except CannotStore:  # lts.server reports it
                pass
            except LtsError as error:
                log.warning("%s", error.detail)
            except Exception:
                log.exception("the pair's thread continues")
            self._stopping.wait(step.pause)
