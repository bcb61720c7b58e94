"""The time that one account may take of the thread that computes the portal's pages, and for which everybody waits
(docs/design/surface.md, Limits): with all its calls, and with those that work on what it sends."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from lts.errors import AdminError
from lts.rules.accounts import Account
from lts.web.wire.ratelimit import Limiter

MS_A_MINUTE, MS_AT_ONCE = 6000, 10_000
PAGES_MS_A_MINUTE, PAGES_MS_AT_ONCE = 30_000, 30_000
"""Of all that the thread computes for an account."""


class DearCalls:
    """What each account, or API token, took of late; `worked` is the CPU time of the thread, in seconds."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, worked: Callable[[], float] = time.thread_time
    ) -> None:
        self._checks = Limiter(MS_A_MINUTE, MS_AT_ONCE, clock)
        self._pages = Limiter(PAGES_MS_A_MINUTE, PAGES_MS_AT_ONCE, clock)
        self._worked = worked

    @contextlib.contextmanager
    def of(self, account: Account) -> Iterator[None]:
        """The block is one call that works on what is sent; it is charged whatever comes of it. Raises AdminError 429
        while too much is to be paid off."""
        with self.page(account), self._charged(self._checks, account, "checks of license files and of requests"):
            yield

    def page(self, account: Account) -> AbstractContextManager[None]:
        """The same for any call that the thread answers. The command line is not charged: it belongs to whoever owns
        the server."""
        if account.session is None and account.actor.startswith("cli:"):
            return contextlib.nullcontext()
        return self._charged(self._pages, account, "pages and lists")

    @contextlib.contextmanager
    def _charged(self, limiter: Limiter, account: Account, what: str) -> Iterator[None]:
        who = (account.session is None, account.actor)  # a user and a token may have the same name
        if wait := limiter.wait_of(who):
            seconds = int(wait) + 1
            raise AdminError(
                "slow-down", f"Your {what} took too much time; wait {seconds} s.", status=429, retry_after=seconds
            )
        begun = self._worked()
        try:
            yield
        finally:
            limiter.charge(who, 1 + round(1000 * (self._worked() - begun)))
