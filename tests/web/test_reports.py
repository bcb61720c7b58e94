"""Reading the body of a report: good entries are taken, a bad one is named and harms no other."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lts.errors import Malformed, TooLarge
from lts.protocol import parse_iso, slot_of
from lts.rules.metering import workload
from lts.rules.metering.usage import BadEntry, Entry, refuse_all_bad
from lts.web.client import reports
from lts.web.client.reports import read_report
from lts.web.wire.bodytree import read_tree

SLOT = "2026-11-25T02:03:00Z"


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test meets what another has taught the reader."""
    monkeypatch.setattr(reports, "_known_types", set())


def text(*entries: str) -> bytes:
    return ('{"lease":"a.b.c","reports":[' + ",".join(entries) + "]}").encode()


def entry(count: str = "3", slot: str = SLOT, name: str = "QR Code") -> str:
    return f'{{"slot":"{slot}","usage":{{"{name}":{count}}}}}'


def sole_fault(data: bytes) -> str | None:
    fault: BadEntry | Malformed | None
    try:
        fault = refuse_all_bad(read_report(data).entries)
    except Malformed as error:
        fault = error
    assert fault is not None
    assert fault.detail
    return fault.field


def test_a_report_is_read() -> None:
    data = json.dumps(
        {
            "lease": "a.b.c",
            "chain": "token",
            "reports": [
                {"slot": SLOT, "usage": {"QR Code": 3, "1D: barcode": 0}, "instances": 2},
                {"slot": "2026-11-25T03:06:00+01:00", "usage": {}},
            ],
        }
    ).encode()
    report = read_report(data)
    slot = slot_of(parse_iso(SLOT))
    assert (report.lease, report.clone_token) == ("a.b.c", "token")
    assert report.entries == [
        Entry(slot, SLOT, {"QR Code": 3, "1D: barcode": 0}, 2),
        Entry(slot + 1, "2026-11-25T03:06:00+01:00", {}, None),
    ]


def test_any_second_of_a_slot_names_the_slot() -> None:
    (read,) = read_report(text(entry(slot="2026-11-25T02:05:59.9Z"))).entries
    assert isinstance(read, Entry)
    assert read.slot == slot_of(parse_iso(SLOT))


@pytest.mark.parametrize("slot", ["2026-11-25T24:00:00Z", "2026-02-30T00:00:00Z", "0000-01-01T00:00:00Z", "today"])
def test_a_slot_that_is_no_time_is_said_to_be_none(slot: str) -> None:
    fault = refuse_all_bad(read_report(text(entry(slot=slot))).entries)
    assert fault is not None
    assert (fault.field, fault.detail) == ("reports[0].slot", "is not a time such as 2026-11-25T02:03:04Z")


@pytest.mark.parametrize(
    "count",
    [
        *('"3"', '""', "true", "null", "[]", "{}", "-5", "3.0", "3.5", "1e2", "1e999", "NaN", "-Infinity"),
        *(str(10**6 + 1), str(2**63), str(10**30), "9" * 5000),
    ],
)
def test_a_count_that_is_no_whole_number_names_its_place(count: str) -> None:
    assert sole_fault(text(entry(count))) == "reports[0].usage.QR Code"


@pytest.mark.parametrize("more", ["", ', "later": 1'])
def test_an_entry_of_too_many_types_is_rejected_whether_or_not_its_names_were_seen(more: str) -> None:
    names = [f"name {number}" for number in range(workload.MAX_TYPES_OF_ENTRY + 50)]

    def sent(*few: list[str]) -> bytes:
        return text(*(json.dumps({"slot": SLOT, "usage": dict.fromkeys(some, 1)})[:-1] + more + "}" for some in few))

    for _ in range(2):
        good, bad = read_report(sent(names[:200], names)).entries
        assert isinstance(good, Entry)
        assert isinstance(bad, BadEntry)
        assert bad.detail == "names over 200 types"
        assert all(isinstance(one, Entry) for one in read_report(sent(names[:200], names[200:])).entries)


