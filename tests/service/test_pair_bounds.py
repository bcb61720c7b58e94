"""What the servers of a pair ask of each other, give, and show administrators, to the last second, change and byte."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from lts.errors import PeerError
from lts.rules.alerting.notices import ERROR
from lts.rules.pair import SERVING
from lts.service.core.pairmodels import PairNotice
from lts.service.core.refusals import AskedRequest, RefusedRequest
from lts.service.licensing import archiving
from lts.service.pair import delegated, follower, pairstatus, peerclient, peerendpoint, peermessages
from lts.service.pair.follower import Follower
from lts.service.pair.peermessages import CopyPartRequest, News, Poll
from lts.service.pair.peersessions import number_in
from lts.web.admin.jsonpieces import as_json
from tests.support.duet import Duet, Player
from tests.support.kit import NOON


class Line:
    """A following of its own for a player, over a way that remembers polls and their answers."""

    def __init__(self, player: Player, wait: float | None = None) -> None:
        self.player = player
        self.polls: list[Poll] = []
        self.news: list[News] = []
        self.timeouts: list[float] = []
        self.following = Follower(player.node, self.send, lambda: None, *(() if wait is None else (wait,)))

    def send(
        self, path: str, headers: dict[str, str], body: bytes, timeout: float
    ) -> tuple[int, Mapping[str, str], bytes]:
        answer = self.player.send(path, headers, body, timeout)
        if path == peermessages.CHANGES and answer[0] == 200:
            self.polls.append(peermessages.decode(body, Poll))
            self.news.append(peermessages.decode(answer[2], News))
            self.timeouts.append(timeout)
        return answer

    def ask(self) -> tuple[Poll, News]:
        """The next poll and its answer."""
        self.following.step()
        return self.polls[-1], self.news[-1]


@pytest.fixture
def waits(duet: Duet, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """For how many seconds each answer was held back, which nobody waits for here."""
    found: list[float] = []
    for player in duet.players:
        monkeypatch.setattr(player.server.ctx.store.recent, "wait", lambda known, seconds: found.append(seconds))
    return found


def note(player: Player, number: int = 1) -> None:
    for n in range(number):
        player.server.ctx.note_event("test", {"n": n})


def test_a_poll_says_how_long_it_waits_and_how_much_it_takes(duet: Duet, waits: list[float]) -> None:
    standby, main = Line(duet.standby), Line(duet.main)
    held = duet.standby.node.pinned.now.delegation
    assert held is not None
    poll, news = standby.ask()
    assert (poll.wait, poll.limit, poll.certified_until, standby.timeouts) == (2.0, 5000, held.until, [6.0])
    assert (news.complete, news.changes, news.certificates) == (True, [], [])
    poll, _ = main.ask()
    assert (poll.wait, poll.limit, poll.certified_until) == (2.0, 200, 0)
    assert waits == [2.0, 2.0]
    duet.standby.node.peer.met = False
    assert standby.ask()[0].wait == 0.0
    duet.main.node.leadership.give_way("test")
    poll, _ = main.ask()
    assert (poll.wait, poll.limit) == (0.0, 5000)
    assert waits == [2.0, 2.0]
    assert duet.main.node.ctx.running.status == SERVING


def test_an_answer_is_held_back_for_five_seconds_at_most_and_only_without_news(duet: Duet, waits: list[float]) -> None:
    line = Line(duet.standby, 60.0)
    line.ask()
    note(duet.main)
    assert len(line.ask()[1].changes) == 1
    Line(duet.standby, 0.0).ask()
    assert (waits, peerendpoint.MAX_WAIT_SECONDS) == ([5.0], 5.0)


@pytest.mark.parametrize(
    ("asked", "most", "given"), [(0, 9, 1), (-5, 9, 1), (1, 9, 1), (2, 9, 2), (9, 3, 3), (9, 9, 4)]
)
def test_so_many_changes_are_given_as_are_asked_for_and_at_most_five_thousand(
    duet: Duet, monkeypatch: pytest.MonkeyPatch, waits: list[float], asked: int, most: int, given: int
) -> None:
    assert peerendpoint.MAX_CHANGES == 5000
    monkeypatch.setattr(peerendpoint, "MAX_CHANGES", most)
    monkeypatch.setattr(follower, "LIMIT_REFUSING", asked)
    note(duet.main, 4)
    _, news = Line(duet.standby).ask()
    assert (len(news.changes), news.complete) == (given, given == 4)


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0), ("7", 7), ("9" * 15, 10**15 - 1), ("1" + "0" * 15, 0), ("-1", 0), ("", 0), ("\u0661", 0), ("1.0", 0)],
)
def test_a_number_in_a_header_has_fifteen_digits_at_most(text: str, number: int) -> None:
    assert number_in(text) == number


def test_what_answers_in_place_of_the_other_server_is_reported() -> None:
    moved = peerclient._not_a_peer(301, {"LOCATION": "x" * 201})
    assert (moved.code, moved.detail.count("x")) == ("peer-unreachable", 200)
    assert peerclient._not_a_peer(301, {"Location": "/\x1b[2J\u202e"}).detail.isprintable()
    other = peerclient._not_a_peer(502, {"Server": "proxy"})
    assert (other.code, "502" in str(other.detail)) == ("peer-unreachable", True)
    for status, words in ((413, "it is too large"), (429, "too many come from")):
        refused = peerclient._not_a_peer(status, {})
        assert refused.code == "peer-unreachable"
        assert words in str(refused.detail)
        assert str(status) in str(refused.detail)
        assert "not LTS" not in str(refused.detail)


def told(player: Player, *names: str) -> list[Any]:
    found = as_json(pairstatus.describe(player.node))
    return [found[name] for name in names]


LAG = ("inStep", "lagChanges", "lagSeconds")


def test_what_a_pair_in_step_shows_of_itself(duet: Duet) -> None:
    for player in duet.players:
        assert told(player, *LAG) == [True, 0, 0.0]
        assert told(player, "role", "status", "promoted", "takeOverAfterSeconds") == [
            player.name, "serving" if player.name == "main" else "standby", False, 15,
        ]  # fmt: skip
        other, peer = player.other.node, pairstatus.describe(player.node).peer
        assert (peer.server_uuid, peer.role) == (other.ctx.identity.uuid, other.role)
        assert (peer.clock_offset_seconds, peer.offered_fingerprint) == (0, None)
        assert peer.fingerprint == pairstatus.describe(other).fingerprint
    duet.time.forward(1.26)
    assert pairstatus.describe(duet.main.node).peer.last_contact_seconds == pytest.approx(1.3, abs=0.01)
    assert pairstatus.notices(duet.main.node) == []


def test_a_standby_is_in_step_as_long_as_it_had_everything_within_the_time_to_take_over(duet: Duet) -> None:
    node = duet.standby.node
    node.peer.in_step_at = node.elapsed()
    duet.time.forward(node.limit - 0.5)
    assert told(duet.standby, *LAG) == [True, 0, 0.0]
    duet.time.forward(0.5)
    assert told(duet.standby, *LAG) == [False, 0, 0.0]


def test_changes_that_one_lacks_are_counted_with_the_time_since_it_had_all(duet: Duet) -> None:
    node = duet.standby.node
    note(duet.standby, 2)
    node.peer.in_step_at = node.elapsed()
    duet.time.forward(2.34)
    assert told(duet.standby, *LAG) == [False, 2, pytest.approx(2.3)]
    node.peer.in_step_at, node.peer.heard_at = None, node.elapsed() - 1
    assert told(duet.standby, *LAG) == [False, 2, 1.0]


def test_faults_of_a_pair_are_shown_first_and_clocks_that_differ_with_what_it_cost(duet: Duet) -> None:
    node = duet.main.node
    for offset, seconds in ((300, None), (301, 301), (-300, None), (-301, 301)):
        node.peer.clock_offset, node.contact.ahead = offset, 2
        assert node.peer.state is not None
        node.peer.state.ahead = 3
        found = [one.params for one in pairstatus.notices(node) if one.code == "pair-clocks"]
        assert found == ([] if seconds is None else [{"seconds": seconds, "reports": 5}])
    node.peer.state = None
    assert [one.params["reports"] for one in pairstatus.notices(node) if one.code == "pair-clocks"] == [2]
    node.contact.fault("peer-roles", "words")
    first = pairstatus.notices(node)[0]
    assert (first.code, first.detail, first.level) == ("peer-roles", "words", ERROR)
    assert pairstatus.describe(node).faults == [PairNotice("peer-roles", "words")]
    node.peer.mend("peer-roles")
    node.peer.clock_offset = 0
    node.acknowledgments.fall_out()
    assert [one.code for one in pairstatus.notices(node)] == ["pair-not-following"]


@pytest.mark.parametrize(("protocol", "waiting", "older"), [(2, 1, False), (1, 0, True), (1, 1, True)])
def test_an_older_server_is_shown_and_what_waits_for_its_upgrade(
    duet: Duet, protocol: int, waiting: int, *, older: bool
) -> None:
    node = duet.main.node
    node.peer.protocol, node.contact.waiting = protocol, waiting
    found = [one.detail for one in pairstatus.notices(node) if one.code == "pair-older"]
    assert len(found) == older
    assert any("wait for that" in detail for detail in found) == (older and waiting > 0)
    node.peer.met = False
    assert not [one for one in pairstatus.notices(node) if one.code == "pair-older"]


def test_a_pair_that_waits_for_an_administrator_gives_nothing_and_says_why(duet: Duet) -> None:
    duet.main.node.contact.fault("peer-family", "These never belonged together.")
    assert duet.main.node.contact.stopped
    assert not duet.standby.follow()
    assert duet.standby.node.peer.faults == {"peer-stopped": "These never belonged together."}
    duet.main.node.peer.mend("peer-family")
    assert duet.standby.follow()
    assert duet.standby.node.peer.faults == {}


@pytest.mark.parametrize(
    ("headers", "words"), [({}, "is not LTS"), ({"Location": "https://x"}, "redirects to https://x")]
)
def test_an_answer_without_a_signature_is_not_from_the_other_server(
    duet: Duet, headers: dict[str, str], words: str
) -> None:
    def send(path: str, *given: Any) -> tuple[int, Mapping[str, str], bytes]:
        return (502, headers, b"") if path == peermessages.CHANGES else duet.standby.send(path, *given)

    Follower(duet.standby.node, send, lambda: None).step()
    [(code, detail)] = duet.standby.node.peer.faults.items()
    assert code == "peer-unreachable"
    assert words in detail


def test_a_poll_and_its_answer_show_each_how_far_the_other_is(duet: Duet) -> None:
    poll, news = Line(duet.standby, 0.0).ask()
    main, standby = duet.main.node.peer, duet.standby.node.peer
    assert main.state == poll.state
    assert standby.state == news.state
    assert (main.newest, standby.newest, standby.last_answer) == (
        poll.state.number,
        news.state.number,
        news.state.number,
    )
    assert duet.main.node.statuses.last_answer == news.state.number
    assert (main.serves, standby.serves) == (False, True)


def test_refused_requests_are_given_from_the_number_on_that_was_given_with_the_last(duet: Duet) -> None:
    line, ctx = Line(duet.standby, 0.0), duet.main.node.ctx
    start = duet.main.node.shared.first_number

    def refuse(number: int) -> None:
        ctx.refusals.note(1, RefusedRequest(NOON + number, f"r{number}", 101, "no", None, AskedRequest(), ()))

    for number in range(3):
        refuse(number)
        _, news = line.ask()
        assert ([one.request_id for one in news.refused], news.refusals) == ([f"r{number}"], start + number + 1)
    _, news = line.ask()
    assert (news.refused, news.refusals) == ([], start + 3)
    _, news = Line(duet.standby, 0.0).ask()
    assert len(news.refused) == 3


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x90", b"\x91" * 2000, peermessages.encode(["token", "name", 0])])
def test_what_is_no_message_is_reported(data: bytes) -> None:
    with pytest.raises(PeerError) as caught:
        peermessages.decode(data, CopyPartRequest)
    assert caught.value.code == "peer-message"


@pytest.mark.parametrize(("serves", "patience"), [(True, 15.0), (False, 0.0)])
def test_a_main_that_can_store_nothing_asks_in_time_and_again_after_five_seconds(
    duet: Duet, monkeypatch: pytest.MonkeyPatch, serves: bool, patience: float
) -> None:
    node, handing = duet.main.node, duet.main.hand_over
    assert handing is not None
    if not serves:
        node.leadership.give_way("test")
        node.ctx.store.writer.faulty = True
    troubled: list[float | None] = [None]
    asked: list[str] = []

    def ask(reason: str) -> bool:
        asked.append(reason)
        return False

    monkeypatch.setattr(node.disk, "look", lambda now: troubled[0])
    monkeypatch.setattr(handing, "_ask", ask)
    for later, length, number in (
        (0.0, None, 0), (0.0, patience - 0.25, 0), (0.0, patience, 1), (4.75, patience, 1), (0.25, patience, 2),
        (4.75, patience + 5, 2), (0.25, patience - 0.25, 2), (0.0, patience + 5, 3), (9.0, None, 3),
    ):  # fmt: skip
        duet.time.forward(later)
        troubled[0] = length
        handing.look()
        assert len(asked) == number, (later, length)
        assert (node.ctx.running.status == SERVING) is serves
    assert set(asked) == {"cannot-store"}
    node.ctx.store.writer.faulty = False


def test_a_main_asks_nothing_of_a_standby_that_serves_lacks_something_or_has_not_spoken(
    duet: Duet, monkeypatch: pytest.MonkeyPatch
) -> None:
    node, handing = duet.main.node, duet.main.hand_over
    assert handing is not None
    asked: list[str] = []
    monkeypatch.setattr(node.disk, "look", lambda now: 60.0)
    monkeypatch.setattr(handing, "_ask", asked.append)
    said, serial = node.peer.last_answer, node.acknowledgments.serial
    for name, value in (("serves", True), ("last_answer", 0)):
        with monkeypatch.context() as patch:
            patch.setattr(node.peer, name, value)
            handing.look()
    node.acknowledgments.serial = node.ctx.store.serial - 1
    handing.look()
    node.acknowledgments.serial = serial
    node.acknowledgments.in_step = False
    handing.look()
    node.acknowledgments.in_step = True
    node.hand_over.leaving = True
    handing.look()
    node.hand_over.leaving = False
    assert asked == []
    node.hand_over.pending = said
    handing.look()
    assert asked == ["cannot-store"]


def test_leases_of_the_other_server_are_believed_from_the_first_contact_on(
    duet: Duet, monkeypatch: pytest.MonkeyPatch
) -> None:
    node, who = duet.main.node, duet.standby.node.membership.me()
    node.pinned.change(key=None, uuid=None)
    believed: list[str] = []
    monkeypatch.setattr(node.ctx.leases, "believe", lambda keys: believed.extend(key.x for key in keys))
    node.meeting.believe(who)
    assert who.key in believed
    assert (node.pinned.now.key, node.pinned.now.uuid, node.peer.who) == (who.key, who.uuid, who)
    believed.clear()
    node.meeting.believe(who)
    assert believed == []


def test_the_other_server_knows_more_of_a_feed_where_it_has_more_or_another_one(duet: Duet) -> None:
    node, own = duet.main.node, duet.main.node.ctx.store.positions()[0]
    uuid, incarnation, serial, digest = own
    assert (uuid, incarnation) == (node.ctx.identity.uuid, node.ctx.identity.incarnation)
    for position, beyond in (
        (own, False),
        ((uuid, incarnation, serial, bytes(32)), True),
        ((uuid, incarnation, serial + 1, digest), True),
        ((uuid, incarnation, serial - 1, bytes(32)), True),
        ((uuid, incarnation, 0, bytes(32)), False),
        ((uuid, "other", serial + 1, digest), False),
        (("other", incarnation, serial + 1, digest), False),
    ):
        assert node.feed.is_beyond(position) is beyond, position


def test_a_standby_needs_no_delegation_for_licenses_that_are_archived(duet: Duet) -> None:
    ctx = duet.standby.node.ctx
    held = ctx.delegation()
    assert held is not None
    assert delegated.is_needed(ctx, held)
    assert len(delegated.notices(ctx, for_good=True)) == 1
    archiving.archive(duet.main.server.ctx, "100", None, "test", duet.main.clock.now)
    assert duet.standby.follow()
    assert not delegated.is_needed(ctx, held)
    assert delegated.notices(ctx, for_good=True) == []
    assert pairstatus.describe(duet.standby.node).delegation is None


def test_an_answer_has_one_hash_of_each_origin(duet: Duet) -> None:
    note(duet.main, 3)
    duet.settle()
    line = Line(duet.standby)
    note(duet.main, 3)
    _, news = line.ask()
    assert len({serial for _, serial, *_ in news.changes}) == 3
    assert [(place, serial) for place, serial, _ in news.heads] == [max((c[0], c[1]) for c in news.changes)]


def test_a_status_that_arrives_late_shows_the_other_server_alive(duet: Duet) -> None:
    node, old = duet.standby.node, duet.main.node.statuses.state()
    node.contact.heard(duet.main.node.statuses.state())
    duet.forward(5)
    assert not node.contact.heard(old)
    assert node.peer.heard_at == node.peer.alive == node.elapsed()


def test_who_asks_a_promoted_server_retires(duet: Duet) -> None:
    duet.main.close()
    duet.run(17)
    duet.standby.node.promote()
    duet.main.open()
    assert not duet.main.node.pinned.now.retired
    duet.main.follow()
    assert duet.main.node.pinned.now.retired
    assert "peer-promoted" in duet.main.node.peer.faults
