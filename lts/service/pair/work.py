"""The background work of a server of a pair: it beats, follows the other server, and watches a failing disk.
lts.background.heartbeat has the threads."""

from __future__ import annotations

from collections.abc import Callable

from lts.service.core.partner import Step
from lts.service.pair.follower import Follower
from lts.service.pair.handover import HandOver
from lts.service.pair.parts import Parts
from lts.service.pair.sending import HttpSend

BEAT_SECONDS = 0.5
PROBE_SECONDS = 1.0
PAUSE_SECONDS = 0.5
"""Seconds between two attempts when the other server did not answer."""


class NodeWork:
    """See lts.service.core.partner.PairWork."""

    def __init__(self, parts: Parts, beat: Callable[[], None], reopen: Callable[[], None]) -> None:
        self._line, self._beside = HttpSend(parts.url), parts.beside
        self._hand_over = HandOver(parts, self._beside)
        self.steps: tuple[Step, ...] = (
            Step("lts-beat", beat, BEAT_SECONDS),
            Step("lts-follow", Follower(parts, self._line, reopen).step, PAUSE_SECONDS),
            Step("lts-hand", self._hand_over.look, BEAT_SECONDS),
            Step("lts-probe", self._hand_over.probe, PROBE_SECONDS),
        )

    def leave(self) -> bool:
        """See HandOver."""
        return self._hand_over.leave()

    def cancel(self) -> None:
        """Break off the requests on both connections."""
        self._line.cancel()
        self._beside.cancel()