@pytest.mark.parametrize("count", [1, -1])
@pytest.mark.parametrize("more", ["", ', "later": "\\u003a"', ', "cloneToken": "x", "cloneToken": "y"'])
def test_an_entry_of_too_many_types_leaves_the_others_what_they_are(more: str, count: int) -> None:
    many = json.dumps({"slot": "nonsense \0", "usage": {f"name {n}": count for n in range(201)}})
    some = [entry("1"), many, entry('1, "QR Code": 2'), many, json.dumps({"slot": "nonsense", "usage": {}}), entry("3")]
    body = text(*some)
    body = b'{"u": [' + many.encode() + b"], " + body[1:-1] + more.encode() + b"}"
    if "cloneToken" in more:
        with pytest.raises(Malformed, match="cloneToken"):
            read_report(body)
        return
    found = read_report(body)
    assert found.refused == 4
    first, *bad, last = found.entries
    assert isinstance(first, Entry) and isinstance(last, Entry)
    assert [(one.field, one.detail) for one in bad if isinstance(one, BadEntry)] == [
        ("reports[1].usage", "names over 200 types"),
        ("reports[2].usage.QR Code", "appears twice"),
        ("reports[3].usage", "names over 200 types"),
        ("reports[4].slot", "is not a time such as 2026-11-25T02:03:04Z"),
    ]
    assert bad[0].slot_text is None, "it cannot be shown"


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("e\u0301" * 200, True),
        ("e\u0301" * 201, False),
        ("\ufb2c" * 66, True),
        ("\ufb2c" * 67, False),
        ("a" * 10**6, False),
        ("a" + "\u0316" * 30, True),
        ("a" + "\u0316" * 31, False),
    ],
)
def test_a_name_is_measured_in_the_form_in_which_it_counts(name: str, good: bool) -> None:
    many = read_report(text(entry(name="x"), entry(name=name))).entries
    assert isinstance(many[1], Entry if good else BadEntry)


def test_zero_is_a_count() -> None:
    assert isinstance(read_report(text(entry("0"))).entries[0], Entry)


BAD_ENTRIES = [
    (entry("3.5"), "reports[1].usage.QR Code"),
    (entry("1e999"), "reports[1].usage.QR Code"),
    (entry('1,"QR Code":2'), "reports[1].usage.QR Code"),
    (entry(name="a\\u0000b"), "reports[1].usage.a\\x00b"),
    (entry(name="\\ud800"), "reports[1].usage.\\ud800"),
    (entry(name=""), "reports[1].usage."),
    (entry(name="n" * 201), "reports[1].usage." + "n" * 80 + "…"),
    (entry('1,"e\u0301":2,"\u00e9":3'), "reports[1].usage.\u00e9"),
    (entry(slot="yesterday"), "reports[1].slot"),
    (entry(slot="2026-13-25T00:00:00Z"), "reports[1].slot"),
    (entry(slot="2026-11-25T02:03:00"), "reports[1].slot"),
    (entry(slot="0000-01-01T00:00:00Z"), "reports[1].slot"),
    (entry(slot="2" * 10_000), "reports[1].slot"),
    ('{"slot":3,"usage":{}}', "reports[1].slot"),
    ('{"usage":{}}', "reports[1].slot"),
    (f'{{"slot":"{SLOT}"}}', "reports[1].usage"),
    (f'{{"slot":"{SLOT}","usage":[]}}', "reports[1].usage"),
    (f'{{"slot":"{SLOT}","usage":{{}},"instances":0}}', "reports[1].instances"),
    (f'{{"slot":"{SLOT}","slot":"{SLOT}","usage":{{}}}}', "reports[1].slot"),
    (f'{{"slot":"{SLOT}","usage":{json.dumps({str(n): 1 for n in range(201)})}}}', "reports[1].usage"),
    ("[]", "reports[1]"),
    ("null", "reports[1]"),
]


