"""The parts of a server of a pair, each made of those before it.

The rules are in lts/rules/pair.py. Each part has a file: how far the other server has this one's changes
(acknowledgments.py), its sessions (peersessions.py) and which start of it is accepted (starts.py), who this server is
(membership.py), what it learns from the other one (contact.py; kept in peer.py) and reports to it (statuses.py), its
own feed (ownfeed.py), who of the two serves (leadership.py), whether clients may be answered now (fence.py), whether
this one's disk stores (diskwatch.py), the main's delegation (delegating.py), who the other server is (meeting.py), what
administrators decide (promotion.py). peer.py also has what was asked of the other. Whatever acts for the pair as a
whole, and is made later, takes all of them: following, handing over, answering the other server, describing the pair.
"""

from __future__ import annotations

from lts.service.core.context import Context
from lts.service.core.pinned import PinnedFile
from lts.service.folder.datafolder import archives_folder
from lts.service.pair.acknowledgments import Acknowledgments
from lts.service.pair.contact import Contact
from lts.service.pair.delegating import Delegating
from lts.service.pair.diskwatch import DiskWatch
from lts.service.pair.fence import Fence
from lts.service.pair.leadership import Leadership
from lts.service.pair.meeting import Meeting
from lts.service.pair.membership import Membership
from lts.service.pair.ownfeed import OwnFeed
from lts.service.pair.peer import HandOverState, Peer
from lts.service.pair.peersessions import PeerSessions
from lts.service.pair.promotion import Informing, Promotion
from lts.service.pair.sending import HttpSend
from lts.service.pair.shared import Shared
from lts.service.pair.starts import Starts
from lts.service.pair.statuses import Statuses


class Parts:
    """See the module."""

    def __init__(self, ctx: Context, pinned: PinnedFile) -> None:
        shared = self.shared = Shared(ctx, pinned)
        self.ctx, self.pinned = ctx, pinned
        self.url, self.limit, self.elapsed = shared.url, shared.limit, shared.elapsed
        self.archives = archives_folder(ctx.store.path.parent)
        acknowledgments = self.acknowledgments = Acknowledgments(shared.elapsed)
        sessions = self.sessions = PeerSessions(ctx.identity.key, lambda: pinned.now.key)
        starts = self.starts = Starts(shared.elapsed, sessions.end_all)
        hand_over = self.hand_over = HandOverState()
        self.disk = DiskWatch(ctx.store.writer, shared.limit)
        membership = self.membership = Membership(shared)
        contact = self.contact = Contact(shared, acknowledgments)
        feed = self.feed = OwnFeed(shared, membership, contact)
        self.statuses = Statuses(shared, contact, feed)
        self.fence = Fence(shared, contact)
        leadership = self.leadership = Leadership(shared, membership, contact, feed, hand_over)
        delegating = self.delegating = Delegating(shared, membership, contact, feed)
        self.meeting = Meeting(shared, membership, starts, contact, leadership, delegating)
        self.beside = HttpSend(shared.url)
        """A second connection to the other server, apart from the one that follows."""
        self.informing = Informing(shared, membership, self.beside)
        self.promotion = Promotion(shared, membership, acknowledgments, contact, feed, leadership, self.informing)

    @property
    def peer(self) -> Peer:
        """What is known of the other server."""
        return self.contact.peer
