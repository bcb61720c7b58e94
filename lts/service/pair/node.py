"""This server as one of a pair: its parts, and what the rest of the server asks of them.

The rules are in lts/rules/pair.py. Each part has a file: who this server is (membership.py), what it reports to the
other one (statements.py) and learns from it (contact.py), its own feed (ownfeed.py), who of the two serves
(leadership.py), whether clients may be answered now (fence.py), what administrators decide (promotion.py). Following
and joining are separate files. Two threads work on a node: one follows the other server, one beats
(lts.service.pair.work). Time is elapsed time: the clock decides nothing here.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from lts.protocol import Durable
from lts.rules.alerting.notices import Notice
from lts.service.core.context import Context
from lts.service.core.pairmodels import PairStatus
from lts.service.core.partner import AnswerPeer
from lts.service.core.pinned import PinnedFile
from lts.service.folder.datafolder import archives_folder
from lts.service.pair import meeting, pairstatus, promotion, standin
from lts.service.pair.acknowledgments import Acknowledgments
from lts.service.pair.contact import Contact
from lts.service.pair.fence import Fence
from lts.service.pair.leadership import Leadership
from lts.service.pair.membership import Membership
from lts.service.pair.ownfeed import OwnFeed
from lts.service.pair.peer import HandOverState, Peer
from lts.service.pair.peerendpoint import PeerEndpoint
from lts.service.pair.starts import Starts
from lts.service.pair.statements import Statements
from lts.service.pair.work import NodeWork

log = logging.getLogger("lts.pair")


class Node:
    """See the module, and lts.service.core.partner.Partner. `changing` is held while who serves changes, or what is
    known about the other server."""

    def __init__(self, ctx: Context, pinned: PinnedFile) -> None:
        self.ctx = ctx
        self.pinned = pinned
        self.reopen: Callable[[], None] = lambda: None
        self.elapsed = ctx.clock.elapsed
        self.url = next(url for url in ctx.config.servers if url != "self")
        self.limit = float(ctx.config.take_over_after_seconds)
        self.archives = archives_folder(ctx.store.path.parent)
        self.changing = threading.RLock()
        self.acknowledgments = Acknowledgments(self.elapsed)
        self.starts = Starts(self.elapsed)
        self.hand_over = HandOverState()
        self.membership = Membership(self)
        self.statements = Statements(self)
        self.contact = Contact(self)
        self.feed = OwnFeed(self)
        self.leadership = Leadership(self)
        self.fence = Fence(self)

    @property
    def peer(self) -> Peer:
        """What is known of the other server."""
        return self.contact.peer

    def begin(self) -> None:
        """Serve nobody and write nothing until it is known where the other server is."""
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
        standin.look(self.ctx)

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
        promotion.approve(self, given)

    def promote(self) -> None:
        promotion.promote(self)

    def endpoint(self) -> AnswerPeer:
        return PeerEndpoint(self).answer

    def work(self) -> NodeWork:
        return NodeWork(self)

    def gauges(self) -> dict[str, tuple[str, Callable[[], float]]]:
        words = "1 while the other server follows this one's changes as they come"
        return {"lts_pair_in_step": (words, lambda: int(self.in_step))}
