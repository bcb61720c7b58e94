"""Answers to the other server's requests (docs/design/pair.md, Following)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from lts import __version__
from lts.crypto import PublicKey
from lts.errors import LtsError, PeerError
from lts.rules import pair as rules
from lts.rules.licensing.vendorkey import fingerprint
from lts.service.core.refusals import RefusedRequest
from lts.service.pair import delegating, handover, peermessages
from lts.service.pair.copygiver import CopyGiver
from lts.service.pair.parts import Parts
from lts.service.pair.peermessages import Introduction, News, PeerProblem, Poll, StateAnswer, TakeOver
from lts.service.pair.peersessions import COUNTER, SESSION, SIGNATURE, number_in
from lts.store.changes import feed
from lts.store.history import dialect, exchange

log = logging.getLogger("lts.pair")
MAX_WAIT_SECONDS = 5.0
MAX_CHANGES = 5000
_ALL = 1 << 62
WAITS = (
    "The other server was promoted, and waits for an approval: compare the fingerprints and approve this one over"
    " there: lts pair --approve FINGERPRINT."
)
PeerAnswer = tuple[int, dict[str, str], bytes]


class _Batch(NamedTuple):
    """Changes read for the other server; `own_serial` is how far it has this server's feed once it took them."""

    have: feed.Vector
    given: Sequence[exchange.OriginEntry]
    origins: list[tuple[str, str]]
    changes: list[peermessages.SentChange]
    heads: list[peermessages.HeadAt]
    complete: bool
    own_serial: int


