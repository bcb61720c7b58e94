"""What a client must do, step by step (docs/protocol.md, Vectors)."""

from __future__ import annotations

from typing import Any

from lts.protocol import iso
from tools.samples import (
    CODE,
    DAY,
    DEVICE,
    NOON,
    OTHER_DEVICE,
    PRODUCT,
    RENAMED,
    STRANGER,
    Json,
    authorized,
    counted,
    lease,
    older,
    refused,
    reported,
    unreadable,
)

HTML = {"status": 200, "text": "<!doctype html><title>Welcome to our network</title>"}
SILENCE: Json = {"status": 0}
"""The answer is broken off."""
_NEVER: list[tuple[str, int]] = [
    ("QR", 400_001), ("QR", 0), ("QR", 1_000_001), ("", 1), ("x" * 201, 1), ("a\x07b", 1), ("a\u2028b", 1), (" ", 1),
    ("\u200b", 1), ("a" + "\u0301" * 32, 1),
]  # fmt: skip
"""(type, count) of uses that no server counts, once 600,000 of QR are."""
_OPENING: Json = {"do": "authorize", "asks": [{"path": "authorize", "answer": authorized()}], "result": {"ok": True}}


UNASSIGNED = "\u0378"
_TOGETHER: list[Json] = [{"do": "use", "type": "QR", "count": 3}, {"do": "use", "type": UNASSIGNED, "count": 1}]


def _asks(path: str, answer: Json, server: int = 0, **body: Any) -> Json:
    return {"path": path, "server": server, "body": body, "answer": answer}


def _report(count: int, answer: Json, slot: int = NOON, number: int = 1, **body: Any) -> Json:
    return _asks("report", answer, lease=lease(number), reports=[{"slot": iso(slot), "usage": {"QR": count}}], **body)


def _names(*usages: dict[str, int], answer: Json) -> Json:
    """A report of the slot at noon with an entry for each usage."""
    return _asks("report", answer, lease=lease(), reports=[{"slot": iso(NOON), "usage": one} for one in usages])