@pytest.mark.parametrize(("bad", "field"), BAD_ENTRIES)
def test_a_bad_entry_is_named_and_the_others_are_taken(bad: str, field: str) -> None:
    entries = read_report(text(entry("1"), bad, entry("2"))).entries
    assert isinstance(entries[0], Entry)
    assert isinstance(entries[2], Entry)
    assert isinstance(entries[1], BadEntry)
    assert entries[1].field == field
    assert entries[1].detail


@pytest.mark.parametrize(("bad", "field"), BAD_ENTRIES)
def test_a_report_without_any_good_entry_is_refused_whole(bad: str, field: str) -> None:
    assert sole_fault(text(bad)) == field.replace("reports[1]", "reports[0]")


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (b"{}", "lease"),
        (b'{"lease":3,"reports":[]}', "lease"),
        (b'{"lease":"a"}', "reports"),
        (b'{"lease":"a","reports":{}}', "reports"),
        (b'{"lease":"a","reports":[]}', "reports"),
        (text(entry())[:-1] + b',"lease":"b"}', "lease"),
        (text(entry())[:-1] + b',"lease" :"b"}', "lease"),
        (text(entry())[:-1] + b',"chain":[]}', "chain"),
        (text(entry())[:-1] + b',"cloneToken":[]}', "cloneToken"),
        (text(entry())[:-1] + b',"cloneToken":"a","chain":"b"}', "cloneToken"),
        (text(entry())[:-1] + b',"cloneToken":"a","chain":"b","newer":1}', "cloneToken"),
        (text(entry())[:-1] + b',"x":{"y":1,"y":1}}', "x.y"),
        (text(entry(), entry("NaN")), "reports[1].usage.QR Code"),
        (text(entry()) + b"x", "body"),
        (b"", "body"),
    ],
)
def test_a_fault_of_the_envelope_refuses_the_report(data: bytes, field: str) -> None:
    assert sole_fault(data) == field


def test_fifteen_thousand_slots_are_taken_and_one_more_is_too_large() -> None:
    assert len(read_report(text(*[entry()] * 15_000)).entries) == 15_000
    with pytest.raises(TooLarge):
        read_report(text(*[entry()] * 15_001))


def test_newer_fields_are_ignored() -> None:
    newer = entry()[:-1] + ',"newer":[1]}'
    assert isinstance(read_report(text(newer)).entries[0], Entry)


TYPE = st.sampled_from(["QR Code", "1D: barcode", "é", "e\u0301", "倉庫", "a\u0000", "x" * 201, ""])
COUNT = st.integers(-1, 1_000_002) | st.none() | st.booleans() | st.floats()
ENTRY = st.fixed_dictionaries(
    {
        "slot": st.sampled_from([SLOT, "2026-11-25T02:04:10.5+05:30", "", "x"]),
        "usage": st.dictionaries(TYPE, st.integers(0, 9) | COUNT, max_size=3),
    },
    optional={"instances": st.integers(0, 3) | st.none(), "newer": st.integers()},
)


def outcome(read: Any, data: bytes) -> Any:
    try:
        return read(data)
    except Malformed as malformed:
        return malformed.field


TOKENS = st.dictionaries(st.sampled_from(["chain", "cloneToken"]), st.sampled_from([None, "t", "a:b", ""]))


@given(st.lists(ENTRY, max_size=4), st.booleans(), TOKENS)
def test_the_fast_way_and_the_careful_way_agree(entries: list[Any], ascii_only: bool, tokens: dict[str, Any]) -> None:
    message = {"lease": "a.b.c", **tokens, "reports": entries}
    data = json.dumps(message, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    careful = outcome(lambda body: reports._careful(read_tree(body, "reports"), {}), data)
    assert outcome(read_report, data) == careful


@given(st.binary(max_size=60))
def test_damaged_bytes_never_make_anything_but_a_report_or_a_named_fault(noise: bytes) -> None:
    good = text(entry("1"), entry("2", name="1D barcode"))
    for cut in range(0, len(good), 7):
        try:
            read_report(good[:cut] + noise + good[cut + len(noise) // 2 :])
        except Malformed as malformed:
            assert malformed.field
