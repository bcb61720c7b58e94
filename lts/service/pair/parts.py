"""The parts of a server of a pair, each made of those before it.

The rules are in lts/rules/pair.py. Each part has a file: how far the other server has this one's changes
(acknowledgments.py), which start of it is accepted (starts.py), who this server is (membership.py), what it learns from
the other one (contact.py; kept in peer.py) and reports to it (statuses.py), its own feed (ownfeed.py), who of the two
serves (leadership.py), whether clients may be answered now (fence.py), the main's delegation (delegating.py), who the
other server is (meeting.py), what administrators decide (promotion.py). peer.py also has what was asked of the other.
Whatever acts for the pair as a whole, and is made later, takes all of them: following, handing over, answering the
other server, describing the pair.
"""

from __future__ import annotations

from lts.service.core.context import Context
from lts.service.core.pinned import PinnedFile
from lts.service.folder.datafolder import archives_folder
from lts.service.pair.acknowledgments import Acknowledgments
from lts.service.pair.contact import Contact
from lts.service.pair.delegating import Delegating
from lts.service.pair.fence import Fence
from lts.service.pair.leadership import Leadership
from lts.service.pair.meeting import Meeting
from lts.service.pair.membership import Membership
from lts.service.pair.ownfeed import OwnFeed
from lts.service.pair.peer import HandOverState, Peer
from lts.service.pair.promotion import Promotion
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
        starts = self.starts = Starts(shared.elapsed)
        hand_over = self.hand_over = HandOverState()
        membership = self.membership = Membership(shared)
        contact = self.contact = Contact(shared, acknowledgments)
        feed = self.feed = OwnFeed(shared, membership, contact)
        self.statuses = Statuses(shared, contact, feed)
        self.fence = Fence(shared, contact)
        leadership = self.leadership = Leadership(shared, membership, contact, feed, hand_over)
        delegating = self.delegating = Delegating(shared, membership, contact, feed)
        self.meeting = Meeting(shared, membership, starts, contact, leadership, delegating)
        self.promotion = Promotion(shared, membership, acknowledgments, contact, feed, hand_over, leadership)

    @property
    def peer(self) -> Peer:
        """What is known of the other server."""
        return self.contact.peer
