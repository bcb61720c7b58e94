"""Chain tokens and the detection of cloned devices (docs/design/authorizing.md, Device clones).

A token carries (number, parent, branch) under a keyed MAC, so nobody can make one up and the server need
not keep those it gave out. Per device it keeps: how many it gave, the newest returned on each branch, and
which of the last 64 came back. `null` is the root of a branch.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import NamedTuple

from lts.crypto import b64url, unb64url
from lts.errors import TokenError

WINDOW = 64
MAX_BRANCHES = 64
ALTERNATIONS_TOLERATED = 2
_MAC_BYTES = 9


class ChainState(NamedTuple):
    """What the server remembers of a device's chain.

    `given` tokens were issued, numbered 1…given; `tips[b]` is the newest number returned on branch b (0:
    none yet); bit i of `returned` stands for number given − i; `active` is the branch of the last request;
    `home` the branch that counts as usage branch 0 once branches are told apart (None before that). Tokens up to
    number `base` are from before the states of two servers were joined: they are not known any more.
    """

    given: int = 0
    tips: tuple[int, ...] = (0,)
    returned: int = 0
    active: int = 0
    home: int | None = None
    alternations: int = 0
    forked: bool = False
    base: int = 0


class Step(NamedTuple):
    """One request on a chain: the state after it, its branch, and the number and parent of the new token."""

    state: ChainState
    branch: int
    number: int
    parent: int
    cloned: bool

    @property
    def usage_branch(self) -> int:
        """The branch under which a report counts: 0 until branches are told apart."""
        home = self.state.home
        if home is None or self.branch == home:
            return 0
        return self.branch + 1


class Token(NamedTuple):
    """A token read back: it was issued as `number` in answer to `parent` on `branch`."""

    number: int
    parent: int
    branch: int


def _mac(key: bytes, device: bytes, body: bytes) -> bytes:
    return hmac.digest(key, device + body, hashlib.sha256)[:_MAC_BYTES]


def encode_token(key: bytes, device: bytes, token: Token) -> str:
    """The opaque text of a token for a device (16 bytes of UUID)."""
    body = (
        token.number.to_bytes(5, "big")
        + min(token.number - token.parent, 0xFFFFFF).to_bytes(3, "big")
        + bytes([token.branch])
    )
    return b64url(body + _mac(key, device, body))


def decode_token(key: bytes, device: bytes, text: str) -> Token | None:
    """The token behind `text`, None when this server (or its pair) never gave it to this device."""
    try:
        raw = unb64url(text)
    except (TokenError, UnicodeError):
        return None
    body, mac = raw[:9], raw[9:]
    if len(raw) != 9 + _MAC_BYTES or not hmac.compare_digest(mac, _mac(key, device, body)):
        return None
    number = int.from_bytes(body[:5], "big")
    return Token(number, number - int.from_bytes(body[5:8], "big"), body[8])


def step(state: ChainState | None, token: Token | None) -> Step:
    """The request that returned `token` (None: none sent, or one unknown) from a device in `state`.

    `state` None: a device never seen. Raises nothing.
    """
    if state is None:
        return _issue(ChainState(tips=(0,)), 0, 0)
    if token is None or not state.base < token.number <= state.given or token.branch >= len(state.tips):
        return _open_branch(state)
    seen = _was_returned(state, token.number)
    if not seen:
        return _first_return(state, token)
    branch = state.tips.index(token.number) if token.number in state.tips else token.branch
    return _issue(_touch(state, branch), branch, token.number)


def join(here: ChainState, there: ChainState) -> ChainState:
    """The state of a device's chain after another server's next state of it arrived.

    A state follows another if it gave one token more. Where both servers gave tokens without knowing of each other, all
    of those count as unknown from then on: they open a branch and are no alternation (docs/design/authorizing.md,
    Device clones). The outcome is the same in whatever order two servers' states arrive.
    """
    if there.given == here.given + 1 and there.base == here.base:
        return there
    given = max(here.given, there.given)
    return ChainState(given, forked=here.forked or there.forked, base=given)


def _was_returned(state: ChainState, number: int) -> bool:
    """Numbers older than the window count as returned: only a child of theirs can be a fork then."""
    age = state.given - number
    return age >= WINDOW or bool(state.returned >> age & 1)


def _open_branch(state: ChainState) -> Step:
    branch = min(len(state.tips), MAX_BRANCHES - 1)
    tips = (*state.tips[:branch], 0)
    return _issue(state._replace(tips=tips, active=branch), branch, 0)


def _first_return(state: ChainState, token: Token) -> Step:
    state = state._replace(returned=state.returned | 1 << (state.given - token.number))
    if token.parent == state.tips[token.branch]:
        state = _advance(_touch(state, token.branch), token.branch, token.number)
        return _issue(state, token.branch, token.number)
    branch = min(len(state.tips), MAX_BRANCHES - 1)
    home = token.branch if state.home is None else state.home
    tips = (*state.tips[:branch], token.number)
    state = state._replace(tips=tips, active=branch, home=home, forked=True)
    return _issue(state, branch, token.number)


def _advance(state: ChainState, branch: int, number: int) -> ChainState:
    tips = list(state.tips)
    tips[branch] = number
    return state._replace(tips=tuple(tips))


def _touch(state: ChainState, branch: int) -> ChainState:
    """Note an alternation when `branch` is not the one last active; from then on branches count apart."""
    if branch == state.active:
        return state
    alternations = state.alternations + 1
    return state._replace(
        active=branch,
        alternations=alternations,
        home=state.active if state.home is None else state.home,
        forked=state.forked or alternations > ALTERNATIONS_TOLERATED,
    )


def _issue(state: ChainState, branch: int, parent: int) -> Step:
    number = state.given + 1
    returned = (state.returned << 1) & ((1 << WINDOW) - 1)
    cloned = state.alternations > ALTERNATIONS_TOLERATED and branch != _oldest(state)
    return Step(state._replace(given=number, returned=returned), branch, number, parent, cloned)


def _oldest(state: ChainState) -> int:
    """The oldest branch that ever had a token come back."""
    return next((index for index, tip in enumerate(state.tips) if tip), 0)


def plain_state(given: int, lag: int) -> ChainState:
    """State of a device that never lost an answer nor left its one branch: all up to given − lag came back."""
    window = (1 << min(given, WINDOW)) - 1
    return ChainState(given, (given - lag,), window & ~((1 << lag) - 1))


def plain_lag(state: ChainState) -> int | None:
    """`given − tip` when `state` is the one that `plain_state` would rebuild, else None."""
    lag = state.given - state.tips[0]
    return lag if state == plain_state(state.given, lag) else None
