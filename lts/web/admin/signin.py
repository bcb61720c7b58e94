"""Who calls the administrators' API: the command line, an API token, or a browser that has signed in.

A browser's session is a cookie that scripts cannot read, sent to our own pages only; every change also needs
a header that only our own pages can know (docs/design/surface.md, Administrators' API). Flask-Login carries the
account through the request.
"""

from __future__ import annotations

import hmac
import logging
import unicodedata
from collections.abc import Callable, Hashable, Mapping
from typing import Any

from flask import Flask, Request, Response, g, request
from flask_login import LoginManager, current_user
from werkzeug.sansio.http import parse_cookie

from lts.config import Config
from lts.errors import AdminError, LtsError
from lts.rules.accounts import ADMINISTRATOR, Account
from lts.rules.sessions import LONGEST_SECONDS
from lts.service.access import accounts, sessions, signinlink
from lts.service.access.sessions import NewSession
from lts.service.core.context import Context
from lts.web.admin.jsonbody import body_fields, body_text, secret_body
from lts.web.wire.addresses import Addresses, is_loopback
from lts.web.wire.ratelimit import Limiter

log = logging.getLogger("lts.signin")
CSRF_HEADER = "X-LTS-CSRF"
BEFORE_SIGN_IN = "sign-in"
"""What the header holds while there is no session: other sites cannot send such a header at all."""
SAFE = ("GET", "HEAD", "OPTIONS")
TRIES_A_MINUTE, TRIES_AT_ONCE = 6, 8
ALL_TRIES_A_MINUTE, ALL_TRIES_AT_ONCE = 60, 60


