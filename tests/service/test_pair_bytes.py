"""What a server of a pair sends is bounded in bytes, and one that takes nothing is reported (docs/design/pair.md,
Following)."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lts.errors import PeerError
from lts.protocol import slot_of
from lts.service.core import refusals
from lts.service.core.pairmodels import PairNotice
from lts.service.core.refusals import TRIED, AskedRequest, Refusals, RefusedRequest
from lts.service.pair import pairstatus, peermessages
from lts.service.pair.peerclient import PeerClient
from lts.service.pair.peermessages import News, PeerProblem
from lts.service.pair.peersessions import SIGNATURE
from lts.service.pair.sending import MAX_ANSWER_BYTES
from lts.store.history import exchange
from tests.support.duet import Duet
from tests.support.kit import NOON, entry, item

LARGEST = exchange.MAX_BYTES + refusals.MAX_BYTES + (2 << 20)
"""Bytes of an answer: a change and a refused request go beyond what each kind may have together."""


@pytest.fixture
def duet(tmp_path: Path) -> Iterator[Duet]:
    duet = Duet(tmp_path)
    duet.open()
    duet.settle()
    yield duet
    duet.close()


def watch(duet: Duet, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Bytes of each answer that the main gives from now on."""
    sizes: list[int] = []
    assert duet.main.endpoint is not None
    answer = duet.main.endpoint.answer

    def measured(path: str, headers: Any, body: bytes) -> Any:
        status, answered, told = answer(path, headers, body)
        sizes.append(len(told))
        return status, answered, told

    monkeypatch.setattr(duet.main.endpoint, "answer", measured)
    return sizes


def refused(number: int, tried: int, name: str = "item") -> RefusedRequest:
    """One for which so many items were tried, the last of which decided."""
    items = tuple((f"{name}-{n}", 120 if n == tried - 1 else 102) for n in range(tried))
    return RefusedRequest(NOON + number, f"id-{number}", 120, "no", "c", AskedRequest(), items, ("scan",) * tried)


def test_of_a_code_of_thousands_of_items_fifty_are_kept_among_them_the_one_that_decided(tmp_path: Path) -> None:
    here = Refusals()
    here.note(1, refused(1, 3000))
    here.take([refused(2, 3000)])
    here.keep(refused(3, TRIED))
    three, two, one = here.latest()
    for cut in (one, two):
        assert [entry for entry, _ in cut.tried] == [*(f"item-{n}" for n in range(TRIED - 1)), "item-2999"]
        assert (cut.tried[-1][1], len(cut.ways), cut.more) == (120, TRIED, 2950)
    assert (len(three.tried), three.more) == (TRIED, 0)


def test_what_an_earlier_start_kept_whole_is_cut_when_it_is_read(duet: Duet) -> None:
    kept = zlib.compress(refusals._encode([refused(n, 3000) for n in range(2)]))
    assert [(len(one.tried), one.more) for one in Refusals(kept).latest()] == [(TRIED, 2950)] * 2


def test_many_refused_requests_go_in_several_messages_and_the_pair_stays_in_step(
    duet: Duet, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(300):
        duet.main.server.ctx.refusals.note(0, refused(number, 60, "i" * 490))
    sizes = watch(duet, monkeypatch)
    for _ in range(30):
        duet.turn()
    assert duet.standby.server.ctx.refusals.latest() == duet.main.server.ctx.refusals.latest()
    assert duet.main.node.acknowledgments.in_step
    assert sum(size > refusals.MAX_BYTES for size in sizes) >= 7, "in several"
    assert max(sizes) < LARGEST < MAX_ANSWER_BYTES


def test_one_refused_request_of_any_size_is_given_and_only_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "MAX_BYTES", 10)
    here = Refusals()
    for number in range(3):
        here.note(0, refused(number, 2))
    place, ids = 0, []
    for _ in range(3):
        place, given = here.since(place)
        ids += [one.request_id for one in given]
    assert (place, ids) == (3, ["id-0", "id-1", "id-2"])
    assert here.since(place) == (3, [])


def test_an_unknown_call_is_refused_so_that_its_caller_believes_it_and_nobody_else_is_told(duet: Duet) -> None:
    node, sent = duet.standby.node, []

    def send(path: str, headers: dict[str, str], body: bytes, timeout: float) -> Any:
        sent.append(headers)
        return duet.standby.send(path, headers, body, timeout)

    line = PeerClient(send, node.ctx.identity.key, node.membership.me, lambda who: None)
    with pytest.raises(PeerError) as caught:
        line.call("not-yet", peermessages.StateAnswer(node.statuses.state()), News, 1.0)
    assert caught.value.code == "peer-path"
    assert duet.main.endpoint is not None
    status, _, answer = duet.main.endpoint.answer("not-yet", {**sent[-1], SIGNATURE: ""}, b"")
    assert (status, peermessages.decode(answer, PeerProblem).code) == (403, "peer-signature")


def test_a_partner_that_cannot_read_the_answers_is_named_after_a_minute(
    duet: Duet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def faults() -> list[str]:
        return [fault.code for fault in pairstatus.describe(duet.main.node).faults]

    code = duet.main.server.load(item())
    duet.run(100)
    assert faults() == []
    real = duet.standby.send

    def cut_off(path: str, headers: dict[str, str], body: bytes, timeout: float) -> Any:
        answer = real(path, headers, body, timeout)
        if path == peermessages.CHANGES:
            raise PeerError("peer-unreachable", "its answer breaks off, or has more than 64 MiB")
        return answer

    assert duet.standby.follower is not None
    monkeypatch.setattr(duet.standby.follower._line, "_send", cut_off)
    duet.main.server.authorize(code)
    duet.run(50)
    assert faults() == []
    duet.run(20)
    assert faults() == ["peer-takes-nothing"]
    assert "peer-takes-nothing" in {notice.code for notice in pairstatus.notices(duet.main.node)}
    monkeypatch.undo()
    duet.run(5)
    assert faults() == []


def test_a_partner_that_is_gone_takes_nothing_and_that_is_not_its_fault(duet: Duet) -> None:
    duet.standby.close()
    duet.run(100)
    assert pairstatus.describe(duet.main.node).faults == [
        PairNotice("peer-unreachable", duet.main.node.peer.faults["peer-unreachable"])
    ]


@pytest.mark.slow
def test_large_licenses_and_reports_go_in_answers_of_bounded_size(duet: Duet, monkeypatch: pytest.MonkeyPatch) -> None:
    main = duet.main.server
    code = main.load(item(), license_id="small")
    lease = main.authorize(code).lease
    duet.settle()
    duet.cut = True
    large = [item(f"{n}-{'i' * 450}") for n in range(700)]
    sizes = [len(main.vendor.file(main.ctx, *large))]
    for number in range(15):
        main.load(*large, license_id=f"large-{number}")
    now = slot_of(main.time.now)
    main.report_many(lease, [entry(now - n, {f"type {t} of {n}": 1 for t in range(12)}) for n in range(400)])
    assert 900_000 < sizes[0] < 1 << 20, "as large as a license may be"
    sizes = watch(duet, monkeypatch)
    duet.settle()
    assert sum(sizes) > LARGEST, "more than one answer may have"
    assert max(sizes) < LARGEST
