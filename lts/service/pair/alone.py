"""A server without a partner: it answers in place of the other one (lts.service.core.partner)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from lts.errors import AdminError
from lts.protocol import Durable
from lts.rules.alerting.notices import Notice
from lts.service.core import identity
from lts.service.core.context import Context
from lts.service.core.feeds import begin_feed
from lts.service.core.partner import AnswerPeer, Step
from lts.service.pair import delegated
from lts.store.changes.records import EventChange
from lts.store.tables import pair

NO_PAIR = 'This is a single server; a pair is made by "servers" in lts.json.'


class AloneWork:
    """The background work of a server without a partner: only its steps, if it has any."""

    def __init__(self, *steps: Step) -> None:
        self.steps = steps

    def leave(self) -> None:
        """Does nothing: nobody can serve in this one's place."""

    def cancel(self) -> None:
        """Does nothing: nothing is under way."""


class Alone:
    """See lts.service.core.partner.Partner."""

    role = "single"
    settled = alone = has_all = True
    in_step = False
    clock_gap = 0

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx

    def begin(self) -> None:
        """Continue this server's feed at once, and apply what other servers wrote into its database."""
        ctx = self._ctx
        causes = []
        if ctx.identity.unexplained and ctx.store.positions():
            causes.append(EventChange("system", "folder-accepted", {"found": identity.UNEXPLAINED}))
        begin_feed(ctx, causes)
        ctx.write_kept_events()
        ctx.store.write(lambda tx: pair.continue_others(tx, ctx.identity.key.public.x, ctx.clock.now()))

    def count_ahead(self) -> None:
        """Does nothing: there is no other clock."""

    def check(self) -> None:
        """Does nothing: no other server can serve instead."""

    def confirm(self, serial: int) -> Durable:
        """What is durable here is as durable as it gets."""
        return "single"

    def notices(self) -> list[Notice]:
        """How long it still authorizes by the delegation of a main that it once had."""
        return delegated.notices(self._ctx, for_good=True)

    def describe(self) -> None:
        """None: there is no pair to describe."""

    def paired(self) -> NoReturn:
        """Raises AdminError 404: what only a pair can do was asked for."""
        raise AdminError("no-pair", NO_PAIR, status=404)

    def endpoint(self) -> AnswerPeer | None:
        """None: no other server may call."""
        return None

    def work(self, reopen: Callable[[], None]) -> AloneWork:
        """Without steps: nothing runs in the background."""
        return AloneWork()

    def gauges(self) -> dict[str, tuple[str, Callable[[], float]]]:
        """{}: the metrics of a pair have no values here."""
        return {}
