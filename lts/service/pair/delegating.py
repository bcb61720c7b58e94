"""The main's delegation to the standby's key (docs/design/pair.md, Certificates): given with answers, and stored."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from lts.crypto import PublicKey, canonical_json, jws_header, read_jws, sign_jws
from lts.errors import TokenError
from lts.protocol import CERTIFICATE_TYPE
from lts.rules import pair as rules
from lts.rules.pair import MAIN, STANDBY
from lts.service.core.identity import Identity
from lts.service.core.pinned import DELEGATION_BYTES, MAX_LINE, Pinned, delegation_of
from lts.service.licensing.catalog import self_signed
from lts.service.pair import delegated
from lts.service.pair.contact import Contact
from lts.service.pair.membership import Membership
from lts.service.pair.ownfeed import OwnFeed
from lts.service.pair.peermessages import Introduction
from lts.service.pair.shared import Shared
from lts.store.changes import feed


class _Link(NamedTuple):
    """A delegation as it reads, not verified: the id of the key that is to have signed it, and the key (base64url) that
    it is given to."""

    text: str
    by: str
    key: str


@dataclass
class Delegating:
    """What the main's delegation means to this server now, as the main that gives it or the standby that holds it."""

    _shared: Shared
    _membership: Membership
    _contact: Contact
    _feed: OwnFeed

    def certify(self, until: int) -> tuple[list[str], int]:
        """(certificates, end) for the standby when its delegation, which ends at `until`, is old; else nothing."""
        clock, pinned = self._shared.ctx.clock, self._shared.pinned.now
        # no time that is not trusted, nor one of a clock that was set back, by which the standby's would have ended
        now = clock.item_time(clock.seat_time(clock.now()))
        if (
            self._membership.role != MAIN
            or pinned.retired
            or pinned.key is None
            or pinned.uuid is None
            or not rules.renew_delegation(until, now)
        ):
            return [], 0
        me, theirs = self._shared.ctx.identity, clock.wall() + self._contact.peer.clock_offset
        claims = rules.delegation(me.uuid, pinned.uuid, PublicKey.from_x(pinned.key), now, theirs)
        header = jws_header(me.key.public, CERTIFICATE_TYPE)
        return [self_signed(me.uuid, me.key), sign_jws(header, canonical_json(claims), me.key)], claims["exp"]

    def vouched_since(self, who: Introduction) -> bool:
        """Whether this server itself has vouched for the other's key, after everything in its database: it approved the
        key after the restored backup or copy was made (docs/design/pair.md, Restored and copied servers)."""
        me = self._shared.ctx.identity
        if self._feed.settled or not who.delegation:
            return False
        try:
            token = read_jws(who.delegation, CERTIFICATE_TYPE)
            token.verify(me.key.public)
            claims = token.claims()
            named = claims["sub"] == who.uuid and claims["cnf"] == {"jwk": PublicKey.from_x(who.key).jwk}
            given = int(claims["exp"]) - rules.DELEGATION_SECONDS
        except (TokenError, LookupError, TypeError, ValueError):
            return False
        with self._shared.ctx.store.reader() as db:
            return named and given > feed.highest_time(db)

    def is_needed_more(self, main_uuid: str | None) -> bool:
        """Whether this standby authorizes by the delegation of a main before `main_uuid`, which authorizes nobody."""
        held = self._shared.ctx.delegation()
        if self._membership.role != STANDBY or held is None or main_uuid is None:
            return False
        return delegated.is_left_to(self._shared.ctx, held.main_uuid, main_uuid)

    def stands_in_alone(self) -> bool:
        """The same, asked by that main: whether its standby authorizes, and it does not itself."""
        who, clock = self._contact.peer.who, self._shared.ctx.clock
        if self._membership.role != MAIN or who is None or not who.delegation:
            return False
        try:
            claims = read_jws(who.delegation, CERTIFICATE_TYPE).claims()
            former, until = str(claims["iss"]), int(claims["exp"])
        except (TokenError, LookupError, TypeError, ValueError):
            return False
        ctx = self._shared.ctx
        return clock.item_time(clock.now()) < until and delegated.is_left_to(ctx, former, ctx.identity.uuid)

    def take(self, main_uuid: str, certificates: list[str]) -> None:
        """Store the main's delegation to this server, unless that of the previous main authorizes more."""
        if self.is_needed_more(main_uuid):
            return
        self._shared.pinned.change(delegation=delegation_of(main_uuid, tuple(certificates)))
        self._shared.ctx.store.refresh_catalog()


def is_replaced_by(me: Identity, pinned: Pinned, who: Introduction) -> bool:
    """Whether `who` was promoted in the place of this server, or came after the one that was: this one vouched for that
    one, which vouched as the main for the next, and so on, as the delegations show that `who` names."""
    if who.key == pinned.key:
        return who.took_place_of(me.key.public.x)
    if pinned.key is None:
        return False
    links = [_link(text) for text in who.line[-MAX_LINE:]]
    if who.delegation not in who.line:
        links.append(_link(who.delegation))
    mine = me.key.public
    first = next((place for place, link in enumerate(links) if link is not None and link.by == mine.kid), None)
    return first is not None and _leads(mine, links[first:], pinned.key, who.key)


def _leads(mine: PublicKey, links: list[_Link | None], first: str, last: str) -> bool:
    """Whether the links lead one after another from a key over the `first` to the `last`. Whoever calls may name them
    as they like: signatures are verified only where the names fit, up to the first that is wrong, and a good one once.
    """
    chain, by = [link for link in links if link is not None], mine.kid
    if len(chain) < max(2, len(links)) or (chain[0].key, chain[-1].key) != (first, last):
        return False
    for link in chain:
        if link.by != by:
            return False
        by = PublicKey.from_x(link.key).kid
    try:
        for link in chain:
            _verify(link.text, mine.x)
            mine = PublicKey.from_x(link.key)
    except TokenError:
        return False
    return True


@lru_cache(maxsize=2 * MAX_LINE)
def _verify(text: str, key: str) -> None:
    """Raises TokenError, which is not kept."""
    read_jws(text, CERTIFICATE_TYPE).verify(PublicKey.from_x(key))


def _link(text: str) -> _Link | None:
    """None for what is no delegation in form."""
    if len(text) > DELEGATION_BYTES:
        return None
    try:
        token = read_jws(text, CERTIFICATE_TYPE)
        return _Link(text, str(token.header["kid"]), PublicKey.from_x(token.claims()["cnf"]["jwk"]["x"]).x)
    except (TokenError, LookupError, TypeError, ValueError, RecursionError):
        return None


def line_of(who: Introduction) -> tuple[str, ...]:
    """The line that the main names, as far as it is one in form: the newest."""
    return tuple(text for text in who.line[-MAX_LINE:] if _link(text) is not None)
