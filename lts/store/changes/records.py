"""The kinds of change and the shapes of their payloads (msgpack arrays, kept short: the feed is long).

Device, code, item and type numbers are given once, each from the range of the origin that first named the thing,
and never again (docs/decisions/0007-pair.md). `time` is in the change itself; ends and slots are relative
to it. Changes of administrators carry who did it.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import msgspec

from lts.rules.alerting.alert import Alert


class ChangeKind(IntEnum):
    ORIGIN = 1
    SETTING = 2
    TRUST = 3
    LICENSE = 4
    CODE = 5
    CODE_REMOVAL = 6
    EVENT = 7
    TYPE = 8
    EPOCH = 9
    GRANT = 10
    REPORT = 11
    RELEASE = 12
    REFUSALS = 13
    DAY_CLOSING = 14
    ALERT = 15
    DELIVERY = 16
    CLONE_TOKEN = 17
    ARCHIVE = 18
    GRANTS_END = 19


class Record(msgspec.Struct, array_like=True, frozen=True):
    """Base of all payloads."""


class OriginChange(Record, frozen=True):
    """The first change of an origin; `numbers` begins the range from which it numbers things."""

    uuid: str
    incarnation: str
    version: str
    numbers: int = 1


class EpochChange(Record, frozen=True):
    """A server of a pair begins to serve, or a server without a partner continues what another origin wrote.

    `key` is its public key (base64url), `knows` the feeds it has then as (LTS UUID, incarnation, serial), `reason` one
    of start, take-over, hand-over, cannot-store, hand-back, alone, promoted, merge, continued. A server that continues
    stays in the epoch of those it knows; `generation` is above all of theirs.
    """

    epoch: int
    main: bool
    reason: str
    key: str
    knows: tuple[tuple[str, str, int], ...]
    generation: int = 0


class SettingChange(Record, frozen=True):
    """A setting's new value (JSON), None = removed."""

    actor: str
    name: str
    value: Any


class TrustChange(Record, frozen=True):
    """A vendor key that an administrator trusts from now on."""

    actor: str
    kid: str
    pub: str


class LicenseChange(Record, frozen=True):
    """A license file, new or of a higher revision. `vendor` is the vendor's root key id, `items` are (item id,
    number) of all its items."""

    actor: str
    vendor: str
    license_id: str
    revision: int
    digest: str
    items: tuple[tuple[str, int], ...]
    jws: str


class ArchiveChange(Record, frozen=True):
    """A license was archived at this revision (`toggle` odd) or taken back (`toggle` even). Toggles of a revision count
    up from 1, so that of two servers' changes the later one decides (docs/decisions/0021-archive.md)."""

    actor: str
    vendor: str
    license_id: str
    revision: int
    toggle: int


class GrantsEndChange(Record, frozen=True):
    """All grants of items in earlier rounds end, as (item, round that begins)."""

    items: tuple[tuple[int, int], ...]


class CodeChange(Record, frozen=True):
    """The whole state of a handshake code after the change; `items` are (item, cap) in order of use. `former` is the
    whole name that it had before, "" for a new code; 0.1 did not record it (None). `made_for`: the license whose import
    made the code, with this change; 0.1 did not record it."""

    actor: str
    code: int
    organization: str
    custom: str
    is_default: bool
    fields: dict[str, Any]
    items: tuple[tuple[int, int | None], ...]
    former: str | None = None
    made_for: str = ""


class CodeRemovalChange(Record, frozen=True):
    """A handshake code was removed; its history stays. 0.1 did not record its organization ("")."""

    actor: str
    code: int
    organization: str = ""


class EventChange(Record, frozen=True):
    """Something for the audit log that changes no table."""

    actor: str
    name: str
    detail: dict[str, Any]


class TypeChange(Record, frozen=True):
    type: int
    name: str


class SeatRecord(Record, frozen=True):
    """A grant's state. `lasts` = end − time; `age` = time − since for a concurrent item's lease, else −1."""

    item: int
    grant: int
    lasts: int
    flags: int
    codes: tuple[int, ...]
    age: int = -1
    instances: int = 1


class GrantChange(Record, frozen=True):
    """An authorization. `uuid` (16 bytes) only when the device is new, `likeness` (lts.rules.metering.likeness)
    then where its server makes them; `clone_state` as in lts.store.tables.devices."""

    device: int
    uuid: bytes | None
    code: int
    given: int
    lag: int
    clone_state: bytes | None
    seats: tuple[SeatRecord, ...]
    likeness: int | None = None


