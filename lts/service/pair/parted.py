"""A server that was one of a pair and runs alone now (docs/design/pair.md, Run alone): it follows nobody, but informs
the other one, which may not know yet, who serves."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lts.errors import PeerError, Refusal, RefusalCode
from lts.rules import pair as rules
from lts.rules.alerting.notices import ERROR, Notice
from lts.rules.pair import MAIN, REFUSING, REPLACED, SERVING, STARTING, ServingStatus
from lts.service.core.context import Context
from lts.service.core.partner import AnswerPeer, Step
from lts.service.core.pinned import PinnedFile
from lts.service.core.running import not_serving
from lts.service.pair import delegating, peermessages
from lts.service.pair.alone import Alone, AloneWork
from lts.service.pair.membership import introduction
from lts.service.pair.peer import RETIRED
from lts.service.pair.peermessages import Introduction, PeerProblem
from lts.service.pair.peersessions import COUNTER, SESSION, SIGNATURE, PeerSessions, number_in
from lts.service.pair.starts import first_number

PARTED = "peer-parted"
"""Code to the other server, which still runs as one of the pair."""
REPORTED_SECONDS = 10.0
"""How long after its last call the other server is reported; it calls about every second."""
WAIT_SECONDS = 2.0
"""How long after its start this server waits for a call of the other one that does not serve."""
_WORDS = (
    "The other server runs alone: its servers in lts.json names itself only. Name this one there and start it again, or"
    ' write "servers": ["self"] here, or stop this one.'
)
LOOK_SECONDS = 0.5
_HELD_BACK = (
    "The main of this server serves clients, so this one refuses them (100), until it has not heard from it for"
    f" {rules.CONTACT_SECONDS:.0f} seconds. To have a pair again, name the main in servers of lts.json and start this"
    " one again; otherwise stop one of the two."
)
_LEFT = (
    "It serves nobody any more. Name the other server in its servers again, so that what it alone holds is taken; then"
    " set it up as the standby, with an empty data folder."
)


class Parted(Alone):
    """`answer` is for calls under `api/v1/peer/`, as that of peerendpoint.PeerEndpoint is on a server of a pair."""

    def __init__(self, ctx: Context, pinned: PinnedFile) -> None:
        super().__init__(ctx)
        self._pinned = pinned
        self._first_number = first_number()
        self._sessions = PeerSessions(ctx.identity.key, lambda: None)
        self._began = ctx.clock.elapsed()
        self._is_free = False
        self._called: float | None = None
        self._main_served: float | None = None

    def begin(self) -> None:
        """Serve nobody where this server was replaced, whatever `servers` says."""
        super().begin()
        if self._pinned.now.retired:
            self._ctx.running.become(REPLACED)

    def check(self) -> None:
        """By a main's delegation nobody is served while that main serves and calls, and after a start nobody before the
        other one had time to call. Raises Refusal 100."""
        if self._waits():
            raise not_serving(STARTING)
        if self._is_held_back():
            raise Refusal(RefusalCode.NOT_SERVING, "The main of this server serves clients.", retry_after=1)

    def look(self) -> None:
        """Update this server's notices from what it does, twice a second."""
        said = self._said()
        self._ctx.running.become(STARTING if said == SERVING and self._waits() else said)

    def work(self, reopen: Callable[[], None]) -> AloneWork:
        """See `look`."""
        return AloneWork(Step("lts-look", self.look, LOOK_SECONDS))

    def notices(self) -> list[Notice]:
        """The notice that the other one still considers this server part of its pair."""
        found = super().notices()
        if self._pinned.now.retired:
            return [*found, Notice("peer-promoted", f"{RETIRED} {_LEFT}", ERROR)]
        if not self._is_recent(self._called, REPORTED_SECONDS):
            return found
        if self._is_held_back():
            return [*found, Notice("pair-held-back", _HELD_BACK)]
        sentence = (
            "The other server of the pair that this one was in calls it, and does not serve as long as this one does:"
            ' write "servers": ["self"] there too, or stop it, or name it here again and start this one again.'
        )
        return [*found, Notice("pair-parted", sentence)]

    def endpoint(self) -> AnswerPeer:
        """See `answer`."""
        return self.answer

    def answer(self, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        """Never raises anything that the caller can cause. To everybody except the other server it is not a peer."""
        if path == peermessages.HELLO:
            return self._hello(headers, body)
        session, counter = headers.get(SESSION, ""), number_in(headers.get(COUNTER, ""))
        answer = peermessages.encode(PeerProblem(PARTED, _WORDS))
        return 409, {SIGNATURE: self._sessions.sign(session, counter, 409, answer)}, answer

    def _hello(self, headers: Mapping[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        try:
            answer, signature, who = self._sessions.welcome(body, headers.get(SIGNATURE, ""), self._me)
        except PeerError as error:
            return error.status, {}, peermessages.encode(PeerProblem(str(error.code), error.detail))
        if not self._is_the_other(who.key):
            return 404, {}, b""
        if not self._pinned.now.came_after(who.key):
            self._called = self._ctx.clock.elapsed()
            self._is_free |= who.status != SERVING
            if who.status == SERVING and self._stands_in():
                self._main_served = self._called
        return 200, {SIGNATURE: signature}, answer

    def _me(self, to: Introduction) -> Introduction:
        me = self._ctx.identity
        if delegating.is_replaced_by(me, self._pinned.now, to):
            self._ctx.running.become(REPLACED)
            self._pinned.retire(**to.heir)
        return introduction(me, self._pinned.now, MAIN, self._said(), first_number=self._first_number, to=to)

    def _is_the_other(self, key: str) -> bool:
        """Whether it is the main in whose place this server was promoted, or the other one of the pair: as long as this
        one works by its delegation, or was the main itself."""
        now = self._pinned.now
        by_its_delegation = now.delegation is not None and now.delegation.main_uuid == now.uuid
        was_standby = by_its_delegation or (now.joined and now.replaced is None)
        return now.came_after(key) or (key == now.key and (not was_standby or self._stands_in()))

    def _stands_in(self) -> bool:
        held = self._ctx.delegation()
        return held is not None and held.main_uuid == self._pinned.now.uuid

    def _said(self) -> ServingStatus:
        """The status sent to the other one: that this one serves, even while it only waits for the other to stop."""
        if self._pinned.now.retired:
            return REPLACED
        return REFUSING if self._is_held_back() else SERVING

    def _waits(self) -> bool:
        now = self._pinned.now
        if self._is_free or not self._is_recent(self._began, WAIT_SECONDS):
            return False
        return now.replaced is not None or (now.key is not None and self._is_the_other(now.key))

    def _is_held_back(self) -> bool:
        return self._is_recent(self._main_served, rules.CONTACT_SECONDS)

    def _is_recent(self, at: float | None, seconds: float) -> bool:
        return at is not None and self._ctx.clock.elapsed() - at < seconds


def of_a_pair(pinned: PinnedFile) -> bool:
    """Whether there may be another server that considers this one part of its pair."""
    return pinned.now.key is not None or pinned.now.replaced is not None or pinned.now.retired
