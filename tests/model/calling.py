"""Steps of devices: authorize, report, release."""

from __future__ import annotations

import contextlib
from typing import Any
from uuid import UUID

from lts.errors import NotVerified, Refusal
from lts.protocol import iso
from lts.rules.metering.checks import Request
from lts.rules.metering.usage import Entry
from lts.service.metering import authorize, release, report
from tests.model.administering import Administering
from tests.model.clones import Token
from tests.model.facts import SLOT
from tests.model.messages import Asked, Lease, Refused, Use
from tests.model.scene import Held, same, uuid_of
from tests.model.sequences import Step

ERA = 1 << 32
"""The server numbers the grants of an item's era n from n * ERA + 1."""


class Calling(Administering):
    """Devices call, some of them copies that share one identity."""

    def _authorize(self, device: int, by: str, code: int, token: str, **asked: Any) -> None:
        wanted = self._asked(by, code, asked)
        text, known = self._token(device, token)
        try:
            lease, given = self.model.authorize(uuid_of(device), wanted, known)
            expected = None
        except Refused as refused:
            expected = refused.code
        try:
            done = authorize.authorize(
                self.server.lab.ctx, self._request(uuid_of(device), wanted, text), self.model.now
            )
        except Refusal as refusal:
            same("authorize", expected or _told(lease), refusal.code)
            self._compare_refusal(uuid_of(device), refusal.code)
            return
        same("authorize", expected or _told(lease), self._told_really(done.lease))
        same("end and renewal of the lease", (lease.end, lease.renew_after), (done.expires_at, done.renew_after))
        self._keep_token(device, token, done.clone_token, given)
        self.leases.append(Held(done.lease, lease))

    def _lose(self, times: int, **asked: Any) -> None:
        """A device loses its state again and again."""
        for _ in range(times):
            self._authorize(token="none", **asked)
            self._authorize(token="last", **asked)

    def _take_turns(self, copies: int, rounds: int, **asked: Any) -> None:
        """Copies of a device's state authorize once, and then report in each slot."""
        mine = (asked["device"], "last")
        tokens = [self.tokens.get(mine)] * copies
        leases: list[Held | None] = [None] * copies
        for turn in range(rounds * copies):
            copy, known = turn % copies, len(self.leases)
            if (token := tokens[copy]) is not None:
                self.tokens[mine] = token
            held = leases[copy]
            if held is None:
                self._authorize(token="last", **asked)
            else:
                self._send(held, [Use(self.model.now // SLOT, {"A": turn % 9, "z": 3})], "last")
            tokens[copy] = self.tokens.get(mine)
            leases[copy] = self.leases[-1] if len(self.leases) > known else held
            if copy == copies - 1:
                self._pass(SLOT)

    def _jump_ahead(self, seconds: int, **asked: Any) -> None:
        """The clock is ahead while one device asks, and nobody looks at it meanwhile."""
        time, model = self.server.time, self.model
        if model.watch.doubted is not None or model.stands_in[0]:
            return
        time.wall += seconds
        self._see()
        self._authorize(**asked)
        time.wall -= seconds
        self._look()

    def _compare_refusal(self, device: str, code: int | str) -> None:
        """What the page Why? shows of it."""
        ctx = self.server.lab.ctx
        newest = ctx.refusals.latest()[0]
        same("newest of Why?", (self.model.now, code, device), (newest.time, newest.code, newest.asked.device))
        ctx.refusals.flush(ctx.store, self.model.now)

    def _asked(self, by: str, code: int, asked: Step) -> Asked:
        found = self._live_code(code)
        other = self._live_code(code + 1)
        names: dict[str, Any] = {}
        if found is not None and by in ("code", "both", "other"):
            names["code"] = found.name
        if found is not None and other is not None and by in ("organization", "both", "other"):
            names["organization"] = (other if by == "other" else found).organization
        if by == "unknown":
            names = {"code": "1-nothing"} if code % 2 else {"organization": "nobody"}
        if by == "former" and self.former:
            names = {"code": self.former[code % len(self.former)]}
        given = {"password": found.password if found is not None else None, **names, **asked}
        given["modules"] = tuple(asked.get("modules", ()))
        return Asked(**{"product": "p", "deployment": "server", **given})

    def _request(self, device: str, asked: Asked, chain: str | None) -> Request:
        return Request(
            UUID(device).bytes,
            asked.product,
            asked.deployment,
            asked.code,
            asked.organization,
            asked.password,
            asked.version,
            asked.edition,
            asked.way,
            asked.modules,
            asked.instances,
            asked.domain,
            asked.application,
            asked.process,
            chain,
        )

    def _token(self, device: int, which: str) -> tuple[str | None, Token | None]:
        """What a device returns: what its last answer gave, nothing, what its copy has, or an old one."""
        found: tuple[str | None, Token | None] = self.tokens.get((device, "last")) or (None, None)
        if which == "old" and self.old_tokens.get(device):
            found = self.old_tokens[device][len(self.leases) % len(self.old_tokens[device])]
        if which == "copy":
            found = self.tokens.get((device, "copy")) or found
        if which == "none" or (found[1] is not None and self._is_taken_again(device, found[1])):
            return None, None
        return found

    def _is_taken_again(self, device: int, token: Token) -> bool:
        """Of a token that a restore lost, and under whose number another was given since, no rule says anything."""
        chain = self.model.chains.get(uuid_of(device))
        return chain is not None and chain.is_taken_again(token)

    def _keep_token(self, device: int, which: str, text: str, token: Token) -> None:
        self.tokens[device, "copy" if which == "copy" else "last"] = (text, token)
        self.old_tokens.setdefault(device, []).append((text, token))

    def _held(self, lease: int) -> Held | None:
        return self.leases[-1 - lease % len(self.leases)] if self.leases else None

    def _report(self, lease: int, entries: list[Any], token: str, again: bool = False) -> None:
        held = self._held(lease)
        if held is None:
            return
        now = self.model.now // SLOT
        uses = [Use(now + offset, counts, instances) for offset, counts, instances in entries]
        for _ in range(1 + again):
            self._send(held, uses, token)

    def _send(self, held: Held, uses: list[Use], which: str) -> None:
        device = UUID(held.lease.device).int - 1
        text, known = self._token(device, which)
        entries = [Entry(use.slot, iso(use.slot * SLOT), use.counts, use.instances) for use in uses]
        try:
            results, renewed, given = self.model.report(held.lease, uses, known)
            expected = None
        except Refused as refused:
            expected = refused.code
        try:
            ctx = self.server.lab.ctx
            lease = ctx.leases.verify(held.text)
            done = report.begin(ctx, lease, text, list(entries), self.model.now).finish()
        except Refusal as refusal:
            same("report", expected, refusal.code)
            return
        same("report", expected, None)
        same("results of a report", results, [(result.status, result.code) for result in done.results])
        same("renewal", renewed and _told(renewed), done.lease and self._told_really(done.lease))
        self._keep_token(device, which, done.clone_token, given)
        if renewed is not None and done.lease is not None:
            self.leases.append(Held(done.lease, renewed))

    def _release(self, lease: int) -> None:
        held = self._held(lease)
        if held is not None:
            self.model.release(held.lease)
            with contextlib.suppress(NotVerified):  # of another server there is nothing to give back
                release.release(self.server.lab.ctx, held.text, self.model.now)

    def _told_really(self, text: str) -> Any:
        """What a lease of the server says."""
        lease = self.server.lab.ctx.leases.verify(text)
        items = [
            (i.license_id, i.item_id, i.modules, i.charge_way, i.instances, i.grace, divmod(i.grant, ERA))
            for i in lease.items
        ]
        return lease.handshake_code, lease.expires_at, items


def _told(lease: Lease) -> Any:
    """What a lease of the model says."""
    grants = [
        (g.item[1], g.item[2], g.modules, g.way, g.instances, g.grace, (g.era, g.number) if g.number else (0, 0))
        for g in lease.grants
    ]
    return lease.name, lease.end, grants
