"""Calls about signing in, users, API tokens and sessions: part of the administrators' API."""

from __future__ import annotations

from flask import Response, after_this_request, g

from lts.errors import AdminError
from lts.rules.accounts import OWNER, Account
from lts.rules.values.meanwhile import WAS
from lts.service.access import accounts, sessions
from lts.service.access.accounts import MadeToken
from lts.service.access.sessions import NewSession
from lts.service.core.context import Context
from lts.web.admin import answers
from lts.web.admin.calls import Calls
from lts.web.admin.jsonbody import body_fields, body_text, json_body, secret_body
from lts.web.admin.signin import SignIn

PUBLIC_CALLS = {"admin.sign_in", "admin.use_link", "admin.set_up", "admin.session"}
"""Calls that need no account."""
READER_CALLS = {"admin.sign_out", "admin.change_password", "admin.end_session"}
"""Calls that a reader may make: they affect nobody else."""
NOT_SHARED_CALLS = {"admin.sign_in", "admin.use_link", "admin.sign_out", "admin.end_session"}
"""Calls that change nothing that the servers of a pair share."""


def _opened(gate: SignIn, begun: NewSession) -> answers.SignedIn:
    """The answer after a sign-in, with the session's cookies."""

    @after_this_request
    def keep(response: Response) -> Response:
        gate.set_cookies(response, begun)
        return response

    return _signed_in(begun.account, sessions.csrf_of(begun.secret))


def _signed_in(account: Account, csrf: str | None) -> answers.SignedIn:
    return answers.SignedIn(account.name, account.role, csrf, set_up_needed=False)


def add_calls(api: Calls, ctx: Context, gate: SignIn) -> None:
    _session_calls(api, ctx, gate)
    _user_calls(api, ctx)


def _session_calls(api: Calls, ctx: Context, gate: SignIn) -> None:
    @api.post("/setup")
    def set_up() -> answers.SignedIn:
        gate.check_origin()
        gate.check_guessing(OWNER)
        body = body_fields(secret_body(), "code", "password")
        code, password = body_text(body, "code"), body_text(body, "password")
        accounts.set_up(ctx, code, password, ctx.clock.now())
        return _opened(gate, gate.open(OWNER))

    @api.post("/session")
    def sign_in() -> answers.SignedIn:
        gate.check_origin()
        return _opened(gate, gate.begin(*gate.read_sign_in()))

    @api.post("/sign-in-link")
    def use_link() -> answers.SignedIn:
        gate.check_origin()
        gate.check_is_here()
        gate.check_guessing(OWNER)
        return _opened(gate, gate.open_link(body_text(body_fields(secret_body(), "code"), "code")))

    @api.get("/session")
    def session() -> answers.SignedIn:
        account = gate.who()
        if account is None:
            return answers.SignedIn(None, None, None, not accounts.is_set_up(ctx.store.catalog))
        return _signed_in(account, gate.csrf())

    @api.delete("/session")
    def sign_out() -> Response:
        response = Response(status=204)
        if g.account.session is not None:
            sessions.end(ctx, g.account, g.account.session, ctx.clock.now())
            gate.drop_cookie(response)
        return response

    @api.post("/password")
    def change_password() -> answers.SignedIn:
        gate.check_guessing(g.account.name)
        body = body_fields(secret_body(), "current", "password")
        current, new = body_text(body, "current"), body_text(body, "password")
        accounts.check_password(ctx, g.account.name, current)
        accounts.edit_user(ctx, g.account.name, {"password": new}, g.actor, ctx.clock.now())
        return _opened(gate, gate.open(g.account.name))

    @api.get("/sessions")
    def list_sessions() -> answers.SessionList:
        return answers.SessionList(sessions.describe(ctx, g.account, ctx.clock.now()))

    @api.delete("/sessions/<key>")
    def end_session(key: str) -> answers.EndedSession:
        sessions.end(ctx, g.account, key, ctx.clock.now())
        return answers.EndedSession(key)


def _user_calls(api: Calls, ctx: Context) -> None:
    @api.get("/users")
    def list_users() -> answers.UserList:
        return answers.UserList(accounts.describe_users(ctx))

    @api.post("/users")
    def add_user() -> answers.Named:
        body = body_fields(json_body(), "name", "role", "password")
        name = accounts.add_user(
            ctx, body_text(body, "name"), body.get("role"), body.get("password"), g.actor, ctx.clock.now()
        )
        return answers.Named(name)

    @api.patch("/users/<name:name>")
    def edit_user(name: str) -> answers.Named:
        accounts.edit_user(ctx, name, body_fields(json_body(), "role", "password", WAS), g.actor, ctx.clock.now())
        return answers.Named(name)

    @api.delete("/users/<name:name>")
    def remove_user(name: str) -> answers.Removed:
        accounts.remove_user(ctx, name, g.actor, ctx.clock.now())
        return answers.Removed(name)

    @api.get("/tokens")
    def list_tokens() -> answers.TokenList:
        return answers.TokenList(accounts.describe_tokens(ctx))

    @api.post("/tokens")
    def add_token() -> MadeToken:
        body = body_fields(json_body(), "name", "role")
        return accounts.add_token(ctx, body_text(body, "name"), body.get("role"), g.actor, ctx.clock.now())

    @api.delete("/tokens/<key>")
    def remove_token(key: str) -> answers.Removed:
        accounts.remove_token(ctx, key, g.actor, ctx.clock.now())
        return answers.Removed(key)

    @api.post("/password/reset")
    def reset_password() -> answers.SetUpCode:
        if not g.actor.startswith("cli:"):
            raise AdminError("not-allowed", "Run `lts password reset` on the server's machine.", status=403)
        accounts.reset(ctx, g.actor, ctx.clock.now())
        return answers.SetUpCode(sessions.setup_code(ctx), ctx.running.public_url)

    @api.get("/setup-code")
    def show_setup_code() -> answers.SetUpCode:
        if not g.actor.startswith("cli:"):
            raise AdminError("not-allowed", "Run `lts setup-code` on the server's machine.", status=403)
        return answers.SetUpCode(sessions.setup_code(ctx), ctx.running.public_url)