class PeerEndpoint:
    """`answer` takes a request to a path under `api/v1/peer/`, and returns (status, headers, body). It needs
    all parts: the other server may ask for anything."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._sessions = parts.sessions
        self._copy_giver = CopyGiver(parts.ctx, parts.archives)
        self._strangers: set[str] = set()
        self._calls: dict[str, Callable[[str, bytes], bytes]] = {
            peermessages.CHANGES: self._changes,
            peermessages.GIVE_WAY: self._give_way,
            peermessages.TAKE_OVER: self._take_over,
            peermessages.COPY: self._copy,
            peermessages.PART: lambda session, body: self._copy_giver.part(body),
            peermessages.COPY_DONE: lambda session, body: self._copy_giver.done(body),
        }

    def answer(self, path: str, headers: Mapping[str, str], body: bytes) -> PeerAnswer:
        """Never raises what the caller can cause."""
        if path == peermessages.HELLO:
            return self._hello(headers, body)
        session, counter = headers.get(SESSION, ""), number_in(headers.get(COUNTER, ""))
        try:
            if self._parts.membership.alone and self._parts.pinned.now.offered is not None:
                raise PeerError("peer-not-approved", WAITS, status=403)
            spoken = self._sessions.admit(path, headers, body)
            if spoken is not None:
                self._parts.peer.speaks(spoken)
            call = self._calls.get(path)
            if call is None:  # only the other server learns this: to it, what it asked for is over
                raise PeerError("peer-path", "There is no such call between servers.", status=404)
            if path == peermessages.CHANGES and self._parts.pinned.now.retired:
                call = self._leave
            else:
                self._refuse_when_parted()
            status, answer = 200, call(session, body)
        except LtsError as error:
            status = error.status
            answer = peermessages.encode(PeerProblem(str(error.code), error.detail))
        signature = self._sessions.sign(session, counter, status, answer)
        return status, {SIGNATURE: signature}, answer

    def _hello(self, headers: Mapping[str, str], body: bytes) -> PeerAnswer:
        try:
            answer, signature, who = self._sessions.welcome(body, headers.get(SIGNATURE, ""), self._me)
        except PeerError as error:
            return error.status, {}, peermessages.encode(PeerProblem(str(error.code), error.detail))
        pinned = self._parts.pinned.now.key
        if pinned is not None and who.key not in (pinned, *self._strangers) and len(self._strangers) < 100:
            self._strangers.add(who.key)
            kid = PublicKey.from_x(who.key).kid
            log.warning("a server with the key %s called; it is not the one pinned and gets nothing", fingerprint(kid))
        return 200, {SIGNATURE: signature}, answer

    def _me(self, to: Introduction) -> Introduction:
        """For the answer to a hello; before, this server retires if the caller was promoted in its place, or later."""
        parts = self._parts
        if delegating.is_replaced_by(parts.ctx.identity, parts.pinned.now, to):
            parts.leadership.retire(to)
        return parts.membership.me(to)

    def _refuse_when_parted(self) -> None:
        parts = self._parts
        if parts.contact.stopped:
            raise PeerError("peer-stopped", "; ".join(parts.peer.faults.values()), status=409)

    def _hear(self, session: str, number: int) -> None:
        """Raises PeerError if that status is out of date."""
        self._parts.starts.admit(number)
        self._sessions.hear(session, number)

    def _changes(self, session: str, body: bytes) -> bytes:
        parts, poll = self._parts, peermessages.decode(body, Poll)
        self._hear(session, poll.state.number)
        parts.leadership.heard(poll.state)
        me = parts.ctx.identity
        known = peermessages.serials(poll.state.have)
        parts.acknowledgments.asked(known.get((me.uuid, me.incarnation), 0))
        if poll.state.writes and parts.pinned.now.uuid is not None:
            known[parts.pinned.now.uuid, poll.state.writes] = _ALL  # it has its own, however much it writes meanwhile
        given: int | None = None
        try:
            news, given = self._news(poll, known)
            return peermessages.encode(news)
        finally:
            parts.acknowledgments.answered(given)

    def _leave(self, session: str, body: bytes) -> bytes:
        """This server was replaced: the promoted one takes the changes it lacks, and says how far it is."""
        poll = peermessages.decode(body, Poll)
        self._parts.peer.took_leave(poll.state)
        return peermessages.encode(self._news(poll, peermessages.serials(poll.state.have))[0])

    def _news(self, poll: Poll, known: dict[tuple[str, str], int]) -> tuple[News, int | None]:
        parts, store = self._parts, self._parts.ctx.store
        state = parts.statuses.state()
        if poll.state.family != state.family:
            return News(state=parts.statuses.answer(), origins=[], changes=[], heads=[], complete=False), None
        limit = min(max(poll.limit, 1), MAX_CHANGES)
        batch = self._read(known, limit)
        if not batch.given and poll.wait > 0:
            store.recent.wait(batch.have, min(poll.wait, MAX_WAIT_SECONDS))
            batch = self._read(known, limit)
        certificates, until = parts.delegating.certify(poll.certified_until)
        refusals, refused = _refusals_since(parts, poll.refusals)
        news = News(
            state=parts.statuses.answer(),
            origins=batch.origins,
            changes=batch.changes,
            heads=batch.heads,
            complete=batch.complete,
            certificates=certificates,
            until=until,
            refusals=refusals,
            refused=refused,
        )
        return news, batch.own_serial if batch.complete else None

    def _read(self, known: dict[tuple[str, str], int], limit: int) -> _Batch:
        store = self._parts.ctx.store
        names = store.origin_names()
        have = {key: known[name] for key, name in names.items() if name in known}
        given: Sequence[exchange.OriginEntry] | None = store.recent.since(have, limit, exchange.MAX_BYTES)
        complete = given is not None
        if given is None:
            with store.reader() as db:
                given, complete = exchange.since(db, self._parts.archives, have, limit)
        known_to_it = dialect.readable(given, self._parts.peer.protocol)
        self._parts.contact.note_waiting(len(given) - len(known_to_it))
        given, complete = known_to_it, complete and not self._parts.contact.waiting
        place = {key: index for index, key in enumerate(names)}
        heads = {change[0]: (place[change[0]], change[1], change[5]) for change in given if change[5] is not None}
        return _Batch(
            have,
            given,
            list(names.values()),
            [(place[origin], serial, time, kind, payload) for origin, serial, time, kind, payload, _ in given],
            list(heads.values()),
            complete,
            max((change[1] for change in given if change[0] == store.origin), default=have.get(store.origin, 0)),
        )

    def _give_way(self, session: str, body: bytes) -> bytes:
        parts, number = self._parts, peermessages.decode(body, StateAnswer).state.number
        self._hear(session, number)
        with parts.shared.changing:
            if rules.is_outdated(number, parts.peer.newest):
                raise PeerError(handover.SPOKE_SINCE, "The main has been in contact since.", status=409)
            if parts.membership.role == rules.MAIN:
                raise PeerError("peer-roles", "This server is the main; it stops serving for nobody.", status=409)
            parts.leadership.give_way("the main is back")
            return peermessages.encode(StateAnswer(parts.statuses.answer()))

    def _copy(self, session: str, body: bytes) -> bytes:
        if self._parts.peer.protocol < rules.PROTOCOL:
            words = f"The main runs LTS {__version__}, whose data this version cannot read; upgrade this server."
            raise PeerError("peer-version", words, status=409)
        return self._copy_giver.offer(body)

    def _take_over(self, session: str, body: bytes) -> bytes:
        asked = peermessages.decode(body, TakeOver)
        self._hear(session, asked.state.number)
        return peermessages.encode(StateAnswer(handover.take_over(self._parts, asked)))


def _refusals_since(parts: Parts, number: int) -> tuple[int, list[RefusedRequest]]:
    """Refused requests for the other server, which has those up to `number`; of an earlier start it has none. What does
    not fit in one message follows in the next ones."""
    known = number - parts.shared.first_number if rules.is_same_start(number, parts.shared.first_number) else 0
    newest, refused = parts.ctx.refusals.since(known)
    return parts.shared.first_number + newest, refused
