"""Hashes of passwords: what they cost, and how those of an earlier version are renewed."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from argon2 import PasswordHasher, extract_parameters

from lts.rules.pair import REFUSING
from lts.service.access import accounts, passwords, sessions
from tests.support.kit import Lab
from tests.support.lines import environment
from tests.web.test_accounts import Browser

PASSWORD = "correct horse battery"
NOW = 1_800_000_000


def stored(server: Lab) -> str:
    return str(accounts.users_of(server.ctx.store.catalog)["admin"]["password"])


def set_up(server: Lab, monkeypatch: pytest.MonkeyPatch | None = None) -> None:
    """Give the owner a password; with `monkeypatch`, hashed as an earlier version did."""
    if monkeypatch is not None:
        monkeypatch.setattr(accounts, "hashed", PasswordHasher(time_cost=1).hash)
    accounts.set_up(server.ctx, sessions.setup_code(server.ctx) or "", PASSWORD, NOW)
    if monkeypatch is not None:
        monkeypatch.undo()


def test_the_hash_of_nobody_has_the_parameters_of_a_new_one() -> None:
    assert extract_parameters(passwords.NOBODY) == extract_parameters(passwords.hashed(PASSWORD))
    assert not passwords.is_dated(passwords.NOBODY)
    assert not passwords.matches(None, PASSWORD)


def test_an_unknown_user_costs_what_a_wrong_password_costs() -> None:
    known = passwords.hashed(PASSWORD)

    def cost(hash_: str | None) -> float:
        spent = []
        for _ in range(3):
            before = time.process_time()
            assert not passwords.matches(hash_, "wrong")
            spent.append(time.process_time() - before)
        return min(spent)

    assert 0.5 < cost(None) / cost(known) < 2


def test_a_hash_of_an_earlier_version_goes_on_and_is_renewed_by_the_next_sign_in(
    server: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up(server, monkeypatch)
    before = stored(server)
    assert passwords.is_dated(before)
    accounts.check_password(server.ctx, "admin", PASSWORD)
    accounts.renew_hash(server.ctx, "admin", PASSWORD, NOW)
    renewed = stored(server)
    assert (passwords.is_dated(renewed), passwords.is_dated(before)) == (False, True)
    accounts.check_password(server.ctx, "admin", PASSWORD)
    accounts.renew_hash(server.ctx, "admin", PASSWORD, NOW)
    assert stored(server) == renewed


def test_a_server_that_does_not_serve_renews_nothing(server: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    set_up(server, monkeypatch)
    before = stored(server)
    server.ctx.running.status = REFUSING
    accounts.renew_hash(server.ctx, "admin", PASSWORD, NOW)
    assert stored(server) == before


@pytest.mark.skipif(sys.platform != "linux", reason="reads what Linux tells of a process")
def test_a_hash_takes_its_twelve_mebibytes_and_gives_them_back() -> None:
    code = """
import re
import threading
from lts.memory import return_large_blocks
from lts.service.access import passwords
return_large_blocks()
def memory():
    text = open("/proc/self/status").read()
    return [int(re.search(rf"{name}:\\s+(\\d+)", text)[1]) / 1024 for name in ("VmRSS", "VmHWM")]
passwords.is_dated(passwords.NOBODY)
before, peak = memory()
threads = [threading.Thread(target=passwords.matches, args=(None, "x" * 20)) for _ in range(6)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
after, highest = memory()
print(after - before, highest - peak)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment())
    kept, more = map(float, done.stdout.split())
    assert kept < 4
    assert 8 < more < 20


def test_who_signs_in_with_a_hash_of_an_earlier_version_is_signed_in(
    server: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up(server, monkeypatch)
    before = stored(server)
    browser = Browser(server)
    assert browser.sign_in(password="wrong " + PASSWORD)[0] == 403
    assert stored(server) == before
    assert browser.sign_in()[0] == 200
    assert not passwords.is_dated(stored(server))
    assert browser.call("GET", "/status")[0] == 200
    assert Browser(server).sign_in()[0] == 200
