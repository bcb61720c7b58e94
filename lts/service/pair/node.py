"""This server as one of a pair: what the rest of the server asks of its parts (parts.py).

Each step of lts.service.pair.work has a thread: one beats, one follows the other server, two hand over. Time is elapsed
time: the clock decides nothing here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from lts.protocol import Durable
from lts.rules.alerting.notices import Notice
from lts.service.core.context import Context
from lts.service.core.pairmodels import PairStatus
from lts.service.core.partner import AnswerPeer
from lts.service.core.pinned import PinnedFile
from lts.service.pair import copygiver, delegated, meeting, pairstatus
from lts.service.pair.parts import Parts
from lts.service.pair.peerendpoint import PeerEndpoint
from lts.service.pair.work import NodeWork

log = logging.getLogger("lts.pair")


class Node(Parts):
    """See the module, and lts.service.core.partner.Partner."""

    def __init__(self, ctx: Context, pinned: PinnedFile) -> None:
        super().__init__(ctx, pinned)
        self._endpoint = PeerEndpoint(self)

    def begin(self) -> None:
        """Serve nobody and write nothing until it is known where the other server is."""
        copygiver.clear(self.ctx.store.path.parent)
        meeting.settle_promotion(self.pinned, self.url, self.membership.configured)
        self.leadership.hold()
        self.ctx.store.recent.listen(self.ctx.store.vector())
        self.membership.learn_keys()

    def beat(self) -> None:
        """Check about twice a second whether this process was paused, or the other one is gone."""
        now = self.elapsed()
        if self.fence.beat(now):
            self.peer.begin_silence()
            self.leadership.give_way("this process was paused; the other server may have taken over")
        if self.acknowledgments.look():
            log.warning("the other server no longer follows")
        if self.in_step:
            self.peer.progressed()
        if self.alone:
            self.leadership.serve("start")
        else:
            self.contact.look(now)
            self.leadership.look(now)
        delegated.look(self.ctx)

    # for the rest of the server: see lts.service.core.partner.Partner

    @property
    def role(self) -> str:
        return self.membership.role

    @property
    def settled(self) -> bool:
        return self.feed.settled

    @property
    def alone(self) -> bool:
        return self.membership.alone

    @property
    def in_step(self) -> bool:
        return self.acknowledgments.in_step

    @property
    def has_all(self) -> bool:
        """While the other server follows, it is followed too."""
        return self.in_step

    @property
    def clock_gap(self) -> int:
        return self.contact.clock_gap

    def count_ahead(self) -> None:
        self.contact.count_ahead()

    def check(self) -> None:
        self.fence.check()

    def confirm(self, serial: int) -> Durable:
        """Refused (100) when this server may no longer answer; what was stored is kept, and sending it again counts
        nothing twice."""
        both = self.acknowledgments.wait(serial)
        self.fence.check()
        return "both" if both else "local"

    def notices(self) -> list[Notice]:
        return pairstatus.notices(self)

    def describe(self) -> PairStatus:
        return pairstatus.describe(self)

    def paired(self) -> Node:
        return self

    def approve(self, given: str) -> None:
        self.promotion.approve(given)

    def promote(self) -> None:
        self.promotion.promote()

    def endpoint(self) -> AnswerPeer:
        return self._endpoint.answer

    def work(self, reopen: Callable[[], None]) -> NodeWork:
        return NodeWork(self, self.beat, reopen)

    def gauges(self) -> dict[str, tuple[str, Callable[[], float]]]:
        words = "1 while the other server follows this one's changes as they come"
        return {"lts_pair_in_step": (words, lambda: int(self.in_step))}
