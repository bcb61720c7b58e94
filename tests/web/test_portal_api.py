"""The administrators' API: wrong requests of any shape are refused with a sentence, never a 500."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lts.cli import admin
from lts.cli.main import main
from lts.errors import Refusal
from lts.protocol import DAY_SECONDS, LicenseKey, iso
from lts.service.core import trust
from lts.service.statistics import forecasts
from lts.web.admin import openapi_admin
from tests.support.described import check_answer
from tests.support.kit import NOON, Lab, Vendor, item
from tests.web.conftest import Web

Call = Callable[..., tuple[int, Any]]


@pytest.fixture
def call(server: Lab) -> Call:
    """See caller."""
    return caller(server)


def caller(server: Lab) -> Call:
    """Calls the API with the command line's token: (status, JSON). Answers of 200 are as in openapi.json."""
    app = server.here.app(server.config).flask
    client, calls = app.test_client(), app.url_map.bind("localhost")
    headers = {"Authorization": f"Bearer {server.here.token}", "X-LTS-User": "tester"}

    def one(method: str, path: str, body: Any = None, data: bytes | None = None) -> tuple[int, Any]:
        sent = {"data": data} if data is not None else {"json": body}
        answer = client.open(f"/api/v1/admin{path}", method=method, headers=headers, **sent)
        if answer.status_code == 200 and answer.is_json:
            rule, _ = calls.match(openapi_admin.PREFIX + path.partition("?")[0], method, return_rule=True)
            check_answer(method, openapi_admin.path_of(rule.rule), answer.get_json())
        return answer.status_code, answer.get_json()

    return one


def test_of_thousands_of_items_only_those_of_a_page_are_forecast(
    server: Lab, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    forecast: list[str] = []
    last_days = forecasts.last_days

    def watched(ctx: Any, items: Any, now: int) -> dict[int, int]:
        forecast.extend(one.item_id for one in items)
        return last_days(ctx, items, now)

    monkeypatch.setattr(forecasts, "last_days", watched)
    server.load(*[item(f"i{number}") for number in range(20)])
    _, told = call("GET", "/licenses/items?size=3&page=2&sort=itemId&q=i1")
    assert [one["itemId"] for one in told["items"]] == forecast == ["i12", "i13", "i14"]
    assert [one["usedUpOn"] for one in told["items"]] == [None] * 3
    assert (told["found"], told["states"]) == (11, {"active": 20})


def test_a_change_stored_as_the_server_gives_way_is_answered_as_stored(
    server: Lab, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gave_way(serial: int) -> str:
        raise Refusal(100, "the other server serves from now on")

    server.load(item())
    monkeypatch.setattr(server.ctx.running.partner, "confirm", gave_way)
    status, made = call("POST", "/handshakes", {"custom": "team", "items": [{"id": 1}]})
    assert (status, made["name"]) == (200, "216998-team")
    assert call("PATCH", "/handshakes/216998-team", {"note": "stored too"})[0] == 200
    assert {code.note for code in server.ctx.store.catalog.present} >= {"stored too"}


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOSPC, errno.EROFS])
def test_a_file_beside_the_database_that_cannot_be_written_is_named(
    server: Lab, call: Call, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refused(path: Path, data: bytes) -> None:
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(trust, "write_private", refused)
    status, answer = call("POST", "/trust", data=Vendor().pub)
    assert (status, answer["code"]) == (503, "cannot-write")
    assert f"{server.ctx.store.path.parent}/" in answer["detail"]
    assert f"({os.strerror(number)})" in answer["detail"]


def test_a_fault_of_the_program_is_reported_as_one(server: Lab, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trust, "write_private", mock.Mock(side_effect=OSError("no path")))
    status, answer = call("POST", "/trust", data=Vendor().pub)
    assert (status, answer["code"]) == (500, "internal")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
NAMES = ["custom", "items", "password", "validation", "note", "manualOrder", "isDefault", "organizationId", "product",
         "handshakeCode", "modules", "instances", "sessionPassword", "item", "deviceId", "path"]  # fmt: skip
BODIES = st.dictionaries(st.sampled_from(NAMES), JSON, max_size=5) | JSON
PATHS = [
    ("POST", "/handshakes"),
    ("PATCH", "/handshakes/216998-100"),
    ("DELETE", "/handshakes/none"),
    ("POST", "/explain"),
    ("POST", "/seats/release"),
    ("POST", "/devices/clear"),
    ("POST", "/licenses"),
    ("POST", "/licenses/preview"),
    ("POST", "/trust"),
    ("GET", "/usage?by=week"),
    ("GET", "/usage?from=yesterday"),
    ("GET", "/usage?item=none"),
    ("GET", "/nothing"),
]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(PATHS), BODIES)
def test_no_body_makes_a_500(server: Lab, call: Call, path: tuple[str, str], body: Any) -> None:
    if not server.ctx.store.catalog.codes:
        server.load(item())
    status, answer = call(*path, body)
    assert status < 500, answer
    if status >= 400:
        assert answer["detail"]
        assert answer["code"]


