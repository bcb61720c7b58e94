"""What only answers of the administrators' API have: pages of lists, and what several services are put together to. The
rest of each answer is what a service returns."""

from __future__ import annotations

from collections.abc import Mapping

from lts.rules.itemstatus import ItemStatus
from lts.rules.notices import Notice
from lts.rules.readmodel import ReadModel
from lts.service.licensing.codedetails import CodeDetails, LinkedItem, ValidationLists
from lts.service.licensing.handshakes import Saved
from lts.service.licensing.licenses import Preview


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


class ActivationRequest(ReadModel, frozen=True):
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
    """A code that is no more, by name and number."""

    removed: str
    id: int
    organization_id: str


class LicenseKeyAnswer(ReadModel, frozen=True):
    """A license key, the URLs in it, and what is wrong with those."""

    license_key: str
    servers: list[str]
    notices: list[Notice]
