"""The time that one account may take with calls that work on what it sends (docs/design/surface.md, Limits): the thread
of the portal's pages answers them, and everybody waits for it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from lts.errors import AdminError
from lts.rules.accounts import Account
from lts.web.ratelimit import Limiter

MS_A_MINUTE, MS_AT_ONCE = 6000, 10_000


class DearCalls:
    """What each account, or API token, took of late; `worked` is the CPU time of the thread, in seconds."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, worked: Callable[[], float] = time.thread_time
    ) -> None:
        self._limiter = Limiter(MS_A_MINUTE, MS_AT_ONCE, clock)
        self._worked = worked

    @contextlib.contextmanager
    def of(self, account: Account) -> Iterator[None]:
        """The block is one call; it is charged whatever comes of it. Raises AdminError 429 while too much is to be paid
        off."""
        who = (account.session is None, account.actor)  # a user and a token may have the same name
        if wait := self._limiter.wait_of(who):
            seconds = int(wait) + 1
            raise AdminError(
                "slow-down",
                f"Your checks of license files and of requests took too much time; wait {seconds} s.",
                status=429,
                retry_after=seconds,
            )
        begun = self._worked()
        try:
            yield
        finally:
            self._limiter.charge(who, 1 + round(1000 * (self._worked() - begun)))
