"""The product as the model sees it: requests in, answers out, by docs/design alone.

Nothing is kept but what happened (tests/model/facts.py) and what was said (tests/model/licenses.py); every answer reads
all of it again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from tests.model.clones import Chain, Step, Token
from tests.model.facts import GRANTED, REPORTED, SLOT, Contact
from tests.model.judge import Judge
from tests.model.licenses import DAY, SEAT_WAYS, UNIT_WAYS, Code, ItemKey
from tests.model.messages import Asked, Grant, Lease, Refused, Use


@dataclass
class Product(Judge):
    """One server."""

    def take(self, device: str, code: int, grants: tuple[Grant, ...]) -> None:
        """What was granted becomes a fact."""
        for grant in grants:
            item = self.items[grant.item]
            if not item.seats:
                continue
            end = grant.end
            if item.way in SEAT_WAYS:
                end = min(self.now + item.period_days * DAY, item.end(self.item_now))
            held = self.held(item, device)
            end = end if held is None else max(end, held.end)
            grace = self.in_quota_grace(item, device)
            contact = Contact(self.now, grant.number, code, end, grant.instances, grace)
            self.facts.contacts[device, item.key, item.era].append(contact)

    # requests

    def authorize(self, device: str, asked: Asked, token: Token | None) -> tuple[Lease, Token]:
        """A new lease and token. Raises Refused, after which nothing has changed but what is shown of it."""
        try:
            code, chain, step, grants = self.decide(device, asked, token)
        except Refused as refused:
            self.facts.answers.append((self.now, self.blamed(asked), refused.code))
            raise
        self.facts.answers.append((self.now, code.number, GRANTED))
        self.meet(device)
        self.chains[device] = chain
        self.take(device, code.number, grants)
        held = (device, code.number, code.name, self.now, grants, asked, code.password_change, self.me)
        lease = Lease(*held, self.now - self.trusted)
        return lease, step.token

    def decide(self, device: str, asked: Asked, token: Token | None) -> tuple[Code, Chain, Step, tuple[Grant, ...]]:
        """What an authorization comes to, before anything is changed. Raises Refused."""
        code = self.find(asked)
        self.admit(code, asked)
        chain, step = self.chains.get(device, Chain()).step(token, self.now)
        if step.refused:
            if not self.chains[device].refuses:
                self.chains[device] = chain  # the first refusal is kept
            raise Refused(151)
        verdict = self.verdict(code, asked, device)
        if not verdict.grants:
            raise Refused(verdict.furthest)
        return code, chain, step, verdict.grants

    def blamed(self, asked: Asked) -> int | None:
        """Number of the code whose failures a refused request is one of; a name that no code of its
        organization has any more means the one that had it last and is not removed."""
        try:
            return self.find(asked).number
        except Refused as refused:
            if not self.features["numbers"]:
                named = [code.number for code in self.live_codes() if code.name == asked.code]
                return named[0] if named else None
            if refused.code not in (101, 122) or asked.code is None:
                return None
            organization = self.owner(asked.code) if asked.organization is None else asked.organization
            had = [(turn, code) for turn, code in self._had(asked.code) if code.organization == organization]
            had = [(turn, code) for turn, code in had if not code.removed]
            return max(had, key=lambda one: one[0])[1].number if had else None

    def meet(self, device: str) -> None:
        """The server knows the device from now on."""
        if device not in self.facts.devices:
            self.facts.devices.append(device)

    def code_of(self, lease: Lease) -> Code | None:
        """The code that a lease belongs to."""
        if lease.issuer != self.me and lease.issuer not in self.others:
            return None
        if self.features["numbers"]:
            return next((c for c in self.codes if c.number == lease.code and c.bore(lease.name)), None)
        named = [code for code in self.codes if code.name == lease.name]
        return next((code for code in named if not code.removed), named[0] if named else None)

    def report(
        self, lease: Lease, uses: list[Use], token: Token | None
    ) -> tuple[list[tuple[str, int | None]], Lease | None, Token]:
        """(status, code) of each entry, the renewed lease or None, and the new token. Raises Refused 141."""
        code = self.code_of(lease)
        if code is None or any(grant.item not in self.items for grant in lease.grants):
            raise Refused(141)
        self.facts.answers.append((self.now, code.number, REPORTED))
        self.meet(lease.device)
        chain, step = self.chains.get(lease.device, Chain()).step(token, self.now)
        self.chains[lease.device] = chain
        if self.features["one judge"]:
            results = [self.count(lease, use, code, chain, step.branch) for use in uses]
            renewed = None if step.refused else self.renew(lease, code)
            self.take(lease.device, code.number, renewed.grants if renewed else ())
        else:
            renewed = None if step.refused else self.renew(lease, code)
            self.take(lease.device, code.number, renewed.grants if renewed else ())
            results = [self.count(lease, use, code, chain, step.branch) for use in uses]
            if renewed is not None and self.is_used_up(renewed, code):
                renewed = None
        return results, renewed, step.token

    def count(self, lease: Lease, use: Use, code: Code, chain: Chain, branch: int | None) -> tuple[str, int | None]:
        """One entry of a report (docs/design/charging.md, Reports and Entries of a report)."""
        begin = use.slot * SLOT
        if begin > max(self.now, self.watch.wall) + 600:
            return "rejected", 142
        if begin + SLOT <= self.trusted - 30 * DAY:
            return "rejected", 143
        usage_branch = chain.bucket(branch, begin)
        grown = False
        for name, count in use.counts.items():
            charged = next((g for g in lease.grants if name in g.modules), lease.grants[0])
            key = (lease.device, usage_branch, code.number, charged.item, use.slot, name)
            grown |= self.facts.raises(key, count)
        present = False
        for grant in lease.grants:
            most = grant.instances
            active = most if use.instances is None else min(use.instances, most)
            here = (lease.device, usage_branch, code.number, grant.item, use.slot)
            present |= active > self.facts.presence.get(here, 0)
            self.facts.presence[here] = max(active, self.facts.presence.get(here, 0))
        return ("counted" if (grown if use.counts else present) else "unchanged"), None

    def renew(self, lease: Lease, code: Code) -> Lease | None:
        """docs/design/charging.md, Renewal by report."""
        if code.removed or lease.issuer != self.me:
            return None
        grants = self.same_again(lease, code) if self.features["one judge"] else self.still_good(lease, code)
        if grants is None:
            return None
        return replace(lease, issued=self.now, grants=grants, doubted=self.now - self.trusted)

    def is_used_up(self, lease: Lease, code: Code) -> bool:
        """Whether a report itself used up an item charged by units."""
        caps = dict(code.items)
        mine = [self.items[grant.item] for grant in lease.grants if self.items[grant.item].way in UNIT_WAYS]
        return any(self.no_room(item, caps[item.key], code, 1, lease.device) for item in mine)

    def still_good(self, lease: Lease, code: Code) -> tuple[Grant, ...] | None:
        """The items of a lease granted again, as long as none of them refuses."""
        caps = dict(code.items)
        granted = []
        for claim in lease.grants:
            item = self.items[claim.item]
            if claim.item not in caps or self.standing_fault(item):
                return None
            held = self.held(item, lease.device)
            if claim.way != item.way:
                return None
            if item.seats and (held is None or (claim.era, claim.number) != (item.era, held.grant)):
                return None
            if self.no_room(item, caps[claim.item], code, claim.instances, lease.device):
                return None
            granted.append(self.grant(item, claim.modules, claim.instances, lease.device))
        return tuple(granted)

    def same_again(self, lease: Lease, code: Code) -> tuple[Grant, ...] | None:
        """What an authorization with the same request would grant, if that is what the lease holds."""
        if code.password is not None and lease.password_change != code.password_change:
            return None
        try:
            if lease.asked.code is None and self.find(lease.asked) is not code:
                return None  # whoever named an organization alone gets its default code
            self.admit(code, replace(lease.asked, password=code.password))
        except Refused:
            return None
        again = self.verdict(code, lease.asked, lease.device).grants

        def shape(grants: tuple[Grant, ...]) -> list[tuple[Any, ...]]:
            return [(g.item, g.modules, g.way, g.instances, g.era, g.number) for g in grants]

        return again if again and shape(again) == shape(lease.grants) else None

    def release(self, lease: Lease) -> None:
        """docs/design/charging.md, Release."""
        if self.code_of(lease) is None:
            return
        for grant in lease.grants:
            if grant.item in self.items and grant.era == self.items[grant.item].era:
                self.close(lease.device, grant.item, grant.number)

    def close(self, device: str, key: ItemKey, number: int) -> None:
        """A grant ends for good."""
        item = self.items[key]
        seat = self.facts.seat(device, item) if item.seats else None
        if seat is not None and seat.grant == number:
            self.facts.closures[device, key, item.era].append((number, self.now))
