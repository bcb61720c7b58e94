"""Reading the bodies of authorize and release."""

from __future__ import annotations

import json
import sys
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lts.errors import Malformed
from lts.web.wire import messages
from lts.web.wire.messages import has_controls, read_authorize, read_release
from tests.support.steps import counted

GOOD: dict[str, Any] = {
    "handshakeCode": "216998-a",
    "deviceId": "6f1c2b7e-8c1d-4a0e-9a57-0c6a2f7a1b11",
    "product": "reader",
    "deploymentType": "browser",
}


def body(**fields: Any) -> bytes:
    return json.dumps({**GOOD, **fields}, ensure_ascii=False).encode()


def fault(data: bytes) -> tuple[str | None, str]:
    with pytest.raises(Malformed) as caught:
        read_authorize(data)
    return caught.value.field, caught.value.detail


def test_everything_a_request_can_say_is_read() -> None:
    request = read_authorize(
        body(
            organizationId="216998",
            sessionPassword=" p ",
            version="8.2.5",
            edition="javascript",
            chargeWay="scan",
            modules=["QR Code", "QR Code", "PDF417"],
            instances=7,
            validation={"domain": "a.example.com", "applicationId": "app", "processName": "p.exe"},
            cloneToken="token",
            deviceName="Reception 2",
            clientTime="2026-11-25T02:03:04Z",
            clientName="x/1.0",
            newerField={"deep": [1, 2]},
        )
    )
    assert request.device == bytes.fromhex("6f1c2b7e8c1d4a0e9a570c6a2f7a1b11")
    assert (request.handshake_code, request.organization_id) == ("216998-a", "216998")
    assert request.session_password == " p "
    assert (request.version, request.edition, request.charge_way) == ("8.2.5", "javascript", "scan")
    assert request.modules == ("QR Code", "PDF417")
    assert request.instances == 7
    assert (request.domain, request.application_id, request.process_name) == ("a.example.com", "app", "p.exe")
    assert (request.clone_token, request.client_name) == ("token", "x/1.0")


def test_null_means_not_sent() -> None:
    names = ("organizationId", "sessionPassword", "version", "edition", "chargeWay", "modules", "validation", "chain",
             "cloneToken", "deviceName")  # fmt: skip
    assert read_authorize(body(**dict.fromkeys(names), instances=None)) == read_authorize(body())


@pytest.mark.parametrize("named", [{"cloneToken": "t"}, {"chain": "t"}, {"cloneToken": "t", "chain": "t"},
                                   {"cloneToken": "t", "chain": None}])  # fmt: skip
def test_the_clone_token_has_two_names(named: dict[str, Any]) -> None:
    assert read_authorize(body(**named)).clone_token == "t"


def test_two_clone_tokens_in_one_request_are_refused() -> None:
    assert fault(body(cloneToken="t", chain="u"))[0] == "cloneToken"


@pytest.mark.parametrize("name", ["", " ", "a\u0000b", "x" * 257, 7])
def test_a_device_name_is_a_name_as_others_are(name: Any) -> None:
    assert fault(body(deviceName=name))[0] == "deviceName"


def test_auto_is_no_charge_way() -> None:
    assert read_authorize(body(chargeWay="auto")).charge_way is None


@pytest.mark.parametrize("around", ["\n", "\r\n", "\u00a0", " \t", "\ufeff", "\u3000"])
def test_blanks_around_a_code_are_trimmed(around: str) -> None:
    assert read_authorize(body(handshakeCode=f"{around}216998-a{around}")).handshake_code == "216998-a"


def test_what_is_inside_a_code_stays_and_is_named_for_the_log() -> None:
    code = read_authorize(body(handshakeCode="216\u200b998-a")).handshake_code
    assert code == "216\u200b998-a"
    assert messages.oddities(code) == "U+200B at 3"
    assert messages.oddities("216998\uff0da") == "U+FF0D at 6"
    assert messages.oddities("216998-é倉") == ""


def test_names_are_compared_in_one_spelling() -> None:
    assert read_authorize(body(handshakeCode="cafe\u0301")).handshake_code == "caf\u00e9"


@pytest.mark.parametrize(
    "device", ["", "undefined", "0" * 32, "x" * 10_000, "6f1c2b7e-8c1d-4a0e-9a57-0c6a2f7a1b1g", "6f1c 2b7e" * 4]
)
def test_a_device_id_that_is_no_uuid_is_named(device: str) -> None:
    assert fault(body(deviceId=device))[0] == "deviceId"


@pytest.mark.parametrize("digit", ["0", "f", "F"])
def test_the_nil_and_the_full_uuid_name_no_device(digit: str) -> None:
    nothing = "-".join(digit * n for n in (8, 4, 4, 4, 12))
    assert fault(body(deviceId=nothing))[0] == "deviceId"


