"""Parts of answers that only the administrators' API has: pages of lists, and combinations of several services' models.
The rest of each answer is what a service returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lts.rules.alerting.notices import Notice
from lts.rules.licensing.itemstatus import ItemStatus
from lts.rules.pair import ServingStatus
from lts.rules.values.readmodel import ReadModel
from lts.service.access.accounts import TokenLine, UserLine
from lts.service.access.sessions import SessionLine
from lts.service.alerting.alertsettings import MailDetails, WebhookLine
from lts.service.core.pairmodels import PairStatus
from lts.service.core.refusals import AskedRequest
from lts.service.licensing.codedetails import CodeDetails, LinkedItem, ValidationLists
from lts.service.licensing.handshakes import Saved
from lts.service.licensing.licenses import Preview
from lts.service.metering.explain import CapStatus
from lts.service.statistics.usage import Overview


class ItemPage(ReadModel, frozen=True):
    """A page of license items; `found` counts those of all pages, `states` all items by their state."""

    items: list[ItemStatus]
    found: int
    states: dict[str, int]


class StoppedItem(ReadModel, frozen=True):
    """An item that authorizes nobody after an import: why, and how many live seats end."""

    item_id: str
    why: str
    seats: int


class PreviewAnswer(ReadModel, frozen=True):
    """What importing a license file changes, or changed; items by their ids."""

    license_id: str
    alias: str | None
    organization_id: str
    revision: int
    vendor: str
    servers: list[str]
    trusted: bool
    fingerprint: str
    status: str
    takes_back: bool
    added: tuple[str, ...]
    renewed: tuple[str, ...]
    revoked: tuple[str, ...]
    unchanged: tuple[str, ...]
    over_quota: Mapping[str, int]
    stops: list[StoppedItem]
    handshake_code: str | None
    code_exists: bool
    notices: tuple[Notice, ...]

    @classmethod
    def of(cls, preview: Preview) -> PreviewAnswer:
        file, changed = preview.license, preview.difference
        return cls(
            file.license_id, file.alias, file.organization_id, file.revision, file.vendor_name,
            [server.uuid for server in file.servers],
            preview.trusted, preview.fingerprint, preview.status, preview.takes_back,
            changed.added, changed.renewed, changed.revoked, changed.unchanged,
            preview.effects.over_quota or {},
            [StoppedItem(stop.item_id, stop.why, stop.seats) for stop in preview.effects.stops],
            preview.handshake_code, preview.code_exists, preview.notices,
        )  # fmt: skip


class TrustedKey(ReadModel, frozen=True):
    """A vendor's key that is trusted now."""

    name: str
    key_id: str
    fingerprint: str


class ActivationText(ReadModel, frozen=True):
    """What a vendor binds licenses to, as the text of its file."""

    text: str


class CodePage(ReadModel, frozen=True):
    """A page of handshake codes; `found` counts those of all pages."""

    handshake_codes: list[CodeDetails]
    found: int


class EditedCode(Saved, frozen=True):
    """A code that was changed, with what the change may have put in order."""

    validation: ValidationLists
    items: list[LinkedItem]


class RemovedCode(ReadModel, frozen=True):
    """A code that no longer exists, by name and number."""

    removed: str
    id: int
    organization_id: str


class LicenseKeyAnswer(ReadModel, frozen=True):
    """A license key, the URLs in it, and the faults of those."""

    license_key: str
    servers: list[str]
    notices: list[Notice]


class UsageRow(ReadModel, frozen=True):
    """Units of a type in a group: an hour, a day, a device, or all."""

    group: str
    type: str
    units: int


class SummedItem(ReadModel, frozen=True):
    """A license item that a usage table sums."""

    id: int
    item_id: str
    license_id: str
    organization_id: str


class UsagePage(ReadModel, frozen=True):
    """A page of a usage table (lts/service/statistics/usage.py). `groups` counts those of all pages, `sums` by type and
    `total` are over all of them; `items` is null for all."""

    by: str
    types: tuple[str, ...]
    rows: list[UsageRow]
    groups: int
    sums: dict[str, int]
    total: int
    items: list[SummedItem] | None
    zone: str


