"""Signing in: set up once, sessions, users, tokens, guessing, requests of other sites."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from lts.service.access import accounts, sessions
from lts.store import sql
from lts.store.changes import feed
from lts.web.admin import jsonbody
from lts.web.admin.signin import ALL_TRIES_A_MINUTE, ALL_TRIES_AT_ONCE, TRIES_A_MINUTE, TRIES_AT_ONCE
from tests.support.kit import FakeTime, Lab, Vendor, end_all_sessions, item, lab
from tests.support.lines import ROOT

PASSWORD = "correct horse battery"
ELSEWHERE = {"REMOTE_ADDR": "192.0.2.7"}


class Browser:
    """A browser on the portal: keeps cookies, sends the CSRF header of its session."""

    def __init__(self, server: Lab, **environ: str) -> None:
        self.client = server.here.app(server.config).flask.test_client()
        self.environ = {**ELSEWHERE, **environ}
        self.csrf = "sign-in"

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """(status, JSON)."""
        answer = self.client.open(
            f"/api/v1/admin{path}",
            method=method,
            json=body,
            headers={"X-LTS-CSRF": self.csrf, **headers},
            environ_overrides=self.environ,
        )
        self.answer = answer
        found = answer.get_json(silent=True)
        if isinstance(found, dict) and found.get("csrf"):
            self.csrf = found["csrf"]
        return answer.status_code, found

    def set_up(self, server: Lab, password: str = PASSWORD) -> None:
        """First visit."""
        code = sessions.setup_code(server.ctx)
        assert self.call("POST", "/setup", {"code": code, "password": password})[0] == 200

    def sign_in(self, user: str = "admin", password: str = PASSWORD) -> tuple[int, Any]:
        """The sign-in form."""
        self.csrf = "sign-in"
        return self.call("POST", "/session", {"user": user, "password": password})


def test_the_first_visit_sets_the_password_with_the_code_and_is_signed_in(server: Lab) -> None:
    browser = Browser(server)
    assert browser.call("GET", "/status")[1]["code"] == "set-up-needed"
    browser.set_up(server)
    assert browser.call("GET", "/session")[1] == {
        "user": "admin", "role": "administrator", "csrf": browser.csrf, "setUpNeeded": False,
    }  # fmt: skip
    assert sessions.setup_code(server.ctx) is None


def test_a_page_asks_who_is_signed_in_without_an_error(server: Lab) -> None:
    browser = Browser(server)
    nobody = {"user": None, "role": None, "csrf": None}
    assert browser.call("GET", "/session") == (200, {**nobody, "setUpNeeded": True})
    browser.set_up(server)
    browser.call("DELETE", "/session")
    assert browser.call("GET", "/session") == (200, {**nobody, "setUpNeeded": False})


def test_set_up_without_the_right_code_is_refused(server: Lab) -> None:
    status, answer = Browser(server).call("POST", "/setup", {"code": "AAAA-BBBB", "password": PASSWORD})
    assert (status, answer["code"]) == (403, "wrong-setup-code")
    assert "lts setup-code" in answer["detail"]


def test_the_code_may_be_typed_without_hyphens_in_lower_case(server: Lab) -> None:
    code = sessions.setup_code(server.ctx) or ""
    typed = code.replace("-", " ").lower()
    assert Browser(server).call("POST", "/setup", {"code": typed, "password": PASSWORD})[0] == 200


def test_of_many_browsers_that_set_up_at_once_one_succeeds(server: Lab) -> None:
    code = sessions.setup_code(server.ctx)
    found: list[int] = []
    browsers = [Browser(server, REMOTE_ADDR=f"192.0.2.{number + 1}") for number in range(4)]

    def visit(number: int) -> None:
        browser = browsers[number]
        found.append(browser.call("POST", "/setup", {"code": code, "password": f"{PASSWORD} {number}"})[0])

    threads = [threading.Thread(target=visit, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [200, 409, 409, 409]


@pytest.mark.parametrize(
    ("password", "code"),
    [("", "bad-field"), ("short", "short-password"), ("aaaaaaaaaaaaa", "weak-password"), ("x" * 300, "long-password"),
     ("with\x00control", "control-character")],
)  # fmt: skip
def test_no_empty_or_weak_password_is_taken(server: Lab, password: str, code: str) -> None:
    body = {"code": sessions.setup_code(server.ctx), "password": password}
    status, answer = Browser(server).call("POST", "/setup", body)
    assert (status, answer["code"], answer["field"]) == (400, code, "password")


def test_a_password_matches_however_its_letters_are_composed(server: Lab) -> None:
    browser = Browser(server)
    browser.set_up(server, "caf\u00e9 in the morning")
    assert browser.sign_in(password="cafe\u0301 in the morning")[0] == 200


def test_the_cookie_is_for_our_pages_only_and_secure_under_https(server: Lab) -> None:
    browser = Browser(server)
    browser.set_up(server)
    plain = browser.answer.headers.getlist("Set-Cookie")
    assert all("HttpOnly" in one and "SameSite=Strict" in one and "Secure" not in one for one in plain)
    browser.csrf = "sign-in"
    browser.call("POST", "/session", {"user": "admin", "password": PASSWORD}, **{"X-Forwarded-Proto": "https"})
    secured = browser.answer.headers.getlist("Set-Cookie")
    assert len(secured) == len(plain) == 2
    assert all("Secure" in one for one in secured)
    assert plain[0].startswith(f"lts-{server.ctx.identity.uuid[:8].lower()}=")


def test_sessions_survive_a_restart_and_hold_no_secret(tmp_path: Path) -> None:
    time, vendor = FakeTime(), Vendor()
    with lab(tmp_path, time, vendor) as server:
        browser = Browser(server)
        browser.set_up(server)
        cookie = browser.client.get_cookie(f"lts-{server.ctx.identity.uuid[:8].lower()}", path="/api/v1/admin")
        assert cookie is not None
    kept = b"".join(file.read_bytes() for file in (tmp_path / "data").glob("lts.db*"))
    assert sessions._digest(cookie.value) in kept, "what the session is found by"
    assert cookie.value.encode() not in kept
    assert PASSWORD.encode() not in kept
    with lab(tmp_path, time, vendor) as server:
        after = Browser(server)
        after.client = server.here.app(server.config).flask.test_client()
        after.client.set_cookie(cookie.key, cookie.value)
        assert after.call("GET", "/status")[0] == 200


def test_sessions_are_listed_and_ended_and_run_out(tmp_path: Path) -> None:
    time = FakeTime()
    with lab(tmp_path, time) as server:
        one, other = Browser(server), Browser(server)
        one.set_up(server)
        other.sign_in()
        listed = one.call("GET", "/sessions")[1]["sessions"]
        assert [entry["current"] for entry in listed].count(True) == 1
        key = next(entry["id"] for entry in listed if not entry["current"])
        assert one.call("DELETE", f"/sessions/{key}")[0] == 200
        assert other.call("GET", "/status")[1]["code"] == "not-signed-in"
        assert one.call("DELETE", f"/sessions/{key}")[0] == 404
        time.forward(11 * 3600)
        assert one.call("GET", "/status")[0] == 200
        time.forward(11 * 3600)
        assert one.call("GET", "/status")[0] == 200
        time.forward(13 * 3600)
        assert one.call("GET", "/status")[0] == 401


def test_signing_out_ends_the_session(server: Lab) -> None:
    browser = Browser(server)
    browser.set_up(server)
    assert browser.call("DELETE", "/session")[0] == 204
    assert browser.call("GET", "/status")[0] == 401


def test_a_changed_password_ends_the_other_sessions(server: Lab) -> None:
    one, other = Browser(server), Browser(server)
    one.set_up(server)
    other.sign_in()
    assert one.call("POST", "/password", {"current": "wrong", "password": "another good one"})[0] == 403
    assert one.call("POST", "/password", {"current": PASSWORD, "password": "another good one"})[0] == 200
    assert one.call("GET", "/status")[0] == 200
    assert other.call("GET", "/status")[0] == 401
    assert other.sign_in()[0] == 403


def test_a_reset_keeps_everything_else_and_ends_old_sessions(server: Lab) -> None:
    server.load(item())
    browser = Browser(server)
    browser.set_up(server)
    items = browser.call("GET", "/licenses/items")[1]
    accounts.reset(server.ctx, "cli:test", server.time.now)
    assert browser.call("GET", "/status")[1]["code"] == "set-up-needed"
    browser.csrf = "sign-in"
    browser.set_up(server, "a quite new password")
    assert browser.call("GET", "/licenses/items")[1] == items


def test_only_the_command_line_resets_the_password(server: Lab) -> None:
    browser = Browser(server)
    browser.set_up(server)
    assert browser.call("POST", "/password/reset")[0] == 403
    assert browser.call("GET", "/setup-code")[0] == 403


def test_a_reader_looks_and_changes_nothing(server: Lab) -> None:
    code = server.load(item())
    owner, reader = Browser(server), Browser(server)
    owner.set_up(server)
    body = {"name": "Ana", "role": "reader", "password": "read only words"}
    assert owner.call("POST", "/users", body) == (200, {"name": "Ana"})
    assert owner.call("POST", "/users", {**body, "name": "ana"})[0] == 409
    assert reader.sign_in("Ana", "read only words")[0] == 200
    assert "LTS2" in str(owner.call("GET", "/handshakes?keys=true")[1])
    status, shown = reader.call("GET", "/handshakes?keys=true")
    assert status == 200
    assert code in str(shown)
    assert "LTS2" not in str(shown), "a license key"
    for method, path in (("POST", "/handshakes"), ("DELETE", f"/handshakes/{code}"), ("POST", "/users"),
                         ("POST", "/tokens"), ("POST", "/backup"), ("POST", "/licenses")):  # fmt: skip
        assert reader.call(method, path, {})[1]["code"] == "read-only", path
    assert reader.call("GET", f"/license-key/{code}")[0] == 403
    assert reader.call("POST", "/password", {"current": "read only words", "password": "my own new words"})[0] == 200
    assert [entry["user"] for entry in reader.call("GET", "/sessions")[1]["sessions"]] == ["Ana"]
    assert owner.call("DELETE", "/users/Ana")[0] == 200
    assert reader.call("GET", "/status")[0] == 401


def test_the_owner_stays(server: Lab) -> None:
    browser = Browser(server)
    browser.set_up(server)
    assert browser.call("DELETE", "/users/admin")[0] == 409
    assert browser.call("PATCH", "/users/admin", {"role": "reader"})[0] == 409


def test_a_token_works_until_it_is_removed_and_is_shown_once(server: Lab) -> None:
    browser, program = Browser(server), Browser(server)
    browser.set_up(server)
    made = browser.call("POST", "/tokens", {"name": "reports", "role": "reader"})[1]
    bearer = {"Authorization": f"Bearer {made['token']}"}
    for scheme in ("Bearer", "bearer", "BEARER"):
        assert program.call("GET", "/usage", Authorization=f"{scheme} {made['token']}")[0] == 200
    assert program.call("GET", "/usage", Authorization=made["token"])[0] == 401
    assert program.call("POST", "/handshakes", {}, **bearer)[1]["code"] == "read-only"
    assert made["token"] not in str(browser.call("GET", "/tokens")[1])
    with server.ctx.store.reader() as db:
        stored = b"".join(change.payload for change in feed.stored(db, 1))
        assert b"reports" in stored, "the token's name, in plain bytes"
        assert made["token"].split("_", 2)[2].encode() not in stored  # a secret may hold a _ itself
    assert browser.call("DELETE", f"/tokens/{made['id']}")[0] == 200
    assert program.call("GET", "/usage", **bearer)[0] == 401


@pytest.mark.parametrize("bearer", ["", "Bearer", "Bearer lts_", "Bearer lts_x_y", "Bearer \u00e9", "Basic YTpi"])
def test_odd_authorization_headers_are_no_fault(server: Lab, bearer: str) -> None:
    assert Browser(server).call("GET", "/status", Authorization=bearer.encode().decode("latin-1"))[0] == 401


def test_what_another_site_sends_is_refused(server: Lab) -> None:
    code = server.load(item())
    browser = Browser(server)
    browser.set_up(server)
    own = browser.csrf
    for csrf in ("", "sign-in", "0" * 32):
        browser.csrf = csrf
        assert browser.call("DELETE", f"/handshakes/{code}")[1]["code"] == "cross-site"
    browser.csrf = own
    assert browser.call("DELETE", f"/handshakes/{code}", **{"Sec-Fetch-Site": "cross-site"})[0] == 403
    assert browser.call("DELETE", f"/handshakes/{code}")[0] == 200


def test_nobody_is_signed_in_by_another_site(server: Lab) -> None:
    Browser(server).set_up(server)
    other = Browser(server)
    other.csrf = ""
    status, answer = other.call("POST", "/session", {"user": "admin", "password": PASSWORD})
    assert (status, answer["code"]) == (403, "cross-site")


def test_guessing_is_slowed_down_but_the_owner_gets_in(server: Lab) -> None:
    app = server.here.app(server.config).flask
    owner, thief = Browser(server), Browser(server)
    owner.client, thief.client = app.test_client(), app.test_client()
    owner.set_up(server)
    answers = [thief.sign_in(password=f"guess number {n}") for n in range(12)]
    assert answers[0][1]["code"] == "wrong-password"
    assert answers[-1][1]["code"] == "slow-down"
    assert sum(status != 429 for status, _ in answers) in (7, 8, 9), (
        "one went into the set-up; one more comes each ten seconds"
    )
    assert int(thief.answer.headers["Retry-After"]) > 0
    assert thief.sign_in()[0] == 429, "the right password from the guesser's address waits too"
    assert owner.sign_in()[0] == 200, "a browser that signed in before has tries of its own, at the same address"


def test_the_guide_says_how_often_one_may_try() -> None:
    assert (TRIES_AT_ONCE, TRIES_A_MINUTE, ALL_TRIES_A_MINUTE, ALL_TRIES_AT_ONCE) == (8, 6, 60, 60)
    guide = (ROOT / "docs" / "admin" / "hardening.md").read_text(encoding="utf-8")
    assert "8 attempts at once and 6 a minute from an address, 60 a minute from all addresses together" in guide


def test_an_unknown_user_gets_the_same_answer_as_a_wrong_password(server: Lab) -> None:
    browser = Browser(server)
    browser.set_up(server)
    assert browser.sign_in("nobody")[1]["detail"] == browser.sign_in(password="wrong")[1]["detail"]


def test_a_dead_session_gets_a_json_401(server: Lab) -> None:
    browser = Browser(server)
    browser.set_up(server)
    server.ctx.store.write(end_all_sessions)
    status, answer = browser.call("PATCH", "/handshakes/x", {"note": "typed"})
    assert (status, answer["code"]) == (401, "not-signed-in")
    assert browser.answer.content_type == "application/problem+json"


def test_the_number_of_sessions_of_a_user_is_limited(server: Lab) -> None:
    Browser(server).set_up(server)
    for _ in range(sessions.KEPT_EACH + 5):
        sessions.begin(server.ctx, "admin", "192.0.2.1", "agent", server.time.now)
    with server.ctx.store.reader() as db:
        assert sql.value(db, "SELECT count(*) FROM sessions") == sessions.KEPT_EACH


def test_a_wrong_setup_code_costs_no_hash(monkeypatch: pytest.MonkeyPatch, server: Lab) -> None:
    def refuse(password: str) -> str:
        raise AssertionError(password)

    assert sessions.setup_code(server.ctx)
    monkeypatch.setattr(accounts, "hashed", refuse)
    assert Browser(server).call("POST", "/setup", {"code": "AAAA-BBBB", "password": PASSWORD})[0] == 403


OPEN_CALLS = {
    "/setup": {"code": "AAAA-BBBB", "password": PASSWORD},
    "/session": {"user": "admin", "password": "wrong"},
    "/sign-in-link": {"code": "x"},
}
TRIES = 12
"""More than an address has at once."""


def send(browser: Browser, path: str, data: bytes) -> int:
    """The status of a call with a body as it is."""
    headers = {"X-LTS-CSRF": "sign-in", "Content-Type": "application/json"}
    answer = browser.client.post(f"/api/v1/admin{path}", data=data, headers=headers, environ_overrides=browser.environ)
    return answer.status_code


@pytest.mark.parametrize("path", OPEN_CALLS)
@pytest.mark.parametrize(
    "body", [b"{", b"{}", b'{"a": 1, "a": 2}', b" " * 9000], ids=["cut", "empty", "twice", "large"]
)
def test_a_body_that_is_not_valid_is_a_try_at_the_secret(server: Lab, path: str, body: bytes) -> None:
    browser = Browser(server, REMOTE_ADDR="127.0.0.1")
    found = [send(browser, path, body) for _ in range(TRIES)]
    assert found[0] == (413 if len(body) > jsonbody.SECRET_BYTES else 400)
    assert found[-1] == 429
    assert browser.call("POST", path, OPEN_CALLS[path])[0] == 429


@pytest.mark.parametrize("path", OPEN_CALLS)
def test_of_whom_has_no_try_left_nothing_is_read(server: Lab, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = Browser(server, REMOTE_ADDR="127.0.0.1")
    for _ in range(TRIES):
        browser.call("POST", path, OPEN_CALLS[path])
    monkeypatch.setattr(jsonbody, "read_body", lambda environ, limit: pytest.fail("the body is read"))
    assert send(browser, path, b"{}") == 429


def test_a_signed_in_user_tries_its_password_within_the_same_limits(server: Lab) -> None:
    browser = Browser(server)
    browser.set_up(server)
    found = [browser.call("POST", "/password", {"current": "x" * 20_000})[0] for _ in range(TRIES)]
    assert (found[0], found[-1]) == (413, 429)
