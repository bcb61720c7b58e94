"""This server as one of a pair: what it knows of the other one, and who of the two serves.

The rules are in lts/rules/pair.py; following and joining in modules beside. Two threads work on a node, one
follows the other server, one beats (lts/background/heartbeat.py). Time is elapsed time: what a clock says decides
nothing here.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import threading
from collections.abc import Callable
from typing import Any

from lts import __version__
from lts.crypto import PublicKey
from lts.errors import AdminError, CannotStore, PeerError, Refusal, RefusalCode
from lts.rules import pair as rules
from lts.rules.notices import Notice
from lts.rules.pair import MAIN, REFUSING, SERVING, STANDBY, STARTING, Place
from lts.service.core import identity
from lts.service.core.context import Context
from lts.service.core.feeds import begin_feed
from lts.service.core.partner import AnswerPeer
from lts.service.core.pinned import PinnedFile
from lts.service.folder.datafolder import archives_folder
from lts.service.pair import meeting, pairstatus, standin
from lts.service.pair.acknowledgments import Acknowledgments
from lts.service.pair.peer import RETIRED, SHARED_FAULTS, HandOverState, Peer
from lts.service.pair.peerendpoint import PeerEndpoint
from lts.service.pair.peermessages import Self, ServerState
from lts.service.pair.starts import Starts
from lts.service.pair.work import NodeWork
from lts.store import exchange, feed, pair, records
from lts.store.transaction import Position, Transaction

log = logging.getLogger("lts.pair")
NOT_NOW = "This server does not answer clients just now; use the other server URL of the license key."


class Node:
    """See the module, and lts.service.core.partner.Partner."""

    def __init__(self, ctx: Context, pinned: PinnedFile) -> None:
        self.ctx = ctx
        self.pinned = pinned
        self.reopen: Callable[[], None] = lambda: None
        self.elapsed = ctx.clock.elapsed
        config = ctx.config
        self.url = next(url for url in config.servers if url != "self")
        self._configured = MAIN if config.servers[0] == "self" else STANDBY
        meeting.settle_promotion(pinned, self.url, self._configured)
        self.limit = float(config.take_over_after_seconds)
        self.acknowledgments = Acknowledgments(self.elapsed)
        now = self.elapsed()
        self.peer = Peer(now, now, now)
        self.starts = Starts(self.elapsed)
        self.hand_over = HandOverState()
        self._word = self.start = rules.first_word(1 + secrets.randbelow(1 << 30))
        self.told = 0
        """Number of the last answer to a request of the other one."""
        self.settled = False
        self.archives = archives_folder(ctx.store.path.parent)
        self.changing = threading.RLock()
        self._beat_at = self.elapsed()
        self._family, self._bare = "", True
        self.waiting = 0
        """Changes that the other server cannot read before it is upgraded, as far as they were looked at."""
        self.lost = False
        self.ahead = 0
        """Reports refused for slots ahead of this clock and not of the other one, since the two differ."""
        self.merged_changes = 0

    def begin(self) -> None:
        """Serve nobody and write nothing until it is known where the other server is."""
        self.ctx.running.status = STARTING if self.role == MAIN else REFUSING
        self.ctx.store.recent.listen(self.ctx.store.vector())
        self.learn_keys()

    # who this server is

    @property
    def promoted(self) -> bool:
        """Whether this server was made the main for good, in place of the one that `servers` still names."""
        return self.pinned.now.promoted_at is not None

    @property
    def alone(self) -> bool:
        """Whether this server was promoted and no other has been met since."""
        return self.promoted and self.pinned.now.key is None

    @property
    def role(self) -> str:
        return MAIN if self.promoted else self._configured

    @property
    def in_step(self) -> bool:
        """Whether the other server takes this one's changes as they come."""
        return self.acknowledgments.in_step

    @property
    def has_all(self) -> bool:
        """See Partner: while the other server follows, it is followed too."""
        return self.in_step

    def me(self, to: Self | None = None) -> Self:
        """Who speaks, for hellos; `to` is who called, as far as it said so."""
        held = self.pinned.now.delegation
        return Self(
            uuid=self.ctx.identity.uuid,
            key=self.ctx.identity.key.public.x,
            role=self.role,
            version=__version__,
            protocol=rules.PROTOCOL if to is None else rules.spoken(to.protocol) or rules.PROTOCOL,
            status=self.ctx.running.status,
            promoted=to is not None and to.key == self.pinned.now.replaced,
            start=self.start,
            delegation=held.certificates[1] if held is not None else "",
        )

    def state(self) -> ServerState:
        """Where this server stands; each is numbered, so that what it says and what it does are in one order."""
        store = self.ctx.store
        if self._bare:
            with store.reader() as db:
                self._family, self._bare = exchange.family(db), exchange.bare(db)
        with self.changing:
            self._word += 1
            word, status = self._word, self.ctx.running.status
        return ServerState(
            word=word,
            status=status,
            now=self.ctx.clock.now(),
            writes=self.ctx.identity.incarnation if self.settled else "",
            family=self._family,
            bare=self._bare,
            limit=self.limit,
            ahead=self.ahead,
            have=store.positions(),
        )

    def answer(self) -> ServerState:
        """The same as the answer to a request: what the other asked for before it heard this is not done any more."""
        with self.changing:
            state = self.state()
            self.told = state.word
        return state

    # hearing the other one

    def word(self, status: str) -> None:
        """An authentic word of the other server came in, with what it is doing."""
        self.peer.serves = status == SERVING
        self.peer.word = self.peer.alive = self.elapsed()

    def heard(self, state: ServerState) -> bool:
        """The other server said where it stands; whether this is its newest word. On two lines an older one may come
        later."""
        with self.changing:
            if rules.is_outdated(state.word, self.peer.newest):
                self.peer.word = self.peer.alive = self.elapsed()
                return False
            self.peer.met = True
            if self.peer.state is None or self.peer.state.have != state.have:
                self.peer.moved = self.elapsed()
            self.peer.state = state
            self.peer.newest = state.word
            self.peer.serves = state.status == SERVING
            if self.peer.serves:
                self.peer.serving = state.word
            self.peer.word = self.peer.alive = self.elapsed()
        self.peer.clock_offset = state.now - self.ctx.clock.now()
        self.ahead = self.ahead if self.clock_gap else 0
        clock = self.ctx.clock
        if clock.state.pending is not None and abs(self.peer.clock_offset) < rules.CLOCK_SLACK_SECONDS:
            clock.accept()
            with contextlib.suppress(CannotStore):  # nobody was told so; the next look at the clock keeps it
                self.ctx.store.keep_clock(lambda: clock.kept)
        with self.changing:
            if rules.gives_way(self.role, self.ctx.running.status, state.status):
                self.give_way("both served")
        return True

    @property
    def clock_gap(self) -> int:
        """By how many seconds the other clock is ahead of this one (behind: below 0), 0 where that is not worth a
        word."""
        gap = self.peer.clock_offset
        return gap if self.peer.met and abs(gap) > rules.CLOCK_GAP_SECONDS else 0

    def fault(self, code: str, detail: str) -> PeerError:
        """Remember a fault of the pair, to be shown until it is mended; returned to be raised."""
        if self.peer.faults.get(code) != detail:
            log.error("%s: %s", code, detail)
        self.peer.faults[code] = detail
        if code in SHARED_FAULTS:
            self.acknowledgments.fall_out()
        return PeerError(code, detail)

    def mend(self, *codes: str) -> None:
        for code in codes:
            self.peer.faults.pop(code, None)

    @property
    def stopped(self) -> bool:
        """Whether the pair waits for an administrator."""
        return self.pinned.now.retired or any(code in self.peer.faults for code in SHARED_FAULTS)

    # writing this server's own feed

    def settle(self) -> None:
        """Go on with this server's feed, or begin a new one where the other server knows, or may know, more of it than
        this database does: a copy from before may have been put back. Nothing is written before."""
        with self.changing:
            if self.settled:
                return
            if self.peer.state is None or any(self._is_beyond(position) for position in self.peer.state.have):
                identity.renew_incarnation(self.ctx.store.path.parent)
                self.ctx.running.identity = identity.load(self.ctx.store.path.parent)
            begin_feed(self.ctx)
            self.settled = True
        self.ctx.write_kept_events()

    def _is_beyond(self, position: Position) -> bool:
        """Whether the other server has of this server's feed what this database has not."""
        me, store = self.ctx.identity, self.ctx.store
        uuid, incarnation, serial, digest = position
        if (uuid, incarnation) != (me.uuid, me.incarnation):
            return False
        if serial > store.serial:
            return True
        with store.reader() as db:
            here = feed.hash_at(db, store.origin, serial)
        return here is not None and here != digest

    def note_merged(self) -> None:
        """Everything that the other server took while this one served has come in."""
        changes, self.merged_changes = self.merged_changes, 0
        if changes:
            self.note("pair-merged", {"changes": changes})

    def note(self, name: str, detail: dict[str, Any]) -> None:
        """For the audit log, by the server that serves."""
        if self.ctx.running.status == SERVING:
            self.ctx.note_event(name, detail)

    def begin_epoch(self, tx: Transaction, reason: str, *, promoted: bool = False) -> None:
        """This server serves from here on, with all that it has now."""
        number = pair.highest_epoch(tx.epochs) + 1
        key = self.ctx.identity.key.public.x
        tx.emit(
            records.EpochChange(number, promoted or self.role == MAIN, reason, key, pair.knowledge(tx)),
            self.ctx.clock.now(),
        )

    # who serves

    def serve(self, reason: str, word: int = 0) -> None:
        """Begin to serve clients: a new epoch, written down before the first answer. `word` numbers what the other one
        said that lets this server begin; it must be newer than what this one asked of it."""
        with self.changing:
            if self.peer.is_copied or not self._may_begin(word):
                return
            self.settle()
            self.ctx.store.write(lambda tx: self.begin_epoch(tx, reason))
            if self.hand_over.over:
                self.hand_over.back_at = self.elapsed()
            self._begin(reason)

    def resume(self, word: int = 0) -> None:
        """Go on serving: the other server did not begin to."""
        with self.changing:
            if self._may_begin(word):
                self._begin("the other server does not")

    def _may_begin(self, word: int) -> bool:
        """Whether this server may serve from now on, by that word of the other one (0 = by none)."""
        held = self.pinned.now.retired or self.hand_over.leaving or (word and word == self.hand_over.pending)
        return self.ctx.running.status != SERVING and not held

    def _begin(self, reason: str) -> None:
        self.hand_over.over, self.hand_over.pending = False, 0
        self.ctx.running.status = SERVING
        self.peer.moved = self.elapsed()
        log.warning("serving clients from now on: %s", reason)

    def served_last(self) -> bool:
        """Whether the newest epoch is this server's own."""
        epochs, origin = self.ctx.store.epochs, self.ctx.store.origin
        return origin in epochs and epochs[origin].number > pair.highest_epoch(epochs, beside=origin)

    def give_way(self, why: str) -> None:
        """Stop serving; what was taken before is stored when this returns."""
        with self.changing:
            if self.ctx.running.status != SERVING:
                return
            self.hold_back(why)
            self.ctx.store.wait_until_stored()

    def hold_back(self, why: str) -> None:
        """Stop serving, in memory alone: what is under way may still be stored, and is answered by 100."""
        self.ctx.running.status = REFUSING if self.role == STANDBY else STARTING
        log.warning("no longer serving clients: %s", why)

    def retire(self) -> PeerError:
        """The other server was promoted: this one serves no more. The fault is returned, to be raised."""
        with self.changing:
            if self.ctx.running.status == SERVING:
                self.hold_back("the other server was promoted")  # first what no full disk can keep from happening
            self.pinned.change(retired=True)
        return self.fault("peer-promoted", RETIRED)

    def beat(self) -> None:
        """Look around, about twice a second: was this process stopped for a while, is the other one gone?"""
        now = self.elapsed()
        stood_still, self._beat_at = now - self._beat_at > self._stall_limit(), now
        if stood_still:
            self.peer.followed = self.peer.word = self.peer.alive = now
            self.give_way("this process stood still; the other server may have taken over")
        if self.acknowledgments.look():
            log.warning("the other server follows no longer")
        if self.acknowledgments.in_step:
            self.peer.moved = now
        if self.alone:
            self.serve("start")
        else:
            self._look_for_the_other(now)
        standin.look(self.ctx)

    def _look_for_the_other(self, now: float) -> None:
        peer = self.peer
        if self.lost != (now - peer.word >= self.limit):
            self.lost = not self.lost
            self.note("pair-lost" if self.lost else "pair-found", {"url": self.url})
        if self.ctx.store.writer.faulty:
            peer.followed = now  # it could not have served alone; once it can, the other one may be there again
        with self.changing:
            place = Place(
                self.role,
                self.ctx.running.status,
                self.pinned.now.joined,
                self.stopped,
                peer.serves,
                now - peer.followed,
                now - peer.word,
                now - peer.alive,
            )
            reason = rules.serve_alone(place, self.limit)
            if reason is not None:
                self.serve(reason)

    # what clients are told

    def _stall_limit(self) -> float:
        other = self.peer.state.limit if self.peer.state is not None else self.limit
        return rules.stall_limit(min(self.limit, other))

    def check(self) -> None:
        """Whether clients may be answered this very moment. Raises Refusal 100."""
        if self.ctx.running.status != SERVING or self.elapsed() - self._beat_at > self._stall_limit():
            raise Refusal(RefusalCode.NOT_SERVING, NOT_NOW, retry_after=1)

    def confirm(self, serial: int) -> str:
        """`both` once the other server has this server's changes up to `serial`, else `local`. Raises Refusal 100
        when this server may no longer answer; what was stored is kept, and sending it again counts nothing twice."""
        both = self.acknowledgments.wait(serial)
        self.check()
        return "both" if both else "local"

    def learn_keys(self) -> None:
        """Leases of every server that ever served in this pair are believed."""
        with self.ctx.store.reader() as db:
            keys = set(pair.server_keys(db))
        if self.pinned.now.key is not None:
            keys.add(self.pinned.now.key)
        self.ctx.leases.believe(PublicKey.from_x(key) for key in keys)

    # what others ask of it

    def endpoint(self) -> AnswerPeer:
        """See Partner."""
        return PeerEndpoint(self).answer

    def work(self) -> NodeWork:
        """See Partner."""
        return NodeWork(self)

    def describe(self) -> dict[str, Any]:
        """See Partner."""
        return pairstatus.describe(self)

    def notices(self) -> list[Notice]:
        """See Partner."""
        return pairstatus.notices(self)

    def gauges(self) -> dict[str, tuple[str, Callable[[], float]]]:
        """See Partner."""
        words = "1 while the other server takes this one's changes as they come"
        return {"lts_pair_in_step": (words, lambda: int(self.in_step))}

    # what administrators decide

    def check_paired(self) -> None:
        """See Partner: it is paired."""

    def approve(self, given: str) -> None:
        """Pin the key that was found in place of the known one; `given` is its fingerprint. Raises AdminError."""
        with self.changing:
            self.pinned.change(key=meeting.offered_as(self, given), uuid=None, offered=None)
            self.mend("peer-key-changed", "peer-new-standby")
        self.learn_keys()

    def promote(self) -> None:
        """Make this standby the main for good. Raises AdminError, CannotStore, OSError; it is the standby then as
        before."""
        with self.changing:
            if self.role == MAIN:
                raise AdminError("is-main", "This server is the main already.")
            if not self.pinned.now.joined:
                words = "This standby never had everything of the main; it cannot take its place."
                raise AdminError("not-joined", words)
            self.pinned.keep()  # before the feed says that it is the main, which the other one copies
            self.settle()
            self.ctx.store.write(lambda tx: self.begin_epoch(tx, "promoted", promoted=True))
            meeting.replace_main(self.pinned, self.url)  # what cannot be taken back is the last that may fail
            now = self.elapsed()
            self.peer = Peer(now, now, now)
            self.acknowledgments.fall_out()
            if self.ctx.running.status != SERVING:
                self._begin("promoted")
        standin.stands_alone(self.ctx)