def scenarios() -> list[Json]:
    """What a client must do, step by step: the calls made on it, the requests that must come, what it must say."""
    return [
        {"name": "authorizes with what it was opened with, and sends each clone token back", "steps": [
            {"do": "authorize", "asks": [_asks("authorize", authorized(), handshakeCode=CODE, deviceId=DEVICE, product=PRODUCT,
                                               cloneToken=None)], "result": {"ok": True}},
            {"do": "authorize", "asks": [_asks("authorize", authorized(2, "c2"), cloneToken="c1")], "result": {"ok": True}},
            {"do": "allowed", "module": "QR", "result": {"ok": True}},
            {"do": "allowed", "module": "OCR", "result": {"ok": False}}]},
        {"name": "goes on with the clone token of a server of 0.1.0, which calls it chain", "steps": [
            {"do": "authorize", "asks": [_asks("authorize", older(authorized()), chain=None)], "result": {"ok": True}},
            {"do": "flush", "asks": [_asks("report", older(reported([counted(NOON)])), chain="c1")]},
            {"do": "flush", "asks": [_asks("report", older(reported([counted(NOON)], "c3")), chain="c2")]}]},
        {"name": "reports the count so far of a slot, not the growth", "steps": [
            _OPENING, {"do": "use", "type": "QR", "count": 3},
            {"do": "flush", "asks": [_report(3, reported([counted(NOON)]), cloneToken="c1")]},
            {"do": "use", "type": "QR", "count": 2},
            {"do": "flush", "asks": [_report(5, reported([counted(NOON)], "c3"), cloneToken="c2")]}]},
        {"name": "reports again what was not confirmed", "steps": [
            _OPENING, {"do": "use", "type": "QR", "count": 3},
            {"do": "flush", "asks": [_report(3, SILENCE)], "result": {"error": "Unreachable"}},
            {"do": "flush", "asks": [_report(3, reported([counted(NOON)]))]}]},
        {"name": "says that it lives when nothing waits", "steps": [
            _OPENING,
            {"do": "flush", "asks": [_asks("report", reported([counted(NOON)]), reports=[{"usage": {}}])]}]},
        {"name": "keeps a slot that is ahead (142) and drops one that is too old (143)", "steps": [
            _OPENING, {"do": "use", "type": "QR", "count": 1},
            {"do": "flush", "asks": [_report(1, reported([counted(NOON, "rejected", 142)]))]},
            {"do": "flush", "asks": [_report(1, reported([counted(NOON, "rejected", 143)], "c3"))]},
            {"do": "flush", "asks": [_asks("report", reported([counted(NOON)], "c4"), reports=[{"usage": {}}])]}]},
        {"name": "keeps what one server of a pair has alone (durable local)", "steps": [
            _OPENING, {"do": "use", "type": "QR", "count": 4},
            {"do": "flush", "asks": [_report(4, reported([counted(NOON)], durable="local"))]},
            {"do": "flush", "asks": [_report(4, reported([counted(NOON, "unchanged")], "c3", durable="both"))]},
            {"do": "flush", "asks": [_asks("report", reported([counted(NOON)], "c4"), reports=[{"usage": {}}])]}]},
        {"name": "sends usage with the lease under which it happened", "steps": [
            _OPENING, {"do": "use", "type": "QR", "count": 3},
            {"do": "clock", "now": NOON + 180},
            {"do": "authorize", "asks": [_asks("authorize", authorized(2, "c2", NOON + 180))], "result": {"ok": True}},
            {"do": "flush", "asks": [_report(3, reported([counted(NOON)], "c3", NOON + 180), number=1)]}]},
        {"name": "goes on with its counts over a renewal and a rename of the handshake code", "steps": [
            {"do": "authorize", "asks": [_asks("authorize", authorized(code=7))], "result": {"ok": True}},
            {"do": "use", "type": "QR", "count": 3},
            {"do": "authorize", "asks": [_asks("authorize", authorized(2, "c2", code=7, hs=RENAMED))], "result": {"ok": True}},
            {"do": "use", "type": "QR", "count": 2},
            {"do": "flush", "asks": [_asks("report", reported([counted(NOON)], "c3"), lease=lease(code=7), reports=[
                {"slot": iso(NOON), "usage": {"QR": 5}}])]}]},
        {"name": "goes on with its counts when the server begins to tell numbers", "steps": [
            _OPENING, {"do": "use", "type": "QR", "count": 3},
            {"do": "authorize", "asks": [_asks("authorize", authorized(2, "c2", code=7))], "result": {"ok": True}},
            {"do": "use", "type": "QR", "count": 2},
            {"do": "flush", "asks": [_report(5, reported([counted(NOON)], "c3"))]}]},
        {"name": "counts apart for codes of the same name, told by their numbers", "steps": [
            {"do": "authorize", "asks": [_asks("authorize", authorized(code=7))], "result": {"ok": True}},
            {"do": "use", "type": "QR", "count": 3},
            {"do": "flush", "asks": [_asks("report", reported([counted(NOON)]), lease=lease(code=7))]},
            {"do": "authorize", "asks": [_asks("authorize", authorized(2, "c3", code=8))], "result": {"ok": True}},
            {"do": "use", "type": "QR", "count": 2},
            {"do": "flush", "asks": [_asks("report", reported([counted(NOON)], "c4"), lease=lease(2, code=8), reports=[
                {"slot": iso(NOON), "usage": {"QR": 2}}])]}]},
        {"name": "refuses what no server would count, and counts nothing of it", "steps": [
            _OPENING, {"do": "use", "type": "QR", "count": 600_000},
            *({"do": "use", "type": name, "count": count, "result": {"error": "Invalid"}} for name, count in _NEVER),
            {"do": "use", "type": "QR", "count": 400_000},
            {"do": "flush", "asks": [_report(10**6, reported([counted(NOON)]))]}]},
        {"name": "counts a name in all spellings as one", "steps": [
            _OPENING, {"do": "use", "type": "caf\u00e9", "count": 1}, {"do": "use", "type": "cafe\u0301", "count": 2},
            {"do": "flush", "asks": [_asks("report", reported([counted(NOON)]), reports=[
                {"slot": iso(NOON), "usage": {"caf\u00e9": 3}}])]}]},
        {"name": "drops what the server cannot read, and reports under the other leases", "steps": [
            _OPENING, {"do": "use", "type": "QR", "count": 1}, {"do": "clock", "now": NOON + 200},
            {"do": "authorize", "asks": [_asks("authorize", authorized(2, "c2", NOON + 200))], "result": {"ok": True}},
            {"do": "use", "type": "QR", "count": 2},
            {"do": "flush", "asks": [
                _report(1, unreadable()),
                _asks("report", reported([counted(NOON + 180)], "c3", NOON + 200), lease=lease(2, iat=NOON + 200, nbf=NOON + 200),
                      reports=[{"slot": iso(NOON + 180), "usage": {"QR": 2}}])],
             "result": {"error": "Refused", "code": 140}},
            {"do": "flush", "asks": [_asks("report", reported([counted(NOON + 180)], "c4", NOON + 200), reports=[{"usage": {}}])]}]},
        {"name": "sends the names of a rejected entry once more apart, and drops the one that is refused alone", "steps": [
            _OPENING, *_TOGETHER,
            {"do": "flush", "asks": [
                _names({"QR": 3, UNASSIGNED: 1}, answer=reported([counted(NOON, "rejected", 140)])),
                _names({"QR": 3}, {UNASSIGNED: 1}, answer=reported([counted(NOON), counted(NOON, "rejected", 140)], "c3"))],
             "result": {"ok": [counted(NOON), counted(NOON, "rejected", 140)]}},
            {"do": "flush", "asks": [_asks("report", reported([counted(NOON)], "c4"), reports=[{"usage": {}}])]}]},
        {"name": "sends apart what cannot be read together", "steps": [
            _OPENING, *_TOGETHER,
            {"do": "flush", "asks": [
                _names({"QR": 3, UNASSIGNED: 1}, answer=unreadable()),
                _names({"QR": 3}, {UNASSIGNED: 1}, answer=reported([counted(NOON), counted(NOON, "rejected", 144)]))],
             "result": {"ok": [counted(NOON), counted(NOON, "rejected", 144)]}},
            {"do": "flush", "asks": [_asks("report", reported([counted(NOON)], "c3"), reports=[{"usage": {}}])]}]},
        {"name": "goes on with its counts after its own clock was a month ahead for a moment", "steps": [
            _OPENING, {"do": "use", "type": "QR", "count": 7},
            {"do": "flush", "asks": [_report(7, reported([counted(NOON)]))]},
            {"do": "clock", "now": NOON + 31 * DAY},
            {"do": "flush", "asks": [_asks("report", reported([counted(NOON)], "c3"), reports=[{"usage": {}}])]},
            {"do": "clock", "now": NOON}, {"do": "use", "type": "QR", "count": 5},
            {"do": "flush", "asks": [_report(12, reported([counted(NOON)], "c4"))]}]},
        {"name": "keeps a report that is refused for its envelope, and reports under the other leases", "steps": [
            _OPENING, {"do": "use", "type": "QR", "count": 1}, {"do": "clock", "now": NOON + 200},
            {"do": "authorize", "asks": [_asks("authorize", authorized(2, "c2", NOON + 200))], "result": {"ok": True}},
            {"do": "use", "type": "QR", "count": 2},
            {"do": "flush", "asks": [
                _report(1, refused(140, 400)),
                _asks("report", reported([counted(NOON + 180)], "c3", NOON + 200), lease=lease(2, iat=NOON + 200, nbf=NOON + 200))],
             "result": {"error": "Refused", "code": 140}},
            {"do": "flush", "asks": [_report(1, reported([counted(NOON)], "c4", NOON + 200))], "result": {"ok": [counted(NOON)]}}]},
        {"name": "sends what is over 30 days old by its own clock, and leaves it to the server to refuse it", "steps": [
            _OPENING, {"do": "use", "type": "QR", "count": 3}, {"do": "clock", "now": NOON + 31 * DAY},
            {"do": "flush", "asks": [_report(3, reported([counted(NOON)]))]}]},
        {"name": "counts each slot on its own", "steps": [
            _OPENING, {"do": "use", "type": "QR", "count": 3}, {"do": "clock", "now": NOON + 200},
            {"do": "use", "type": "QR", "count": 4},
            {"do": "flush", "asks": [_asks("report", reported([counted(NOON), counted(NOON + 180)], at=NOON + 200), reports=[
                {"slot": iso(NOON), "usage": {"QR": 3}}, {"slot": iso(NOON + 180), "usage": {"QR": 4}}])]}]},
        {"name": "works offline until the lease ends, and not longer", "steps": [
            _OPENING, {"do": "clock", "now": NOON + DAY - 1}, {"do": "allowed", "module": "QR", "result": {"ok": True}},
            {"do": "clock", "now": NOON + DAY}, {"do": "allowed", "module": "QR", "result": {"ok": False}},
            {"do": "use", "type": "QR", "count": 1, "result": {"error": "Refused", "code": 111}}]},
        {"name": "gains nothing from a clock that is set back", "steps": [
            _OPENING, {"do": "clock", "now": NOON + DAY}, {"do": "allowed", "module": "QR", "result": {"ok": False}},
            {"do": "clock", "now": NOON}, {"do": "allowed", "module": "QR", "result": {"ok": False}}]},
        {"name": "keeps lease, identity and unsent usage over a restart", "steps": [
            _OPENING, {"do": "use", "type": "QR", "count": 3}, {"do": "reopen"},
            {"do": "allowed", "module": "QR", "result": {"ok": True}},
            {"do": "flush", "asks": [_report(3, reported([counted(NOON)]), cloneToken="c1")]}]},
        {"name": "goes on with the lease at hand when no server answers", "steps": [
            _OPENING,
            {"do": "authorize", "asks": [_asks("authorize", SILENCE)], "result": {"ok": True}},
            {"do": "authorize", "asks": [_asks("authorize", HTML)], "result": {"ok": True}}]},
        {"name": "tells an answer that is not from LTS from a refusal", "steps": [
            {"do": "authorize", "asks": [_asks("authorize", HTML)], "result": {"error": "Unreachable"}},
            {"do": "authorize", "asks": [_asks("authorize", {"status": 502, "text": "bad gateway"})], "result": {"error": "Unreachable"}},
            {"do": "authorize", "asks": [_asks("authorize", refused(106))], "result": {"error": "Refused", "code": 106}}]},
        {"name": "asks the standby when the main does not serve", "servers": 2, "steps": [
            {"do": "authorize", "asks": [_asks("authorize", refused(100, 503)), _asks("authorize", authorized(), 1)],
             "result": {"ok": True}}]},
        {"name": "asks the standby when the main is gone", "servers": 2, "steps": [
            {"do": "authorize", "asks": [_asks("authorize", SILENCE), _asks("authorize", authorized(), 1)], "result": {"ok": True}}]},
        {"name": "does not ask the standby after a refusal by the license", "servers": 2, "steps": [
            {"do": "authorize", "asks": [_asks("authorize", refused(120))], "result": {"error": "Refused", "code": 120}}]},
        {"name": "believes no lease that does not verify, nor one of another device", "steps": [
            {"do": "authorize", "asks": [_asks("authorize", _with_lease(lease(1, STRANGER)))], "result": {"error": "NotTrusted"}},
            {"do": "authorize", "asks": [_asks("authorize", _with_lease(lease(1, sub=OTHER_DEVICE)))], "result": {"error": "NotTrusted"}},
            {"do": "allowed", "module": "QR", "result": {"ok": False}}]},
        {"name": "follows the server's clock", "opened": {"now": NOON - 5000}, "steps": [
            _OPENING, {"do": "use", "type": "QR", "count": 1},
            {"do": "flush", "asks": [_report(1, reported([counted(NOON)]))]}]},
        {"name": "gives the seat back with its lease", "steps": [
            _OPENING, {"do": "release", "asks": [{**_asks("report", reported([counted(NOON)])), "optional": True},
                                                 _asks("release", {"status": 204}, lease=lease())]},
            {"do": "allowed", "module": "QR", "result": {"ok": False}}]},
    ]  # fmt: skip


def _with_lease(text: str) -> Json:
    answer = authorized()
    return {**answer, "body": {**answer["body"], "lease": text}}