class Run(Record, frozen=True):
    """Counts of consecutive slots, 0 for those without; the first is slot_of(time) − back. `type` is the number of a
    type name, or the digest of one that has none."""

    item: int
    type: int | bytes
    back: int
    counts: list[int]


class ReportChange(Record, frozen=True):
    """A report: counts so far, and the seats it renewed. Slots from `apart` on count on `branch`, earlier ones
    TOGETHER (lts.rules.metering.usage); 0.1 knew no `apart`. A piece of a report before its last has `given` 0: the
    tokens stay as they were, and no report is tallied."""

    device: int
    uuid: bytes | None
    code: int
    branch: int
    given: int
    lag: int
    clone_state: bytes | None
    seats: tuple[SeatRecord, ...]
    runs: tuple[Run, ...]
    apart: int = 0


Raised = tuple[int, int | bytes, dict[int, int]]
"""(item, type as the report's run has it, by how much each slot since 1970 rose)."""


class Grown(msgspec.Struct):
    """What a report raised, which applying it says: `units` of any type, `presence` of the device."""

    units: list[Raised]
    presence: list[Raised]


class ReleaseChange(Record, frozen=True):
    """Grants that end now, as (item, grant)."""

    device: int
    seats: tuple[tuple[int, int], ...]


class RefusalsChange(Record, frozen=True):
    """Refusals since the last such change: (code key or 0, refusal code, how many)."""

    counts: tuple[tuple[int, int, int], ...]


class DayClosingChange(Record, frozen=True):
    """Day rows up to this day (days since 1970) keep their sums only: at once, as always in 0.1, or a `piece` of that
    day only, the rows of devices from one number to before another (0 = to the end)."""

    day: int
    piece: tuple[int, int] | None = None


class AlertChange(Record, frozen=True):
    """A check of what alerts watch: `levels` are (key, level alerted, quota then), level 0 = may be alerted again;
    `seen` is how far each origin's events were checked, as (LTS UUID, incarnation, serial); `message` is the id of a
    message that sends `events` to `channels`, "" if nothing is new."""

    levels: tuple[tuple[str, int, int], ...]
    seen: tuple[tuple[str, str, int], ...]
    message: str = ""
    events: list[Alert] = []
    channels: tuple[str, ...] = ()


class DeliveryChange(Record, frozen=True):
    """A message needs no further try on a channel: `outcome` is "sent" or "given up"."""

    message: str
    channel: str
    outcome: str
    detail: str


class CloneTokenChange(Record, frozen=True):
    """A device's clone state changed without a grant or report: a request was refused as a clone's, or an
    administrator cleared the device."""

    device: int
    given: int
    lag: int
    clone_state: bytes | None


SHAPES: dict[ChangeKind, type[Record]] = {
    ChangeKind.ORIGIN: OriginChange,
    ChangeKind.SETTING: SettingChange,
    ChangeKind.TRUST: TrustChange,
    ChangeKind.LICENSE: LicenseChange,
    ChangeKind.CODE: CodeChange,
    ChangeKind.CODE_REMOVAL: CodeRemovalChange,
    ChangeKind.EVENT: EventChange,
    ChangeKind.TYPE: TypeChange,
    ChangeKind.EPOCH: EpochChange,
    ChangeKind.GRANT: GrantChange,
    ChangeKind.REPORT: ReportChange,
    ChangeKind.RELEASE: ReleaseChange,
    ChangeKind.REFUSALS: RefusalsChange,
    ChangeKind.DAY_CLOSING: DayClosingChange,
    ChangeKind.ALERT: AlertChange,
    ChangeKind.DELIVERY: DeliveryChange,
    ChangeKind.CLONE_TOKEN: CloneTokenChange,
    ChangeKind.ARCHIVE: ArchiveChange,
    ChangeKind.GRANTS_END: GrantsEndChange,
}
KIND_OF: dict[type[Record], int] = {shape: int(kind) for kind, shape in SHAPES.items()}
_DECODERS = {kind: msgspec.msgpack.Decoder(shape) for kind, shape in SHAPES.items()}
encode_payload = msgspec.msgpack.Encoder().encode


def decode_payload(kind: int, payload: bytes) -> Record:
    """The payload of a stored change. Raises ValueError when it is not of its kind's shape."""
    record: Record = _DECODERS[ChangeKind(kind)].decode(payload)
    return record
