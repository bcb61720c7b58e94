"""Users, tokens and sessions as the service keeps them: how many, whose, and what is named when there is none."""

from __future__ import annotations

import hashlib
import re

import pytest

from lts.errors import AdminError
from lts.protocol import iso
from lts.rules.accounts import Account
from lts.rules.licensing.catalog import Catalog
from lts.service.access import accounts, sessions
from lts.service.access.accounts import TokenLine, UserLine
from lts.service.access.passwords import hashed
from lts.store.changes import records
from lts.store.writing.transaction import Transaction
from tests.support.kit import Lab

PASSWORD = "correct horse battery"
HASH = hashed(PASSWORD)
NOW = 1_800_000_000
OWNER = Account("admin", "administrator", "admin")
READER = Account("jane", "reader", "jane")


def add(server: Lab, *names: str) -> None:
    """Users with one hash, which costs nothing."""

    def operation(tx: Transaction) -> None:
        for name in names:
            role = "administrator" if name == "admin" else "reader"
            user = {"role": role, "password": HASH, "since": NOW}
            tx.emit(records.SettingChange("test", accounts.USER + name, user), NOW)

    server.ctx.store.write(operation)


def test_there_may_be_two_hundred_users(server: Lab) -> None:
    add(server, "admin", *(f"user-{n}" for n in range(198)))
    accounts.add_user(server.ctx, "last", "reader", PASSWORD, "admin", NOW)
    with pytest.raises(AdminError, match="There may be 200 users") as caught:
        accounts.add_user(server.ctx, "one-more", "reader", PASSWORD, "admin", NOW)
    assert (caught.value.code, caught.value.status) == ("too-many-users", 409)
    assert len(accounts.describe_users(server.ctx)) == 200


@pytest.mark.parametrize("name", [".", "..", " .. "])
def test_a_user_that_no_address_can_name_is_refused(server: Lab, name: str) -> None:
    with pytest.raises(AdminError, match="cannot be called") as caught:
        accounts.add_user(server.ctx, name, "reader", PASSWORD, "admin", NOW)
    assert (caught.value.code, caught.value.field) == ("dots-name", "name")
    accounts.add_user(server.ctx, "...", "reader", PASSWORD, "admin", NOW)


def test_users_are_listed_by_name_the_owner_first(server: Lab) -> None:
    add(server, "zoe", "abe", "admin")
    assert [(user.name, user.owner) for user in accounts.describe_users(server.ctx)] == [
        ("admin", True), ("abe", False), ("zoe", False),
    ]  # fmt: skip


def test_a_missing_user_token_or_session_is_reported(server: Lab) -> None:
    add(server, "admin")
    for call in (
        lambda: accounts.edit_user(server.ctx, "nobody", {"role": "reader"}, "admin", NOW),
        lambda: accounts.remove_user(server.ctx, "nobody", "admin", NOW),
        lambda: accounts.remove_token(server.ctx, "nothing", "admin", NOW),
        lambda: sessions.end(server.ctx, OWNER, "nothing", NOW),
    ):
        with pytest.raises(AdminError, match="There is no ") as caught:
            call()  # type: ignore[no-untyped-call]
        assert caught.value.status == 404


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda ctx: accounts.edit_user(ctx, "admin", {"role": "reader"}, "admin", NOW), "owner"),
        (lambda ctx: accounts.remove_user(ctx, "admin", "admin", NOW), "owner"),
        (lambda ctx: accounts.add_user(ctx, "ADMIN", "reader", PASSWORD, "admin", NOW), "user-exists"),
        (lambda ctx: accounts.add_user(ctx, "Jane", "reader", PASSWORD, "admin", NOW), "user-exists"),
        (lambda ctx: accounts.set_up(ctx, "code", PASSWORD, NOW), "set-up-before"),
    ],
)
def test_what_cannot_be_changed_stays(server: Lab, call: object, code: str) -> None:
    add(server, "admin", "jane")
    before = accounts.describe_users(server.ctx)
    with pytest.raises(AdminError) as caught:
        call(server.ctx)  # type: ignore[operator]
    assert (caught.value.code, caught.value.status) == (code, 409)
    assert accounts.describe_users(server.ctx) == before


def test_a_token_is_named_by_its_id_and_works_with_its_own_secret_alone(server: Lab) -> None:
    made = accounts.add_token(server.ctx, "script", "reader", "admin", NOW)
    catalog = server.ctx.store.catalog
    assert len(made.id) == 12
    assert re.fullmatch(rf"lts_{made.id}_[A-Za-z0-9_-]{{43}}", made.token)
    assert accounts.account_of_token(catalog, made.token) == Account("script", "reader", "token:script")
    for wrong in (made.token + "x", made.token[:-1], "lts_" + made.id, made.token.replace("lts", "xyz")):
        assert accounts.account_of_token(catalog, wrong) is None


def test_tokens_are_listed_the_oldest_first_and_then_by_id(server: Lab) -> None:
    made = [accounts.add_token(server.ctx, name, "reader", "admin", NOW + 1).id for name in ("b", "a", "c")]
    first = accounts.add_token(server.ctx, "z", "administrator", "admin", NOW).id
    found = accounts.describe_tokens(server.ctx)
    assert [one.id for one in found] == [first, *sorted(made)]
    assert found[0] == TokenLine(first, "z", "administrator", iso(NOW))


