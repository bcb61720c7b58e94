"""Large answers are encoded in pieces, so that no call holds up the interpreter for other clients."""

from __future__ import annotations

import json
import random
from functools import partial
from typing import Any

import msgspec
import pytest

from lts.protocol import iso
from lts.rules.values.readmodel import ReadModel
from lts.service.alerting import alerts
from lts.service.licensing import codedetails
from lts.store.changes import records
from lts.web.admin import answers, jsonpieces
from lts.web.admin.answers import UsagePage, UsageRow
from lts.web.admin.jsonpieces import FEW, as_json, pieces
from tests.support.kit import NOON, ORGANIZATION, item
from tests.support.steps import WORST, Steps
from tests.web.conftest import TOKEN, Web

LARGEST = 64 << 10
"""Bytes of what is encoded in one call: some tens of microseconds."""


class Leaf(ReadModel, frozen=True):
    """A model without anything in it."""

    some_text: str
    number: int | None = None


class Branch(ReadModel, frozen=True):
    """A model of all that holds others; `gone` is left out where it is empty."""

    leaf: Leaf
    many_leaves: list[Leaf]
    table: dict[str, Any]
    counts: dict[int, int]
    lists: tuple[list[str], ...]
    branches: list[Branch]
    gone: str | None = None
    renamed: str = msgspec.field(name="from", default="x")


def branch(chance: random.Random, depth: int = 2) -> Branch:
    """Some model; its lists are empty, short, just as long as is encoded at once, or longer."""
    sizes = [0, 1, FEW - 1, FEW, FEW + 1, 2 * FEW, 2 * FEW + 1] if depth else [0, 2, FEW + 1]

    def leaves() -> list[Leaf]:
        return [Leaf(f'ä"\\\n\u2028 {n}', chance.choice([None, n])) for n in range(chance.choice(sizes))]

    table = {
        f"k{n}": chance.choice([n, None, True, 0.5, "t", leaves(), {"x": leaves()}])
        for n in range(chance.choice(sizes))
    }
    return Branch(
        Leaf("one"), leaves(), table, {n: -n for n in range(chance.choice(sizes))},
        tuple([["a"] * chance.choice(sizes) for _ in range(chance.choice(sizes))]),
        [branch(chance, depth - 1) for _ in range(chance.choice([0, 1, 3]))] if depth else [],
        chance.choice([None, "there"]), chance.choice(["x", "y"]),
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(20))
def test_the_pieces_of_a_model_together_are_its_json(seed: int) -> None:
    model = branch(random.Random(seed))
    assert b"".join(pieces(model)) == msgspec.json.encode(model)


def test_a_file_name_that_is_no_text_is_still_shown() -> None:
    told = answers.WrittenBackup("/tmp/\udcfc", 1, ["x"] * (FEW + 1))
    assert json.loads(b"".join(pieces(told))) == as_json(told)


def usage_page(rows: int) -> UsagePage:
    return UsagePage("day", ("a",), [UsageRow(str(n), "a", n) for n in range(rows)], rows, {"a": 1}, rows, None, "UTC")


def test_an_answer_costs_in_proportion_to_its_length() -> None:
    steps = Steps()
    costs = [steps.of(partial(list, pieces(usage_page(n)))) for n in (1000, 2000, 4000)]
    assert costs[1] < costs[0] * WORST
    assert costs[2] < costs[1] * WORST


@pytest.fixture
def full(web: Web) -> Web:
    """A server that has much of all that lists show."""
    lab, names = web.lab, [f"type {n}" for n in range(60)]
    lab.load(
        *[item(f"i{n}", "scan", 10**6, modules=[f"M{m}" for m in range(9)]) for n in range(150)], license_id="many"
    )

    def more(tx: Any) -> None:
        entries = tuple((key, None) for key in tx.catalog.items)
        first = tx.numbering.new("codes")
        for n in range(12):
            tx.emit(records.CodeChange("test", first + n, ORGANIZATION, f"c{n}", False, {}, entries, "", ""), NOON)
            events = [alerts.test_event(NOON)] * 120
            tx.emit(records.AlertChange((), (), f"m{n}", events, ("mail",)), NOON)

    lab.ctx.store.write(more)
    lease = web.authorize().json["lease"]
    slots = [{"slot": iso(NOON - 180 * n), "usage": dict.fromkeys(names, 1)} for n in range(40)]
    assert web.report(slots, lease).status == 200
    for _ in range(20):
        assert web.authorize(handshakeCode=f"{ORGANIZATION}-many", modules=["none"]).status != 200
    return web


@pytest.mark.parametrize(
    ("path", "query", "least"),
    [
        ("handshakes", "", 50_000),
        ("handshakes/216998-many", "", 10_000),
        ("licenses/items", "", 50_000),
        ("alerts/history", "size=500", 50_000),
        ("usage", "by=hour", 8_000),
        ("statistics/subjects", "", 10_000),
        ("why", "", 10_000),
        ("audit", "size=500", 3_000),
    ],
)
def test_no_call_encodes_much_of_an_answer_at_once(
    full: Web, monkeypatch: pytest.MonkeyPatch, path: str, query: str, least: int
) -> None:
    sizes: list[int] = []
    encode = jsonpieces._encode

    def watched(value: Any) -> bytes:
        done = encode(value)
        sizes.append(len(done))
        return done

    monkeypatch.setattr(jsonpieces, "_encode", watched)
    answer = full.call("GET", f"/api/v1/admin/{path}", QUERY_STRING=query, HTTP_AUTHORIZATION=f"Bearer {TOKEN}")
    assert answer.status == 200, answer.json
    assert answer.headers["content-type"] == "application/json"
    assert sum(sizes) > len(answer.body) * 0.9, "all of it passes here"
    assert len(answer.body) > least
    assert max(sizes) < LARGEST


def test_a_page_of_codes_describes_no_others(full: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    described: list[str] = []
    describe = codedetails.describe_code

    def watched(code: Any, key: str | None = None) -> Any:
        described.append(code.name)
        return describe(code, key)

    monkeypatch.setattr("lts.service.licensing.handshakes.describe_code", watched)
    found = full.call(
        "GET", "/api/v1/admin/handshakes", QUERY_STRING="size=2&sort=name&q=c1", HTTP_AUTHORIZATION=f"Bearer {TOKEN}"
    ).json
    assert (
        [code["name"] for code in found["handshakeCodes"]] == described == [f"{ORGANIZATION}-c1", f"{ORGANIZATION}-c10"]
    )
    assert found["found"] == 3
