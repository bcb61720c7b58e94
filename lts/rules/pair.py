"""The pair (docs/design/pair.md, Trust): what the two servers sign for each other, and when one of them serves.

Pure: times are seconds of a clock that never steps (`elapsed`) or UTC seconds (`now`), as said.
"""

from __future__ import annotations

import hashlib
from enum import Enum
from typing import Any, NamedTuple

from lts.crypto import PublicKey
from lts.protocol import DAY_SECONDS

PROTOCOL, PREVIOUS = 2, 1
"""Version of what the servers say to each other and of the feed's kinds. A server also speaks the previous one, so that
a pair is upgraded one server at a time."""
MAIN, STANDBY = "main", "standby"
IS_MAIN = "This server is the main already."
WAS_REPLACED = "This server was replaced: the other one is the main now, and this one never serves again."
"""Why it is not promoted."""
DELEGATION_SECONDS = 7 * DAY_SECONDS
DELEGATION_RENEWED_SECONDS = 3600
CLOCK_SLACK_SECONDS = 3600
CLOCK_GAP_SECONDS = 300
"""By how much the two clocks may differ before that is reported: leases and reports of the one seem to be from the
future to the other."""
HAND_BACK_SECONDS = 3.0
"""How old the other server's status, that it does not serve, may be when a main begins to serve; if older, the main
asks again."""
HAND_OVER, CANNOT_STORE = "hand-over", "cannot-store"
"""Why the main let the standby serve: it is stopped in good order, or its disk takes nothing."""
STORED_SECONDS = 60.0
"""How long a main must have stored without a failure before it takes back what it handed over because it could not."""
TAKEN_BACK_SECONDS = 600.0
"""How long after that it takes back nothing again."""
CONTACT_SECONDS = 5.0
"""How long after its last status a start of the other server keeps another start of it from being accepted, unless that
one answers at the configured URL. Each sends one about every two seconds if nothing is new."""
IN_STEP_SECONDS = 1.0
"""How long clients wait for the standby's acknowledgment (docs/design/pair.md, Following)."""


class ServingStatus(str, Enum):
    """What a server is doing, as health and the other server of a pair read it."""

    SERVING = "serving"
    REFUSING = "standby"
    STARTING = "starting"
    REPLACED = "replaced"

    __str__ = str.__str__


SERVING, REFUSING, STARTING, REPLACED = ServingStatus


def told(status: ServingStatus) -> ServingStatus:
    """The status of a server as it says it to the other one, which may be an LTS that does not know REPLACED."""
    return STARTING if status == REPLACED else status


def request_statement(path: str, body: bytes, session: str, counter: int) -> bytes:
    """What the caller signs; `path` is relative to the server's URL, since a proxy may strip a prefix."""
    return f"LTS peer request\n{path}\n{hashlib.sha256(body).hexdigest()}\n{session}\n{counter}".encode()


def answer_statement(session: str, counter: int, status: int, body: bytes) -> bytes:
    """What the one who answers signs."""
    return f"LTS peer answer\n{session}\n{counter}\n{status}\n{hashlib.sha256(body).hexdigest()}".encode()


def delegation(main: str, standby: str, key: PublicKey, main_now: int, standby_now: int) -> dict[str, Any]:
    """Claims of the certificate by which the main lets the standby's key sign leases (docs/design/pair.md,
    Certificates). It is valid early enough for a standby whose clock is behind; times in UTC seconds."""
    return {
        "iss": main,
        "sub": standby,
        "cnf": {"jwk": key.jwk},
        "iat": min(main_now, standby_now) - CLOCK_SLACK_SECONDS,
        "exp": main_now + DELEGATION_SECONDS,
    }


def renew_delegation(until: int, main_now: int) -> bool:
    """Whether a delegation that ends at `until` is old enough to be renewed, or of a clock that was ahead."""
    longest = main_now + DELEGATION_SECONDS
    return not longest - DELEGATION_RENEWED_SECONDS <= until <= longest + DELEGATION_RENEWED_SECONDS


class PairView(NamedTuple):
    """A server's status, and what it knows of the other one. Elapsed seconds since the other was followed, since an
    authentic status of it arrived, and since anything arrived from its address."""

    role: str
    status: ServingStatus
    joined: bool
    stopped: bool
    peer_serves: bool
    since_followed: float
    since_status: float
    since_alive: float


def serve_alone(view: PairView, limit: float) -> str | None:
    """Why a server that does not serve begins to, without the other one (docs/design/pair.md, Taking over); None = it
    waits. `limit` in seconds; what answers wrongly is alive."""
    if view.status == SERVING:
        return None
    if view.role == STANDBY:
        return "take-over" if view.joined and not view.stopped and view.since_alive >= limit else None
    other_serves = view.peer_serves and view.since_status < limit
    return "alone" if view.since_followed >= limit and not other_serves else None


def stall_limit(take_over_after: float) -> float:
    """How long a server may have stood still (suspended) and still be sure that the other did not take over."""
    return take_over_after / 2


def is_recent(age: float, limit: float) -> bool:
    """Whether a main may serve because the other's status, requested `age` seconds ago, says that the other does not:
    it must not have taken over since, which it does after `limit` seconds without a status."""
    return age <= min(HAND_BACK_SECONDS, limit / 2)


_START_BITS = 32


def first_number(random: int) -> int:
    """The number before a server's first status; `random` (1 to 2^30) identifies this start of it."""
    return random << _START_BITS


def is_outdated(number: int, newest: int) -> bool:
    """Whether a server sent a newer status since, within the same start."""
    return is_same_start(number, newest) and number < newest


def start_of(number: int) -> int:
    """Identifies the start in which a server sent that status; 0 if it does not number statuses."""
    return number >> _START_BITS


def is_same_start(number: int, other: int) -> bool:
    """Whether a server sent both statuses since it started."""
    return start_of(number) == start_of(other)


def may_take_back(since_well: float | None, since_taken_back: float | None) -> bool:
    """Whether a main that handed over because it could not store may serve again; elapsed seconds since when it has
    stored without a failure, and since it last took back, None = it has not."""
    rested = since_taken_back is None or since_taken_back >= TAKEN_BACK_SECONDS
    return since_well is not None and since_well >= STORED_SECONDS and rested


def gives_way(role: str, status: ServingStatus, peer_status: ServingStatus) -> bool:
    """Whether a server that serves must stop, since both serve: the main resumes."""
    return role == STANDBY and status == SERVING and peer_status == SERVING


def spoken(theirs: int) -> int | None:
    """The protocol for talking to a server that speaks `theirs` and all before, None = they have none in
    common."""
    return min(PROTOCOL, theirs) if theirs >= PREVIOUS else None


def role_fault(mine: str, theirs: str) -> str | None:
    """A sentence about the fault if both settings name the same server as main, else None."""
    if mine != theirs:
        return None
    where = "first" if mine == MAIN else "second"
    return (
        f'Both servers are configured as the {mine}: each has "self" as the {where} of its servers. On the standby,'
        ' write "servers": ["https://main.example.com/lts/", "self"] and start it again.'
    )
