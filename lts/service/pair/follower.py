"""Taking the other server's changes, and with them its place in the pair: one poll after another."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from lts.errors import CannotStore, DatabaseDamaged, PeerError, TokenError
from lts.rules import pair as rules
from lts.rules.pair import MAIN, SERVING, STANDBY
from lts.rules.values.text import one_line
from lts.service.pair import copytaker, handover, peermessages
from lts.service.pair.gathering import Gathering
from lts.service.pair.parted import PARTED
from lts.service.pair.parts import Parts
from lts.service.pair.peerclient import PeerClient, Send
from lts.service.pair.peermessages import Introduction, News, Poll, ServerState, StateAnswer
from lts.service.pair.starts import IS_A_COPY, TWO_STARTS
from lts.store.changes import records
from lts.store.changes.records import ChangeKind
from lts.store.tables import pair
from lts.store.writing.openfeed import Position
from lts.store.writing.transaction import Transaction

WAIT_SECONDS = 2.0
TIMEOUT_SECONDS = 4.0
"""How long an answer may take beyond the time for which it may be held back. Taking over does not wait for it: the
beats check the time meanwhile."""
LIMIT_REFUSING, LIMIT_SERVING = 5000, 200
"""Changes taken in one commit: many while nobody waits, few while clients do."""
_REFUSED_BY_PEER = (
    *("peer-stopped", "peer-not-pinned", "peer-not-approved", "peer-promoted"),
    *("peer-session", "peer-replayed", "peer-path", PARTED),
)

NOT_STORED = "peer-not-stored"
_OF_SERVERS = (ChangeKind.ORIGIN, ChangeKind.EPOCH, ChangeKind.EVENT)
"""Changes that servers make by themselves."""


def _vendor_keys(news: News) -> Iterator[bytes]:
    """Texts of the vendor keys that the other server newly trusts."""
    for _, _, _, kind, payload in news.changes:
        if kind == ChangeKind.TRUST:
            record = records.decode_payload(kind, payload)
            assert isinstance(record, records.TrustChange)
            yield record.pub.encode("utf-8")


def _overtaken(tx: Transaction) -> bool:
    """Whether another origin's epoch is not below this server's own: settings made here must take precedence again."""
    own = tx.epochs.get(tx.feed.origin)
    return own is not None and pair.highest_epoch(tx.epochs, beside=tx.feed.origin) >= own.number


class Follower:
    """`step` polls the other server once and takes its answer; returns whether to poll again at once. `wait` is for how
    many seconds the other one may delay its answer until there are changes; `reopen` has the data folder opened again
    with a first copy in it. It needs all parts: what the other server says may concern each of them."""

    def __init__(self, parts: Parts, send: Send, reopen: Callable[[], None], wait: float = WAIT_SECONDS) -> None:
        self._parts = parts
        self._reopen = reopen
        self._wait = wait
        self._line = PeerClient(send, parts.ctx.identity.key, parts.membership.me, self._believe)
        self._gathering = Gathering(
            parts.shared, parts.membership, parts.contact, parts.feed, parts.statuses, send, self._store
        )
        self._met = parts.pinned.now.key
        self._refusals = 0
        self._left_since: float | None = None

    def step(self) -> bool:
        """Never raises what the other server or the network can cause; it becomes a fault of the pair."""
        parts = self._parts
        if parts.pinned.now.retired or parts.hand_over.leaving:
            return False
        if parts.pinned.now.key != self._met:  # another server is the other one from now on
            self._met = parts.pinned.now.key
            self._line.forget_session()
        try:
            asked = parts.elapsed()
            news = self._ask()
            parts.starts.answered(news.state.number, asked)
            again = self._take(news, asked)
            parts.peer.was_followed()
            parts.peer.mend(
                "peer-unreachable", "peer-signature", *_REFUSED_BY_PEER, "peer-message", "peer-feed", "peer-family"
            )
            parts.peer.mend(NOT_STORED)
        except PeerError as error:
            parts.peer.mend(NOT_STORED)
            self._failed(error)
            return error.code == "peer-replaced" and self._gathering.step()
        except (CannotStore, OSError) as error:
            self._not_stored(error)
            return False
        finally:
            parts.starts.called()
        return again

    def _not_stored(self, error: CannotStore | OSError) -> None:
        """The other server answered, and what follows from it is to be stored: changes, or who is the main."""
        parts, reason = self._parts, one_line(str(error.__cause__ or error))
        parts.peer.mend("peer-unreachable")
        parts.contact.fault(
            NOT_STORED,
            f"What the other server answers cannot be stored on this server's disk ({reason}); make room on it. It is"
            " tried again all the time.",
        )

    def _believe(self, who: Introduction) -> None:
        """Raises PeerError, as meeting.believe. A standby of whose promotion its main knows, and which was put back to
        before, is the main again; where it cannot store that, it tries with the next hello."""
        parts = self._parts
        parts.meeting.believe(who)
        if who.yields and parts.membership.role == STANDBY and parts.pinned.now.joined:
            parts.promotion.promote()
            parts.ctx.note_event("pair-promoted", {})
            parts.meeting.believe(who)

    def _failed(self, error: PeerError) -> None:
        parts, code = self._parts, str(error.code)
        if parts.pinned.now.retired:
            return  # it follows nobody any more, so nothing would end that fault
        if code == "peer-unreachable":
            if not parts.membership.alone:
                parts.peer.fail(code, error.detail)
            return
        parts.peer.showed_life()
        if code in ("peer-not-met", handover.SPOKE_SINCE):
            return  # it calls in turn within a second, and is asked again when its status is known
        if code == TWO_STARTS:
            parts.peer.was_followed()  # it says more within seconds
            return
        parts.peer.mend("peer-unreachable")
        if code == PARTED and parts.membership.role == STANDBY and parts.peer.serves:
            parts.leadership.give_way("the main is back, and runs alone")
        if code == IS_A_COPY:
            parts.meeting.refused_as_copy(error.detail)
        elif code == "peer-not-pinned":
            parts.contact.fault(
                code,
                "The other server has pinned another key than this server's. Compare the fingerprints and approve this"
                " one over there: lts pair --approve FINGERPRINT.",
            )
        else:
            parts.contact.fault(code, error.detail)

    def _ask(self) -> News:
        """A poll. A main that is about to serve does not wait for changes."""
        parts = self._parts
        held = parts.pinned.now.delegation
        serving = parts.ctx.running.serves
        poll = Poll(
            state=parts.statuses.state(),
            wait=self._wait if parts.peer.met and (serving or parts.membership.role == STANDBY) else 0.0,
            limit=LIMIT_SERVING if serving else LIMIT_REFUSING,
            refusals=self._refusals,
            certified_until=held.until if held is not None and parts.membership.role == STANDBY else 0,
        )
        news = self._line.call(peermessages.CHANGES, poll, News, WAIT_SECONDS + TIMEOUT_SECONDS)
        parts.peer.answered(news.state.number)
        return news

    def _take(self, news: News, asked: float) -> bool:
        parts = self._parts
        parts.leadership.heard(news.state)
        self._refusals = news.refusals
        if news.refused:
            parts.ctx.refusals.take(news.refused)
        mine = parts.statuses.state()
        if mine.family != news.state.family and not self._join(mine, news.state):
            return False
        if mine.family or parts.membership.role == MAIN:
            parts.feed.settle()
        parts.meeting.forget_twin()
        who = parts.peer.who  # a promotion may come meanwhile, and forgets it
        if news.certificates and parts.membership.role == STANDBY and who is not None:
            parts.delegating.take(who.uuid, news.certificates)
        if news.changes:
            self._store(news)
        if not news.complete:
            return bool(news.changes)
        parts.peer.came_into_step()
        parts.feed.note_merged()
        role, family = parts.membership.role, news.state.family
        if role == STANDBY and family and family == parts.statuses.state().family:
            parts.pinned.change(joined=True)
        if role == MAIN and not parts.ctx.running.serves and not parts.hand_over.leaving:
            with parts.hand_over.moving:  # which may take a while, in which the other one sent something new
                if not rules.is_outdated(news.state.number, parts.peer.newest) and not parts.hand_over.leaving:
                    self._begin_to_serve(news.state, asked)
        return True

    def _join(self, mine: ServerState, theirs: ServerState) -> bool:
        """Two feeds that did not begin as one. Whether to continue (the other one will take a copy of this one's)."""
        parts = self._parts
        if theirs.family and mine.bare and (parts.membership.role == STANDBY or not theirs.bare):
            copytaker.copy(parts.shared, parts.contact, self._line)
            self._reopen()
            return False
        if mine.family and not theirs.bare and not mine.bare:
            raise parts.contact.fault(
                "peer-family",
                "Both servers hold licenses or devices, and they never belonged together. The standby must begin"
                " empty: stop it, move its data folder away, start it again; what it held is imported at the main.",
            )
        parts.peer.mend("peer-family")
        if parts.membership.role == MAIN and theirs.bare:
            parts.leadership.serve("start")
        parts.peer.was_followed()
        return False

    def _store(self, news: News) -> None:
        parts = self._parts
        serving = parts.ctx.running.serves
        try:
            with parts.ctx.trust.once_stored(_vendor_keys(news)) as keys:
                taken = parts.ctx.store.write(lambda tx: self._apply(tx, news, serving))
        except (ValueError, KeyError, IndexError, DatabaseDamaged, TokenError) as error:
            raise parts.contact.fault(
                "peer-feed", f"The other server's changes cannot be applied: {error}. Run lts verify on both servers."
            ) from error
        if serving:
            parts.feed.merged(taken)
        kinds = {change[3] for change in news.changes}
        if keys:
            parts.ctx.store.refresh_catalog()
        if ChangeKind.EPOCH in kinds or ChangeKind.ORIGIN in kinds:
            parts.membership.learn_keys()

    def _apply(self, tx: Transaction, news: News, serving: bool) -> int:
        """Returns how many of the changes were made by clients or administrators."""
        parts = self._parts
        origins = [tx.feed.origin_number(uuid, incarnation) for uuid, incarnation in news.origins]
        heads = {(place, serial): digest for place, serial, digest in news.heads}
        taken = 0
        for place, serial, time, kind, payload in news.changes:
            if serial <= tx.feed.head_of(origins[place])[0]:
                continue
            digest = tx.follow(origins[place], serial, time, kind, payload)
            if heads.get((place, serial), digest) != digest:
                raise ValueError(f"the feed of {news.origins[place][0]} differs from serial {serial} on")
            taken += kind not in _OF_SERVERS
        if serving and parts.membership.role == MAIN and _overtaken(tx):
            parts.feed.begin_epoch(tx, "merge")
        return taken

    def _begin_to_serve(self, theirs: ServerState, asked: float) -> None:
        """The main has everything: make the other one stop if it serves, take the rest, and serve."""
        parts = self._parts
        limit = min(parts.limit, theirs.limit)
        if self._leaves_to(theirs):
            return
        if theirs.status != SERVING:
            if not rules.is_recent(parts.elapsed() - asked, limit):
                return
            if parts.hand_over.pending and parts.leadership.served_last():
                parts.leadership.resume(theirs.number)
            else:
                parts.leadership.serve("start", theirs.number)
            return
        parts.hand_over.answered()
        if parts.hand_over.over and not handover.may_take_back(parts):
            return
        parts.ctx.store.try_storing()  # a server that cannot serve must not make the other stop
        asked = parts.elapsed()
        answer = self._line.call(
            peermessages.GIVE_WAY, StateAnswer(parts.statuses.state()), StateAnswer, TIMEOUT_SECONDS
        )
        parts.leadership.heard(answer.state)
        parts.peer.answered(answer.state.number)
        while not self._has(answer.state.have):
            news = self._ask()
            self._store(news)
            if not news.changes and not self._has(answer.state.have):
                raise PeerError("peer-feed", "The other server did not give all that it had.")
        if rules.is_recent(parts.elapsed() - asked, limit):
            parts.leadership.serve("hand-back", answer.state.number)

    def _leaves_to(self, theirs: ServerState) -> bool:
        """Whether the other server is to serve, since this main would authorize nobody; for so long as it may take to
        ask it (lts.service.pair.handover)."""
        parts, now = self._parts, self._parts.elapsed()
        if not parts.delegating.stands_in_alone():
            parts.peer.mend(handover.NO_LICENSE)
            return False
        parts.contact.fault(handover.NO_LICENSE, handover.NO_LICENSE_WORDS)
        if theirs.status == SERVING or self._left_since is None:
            self._left_since = now
        return now - self._left_since < parts.limit

    def _has(self, have: list[Position]) -> bool:
        return peermessages.has_all(self._parts.ctx.store.positions(), have)
