"""Clone tokens, and the detection of cloned devices (docs/design/authorizing.md, Device clones).

A token carries (number, parent, branch) under a keyed MAC, so nobody can forge one and the server need not store those
it issued. Per device it stores how many it issued, the newest returned on each of 64 branches, and which of the last 64
were returned. A request without a token is on no branch: the return of its answer's token begins one.

Counts of a report belong to a separate branch only if the sender is proven to be another machine than the other
branches; everything else is counted together, the highest count winning.
"""

from __future__ import annotations

import hashlib
import hmac
from functools import lru_cache
from typing import NamedTuple

from msgspec import Struct

from lts.crypto import b64url, unb64url
from lts.errors import TokenError
from lts.protocol import SLOT_SECONDS
from lts.rules.metering.usage import AHEAD_SECONDS, FIRST_APART, TOGETHER

WINDOW = 64
MAX_BRANCHES = 64
NO_BRANCH = 64
"""In place of a branch: the token answered one that had come back before."""
ALTERNATIONS_TOLERATED = 2
_AHEAD_SLOTS = -(-AHEAD_SECONDS // SLOT_SECONDS)
_MAC_BYTES = 9


class CloneState(NamedTuple):
    """What the server remembers of a device's clone tokens.

    `given` tokens were issued, numbered 1…given; `tips[b]` is the newest number returned on branch b (0: none yet);
    bit i of `returned` is for number given − i; `active` is the branch of the last request on one, as
    ~branch (negative) once a request without a token came, and `left` is how many tokens were given before that one
    (0: not written down by an earlier version).
    `alternations` is how often a branch came back after another one. Tokens up to number `base` date from before the
    states of two servers were joined, or an administrator cleared the device: they are no longer recognized. Branch b
    is counted separately from slot `apart[b]` on (0 or absent: it is not). `cleared` is how often an administrator
    cleared it. `home` is from LTS 0.1, not None if it counted branches separately; it is kept, so that old states are
    written as they were read.
    """

    given: int = 0
    tips: tuple[int, ...] = (0,)
    returned: int = 0
    active: int = 0
    home: int | None = None
    alternations: int = 0
    forked: bool = False
    base: int = 0
    apart: tuple[int, ...] = ()
    cleared: int = 0
    left: int = 0

    @property
    def refused(self) -> bool:
        """Whether all branches but the oldest are refused."""
        return self.alternations > ALTERNATIONS_TOLERATED


class TokenStep(Struct, frozen=True):
    """One request: the state after it, the number, parent and branch of the new token, and whether the
    request is refused as a clone's. `apart` is the first slot that counts on the branch itself, 0: none does."""

    state: CloneState
    branch: int
    number: int
    parent: int
    cloned: bool
    apart: int

    @property
    def counted(self) -> tuple[int, int]:
        """(branch of the day rows, first slot that counts there); earlier slots count TOGETHER."""
        return (FIRST_APART + self.branch, self.apart) if self.apart else (TOGETHER, 0)


class CloneToken(Struct, frozen=True):
    """A token read back: it was issued as `number` in answer to `parent` on `branch`, `parent` 0 for a request without
    one."""

    number: int
    parent: int
    branch: int


def _mac(key: bytes, device: bytes, body: bytes) -> bytes:
    mac = _keyed(key).copy()
    mac.update(device + body)
    return mac.digest()[:_MAC_BYTES]


@lru_cache(maxsize=4)
def _keyed(key: bytes) -> hmac.HMAC:
    """A MAC as far as its key goes, to be copied: a third of its work."""
    return hmac.new(key, digestmod=hashlib.sha256)


def encode_token(key: bytes, device: bytes, token: CloneToken) -> str:
    """The opaque text of a token for a device (16 bytes of UUID)."""
    body = (
        token.number.to_bytes(5, "big")
        + min(token.number - token.parent, 0xFFFFFF).to_bytes(3, "big")
        + bytes([token.branch])
    )
    return b64url(body + _mac(key, device, body))


def decode_token(key: bytes, device: bytes, text: str) -> CloneToken | None:
    """The token behind `text`, None if this server (or its pair) never gave it to this device."""
    try:
        raw = unb64url(text)
    except (TokenError, UnicodeError):
        return None
    body, mac = raw[:9], raw[9:]
    if not hmac.compare_digest(mac, _mac(key, device, body)):
        return None
    number = int.from_bytes(body[:5], "big")
    return CloneToken(number, number - int.from_bytes(body[5:8], "big"), body[8])


def step(state: CloneState | None, token: CloneToken | None, slot: int) -> TokenStep:
    """A request that returned `token` (None: none sent, or an unknown one) from a device in `state`.

    `state` None: a device never seen. `slot` is the request's; counts are separated only in later slots.
    """
    state = state or CloneState()
    if token is None or not state.base < token.number <= state.given:
        fresh = min(len(state.tips), MAX_BRANCHES - 1) if any(state.tips) else 0
        return _issue(_leave(state), fresh, 0, on_branch=False)
    branch = _branch_of(state, token)
    if branch is not None:
        return _go_on(state, token, branch, slot)
    if _was_returned(state, token):
        return _issue(state, NO_BRANCH, token.number, on_branch=False)
    return _open_branch(state, token)


def _leave(state: CloneState) -> CloneState:
    """A request without a token came, since when no other has been on a branch."""
    if not any(state.tips) or state.active < 0:
        return state
    return state._replace(active=~state.active, left=state.given)


def join(here: CloneState, there: CloneState) -> CloneState:
    """The state of a device's clone tokens after another server's next state of it arrived.

    A state follows another if it gave one more token. If both servers gave tokens without knowing of each other, all
    of those count as unknown from then on (docs/design/authorizing.md, Device clones); of the flag the one holds that
    knows more clearings. The outcome is the same in whatever order two servers' states arrive.
    """
    if there.given == here.given + 1 and there.base == here.base:
        return there
    given = max(here.given, there.given)
    cleared, forked = max((here.cleared, here.forked), (there.cleared, there.forked))
    return CloneState(given, forked=forked, base=given, cleared=cleared)


def clear(state: CloneState) -> CloneState:
    """The state once an administrator said that the device is not a clone: all tokens given so far are forgotten."""
    given = state.given + 1
    return CloneState(given, base=given, cleared=state.cleared + 1)


def _branch_of(state: CloneState, token: CloneToken) -> int | None:
    """The branch whose newest token this is or follows, or None: a token that was returned before may come from a
    machine with an old copy of the state."""
    tips, branch = state.tips, token.branch
    if branch < len(tips) and tips[branch] == token.parent:
        return branch
    return tips.index(token.number) if token.number in tips else None


def _was_returned(state: CloneState, token: CloneToken) -> bool:
    """One older than the window counts as returned, unless it is newer than all that were, or answered such a one."""
    age = state.given - token.number
    if age < WINDOW:
        return bool(state.returned >> age & 1)
    return token.branch != NO_BRANCH and token.number <= max(state.tips)


def _open_branch(state: CloneState, token: CloneToken) -> TokenStep:
    """A second child of a token was returned, a fork; or the first one after a request without a token. If branches
    were forgotten, a fork may be a machine of a forgotten branch that returns after others."""
    branch, full = len(state.tips), len(state.tips) == MAX_BRANCHES
    if full:
        branch = _forgotten(state, token)
        apart = (*state.apart[:branch], 0, *state.apart[branch + 1 :]) if branch < len(state.apart) else state.apart
        state = state._replace(apart=apart)
    if token.parent == 0:
        state = _alternate_late(state, token)
    elif full and token.branch != NO_BRANCH:
        state = _count_alternation(state)
    state = state._replace(forked=state.forked or token.parent > 0)
    return _issue(_return(state, branch, token.number), branch, token.number)


def _forgotten(state: CloneState, token: CloneToken) -> int:
    """The branch to replace by that of `token`, among those not counted separately, except the oldest: the one whose
    newest token is oldest, if that is over twice as old as the sender's previous token; else the one whose newest token
    is newest."""
    kept = {_oldest(state), *(branch for branch, first in enumerate(state.apart) if first)}
    others = [branch for branch in range(MAX_BRANCHES) if branch not in kept]
    silent = min(others, key=state.tips.__getitem__, default=MAX_BRANCHES - 1)
    since = token.parent if token.branch == NO_BRANCH else token.number
    if state.given - state.tips[silent] > 2 * (state.given - since):
        return silent
    return max(others, key=state.tips.__getitem__, default=MAX_BRANCHES - 1)


def _go_on(state: CloneState, token: CloneToken, branch: int, slot: int) -> TokenStep:
    last = state.active if state.active >= 0 else ~state.active
    if state.tips[branch] == 0:
        state = _alternate_late(state, token)
    elif branch != last and state.tips[last]:
        state = _count_alternation(_separate(state, branch, last, slot))
    if state.tips[branch] == token.parent:
        state = _return(state, branch, token.number)
    return _issue(state, branch, token.number)


def _return(state: CloneState, branch: int, number: int) -> CloneState:
    """The token of this number was returned, the newest of its branch."""
    age = state.given - number
    tips = (*state.tips[:branch], number, *state.tips[branch + 1 :])
    returned = state.returned | 1 << age if age < WINDOW else state.returned
    return CloneState(state.given, tips, returned, *state[3:])


def _alternate_late(state: CloneState, token: CloneToken) -> CloneState:
    """The first return of a token that was issued to a request without one. If a token of another branch came back
    since, that branch alternated with this one, and this one does so now."""
    last = state.given if state.active >= 0 else state.left
    return _count_alternation(state, 2) if any(state.tips) and token.number < last else state


def _count_alternation(state: CloneState, times: int = 1) -> CloneState:
    state = state._replace(alternations=state.alternations + times)
    return state._replace(forked=state.forked or state.refused)


def _separate(state: CloneState, branch: int, other: int, slot: int) -> CloneState:
    """`branch` was used after `other`: they are two machines, and are counted separately in future slots.

    If some were separate before, a branch may be one of those that lost its token, and may have named future slots.
    """
    before = state.home is not None or state.base or any(state.apart)
    first = slot + 1 + (_AHEAD_SLOTS if before else 0)
    apart = list(state.apart) + [0] * (len(state.tips) - len(state.apart))
    for one in (branch, other):
        apart[one] = apart[one] or first
    return state._replace(apart=tuple(apart))


def _issue(state: CloneState, branch: int, parent: int, *, on_branch: bool = True) -> TokenStep:
    number = state.given + 1
    returned = (state.returned << 1) & ((1 << WINDOW) - 1)
    cloned = state.refused and not (on_branch and branch == _oldest(state))
    apart = state.apart[branch] if on_branch and branch < len(state.apart) else 0
    if on_branch:
        state = state._replace(given=number, returned=returned, active=branch, left=0)
    else:
        state = state._replace(given=number, returned=returned)
    return TokenStep(state, branch, number, parent, cloned, apart)


def _oldest(state: CloneState) -> int:
    """The oldest branch that ever had a token come back."""
    return next((index for index, tip in enumerate(state.tips) if tip), 0)


def plain_state(given: int, lag: int) -> CloneState:
    """State of a device with one branch whose tokens up to given − lag were all returned."""
    return CloneState(given, (given - lag,), _all_returned(given, lag))


def _all_returned(given: int, lag: int) -> int:
    window = (1 << min(given, WINDOW)) - 1
    return window & ~((1 << min(lag, WINDOW)) - 1)


def plain_lag(state: CloneState) -> int | None:
    """`given − tip` when `state` is the one that `plain_state` would rebuild, else None."""
    lag = state.given - state.tips[0]
    is_plain = (
        len(state.tips) == 1 and state[3:] == _REST_OF_PLAIN and state.returned == _all_returned(state.given, lag)
    )
    return lag if is_plain else None


_REST_OF_PLAIN = CloneState()[3:]
