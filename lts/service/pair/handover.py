"""The main lets the standby serve (docs/design/pair.md, Handing over): when it is stopped properly, and when it
can store nothing. The steps and what each lost message leads to are numbered there.
"""

from __future__ import annotations

import logging
import time

from lts.errors import CannotStore, PeerError
from lts.rules import pair as rules
from lts.rules.pair import MAIN, SERVING
from lts.service.pair import peermessages
from lts.service.pair.parts import Parts
from lts.service.pair.peerclient import PeerClient, Send
from lts.service.pair.peermessages import ServerState, StateAnswer, TakeOver, has_all
from lts.service.pair.starts import IS_A_COPY, TWO_STARTS

log = logging.getLogger("lts.pair")
ASK_SECONDS = 1.0
"""How long the standby may take for the hello, and for the answer."""
ASK_AGAIN_SECONDS = 5.0
"""Pause between two tries of a main that can store nothing."""
SPOKE_SINCE = "peer-spoke-since"
REFUSED = (SPOKE_SINCE, "peer-no-hand-over", "peer-path", "peer-stopped", TWO_STARTS, IS_A_COPY)
"""Codes of a standby that did not begin to serve and will not because of this request."""
NO_LICENSE = "peer-no-license"
NO_LICENSE_WORDS = (
    "No license is bound to this server, so it would authorize nobody. The other server keeps serving in the place of"
    " the previous main until that one's delegation ends. Make the other one the main (lts promote over there), send"
    " the vendor its activation request, and set this one up as its standby, with an empty data folder."
)
TRIES, TRY_SECONDS = 4, 0.05
"""A standby that sent a status meanwhile is asked again, now that its status is known."""


class HandOver:
    """A second connection to the standby, apart from the one that follows; `look` and `probe` each have a thread
    (lts.service.pair.work), `leave` is called with a stop. It needs all parts: it stops serving, asks, and takes back
    what the answer does not take."""

    def __init__(self, parts: Parts, send: Send) -> None:
        self._parts = parts
        self._line = PeerClient(send, parts.ctx.identity.key, parts.membership.me, parts.meeting.believe)
        self._asked_at: float | None = None

    def leave(self) -> bool:
        """The server is being stopped: ask the standby to serve; returns whether it does. A standby that already
        serves, or is not in step, is not asked."""
        parts = self._parts
        if parts.membership.role != MAIN:
            return False
        with parts.hand_over.moving:
            parts.hand_over.leave()
            serves = parts.peer.serves and not parts.ctx.running.serves
            if serves or not parts.acknowledgments.in_step or not parts.peer.last_answer:
                return False
            try:
                parts.leadership.give_way("it is being stopped")
            except CannotStore:
                log.warning("what was under way cannot be stored")
            return parts.acknowledgments.wait(parts.ctx.store.serial) and self._ask(rules.HAND_OVER)

    def probe(self) -> None:
        """While storing fails, or failed before: try to store, to notice when it works again."""
        if self._parts.membership.role == MAIN and (self._parts.disk.troubled or self._parts.hand_over.over):
            try:
                self._parts.ctx.store.try_storing()
            except CannotStore:
                return

    def look(self) -> None:
        """A main that could store nothing for `takeOverAfterSeconds`, or failed to at its start, or would authorize
        nobody, asks the standby to serve."""
        parts, now = self._parts, self._parts.elapsed()
        troubled_for = parts.disk.look(now)
        if parts.membership.role != MAIN or parts.hand_over.leaving or parts.pinned.now.retired:
            return
        stands_by = not parts.ctx.running.serves
        is_left = NO_LICENSE in parts.peer.faults if stands_by else parts.delegating.stands_in_alone()
        if troubled_for is None and not is_left:
            return
        patience = 0.0 if is_left or (stands_by and parts.ctx.store.writer.faulty) else parts.limit
        asked_lately = self._asked_at is not None and now - self._asked_at < ASK_AGAIN_SECONDS
        if (troubled_for or 0.0) < patience or asked_lately:
            return
        with parts.hand_over.moving:
            if parts.peer.serves or not self._is_covered():
                return
            self._asked_at = now
            served = parts.ctx.running.serves
            reason = rules.HAND_OVER if troubled_for is None else rules.CANNOT_STORE
            if not self._ask(reason) and served and not parts.hand_over.pending:
                parts.leadership.resume()

    def _is_covered(self) -> bool:
        """Whether the standby has said that it has all that is stored here, and knows what it is to be asked."""
        parts = self._parts
        acknowledgments = parts.acknowledgments
        return (
            bool(parts.peer.last_answer)
            and acknowledgments.in_step
            and acknowledgments.serial >= parts.ctx.store.serial
        )

    def _ask(self, reason: str) -> bool:
        """Whether the standby said yes. A no leaves nothing behind; without an answer it may serve or not, and
        `parts.hand_over.pending` says so until its next status."""
        for again in range(TRIES):
            if again:
                time.sleep(TRY_SECONDS)
            try:
                answer = self._line.call(peermessages.TAKE_OVER, self._request(reason), StateAnswer, ASK_SECONDS)
            except PeerError as error:
                log.warning("the other server was asked to serve: %s", error.detail)
                if error.code not in REFUSED:
                    return False
                self._parts.hand_over.end()
                if error.code != SPOKE_SINCE:
                    return False
                continue
            self._parts.hand_over.answered()
            self._parts.leadership.heard(answer.state)
            log.warning("the other server serves clients from now on")
            return True
        return False

    def _request(self, reason: str) -> TakeOver:
        """The request. From here on this server does not serve, unless a newer status of the other one allows it."""
        parts = self._parts
        with parts.shared.changing:
            if parts.ctx.running.serves:
                parts.leadership.hold_back(f"the other server should: {reason}")
            parts.hand_over.asked(parts.peer.last_answer, over=reason == rules.CANNOT_STORE)
            parts.peer.was_followed()  # it may have followed nothing while its disk hung
            return TakeOver(parts.statuses.state(), parts.peer.last_answer, reason)


