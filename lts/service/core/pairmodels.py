"""What is shown about a pair: answers in the administrators' API, and part of the server's status."""

from __future__ import annotations

from lts.rules.pair import ServingStatus
from lts.rules.values.readmodel import ReadModel


class PeerStatus(ReadModel, frozen=True):
    """The other server, as far as it is known; `offered_fingerprint` is that of a key that waits for approval."""

    url: str
    server_uuid: str | None
    fingerprint: str | None
    offered_fingerprint: str | None
    role: str | None
    version: str | None
    status: ServingStatus | None
    last_contact_seconds: float | None
    clock_offset_seconds: float | None


class DelegationStatus(ReadModel, frozen=True):
    """The main in whose place this server authorizes, and until when."""

    main_uuid: str
    until: str
    seconds_left: int


class PairNotice(ReadModel, frozen=True):
    """A fault of a pair, or something to know about it."""

    code: str
    detail: str


class Overshoot(ReadModel, frozen=True):
    """An item with more live seats than quota and grace, since both servers served for a while: how many more."""

    id: int
    item_id: str
    seats: int


class PairEvent(ReadModel, frozen=True):
    """A line of the audit log about the pair, with what that has of it."""

    time: str
    server_uuid: str
    event: str
    epoch: int | None = None
    main: bool | None = None
    url: str | None = None
    changes: int | None = None


class PairStatus(ReadModel, frozen=True):
    """Everything about the pair; times as RFC 3339, ages in seconds. `overruled` counts changes of one server that
    others, of the other server, made void."""

    role: str
    promoted: bool
    status: ServingStatus
    epoch: int
    fingerprint: str
    in_step: bool
    lag_changes: int | None
    lag_seconds: float | None
    take_over_after_seconds: int
    peer: PeerStatus
    delegation: DelegationStatus | None
    faults: list[PairNotice]
    notices: list[PairNotice]
    overshoot: list[Overshoot]
    history: list[PairEvent]
    merged: list[PairEvent]
    overruled: int
