"""Taking the other server's changes, and with them its place in the pair: one poll after another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lts.errors import CannotStore, DatabaseDamaged, PeerError, TokenError
from lts.rules import pair as rules
from lts.rules.pair import MAIN, SERVING, STANDBY
from lts.rules.values.text import one_line
from lts.service.pair import copytaker, delegating, handover, meeting, peermessages, promotion
from lts.service.pair.gathering import Gathering
from lts.service.pair.parted import PARTED
from lts.service.pair.peerclient import PeerClient, Send
from lts.service.pair.peermessages import News, Poll, Self, ServerState, StateAnswer
from lts.service.pair.starts import COPIED, TWO_STARTS
from lts.store.changes import records
from lts.store.changes.records import ChangeKind
from lts.store.tables import pair
from lts.store.writing.openfeed import Position
from lts.store.writing.transaction import Transaction

if TYPE_CHECKING:
    from lts.service.pair.node import Node

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
    many seconds the other one may delay its answer until there are changes."""

    def __init__(self, node: Node, send: Send, wait: float = WAIT_SECONDS) -> None:
        self._node = node
        self._wait = wait
        self._line = PeerClient(send, node.ctx.identity.key, node.membership.me, self._believe)
        self._gathering = Gathering(node, send, self._store)
        self._met = node.pinned.now.key
        self._refusals = 0
        self._left_since: float | None = None

    def step(self) -> bool:
        """Never raises what the other server or the network can cause; it becomes a fault of the pair."""
        node = self._node
        if node.pinned.now.retired or node.hand_over.leaving:
            return False
        if node.pinned.now.key != self._met:  # another server is the other one from now on
            self._met = node.pinned.now.key
            self._line.begin_anew()
        try:
            asked = node.elapsed()
            news = self._ask()
            node.starts.answered(news.state.word, asked)
            again = self._take(news, asked)
            node.peer.was_followed()
            node.peer.mend(
                "peer-unreachable", "peer-signature", *_REFUSED_BY_PEER, "peer-message", "peer-feed", "peer-family"
            )
            node.peer.mend(NOT_STORED)
        except PeerError as error:
            node.peer.mend(NOT_STORED)
            self._failed(error)
            return error.code == "peer-replaced" and self._gathering.step()
        except (CannotStore, OSError) as error:
            self._not_stored(error)
            return False
        finally:
            node.starts.called()
        return again

    def _not_stored(self, error: CannotStore | OSError) -> None:
        """The other server answered, and what follows from it is to be stored: changes, or who is the main."""
        node, reason = self._node, one_line(str(error.__cause__ or error))
        node.peer.mend("peer-unreachable")
        node.contact.fault(
            NOT_STORED,
            f"What the other server answers cannot be stored on this server's disk ({reason}); make room on it. It is"
            " tried again all the time.",
        )

    def _believe(self, who: Self) -> None:
        """Raises PeerError, as meeting.believe. A standby of whose promotion its main knows, and which was put back to
        before, is the main again; where it cannot store that, it tries with the next hello."""
        node = self._node
        meeting.believe(node, who)
        if who.yields and node.role == STANDBY and node.pinned.now.joined:
            promotion.promote(node)
            node.ctx.note_event("pair-promoted", {})
            meeting.believe(node, who)

    def _failed(self, error: PeerError) -> None:
        node, code = self._node, str(error.code)
        if node.pinned.now.retired:
            return  # it follows nobody any more, so nothing would end that fault
        if code == "peer-unreachable":
            if not node.alone:
                node.peer.fail(code, error.detail)
            return
        node.peer.showed_life()
        if code in ("peer-not-met", handover.SPOKE_SINCE):
            return  # it calls in turn within a second, and is asked again when its status is known
        if code == TWO_STARTS:
            node.peer.was_followed()  # it says more within seconds
            return
        node.peer.mend("peer-unreachable")
        if code == PARTED and node.role == STANDBY and node.peer.serves:
            node.leadership.give_way("the main is back, and runs alone")
        if code == COPIED:
            meeting.refused_as_copy(node, error.detail)
        elif code == "peer-not-pinned":
            node.contact.fault(
                code,
                "The other server has pinned another key than this server's. Compare the fingerprints and approve this"
                " one over there: lts pair --approve FINGERPRINT.",
            )
        else:
            node.contact.fault(code, error.detail)

    def _ask(self) -> News:
        """A poll. A main that is about to serve does not wait for changes."""
        node = self._node
        held = node.pinned.now.delegation
        serving = node.ctx.running.serves
        poll = Poll(
            state=node.statements.state(),
            wait=self._wait if node.peer.met and (serving or node.role == STANDBY) else 0.0,
            limit=LIMIT_SERVING if serving else LIMIT_REFUSING,
            refusals=self._refusals,
            certified_until=held.until if held is not None and node.role == STANDBY else 0,
        )
        news = self._line.call(peermessages.CHANGES, poll, News, WAIT_SECONDS + TIMEOUT_SECONDS)
        node.peer.answered(news.state.word)
        return news

    def _take(self, news: News, asked: float) -> bool:
        node = self._node
        node.contact.heard(news.state)
        self._refusals = news.refusals
        if news.refused:
            node.ctx.refusals.take(news.refused)
        mine = node.statements.state()
        if mine.family != news.state.family and not self._join(mine, news.state):
            return False
        if mine.family or node.role == MAIN:
            node.feed.settle()
        meeting.forget_twin(node)
        who = node.peer.who  # a promotion may come meanwhile, and forgets it
        if news.certificates and node.role == STANDBY and who is not None:
            delegating.take(node, who.uuid, news.certificates)
        if news.changes:
            self._store(news)
        if not news.complete:
            return bool(news.changes)
        node.peer.came_into_step()
        node.feed.note_merged()
        if node.role == STANDBY and news.state.family and news.state.family == node.statements.state().family:
            node.pinned.change(joined=True)
        if node.role == MAIN and not node.ctx.running.serves and not node.hand_over.leaving:
            with node.hand_over.moving:  # which may take a while, in which the other one sent something new
                if not rules.is_outdated(news.state.word, node.peer.newest) and not node.hand_over.leaving:
                    self._begin_to_serve(news.state, asked)
        return True

    def _join(self, mine: ServerState, theirs: ServerState) -> bool:
        """Two feeds that did not begin as one. Whether to continue (the other one will take a copy of this one's)."""
        node = self._node
        if theirs.family and mine.bare and (node.role == STANDBY or not theirs.bare):
            copytaker.copy(node, self._line)
            return False
        if mine.family and not theirs.bare and not mine.bare:
            raise node.contact.fault(
                "peer-family",
                "Both servers hold licenses or devices, and they never belonged together. The standby must begin"
                " empty: stop it, move its data folder away, start it again; what it held is imported at the main.",
            )
        node.peer.mend("peer-family")
        if node.role == MAIN and theirs.bare:
            node.leadership.serve("start")
        node.peer.was_followed()
        return False

    def _store(self, news: News) -> None:
        node = self._node
        serving = node.ctx.running.serves
        try:
            with node.ctx.trust.once_stored(_vendor_keys(news)) as keys:
                taken = node.ctx.store.write(lambda tx: self._apply(tx, news, serving))
        except (ValueError, KeyError, IndexError, DatabaseDamaged, TokenError) as error:
            raise node.contact.fault(
                "peer-feed", f"The other server's changes cannot be applied: {error}. Run lts verify on both servers."
            ) from error
        if serving:
            node.feed.merged(taken)
        kinds = {change[3] for change in news.changes}
        if keys:
            node.ctx.store.refresh_catalog()
        if ChangeKind.EPOCH in kinds or ChangeKind.ORIGIN in kinds:
            node.membership.learn_keys()

    def _apply(self, tx: Transaction, news: News, serving: bool) -> int:
        """Returns how many of the changes were made by clients or administrators."""
        node = self._node
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
        if serving and node.role == MAIN and _overtaken(tx):
            node.feed.begin_epoch(tx, "merge")
        return taken

    def _begin_to_serve(self, theirs: ServerState, asked: float) -> None:
        """The main has everything: make the other one stop if it serves, take the rest, and serve."""
        node = self._node
        limit = min(node.limit, theirs.limit)
        if self._leaves_to(theirs):
            return
        if theirs.status != SERVING:
            if not rules.fresh_word(node.elapsed() - asked, limit):
                return
            if node.hand_over.pending and node.leadership.served_last():
                node.leadership.resume(theirs.word)
            else:
                node.leadership.serve("start", theirs.word)
            return
        node.hand_over.answered()
        if node.hand_over.over and not node.hand_over.may_take_back():
            return
        node.ctx.store.try_storing()  # a server that cannot serve must not make the other stop
        asked = node.elapsed()
        answer = self._line.call(
            peermessages.GIVE_WAY, StateAnswer(node.statements.state()), StateAnswer, TIMEOUT_SECONDS
        )
        node.contact.heard(answer.state)
        node.peer.answered(answer.state.word)
        while not self._has(answer.state.have):
            news = self._ask()
            self._store(news)
            if not news.changes and not self._has(answer.state.have):
                raise PeerError("peer-feed", "The other server did not give all that it had.")
        if rules.fresh_word(node.elapsed() - asked, limit):
            node.leadership.serve("hand-back", answer.state.word)

    def _leaves_to(self, theirs: ServerState) -> bool:
        """Whether the other server is to serve, since this main would authorize nobody; for so long as it may take to
        ask it (lts.service.pair.handover)."""
        node, now = self._node, self._node.elapsed()
        if not delegating.stands_in_alone(node):
            node.peer.mend(handover.NO_LICENSE)
            return False
        node.contact.fault(handover.NO_LICENSE, handover.NO_LICENSE_WORDS)
        if theirs.status == SERVING or self._left_since is None:
            self._left_since = now
        return now - self._left_since < node.limit

    def _has(self, have: list[Position]) -> bool:
        mine = peermessages.serials(self._node.ctx.store.positions())
        return all(mine.get(name, 0) >= serial for name, serial in peermessages.serials(have).items())
