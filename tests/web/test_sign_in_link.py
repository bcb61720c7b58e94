"""The link that signs in once: on the server's own machine, for an hour, while the password stays."""

from __future__ import annotations

import threading

import pytest

from lts.errors import AdminError
from lts.service.access import accounts, signinlink
from tests.support.kit import Lab
from tests.web.test_accounts import PASSWORD, Browser

HERE = {"REMOTE_ADDR": "127.0.0.1"}


@pytest.fixture
def code(server: Lab) -> str:
    """The code of a link for the owner of a server that is set up."""
    Browser(server).set_up(server)
    return signinlink.make(server.ctx, "admin", server.time.now)


def follow(server: Lab, code: str, **environ: str) -> tuple[int, str]:
    """(status, user or code of the problem) of a browser, on this machine by default, that follows a link."""
    status, answer = Browser(server, **{**HERE, **environ}).call("POST", "/sign-in-link", {"code": code})
    return status, answer.get("user") or answer["code"]


def test_a_link_signs_its_user_in_and_makes_a_session_like_any_other(server: Lab, code: str) -> None:
    browser = Browser(server, **HERE)
    assert browser.call("POST", "/sign-in-link", {"code": code})[0] == 200
    assert browser.call("GET", "/session")[1] == {
        "user": "admin", "role": "administrator", "csrf": browser.csrf, "setUpNeeded": False,
    }  # fmt: skip
    assert browser.call("POST", "/tokens", {"name": "reports", "role": "reader"})[0] == 200


def test_a_link_works_once(server: Lab, code: str) -> None:
    assert follow(server, code) == (200, "admin")
    assert follow(server, code) == (403, "wrong-sign-in-link")


def test_of_many_browsers_that_follow_a_link_at_once_one_is_signed_in(server: Lab, code: str) -> None:
    found: list[int] = []

    def follow_it(browser: Browser) -> None:
        found.append(browser.call("POST", "/sign-in-link", {"code": code})[0])

    browsers = [Browser(server, **HERE) for _ in range(4)]
    threads = [threading.Thread(target=follow_it, args=(browser,)) for browser in browsers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [200, 403, 403, 403]


@pytest.mark.parametrize(
    "environ",
    [{"REMOTE_ADDR": "192.0.2.7"}, {"HTTP_X_FORWARDED_FOR": "192.0.2.7"}, {"HTTP_FORWARDED": "for=127.0.0.1"}],
)
def test_from_another_machine_or_through_a_proxy_a_link_is_refused_and_not_used_up(
    server: Lab, code: str, environ: dict[str, str]
) -> None:
    assert follow(server, code, **environ) == (403, "sign-in-link-elsewhere")
    assert follow(server, code) == (200, "admin")


def test_a_link_holds_for_an_hour(server: Lab, code: str) -> None:
    server.time.forward(signinlink.LINK_SECONDS - 1)
    assert follow(server, code) == (200, "admin")
    late = signinlink.make(server.ctx, "admin", server.time.now)
    server.time.forward(signinlink.LINK_SECONDS)
    assert follow(server, late) == (403, "wrong-sign-in-link")


def test_a_new_link_takes_the_place_of_the_one_before(server: Lab, code: str) -> None:
    newer = signinlink.make(server.ctx, "admin", server.time.now)
    assert follow(server, code)[0] == 403
    assert follow(server, newer)[0] == 200


def test_a_link_ends_with_the_password_that_it_was_made_under(server: Lab, code: str) -> None:
    accounts.edit_user(server.ctx, "admin", {"password": "quite another one"}, "admin", server.time.now)
    assert follow(server, code)[0] == 403
    after = signinlink.make(server.ctx, "admin", server.time.now)
    accounts.reset(server.ctx, "cli:test", server.time.now)
    assert follow(server, after)[0] == 403


def test_a_reset_ends_the_session_of_a_link(server: Lab, code: str) -> None:
    browser = Browser(server, **HERE)
    browser.call("POST", "/sign-in-link", {"code": code})
    accounts.reset(server.ctx, "cli:test", server.time.now)
    assert browser.call("GET", "/status")[1]["code"] == "set-up-needed"


@pytest.mark.parametrize("guess", ["-", "AAAA-BBBB-CCCC-DDDD", "\u00e9\u6f22", "x" * 10_000])
def test_a_wrong_code_is_refused_and_the_link_still_works(server: Lab, code: str, guess: str) -> None:
    assert follow(server, guess) == (403, "wrong-sign-in-link")
    assert follow(server, code) == (200, "admin")


def test_without_a_link_no_code_signs_in(server: Lab) -> None:
    Browser(server).set_up(server)
    assert follow(server, "none") == (403, "wrong-sign-in-link")


def test_guessing_codes_is_slowed_down(server: Lab, code: str) -> None:
    browser = Browser(server, **HERE)
    tries = [browser.call("POST", "/sign-in-link", {"code": f"guess {n}"})[0] for n in range(12)]
    assert (tries[0], tries[-1]) == (403, 429)


def test_another_site_follows_no_link(server: Lab, code: str) -> None:
    browser = Browser(server, **HERE)
    browser.csrf = ""
    assert browser.call("POST", "/sign-in-link", {"code": code})[1]["code"] == "cross-site"
    assert follow(server, code)[0] == 200


def test_the_data_folder_does_not_hold_the_code(server: Lab, code: str) -> None:
    files = list(server.config.data_dir.glob("lts.db*"))
    assert files
    for file in files:
        assert code.encode() not in file.read_bytes()
        assert PASSWORD.encode() not in file.read_bytes()


def test_there_is_no_link_for_a_user_who_is_not_there(server: Lab) -> None:
    with pytest.raises(AdminError, match="There is no user"):
        signinlink.make(server.ctx, "admin", server.time.now)
