"""Calls about signing in, users, API tokens and sessions: part of the administrators' API."""

from __future__ import annotations

from typing import Any

from flask import Response, g, jsonify

from lts.errors import AdminError
from lts.rules.accounts import OWNER, Account
from lts.rules.meanwhile import WAS
from lts.service.access import accounts, sessions
from lts.service.access.sessions import NewSession
from lts.service.core.context import Context
from lts.web.admin.calls import Calls
from lts.web.admin.jsonbody import body_fields, body_text, json_body, secret_body
from lts.web.admin.signin import SignIn

Json = dict[str, Any]
OPEN = {"admin.sign_in", "admin.use_link", "admin.set_up", "admin.session"}
"""Calls that need no account."""
OWN = {"admin.sign_out", "admin.change_password", "admin.end_session"}
"""Calls that a reader may make: they concern nobody else."""
HERE = {"admin.sign_in", "admin.use_link", "admin.sign_out", "admin.end_session"}
"""Calls that change nothing that the servers of a pair share."""


def _opened(gate: SignIn, begun: NewSession) -> Response:
    response = jsonify(_session_json(begun.account, sessions.csrf_of(begun.secret)))
    gate.set_cookies(response, begun)
    return response


def _session_json(account: Account, csrf: str | None) -> Json:
    return {"user": account.name, "role": account.role, "csrf": csrf, "setUpNeeded": False}


def add_calls(api: Calls, ctx: Context, gate: SignIn) -> None:
    _session_calls(api, ctx, gate)
    _user_calls(api, ctx)


def _session_calls(api: Calls, ctx: Context, gate: SignIn) -> None:
    @api.post("/setup")
    def set_up() -> Response:
        gate.check_origin()
        gate.check_guessing(OWNER)
        body = body_fields(secret_body(), "code", "password")
        code, password = body_text(body, "code"), body_text(body, "password")
        accounts.set_up(ctx, code, password, ctx.clock.now())
        return _opened(gate, gate.open(OWNER))

    @api.post("/session")
    def sign_in() -> Response:
        gate.check_origin()
        return _opened(gate, gate.begin(*gate.read_sign_in()))

    @api.post("/sign-in-link")
    def use_link() -> Response:
        gate.check_origin()
        gate.check_is_here()
        gate.check_guessing(OWNER)
        return _opened(gate, gate.open_link(body_text(body_fields(secret_body(), "code"), "code")))

    @api.get("/session")
    def session() -> Json:
        account = gate.who()
        if account is None:
            return {"user": None, "role": None, "csrf": None, "setUpNeeded": not accounts.is_set_up(ctx.store.catalog)}
        return _session_json(account, gate.csrf())

    @api.delete("/session")
    def sign_out() -> Response:
        response = Response(status=204)
        if g.account.session is not None:
            sessions.end(ctx, g.account, g.account.session, ctx.clock.now())
            gate.drop_cookie(response)
        return response

    @api.post("/password")
    def change_password() -> Response:
        gate.check_guessing(g.account.name)
        body = body_fields(secret_body(), "current", "password")
        current, new = body_text(body, "current"), body_text(body, "password")
        accounts.check_password(ctx, g.account.name, current)
        accounts.edit_user(ctx, g.account.name, {"password": new}, g.actor, ctx.clock.now())
        return _opened(gate, gate.open(g.account.name))

    @api.get("/sessions")
    def list_sessions() -> Json:
        return {"sessions": sessions.describe(ctx, g.account, ctx.clock.now())}

    @api.delete("/sessions/<key>")
    def end_session(key: str) -> Json:
        sessions.end(ctx, g.account, key, ctx.clock.now())
        return {"ended": key}


def _user_calls(api: Calls, ctx: Context) -> None:
    @api.get("/users")
    def list_users() -> Json:
        return {"users": accounts.describe_users(ctx)}

    @api.post("/users")
    def add_user() -> Json:
        body = body_fields(json_body(), "name", "role", "password")
        name = accounts.add_user(
            ctx, body_text(body, "name"), body.get("role"), body.get("password"), g.actor, ctx.clock.now()
        )
        return {"name": name}

    @api.patch("/users/<name:name>")
    def edit_user(name: str) -> Json:
        accounts.edit_user(ctx, name, body_fields(json_body(), "role", "password", WAS), g.actor, ctx.clock.now())
        return {"name": name}

    @api.delete("/users/<name:name>")
    def remove_user(name: str) -> Json:
        accounts.remove_user(ctx, name, g.actor, ctx.clock.now())
        return {"removed": name}

    @api.get("/tokens")
    def list_tokens() -> Json:
        return {"tokens": accounts.describe_tokens(ctx)}

    @api.post("/tokens")
    def add_token() -> Json:
        body = body_fields(json_body(), "name", "role")
        return accounts.add_token(ctx, body_text(body, "name"), body.get("role"), g.actor, ctx.clock.now())

    @api.delete("/tokens/<key>")
    def remove_token(key: str) -> Json:
        accounts.remove_token(ctx, key, g.actor, ctx.clock.now())
        return {"removed": key}

    @api.post("/password/reset")
    def reset_password() -> Json:
        if not g.actor.startswith("cli:"):
            raise AdminError("not-allowed", "Run `lts password reset` on the server's machine.", status=403)
        accounts.reset(ctx, g.actor, ctx.clock.now())
        return {"setupCode": sessions.setup_code(ctx), "url": ctx.running.public_url}

    @api.get("/setup-code")
    def show_setup_code() -> Json:
        if not g.actor.startswith("cli:"):
            raise AdminError("not-allowed", "Run `lts setup-code` on the server's machine.", status=403)
        return {"setupCode": sessions.setup_code(ctx), "url": ctx.running.public_url}