def test_there_are_so_many_tokens_and_one_more_once_one_is_removed(
    server: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "MAX_TOKENS", 2)
    first, _ = (accounts.add_token(server.ctx, "t", "reader", "admin", NOW) for _ in range(2))
    with pytest.raises(AdminError) as caught:
        accounts.add_token(server.ctx, "t", "reader", "admin", NOW)
    assert (caught.value.code, caught.value.status) == ("too-many-tokens", 409)
    accounts.remove_token(server.ctx, first.id, "admin", NOW)
    assert accounts.add_token(server.ctx, "t", "reader", "admin", NOW).id


def test_a_token_is_looked_up_without_looking_at_the_others(server: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    made = accounts.add_token(server.ctx, "script", "reader", "admin", NOW)
    monkeypatch.setattr(Catalog, "settings_of", lambda *_: 1 // 0)
    for text, known in ((made.token, True), (f"lts_{made.id}_x", False), ("lts_a_b", False), ("lts__", False)):
        assert (accounts.account_of_token(server.ctx.store.catalog, text) is not None) == known


def test_of_two_who_set_up_at_once_the_later_one_is_refused(server: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    code = sessions.setup_code(server.ctx) or ""
    asked = iter([False, True])
    monkeypatch.setattr(accounts, "is_set_up", lambda _: next(asked))
    with pytest.raises(AdminError) as caught:
        accounts.set_up(server.ctx, code, PASSWORD, NOW)
    assert (caught.value.code, caught.value.status) == ("set-up-before", 409)
    assert accounts.describe_users(server.ctx) == []


@pytest.mark.parametrize("typed", [" jane ", "jane", "ja\u006ee"])
def test_a_user_signs_in_by_its_name_however_it_is_typed(server: Lab, typed: str) -> None:
    add(server, "jane")
    accounts.check_password(server.ctx, typed, PASSWORD)
    for name, password in ((typed, PASSWORD + "x"), ("jan", PASSWORD)):
        with pytest.raises(AdminError) as caught:
            accounts.check_password(server.ctx, name, password)
        assert (caught.value.code, caught.value.status) == ("wrong-password", 403)


@pytest.mark.parametrize(
    ("changes", "role", "good"),
    [({}, "reader", PASSWORD), ({"role": "administrator"}, "administrator", PASSWORD),
     ({"password": "another good one"}, "reader", "another good one")],
)  # fmt: skip
def test_what_is_not_changed_of_a_user_stays(server: Lab, changes: dict[str, str], role: str, good: str) -> None:
    add(server, "jane")
    accounts.edit_user(server.ctx, "jane", changes, "admin", NOW + 9)
    assert accounts.describe_users(server.ctx) == [UserLine("jane", role, iso(NOW), owner=False)]
    accounts.check_password(server.ctx, "jane", good)


def test_what_proves_a_session_is_long_and_the_same_in_every_version(server: Lab) -> None:
    add(server, "admin")
    begun = sessions.begin(server.ctx, "admin", "192.0.2.1", "agent", NOW)
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", begun.secret), "32 random bytes"
    assert re.fullmatch("[0-9a-f]{16}", begun.account.session or "")
    assert sessions.csrf_of("x") == hashlib.sha256(b"csrf x").hexdigest()[:32]
    assert sessions.password_digest_of({"password": "hash"}) == hashlib.sha256(b"hash").digest()[:16]


def test_a_set_up_code_is_four_times_four_characters_that_nobody_mixes_up() -> None:
    codes = {sessions.new_code() for _ in range(50)}
    assert len(codes) == 50
    assert all(re.fullmatch(r"[2-9A-HJ-NP-Z]{4}(-[2-9A-HJ-NP-Z]{4}){3}", code) for code in codes)


def test_fifty_sessions_of_a_user_are_kept_and_those_unused_for_longest_make_room(server: Lab) -> None:
    add(server, "admin", "jane")
    other = sessions.begin(server.ctx, "admin", "192.0.2.1", "agent", NOW).account.session
    kept = [sessions.begin(server.ctx, "jane", "192.0.2.1", "agent", NOW + n).account.session for n in range(51)]
    now = NOW + 60
    assert {one.id for one in sessions.describe(server.ctx, READER, now)} == set(kept[1:])
    assert {one.id for one in sessions.describe(server.ctx, OWNER, now)} == {other, *kept[1:]}


def test_an_administrator_ends_any_session_and_a_reader_its_own(server: Lab) -> None:
    add(server, "admin", "jane")
    own = sessions.begin(server.ctx, "jane", "x" * 65, "y" * 201, NOW).account.session or ""
    other = sessions.begin(server.ctx, "admin", "192.0.2.1", "agent", NOW).account.session or ""
    with pytest.raises(AdminError):
        sessions.end(server.ctx, READER, other, NOW)
    assert [(len(one.address), len(one.agent)) for one in sessions.describe(server.ctx, READER, NOW)] == [(64, 200)]
    sessions.end(server.ctx, READER, own, NOW)
    sessions.end(server.ctx, OWNER, other, NOW)
    assert sessions.describe(server.ctx, OWNER, NOW) == []


def test_nobody_who_is_no_user_gets_a_session(server: Lab) -> None:
    with pytest.raises(AdminError, match="Sign in first") as caught:
        sessions.begin(server.ctx, "nobody", "192.0.2.1", "agent", NOW)
    assert caught.value.status == 401


@pytest.mark.parametrize(("later", "used"), [(60, NOW), (61, NOW + 61)])
def test_the_last_use_of_a_session_is_written_when_it_is_a_minute_old(server: Lab, later: int, used: int) -> None:
    add(server, "admin")
    secret = sessions.begin(server.ctx, "admin", "192.0.2.1", "agent", NOW).secret
    assert sessions.find(server.ctx, secret, NOW + later) is not None
    [told] = sessions.describe(server.ctx, OWNER, NOW + later)
    assert told.last_used == iso(used)
