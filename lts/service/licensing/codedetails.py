"""A handshake code as it is shown."""

from __future__ import annotations

from lts.rules.licensing.catalog import ARCHIVED, Code
from lts.rules.values.readmodel import ReadModel


class ValidationLists(ReadModel, frozen=True):
    """What binds a code to an application; an empty list does not."""

    domains: list[str]
    application_ids: list[str]
    process_names: list[str]


class LinkedItem(ReadModel, frozen=True):
    """An item of a code; `cap` is the most of its quota that the code may use."""

    id: int
    item_id: str
    license_id: str
    cap: int | None
    archived: bool


class CodeDetails(ReadModel, frozen=True):
    """A handshake code with its items in order of use. Its session password is only in the license key, which only
    administrators get, on request."""

    id: int
    name: str
    organization_id: str
    custom: str
    is_default: bool
    manual_order: bool
    has_password: bool
    note: str
    validation: ValidationLists
    items: list[LinkedItem]
    license_key: str | None = None


def describe_code(code: Code, license_key: str | None = None) -> CodeDetails:
    return CodeDetails(
        code.key,
        code.name,
        code.organization_id,
        code.custom,
        code.is_default,
        code.manual_order,
        code.session_password is not None,
        code.note,
        ValidationLists(*map(list, code.validation)),
        [
            LinkedItem(e.item.key, e.item.terms.item_id, e.item.license_id, e.cap, e.item.state == ARCHIVED)
            for e in code.items
        ],
        license_key,
    )