class SignIn:
    """Finds the account of a request, keeps the cookies, slows guessing down."""

    def __init__(self, ctx: Context, config: Config, cli_token: str) -> None:
        self._ctx = ctx
        self._cli = cli_token.encode()
        self._addresses = Addresses(config.trusted_proxies, ctx.running.note_proxy)
        self._cookie = f"lts-{ctx.identity.uuid[:8].lower()}"
        self._known_key = ctx.vault.derive("known browsers")
        self._tries = Limiter(TRIES_A_MINUTE, TRIES_AT_ONCE)
        self._all_tries = Limiter(ALL_TRIES_A_MINUTE, ALL_TRIES_AT_ONCE)

    def install(self, app: Flask) -> None:
        """Let Flask-Login ask us; it keeps no cookie of its own."""
        manager = LoginManager()
        manager.session_protection = None
        manager.request_loader(self._load)
        manager.init_app(app)

    def who(self) -> Account | None:
        """Who calls, None if nobody has signed in."""
        return current_user._get_current_object() if current_user.is_authenticated else None

    def account(self) -> Account:
        """Who calls. Raises AdminError 401, or 403 for a forged request."""
        found = self.who()
        if found is None:
            if not accounts.is_set_up(self._ctx.store.catalog):
                raise AdminError("set-up-needed", "Set the password first, with the one-time set-up code.", status=401)
            raise AdminError("not-signed-in", "Sign in first.", status=401)
        if found.session is not None:
            self.check_origin(sessions.csrf_of(self._secret(request)))
        return found

    def check_origin(self, expected: str = BEFORE_SIGN_IN) -> None:
        """Check that a request that changes something comes from our own page. Raises AdminError 403."""
        if request.method in SAFE:
            return
        given = request.headers.get(CSRF_HEADER, "").encode("utf-8", "replace")
        site = request.headers.get("Sec-Fetch-Site", "same-origin")
        if site not in ("same-origin", "none") or not hmac.compare_digest(given, expected.encode()):
            raise AdminError("cross-site", "This request did not come from the portal's own page.", status=403)

    def read_sign_in(self) -> tuple[str, str]:
        """(user, password) of the request's body. Raises AdminError 429, 400, Malformed, TooLarge.

        A caller without a try left is refused before the body is read, and a body that is not valid is a try as well. A
        browser that signed in before is read first: only the user's name shows whether it has tries of its own.
        """
        if not self._is_known(request.environ):
            _refuse_while(self._wait(self._address(request.environ), Limiter.wait_of, request.environ))
        try:
            body = body_fields(secret_body(), "user", "password")
            return body_text(body, "user"), body_text(body, "password")
        except LtsError:
            self.check_guessing("")
            raise

    def begin(self, name: str, password: str) -> NewSession:
        """Sign in. Raises AdminError 403, 429."""
        name = accounts.plain_name(name)
        self.check_guessing(name)
        try:
            accounts.check_password(self._ctx, name, password)
        except AdminError:
            log.warning("%s: a sign-in failed, from %s", g.request_id, self._addresses.client(request.environ))
            raise
        for key in self._keys(name):
            self._tries.forget(key)
        accounts.renew_hash(self._ctx, name, password, self._ctx.clock.now())
        return self.open(name)

    def open(self, name: str) -> NewSession:
        """A session for a user who proved the right to it."""
        return sessions.begin(self._ctx, name, *self._browser(), self._ctx.clock.now())

    def check_is_here(self) -> None:
        """Check that a request comes from this machine, as one with a sign-in link must. Raises AdminError 403."""
        if not is_loopback(request.environ):
            sentence = "A sign-in link works only in a browser on the server's own machine; sign in with the password."
            raise AdminError("sign-in-link-elsewhere", sentence, status=403)

    def open_link(self, code: str) -> NewSession:
        """A session by a sign-in link. Raises AdminError 403."""
        return signinlink.use(self._ctx, code, *self._browser(), self._ctx.clock.now())

    def _browser(self) -> tuple[str, str]:
        """(address, User-Agent) of the browser."""
        return self._addresses.client(request.environ), _visible(request.headers.get("User-Agent", ""))

    def set_cookies(self, response: Response, begun: NewSession) -> None:
        """The session's cookie, and one that gives a browser which once signed in its own number of tries."""
        common: dict[str, Any] = {
            "path": None,  # the folder of the address as the browser sees it: right behind any proxy
            "secure": _is_https(request),
            "httponly": True,
            "samesite": "Strict",
        }
        response.set_cookie(self._cookie, begun.secret, max_age=LONGEST_SECONDS, **common)
        session = str(begun.account.session)
        known = f"{session}.{self._known_mac(begun.account.name, session)}.{self._known_mac('', session)}"
        response.set_cookie(f"{self._cookie}-known", known, max_age=365 * 86400, **common)

    def drop_cookie(self, response: Response) -> None:
        response.delete_cookie(self._cookie, path=None)

    def csrf(self) -> str | None:
        """The header's value for the session of this request, None for a token."""
        secret = self._secret(request)
        return sessions.csrf_of(secret) if secret else None

    def _load(self, incoming: Request) -> Account | None:
        if "Authorization" in incoming.headers:
            token = token_of(incoming)
            if is_loopback(incoming.environ) and hmac.compare_digest(token, self._cli):
                user = incoming.headers.get("X-LTS-User", "unknown")
                name = _visible(user)[:64]
                return Account(name, ADMINISTRATOR, f"cli:{name}")
            return accounts.account_of_token(self._ctx.store.catalog, token.decode())
        secret = self._secret(incoming)
        return sessions.find(self._ctx, secret, self._ctx.clock.now()) if secret else None

    def _secret(self, incoming: Request) -> str:
        return incoming.cookies.get(self._cookie, "")

    def check_guessing(self, name: str) -> None:
        """Count a try at a secret. Raises AdminError 429.

        Each browser that has signed in before, and each address, has tries of its own; all others together have
        a limit too, which the owner's browser never reaches.
        """
        _refuse_while(self._wait(self._keys(name)[0], Limiter.take, request.environ))

    def turns_away(self, environ: dict[str, Any]) -> LtsError | None:
        """Why a call that tries a secret is refused by its header alone, as by `read_sign_in`; else None."""
        try:
            wait = self._wait(self._address(environ), Limiter.wait_of, environ)
            _refuse_while(0 if wait and self._is_known(environ) else wait)
        except AdminError as error:
            return error
        return None

    def _wait(self, key: tuple[str, str], ask: Callable[[Limiter, Hashable], float], environ: dict[str, Any]) -> float:
        wait = ask(self._tries, key)
        if key[0] == "address" and not is_loopback(environ):
            wait = max(wait, ask(self._all_tries, "all"))
        return wait

    def _keys(self, name: str) -> list[tuple[str, str]]:
        address = self._address(request.environ)
        session, mac, _ = self._known(request.environ)
        if session and hmac.compare_digest(mac.encode(), self._known_mac(name, session).encode()):
            return [("browser", session), address]
        return [address]

    def _address(self, environ: dict[str, Any]) -> tuple[str, str]:
        return "address", self._addresses.client(environ)

    def whose(self, environ: dict[str, Any]) -> tuple[str, str]:
        """The token or session that a request claims, unchecked, else the address that it comes from."""
        if (sent := environ.get("HTTP_AUTHORIZATION")) is not None:
            return "token", _bearer(sent)
        session = _cookies(environ).get(self._cookie, "")
        return ("session", session) if session else self._address(environ)

    def _known(self, environ: dict[str, Any]) -> tuple[str, str, str]:
        """(session, its mark with the user's name, its mark alone) that a browser got when it signed in."""
        found = _cookies(environ).get(f"{self._cookie}-known", "")
        session, mac, proof = (*found.split(".", 2), "", "")[:3]
        return session, mac, proof

    def _is_known(self, environ: dict[str, Any]) -> bool:
        """Whether a browser signed in before, as any user."""
        session, _, proof = self._known(environ)
        return bool(session) and hmac.compare_digest(proof.encode(), self._known_mac("", session).encode())

    def _known_mac(self, name: str, session: str) -> str:
        text = f"{name}\0{session}".encode("utf-8", "replace")
        return hmac.new(self._known_key, text, "sha256").hexdigest()[:32]


def token_of(incoming: Request) -> bytes:
    """The token of `Authorization: Bearer TOKEN` (RFC 6750), the scheme in any case (RFC 9110); else nothing."""
    return _bearer(incoming.headers.get("Authorization", "")).encode("utf-8", "replace")


def _bearer(sent: str) -> str:
    scheme, _, token = sent.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _cookies(environ: dict[str, Any]) -> Mapping[str, str]:
    sent: str = environ.get("HTTP_COOKIE", "")  # another application of this host may have set one not in UTF-8
    return parse_cookie(sent.encode("latin-1", "replace").decode("utf-8", "replace"))


def _refuse_while(wait: float) -> None:
    if wait:
        seconds = int(wait) + 1
        raise AdminError("slow-down", f"Too many tries; wait {seconds} s.", status=429, retry_after=seconds)


def _visible(text: str) -> str:
    """What a client sent, without control and other invisible characters."""
    return "".join(char for char in text if unicodedata.category(char)[0] != "C")


def _is_https(incoming: Request) -> bool:
    """Whether the browser speaks https, with us or with a proxy. A false claim harms only the client itself."""
    said = incoming.headers.get("X-Forwarded-Proto", "").rpartition(",")[2].strip().lower()
    origin = incoming.headers.get("Origin", "")
    return incoming.scheme == "https" or said == "https" or origin.startswith("https://")