def cloned(server: Lab) -> str:
    """A device that two machines used in turns."""
    server.load(item())
    device = str(uuid4())
    start = server.authorize(None, device).clone_token
    tokens = {n: server.authorize(None, device, clone_token=start).clone_token for n in (0, 1)}
    for n in (0, 1, 0, 1, 0):
        tokens[n] = server.authorize(None, device, clone_token=tokens[n]).clone_token
    return device


def test_a_device_that_looks_copied_is_cleared_once(server: Lab, call: Call) -> None:
    device = cloned(server)
    assert [one["deviceId"] for one in call("GET", "/devices?flagged=true")[1]["devices"]] == [device]
    status, answer = call("POST", "/devices/clear", {"deviceId": device})
    assert (status, answer["clone"]) == (200, {"flagged": False, "refused": False, "copies": 1})
    assert call("GET", "/devices?flagged=true")[1]["found"] == 0
    assert call("POST", "/devices/clear", {"deviceId": device})[1]["code"] == "not-cloned"
    assert call("POST", "/devices/clear", {"deviceId": str(uuid4())})[0] == 404
    lines = call("GET", "/audit?action=device-cleared")[1]["lines"]
    assert [(line["actor"], line["subject"]) for line in lines] == [("cli:tester", device)]


def test_the_command_line_lists_and_clears_devices(
    server: Lab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    device = cloned(server)
    app = server.here.app(server.config)

    @contextlib.contextmanager
    def session(config: Any) -> Iterator[Any]:
        yield admin._Local(app, server.here.token, server.ctx)

    monkeypatch.setattr("lts.cli.administer.devices.session", session)
    assert main(["device", "list", "--copied"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines() if "2 copies" in line] == [device]
    assert main(["device", "clear", device]) == 0
    assert f"The device {device} is no longer refused" in capsys.readouterr().out
    assert main(["device", "list", "--copied"]) == 0
    assert "There is no such device." in capsys.readouterr().out
    assert main(["device", "clear", device]) == 1
    assert "nothing to clear" in capsys.readouterr().err


def test_changes_are_in_the_feed_with_who_made_them(server: Lab, call: Call) -> None:
    server.load(item())
    assert call("POST", "/handshakes", {"organizationId": "216998", "custom": "two", "items": [{"id": 1}]})[0] == 200
    assert call("PATCH", "/handshakes/216998-two", {"isDefault": True})[0] == 200
    assert call("DELETE", "/handshakes/216998-100")[0] == 200

    lines = call("GET", "/audit")[1]["lines"]
    assert [(line["action"], line["subject"]) for line in lines[:3]] == [
        ("code-removed", "216998-100"),
        ("code-edited", "216998-two"),
        ("code-added", "216998-two"),
    ]
    assert {line["actor"] for line in lines[:3]} == {"cli:tester"}


def test_the_default_code_can_only_be_removed_last(server: Lab, call: Call) -> None:
    server.load(item())
    call("POST", "/handshakes", {"organizationId": "216998", "custom": "two"})
    status, answer = call("DELETE", "/handshakes/216998-100")
    assert (status, answer["code"]) == (400, "default-code")
    assert call("DELETE", "/handshakes/216998-two")[0] == 200
    assert call("DELETE", "/handshakes/216998-100")[0] == 200


def test_codes_of_two_organizations_that_are_spelled_alike_are_named_with_theirs(server: Lab, call: Call) -> None:
    server.load(item("a"), organization="1", license_id="2-3")
    server.time.forward(60)
    data = server.vendor.file(server.ctx, item("b"), organization="1-2", license_id="3")
    shown = call("POST", "/licenses/preview", data=data)[1]
    assert (shown["handshakeCode"], shown["codeExists"]) == ("1-2-3", False)
    assert [(notice["code"], notice["params"]) for notice in shown["notices"]] == [
        ("code-spelled-alike", {"name": "1-2-3", "organization": "1"}),
    ]  # fmt: skip
    assert call("POST", "/licenses", data=data)[1]["notices"] == shown["notices"]
    codes = call("GET", "/handshakes")[1]["handshakeCodes"]
    assert [(code["id"], code["name"], code["organizationId"]) for code in codes] == [
        (1, "1-2-3", "1"), (2, "1-2-3", "1-2"),
    ]  # fmt: skip
    assert call("PATCH", "/handshakes/1-2-3?organizationId=1-2", {"note": "newer"})[0] == 200
    assert call("PATCH", "/handshakes/%231", {"note": "older"})[0] == 200
    assert [code["note"] for code in call("GET", "/handshakes")[1]["handshakeCodes"]] == ["older", "newer"]
    key = call("GET", "/license-key/1-2-3?organizationId=1-2")[1]["licenseKey"]
    assert LicenseKey.decode(key).organization_id == "1-2"
    server.report(server.authorize("1-2-3", organization_id="1-2").lease, {"QR": 3})
    status, refused = call("GET", "/usage?code=1-2-3")
    assert (status, refused["code"], refused["field"]) == (409, "which-code", "organizationId")
    assert call("GET", "/usage?code=1-2-3&organizationId=1")[1]["total"] == 0
    assert call("GET", "/usage?code=1-2-3&organizationId=1-2")[1]["total"] == 3
    assert call("GET", "/handshake-use/1-2-3?organizationId=1-2")[1]["devices"] == 1
    assert call("DELETE", "/handshakes/1-2-3?organizationId=1-2")[0] == 200
    assert call("DELETE", "/handshakes/%232")[1]["code"] == "no-such-code"
    assert call("DELETE", "/handshakes/%23" + "9" * 30)[1]["code"] == "no-such-code"


@pytest.mark.parametrize("name", ["\u200b", "\u200d\u200d", "a\u202eb", "x" * 101, "", "  ", "a\u0007"])
def test_a_name_nobody_can_read_is_refused(server: Lab, call: Call, name: str) -> None:
    server.load(item())
    assert call("POST", "/handshakes", {"organizationId": "216998", "custom": name})[0] == 400


def test_composed_and_decomposed_names_are_one(server: Lab, call: Call) -> None:
    server.load(item())
    assert call("POST", "/handshakes", {"organizationId": "216998", "custom": "caf\u00e9"})[0] == 200
    status, answer = call("POST", "/handshakes", {"organizationId": "216998", "custom": "cafe\u0301"})
    assert (status, answer["code"]) == (409, "code-exists")
    assert call("POST", "/handshakes", {"organizationId": "216998", "custom": "👩‍💻 倉庫"})[0] == 200


def test_the_password_is_never_shown_and_stays_when_not_touched(server: Lab, call: Call) -> None:
    code = server.load(item())
    call("PATCH", f"/handshakes/{code}", {"password": "s3cret"})
    call("PATCH", f"/handshakes/{code}", {"note": "x"})
    status, answer = call("GET", "/handshakes")
    assert "s3cret" not in str(answer)
    assert answer["handshakeCodes"][0]["hasPassword"] is True
    assert b"s3cret" not in (server.config.data_dir / "lts.db").read_bytes()
    call("PATCH", f"/handshakes/{code}", {"password": None})
    assert call("GET", "/handshakes")[1]["handshakeCodes"][0]["hasPassword"] is False


def test_explain_names_holders_and_when_a_seat_frees(server: Lab, call: Call) -> None:
    code = server.load(item(way="device", quota=1, graceQuota=0))
    server.authorize(code)
    body = {"handshakeCode": code, "product": "reader", "deploymentType": "server"}
    answer = call("POST", "/explain", body)[1]
    assert answer["code"] == 120
    [one] = [entry for entry in answer["items"] if entry["itemId"] == "one"]
    assert len(one["holders"]) == 1
    assert one["nextFree"] == iso(NOON + 365 * DAY_SECONDS)
    server.time.forward(1)
    why = call("GET", "/why")[1]["refused"]
    assert why == []
    status, answer = call("POST", "/explain", body | {"modulez": ["A"]})
    assert (status, answer["code"], answer["field"]) == (400, "unknown-field", "modulez")


def test_devices_of_one_address_and_kind_of_program_look_alike(web: Web, call: Call) -> None:
    made = [str(uuid4()) for _ in range(4)]
    for device, address, agent in (
        (made[0], "192.0.2.7", "Browser/1.2"),
        (made[1], "192.0.2.7", "Browser/2.0"),
        (made[2], "192.0.2.7", "Other/1.2"),
        (made[3], "192.0.2.8", "Browser/1.2"),
    ):
        environ = {"REMOTE_ADDR": address, "HTTP_USER_AGENT": agent}
        assert web.call("POST", "/api/v1/authorize", web.asking(deviceId=device), **environ).status == 200
    found = call("GET", "/devices")[1]["devices"]
    assert {row["deviceId"]: row["alike"] for row in found} == dict(zip(made, (1, 1, 0, 0), strict=True))
    answer = call("GET", f"/devices?alike={made[1]}")[1]
    assert {row["deviceId"] for row in answer["devices"]} == set(made[:2])
    assert call("GET", f"/devices?alike={uuid4()}")[0] == 404
    assert call("GET", "/devices?alike=nobody")[0] == 400