def test_case_variants_of_a_uuid_are_one_device() -> None:
    assert read_authorize(body(deviceId=GOOD["deviceId"].upper())) == read_authorize(body())


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"deviceId": None}, "deviceId"),
        ({"product": ""}, "product"),
        ({"product": "  "}, "product"),
        ({"product": "a\u0000b"}, "product"),
        ({"product": "x" * 257}, "product"),
        ({"product": 3}, "product"),
        ({"product": "n" + "\u0344" * 31}, "product"),
        ({"modules": ["a", "n" + "\u0344" * 31 + "\u0390" * 200]}, "modules[1]"),
        ({"deviceName": "n" + "\u0301" * 31}, "deviceName"),
        ({"deploymentType": "toaster"}, "deploymentType"),
        ({"chargeWay": "free"}, "chargeWay"),
        ({"modules": "QR"}, "modules"),
        ({"modules": ["a", 3]}, "modules[1]"),
        ({"modules": ["a", "\n"]}, "modules[1]"),
        ({"modules": ["m"] * 1001}, "modules"),
        ({"instances": 0}, "instances"),
        ({"instances": True}, "instances"),
        ({"instances": 1.0}, "instances"),
        ({"instances": 1_000_001}, "instances"),
        ({"instances": 10**30}, "instances"),
        ({"validation": []}, "validation"),
        ({"validation": {"domain": 1}}, "validation.domain"),
        ({"sessionPassword": "x" * 257}, "sessionPassword"),
    ],
)
def test_a_fault_names_its_field(fields: dict[str, Any], field: str) -> None:
    assert fault(body(**fields))[0] == field


@pytest.mark.parametrize("name", ["deviceId", "product", "deploymentType"])
def test_a_missing_field_is_named(name: str) -> None:
    without = {key: value for key, value in GOOD.items() if key != name}
    assert fault(json.dumps(without).encode()) == (name, f"{name} is missing.")


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ('"product":"a"', "product"),
        ('"product" :"a"', "product"),
        ('"\\u0070roduct":"a"', "product"),
        ('"validation":{"domain":"a.b","domain":"c.d"}', "validation.domain"),
        ('"clientTime":"02\\u003a03","product":"a"', "product"),
        ('"newer":{"x":[{"y":1,"y":2}]}', "newer.x[0].y"),
        ('"newer":NaN', "newer"),
        ('"newer":[1,-Infinity]', "newer[1]"),
        ('"newer":1e999', "newer"),
        ('"newer":"\\ud800"', "newer"),
        ('"\\udc00":1', "\\udc00"),
    ],
)
def test_what_strict_json_forbids_is_refused_wherever_it_stands(text: str, field: str) -> None:
    assert fault(body()[:-1] + b"," + text.encode() + b"}")[0] == field


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" \n",
        b"null",
        b"[]",
        b'"text"',
        b"3",
        b"NaN",
        b"{",
        b"{'a':1}",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"a":' + b"[" * 40 + b"]" * 40 + b"}",
        b'{"a":"\xff"}',
        b'{"a":"\xed\xa0\x80"}',
        b"\xef\xbb\xbf{}",
        '{"a":1}'.encode("utf-16"),
        b'{"a":1} x',
        b'{"a":1}\x00',
        b"PK\x03\x04",
    ],
)
def test_what_is_no_json_object_is_a_fault_of_the_body(data: bytes) -> None:
    field, detail = fault(data)
    assert field == "body"
    assert detail.endswith(".")


@given(st.binary(max_size=200))
def test_no_bytes_make_anything_but_a_named_fault(data: bytes) -> None:
    for read in (read_authorize, read_release):
        with pytest.raises(Malformed) as caught:
            read(data)
        assert caught.value.field


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from([*GOOD, "modules", "validation", "instances", "chain", "x"]), JSON))
def test_no_json_makes_anything_but_a_request_or_a_named_fault(fields: dict[str, Any]) -> None:
    try:
        read_authorize(json.dumps({**GOOD, **fields}).encode())
    except Malformed as malformed:
        assert malformed.field


def test_release_reads_the_lease_only() -> None:
    assert read_release(b'{"lease":"a.b.c"}') == "a.b.c"
    assert read_release(b'{"lease":"a.b.c","newer":1}') == "a.b.c"
    with pytest.raises(Malformed) as caught:
        read_release(b'{"lease":"a","lease":"b"}')
    assert caught.value.field == "lease"


def test_controls_are_those_of_unicode_and_found_at_the_cost_of_a_look() -> None:
    by_category = {
        chr(n) for n in range(sys.maxunicode + 1) if unicodedata.category(chr(n)) in ("Cc", "Cs", "Zl", "Zp")
    }
    assert {chr(n) for n in range(sys.maxunicode + 1) if has_controls(chr(n))} == by_category
    with counted() as steps:
        assert steps.of(lambda: has_controls("a\u200b" * 10_000)) < 100


@pytest.mark.parametrize(
    ("member", "said"),
    [
        ({"instances": 0}, "instances must be a whole number from 1."),
        ({"instances": 10**9}, "instances must be a whole number up to 1000000."),
        ({"instances": "1"}, "instances must be a whole number or null, not a text."),
        ({"instances": 1.5}, "instances must be a whole number or null, not a fraction."),
        ({"product": ""}, "product must not be empty."),
        ({"product": "x" * 257}, "product must be a text of at most 256 characters."),
        ({"product": None}, "product must be a text, not null."),
        ({"modules": "QR"}, "modules must be a list or null, not a text."),
        ({"modules": ["QR"] * 1001}, "modules must be a list of at most 1,000 entries."),
        ({"modules": [1]}, "modules[0] must be a text, not a whole number."),
        ({"validation": []}, "validation must be a JSON object or null, not a list."),
    ],
)
def test_what_a_field_must_be_is_said_in_words_for_people(member: dict[str, Any], said: str) -> None:
    with pytest.raises(Malformed) as caught:
        read_authorize(body(**member))
    assert caught.value.detail == said
    assert caught.value.field == said.split()[0]