class ReleasedSeat(ReadModel, frozen=True):
    """A seat that is free; its device may not know that until then."""

    lease_may_run_until: str


class ItemVerdict(ReadModel, frozen=True):
    """An item's verdict on a refused request, by code; the cap is that of the handshake code if only that was in the
    way against it."""

    item_id: str
    code: int
    charge_way: str | None
    cap: CapStatus | None


class RefusedAnswer(ReadModel, frozen=True):
    """A refused request; `more_items` counts those that are left out."""

    time: str
    request_id: str
    code: int
    detail: str
    handshake_code: str | None
    asked: AskedRequest
    items: list[ItemVerdict]
    more_items: int


class RefusedPage(ReadModel, frozen=True):
    """A page of the last refused requests, newest first; `found` counts those of all pages."""

    refused: list[RefusedAnswer]
    found: int


class SignedIn(ReadModel, frozen=True):
    """Who is signed in, None if nobody is; `csrf` is what a page of the session sends back to change something."""

    user: str | None
    role: str | None
    csrf: str | None
    set_up_needed: bool


class SetUpCode(ReadModel, frozen=True):
    """The one-time code of the first visit, None once a password is set, and the portal's URL."""

    setup_code: str | None
    url: str


class SessionList(ReadModel, frozen=True):
    """Sessions: all for an administrator, their own for others."""

    sessions: list[SessionLine]


class EndedSession(ReadModel, frozen=True):
    """The id of a session that has ended."""

    ended: str


class UserList(ReadModel, frozen=True):
    """Users, the owner first."""

    users: list[UserLine]


class TokenList(ReadModel, frozen=True):
    """API tokens, oldest first."""

    tokens: list[TokenLine]


class Named(ReadModel, frozen=True):
    """The name of a user that was added or changed."""

    name: str


class Removed(ReadModel, frozen=True):
    """The name or id of what no longer exists."""

    removed: str


class AlertSettings(ReadModel, frozen=True):
    """Who gets alerts, and the percentages for each thing that is watched."""

    mail: MailDetails | None
    levels: Mapping[str, tuple[int, ...]]
    webhooks: list[WebhookLine]


class AlertLevels(ReadModel, frozen=True):
    """Percentages for each thing that is watched."""

    levels: Mapping[str, tuple[int, ...]]


class MailAnswer(ReadModel, frozen=True):
    """The mail settings, None if mail is off."""

    mail: MailDetails | None


class ToldWebhook(ReadModel, frozen=True):
    """The id of a webhook that took a test message."""

    told: str


class CalendarAddress(ReadModel, frozen=True):
    """Where the calendar is, below the portal's URL."""

    path: str


class ClockStatus(ReadModel, frozen=True):
    """The highest time that was seen, and whether the clock jumped far ahead and is not trusted yet."""

    highest: str
    unconfirmed: bool


class ServerStatus(ReadModel, frozen=True):
    """Who this server is and its state; `pair` is None for a single server, `time` is the one that the server goes by:
    not that of a clock that is not used."""

    status: ServingStatus
    version: str
    role: str
    pair: PairStatus | None
    server_uuid: str
    previous_uuids: Sequence[str]
    binding: str
    url: str
    time: str
    clock: ClockStatus
    serial: int
    items: int
    handshake_codes: int
    organizations: list[str]


class StatusAnswer(ServerStatus, frozen=True):
    """With what troubles the server itself, also about its clock."""

    warnings: list[str]


class Home(ServerStatus, frozen=True):
    """With what needs attention, worst first, and the usage of the last days."""

    attention: list[Notice]
    usage: Overview


class WrittenBackup(ReadModel, frozen=True):
    """A backup that was written: its file and size, and the faults found meanwhile."""

    path: str
    bytes: int
    faults: list[str]


class ClockChange(ReadModel, frozen=True):
    """The highest time before and after."""

    before: str
    after: str