def may_take_back(parts: Parts) -> bool:
    """Whether this server, which let the other one serve since nothing could be stored, may serve again."""
    now, well, back = parts.elapsed(), parts.disk.well_at, parts.hand_over.back_at
    return rules.may_take_back(None if well is None else now - well, None if back is None else now - back)


def take_over(parts: Parts, asked: TakeOver) -> ServerState:
    """The main has stopped serving and asks this standby to. Raises PeerError, with a code of REFUSED, if this one does
    not begin to and never will because of this request."""
    with parts.shared.changing:
        if parts.ctx.running.serves:
            return parts.statuses.answer()
        number, peer = asked.state.number, parts.peer
        newest_start = rules.is_same_start(number, peer.newest) and not rules.is_outdated(number, peer.newest_serving)
        if asked.after != parts.statuses.last_answer or not newest_start:
            raise PeerError(SPOKE_SINCE, "The two servers have been in contact since.", status=409)
        parts.leadership.heard(asked.state)
        complete = has_all(parts.ctx.store.positions(), asked.state.have)
        if not complete or not parts.pinned.now.joined or asked.state.family != parts.statuses.state().family:
            raise PeerError("peer-no-hand-over", "It does not have everything that the main has.", status=409)
        if parts.membership.role != MAIN and asked.state.status != SERVING:
            try:
                parts.acknowledgments.fall_out()  # the main takes nothing for now: no answer should wait for it
                parts.leadership.serve(asked.reason)
            except CannotStore as error:
                raise PeerError("peer-no-hand-over", f"It cannot store: {error.detail}", status=503) from error
        if not parts.ctx.running.serves:
            raise PeerError("peer-no-hand-over", "It takes nothing over from this server.", status=409)
        return parts.statuses.answer()
