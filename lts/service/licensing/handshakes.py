"""Handshake codes: list, add, edit, order, remove, and the license key string (docs/design/administering.md, Handshake
codes)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from lts.errors import AdminError
from lts.protocol import LicenseKey
from lts.rules.alerting.codenotices import spelled_alike
from lts.rules.alerting.notices import Notice
from lts.rules.licensing.catalog import ARCHIVED, Catalog, Code
from lts.rules.values import domains, meanwhile
from lts.rules.values.fields import MAX_TEXT
from lts.rules.values.readmodel import ReadModel
from lts.rules.values.text import MAX_NAME, clean_name, nfc
from lts.service.core.context import Context
from lts.service.licensing import serverurls
from lts.service.licensing.catalog import PASSWORD_CHANGE, seal_password, unseal_password
from lts.service.licensing.codedetails import CodeDetails, describe_code
from lts.store.changes import records
from lts.store.changes.numbering import NUMBERS
from lts.store.tables import codes
from lts.store.writing.transaction import Transaction

_MAX_FULL_NAME = MAX_TEXT + 1 + MAX_NAME
"""Of a code: organization, hyphen, custom part."""
_MAX_DIGITS = 18
MAX_VALUES = 200
_ORIGIN_BITS = 25
"""Hold the range of an origin (lts.store.changes.numbering), at most 2^24; 28 bits are left for counting in a number
that JSON keeps exactly."""
_FIELDS = ("domains", "applicationIds", "processNames")


@dataclass
class Draft:
    """A code about to be stored; `key` None = new; `items` are (item number, cap) in order of use."""

    key: int | None
    organization_id: str
    custom: str
    is_default: bool
    fields: dict[str, Any]
    items: list[tuple[int, int | None]]
    made_for: str = ""
    """The license whose import makes this new code."""

    def take(self, items: list[tuple[int, int | None]], *, make_default: bool) -> None:
        """More items, last in the order of use; the default code stays that."""
        self.items.extend(items)
        self.is_default |= make_default


def clean_custom(text: str) -> str:
    return clean_name(text, "The handshake code's name")


class Saved(ReadModel, frozen=True):
    """A code that was made or changed, by name and number; `notices` are what to know of its name."""

    name: str
    key: int = msgspec.field(name="id")
    organization_id: str
    notices: tuple[Notice, ...]


def find(catalog: Catalog, name: str, organization_id: str | None = None) -> Code:
    """The code of this name, of the organization where one is named, or the code of a number (`#7`).

    Raises AdminError, also where codes of several organizations are spelled so and none is named.
    """
    owner, cleaned = known_organization(catalog, organization_id), _clean_full(name)
    check_one_meant([c for c in catalog.present if c.name == cleaned and owner in (None, c.organization_id)])
    code = catalog.code_called(cleaned, owner) or _numbered(catalog, cleaned)
    if code is None or owner not in (None, code.organization_id):
        raise no_such_code(name, owner)
    return code


def no_such_code(name: str, owner: str | None) -> AdminError:
    """That nothing is called so, of the organization where one is named."""
    whose = "" if owner is None else f" of organization {owner}"
    return AdminError("no-such-code", f"There is no handshake code {name!r}{whose}.", status=404)


def check_one_meant(codes: list[Code]) -> None:
    """Check that a name means only one code. Raises AdminError that says how to name each."""
    if len(codes) > 1:
        each = " and ".join(f"#{code.key} of organization {code.organization_id}" for code in codes)
        advice = "Name # and the number"
        if len({code.organization_id for code in codes}) == len(codes):
            advice = "Name the organization too, or # and the number"
        raise AdminError(
            "which-code",
            f"{len(codes)} handshake codes are spelled {codes[0].name}: {each}. {advice} instead.",
            field="organizationId",
            status=409,
        )


def known_organization(catalog: Catalog, named: str | None) -> str | None:
    """An organization as it is spelled here, None for none. Raises AdminError for one that nothing is known of."""
    if named is None:
        return None
    owner = nfc(named.strip(), MAX_TEXT).strip()
    if owner not in catalog.vendors:
        raise AdminError(
            "no-such-organization", f"This server has no license of organization {named!r}.", status=404,
            field="organizationId",
        )  # fmt: skip
    return owner


def _clean_full(name: str) -> str:
    return nfc(name.strip(), _MAX_FULL_NAME).strip()


def find_in(catalog: Catalog, name: str, organization_id: str) -> Code:
    """As `find`, of one organization only. Raises AdminError."""
    code = catalog.code_called(_clean_full(name), organization_id) or find(catalog, name)
    if code.organization_id != organization_id:
        raise AdminError("other-organization", "The handshake code belongs to another organization.")
    return code


def _numbered(catalog: Catalog, text: str) -> Code | None:
    number = text.removeprefix("#")
    if number == text or not number.isascii() or not number.isdecimal() or len(number) > _MAX_DIGITS:
        return None
    code = catalog.codes_by_key.get(int(number))
    return None if code is None or code.removed else code


def emit_code(tx: Transaction, draft: Draft, actor: str, now: int) -> int:
    """Store a draft as the code's new state; returns its number. Raises AdminError when the name is taken."""
    other = tx.catalog.by_place.get((draft.organization_id, draft.custom))
    mine = tx.catalog.codes_by_key.get(draft.key or 0)
    keeps = mine is not None and mine.custom == draft.custom  # a merge may have left two codes of one name
    if other is not None and other.key != draft.key and not keeps:
        raise AdminError("code-exists", f"The handshake code {other.name} exists already.", status=409)
    key = tx.numbering.new("codes") if draft.key is None else draft.key
    former = "" if mine is None else mine.name
    place = draft.organization_id, draft.custom, draft.is_default
    tx.emit(records.CodeChange(actor, key, *place, draft.fields, tuple(draft.items), former, draft.made_for), now)
    return key


def draft_of(tx: Transaction, code: Code) -> Draft:
    """The stored state of a code, to be changed and stored again."""
    stored = codes.one(tx.db, code.key)
    return Draft(code.key, code.organization_id, code.custom, code.is_default, dict(stored.fields), list(stored.items))


def add(ctx: Context, organization_id: str | None, changes: dict[str, Any], actor: str, now: int) -> Saved:
    """A new code; `changes` as in `edit`, with `custom`. No organization named = the only one there is. Raises
    AdminError."""

    def operation(tx: Transaction) -> Saved:
        owner = _organization(tx.catalog, organization_id)
        first = owner not in tx.catalog.defaults
        draft = Draft(None, owner, clean_custom(_text(changes.get("custom"), "custom")), first, {}, [])
        _change(tx, ctx, draft, {"items": [], **changes})
        return _save(tx, draft, actor, now)

    return ctx.store.write(operation)


def _organization(catalog: Catalog, named: str | None) -> str:
    """The organization that is named, else the only one. Raises AdminError."""
    known = sorted(catalog.vendors)
    if named is None and len(known) > 1:
        raise AdminError(
            "which-organization",
            f"There are {len(known)} organizations: name one of {', '.join(known[:10])}.",
            field="organizationId",
        )
    found = known[0] if named is None and known else named and nfc(named.strip(), MAX_TEXT).strip()
    if found not in catalog.vendors:
        whose = "" if found is None else f" of organization {found}"
        raise AdminError("no-such-organization", f"No license{whose} is imported yet; import one first.", status=404)
    return str(found)


def edit(
    ctx: Context, name: str, changes: dict[str, Any], actor: str, now: int, organization_id: str | None = None
) -> Saved:
    """Change a code: any of custom, note, password (None removes), validation {domains, applicationIds, processNames},
    items [{id, cap}] in order, manualOrder, isDefault (true only). What is absent stays, also each list of validation.
    With `was` the change is refused if somebody else changed the same meanwhile (lts.rules.values.meanwhile).

    Raises AdminError.
    """

    def operation(tx: Transaction) -> Saved:
        code = find(tx.catalog, name, organization_id)
        new = {field: value for field, value in changes.items() if field != meanwhile.WAS}
        meanwhile.check(_flat(changes.get(meanwhile.WAS)), _flat(_comparable(code)), _flat(new))
        draft = draft_of(tx, code)
        _change(tx, ctx, draft, new)
        return _save(tx, draft, actor, now)

    return ctx.store.write(operation)


def _comparable(code: Code) -> dict[str, Any]:
    """A code by the fields of a change, see `edit`."""
    shown = describe_code(code)
    lists = shown.validation
    return {
        "custom": shown.custom,
        "note": shown.note,
        "hasPassword": shown.has_password,
        "validation": {
            "domains": lists.domains,
            "applicationIds": lists.application_ids,
            "processNames": lists.process_names,
        },
        "manualOrder": shown.manual_order,
        "isDefault": shown.is_default,
        "items": [{"id": one.item.key, "cap": one.cap} for one in code.items],
    }


def _flat(fields: Any) -> Any:
    """With the lists of validation next to the other fields."""
    inner = fields.get("validation") if isinstance(fields, dict) else None
    if not isinstance(inner, dict):
        return fields
    return {**{name: value for name, value in fields.items() if name != "validation"}, **inner}


def _save(tx: Transaction, draft: Draft, actor: str, now: int) -> Saved:
    """Store a draft; notices about a name are given when the code gets it."""
    before = None if draft.key is None else tx.catalog.codes_by_key[draft.key].custom
    notices = () if before == draft.custom else spelled_alike(tx.catalog, draft.organization_id, draft.custom)
    key = emit_code(tx, draft, actor, now)
    return Saved(f"{draft.organization_id}-{draft.custom}", key, draft.organization_id, notices)


def remove(ctx: Context, name: str, actor: str, now: int, organization_id: str | None = None) -> Saved:
    """Remove a code; its history stays. The default can go only as the last one. Raises AdminError."""

    def operation(tx: Transaction) -> Saved:
        code = find(tx.catalog, name, organization_id)
        siblings = [c for c in tx.catalog.present if c.organization_id == code.organization_id]
        if code.is_default and len(siblings) > 1:
            raise AdminError(
                "default-code", "This is the organization's default code; make another code the default first."
            )
        tx.emit(records.CodeRemovalChange(actor, code.key, code.organization_id), now)
        return Saved(code.name, code.key, code.organization_id, ())

    return ctx.store.write(operation)


def _change(tx: Transaction, ctx: Context, draft: Draft, changes: dict[str, Any]) -> None:
    unknown = set(changes) - {"custom", "note", "password", "validation", "items", "manualOrder", "isDefault"}
    if unknown:
        raise AdminError("unknown-field", f"Unknown field {sorted(unknown)[0]!r}.", field=sorted(unknown)[0])
    if "custom" in changes:
        draft.custom = clean_custom(_text(changes["custom"], "custom"))
    if "note" in changes:
        note = "" if changes["note"] is None else _text(changes["note"], "note").strip()
        draft.fields["note"] = clean_name(note, "The note", 500) if note else ""
    if "password" in changes:
        _change_password(tx, ctx, draft, changes["password"])
    if "validation" in changes:
        draft.fields["validation"] = _validation(changes["validation"], draft.fields.get("validation") or {})
    if "items" in changes:
        draft.items = _items(tx, draft, changes["items"])
    if "manualOrder" in changes:
        draft.fields["manualOrder"] = _yes(changes["manualOrder"], "manualOrder")
    if "isDefault" in changes:
        draft.is_default = _yes(changes["isDefault"], "isDefault") or draft.is_default


def _text(value: Any, field: str) -> str:
    if not isinstance(value, str):
        raise AdminError("bad-field", f"{field} must be a text.", field=field)
    return value


def _yes(value: Any, field: str) -> bool:
    if type(value) is not bool:
        raise AdminError("bad-field", f"{field} must be true or false.", field=field)
    return value


def _change_password(tx: Transaction, ctx: Context, draft: Draft, password: Any) -> None:
    if password is not None and (not isinstance(password, str) or not 1 <= len(password) <= 256):
        raise AdminError("bad-password", "A session password has 1 to 256 characters.", field="password")
    if password == unseal_password(ctx.vault, draft.fields.pop("password", None)):
        change = draft.fields.get(PASSWORD_CHANGE)
    else:
        change = _next_change(tx, draft.fields.get(PASSWORD_CHANGE, 0))
    if password is not None:
        draft.fields["password"] = seal_password(ctx.vault, password)
    if change is not None:
        draft.fields[PASSWORD_CHANGE] = change


def _next_change(tx: Transaction, before: int) -> int:
    """The number of a change of a session password: it grows, and the origin's range of numbers in its low bits keeps
    it from being that of another change, made on the other server while the two were apart."""
    return ((before >> _ORIGIN_BITS) + 1) << _ORIGIN_BITS | tx.numbering.first // NUMBERS


def _validation(given: Any, before: dict[str, list[str]]) -> dict[str, list[str]]:
    """The lists that are given, the others as they were."""
    if not isinstance(given, dict) or set(given) - set(_FIELDS):
        raise AdminError("bad-validation", f"validation holds lists named {', '.join(_FIELDS)}.", field="validation")
    cleaned: dict[str, list[str]] = {}
    for name in _FIELDS:
        values = given.get(name, before.get(name, []))
        if not isinstance(values, list) or len(values) > MAX_VALUES:
            raise AdminError("bad-validation", f"{name} is a list of up to {MAX_VALUES} texts.", field="validation")
        if not all(isinstance(value, str) for value in values):
            raise AdminError("bad-validation", f"{name} is a list of up to {MAX_VALUES} texts.", field="validation")
        cleaned[name] = [clean_name(value, "A validation value", 253) for value in values]
    for domain in cleaned["domains"]:
        fault = domains.binding_fault(domain)
        if fault is not None:
            raise AdminError("bad-domain", f"The list of domains {fault}.", field="validation")
    return cleaned


def _items(tx: Transaction, draft: Draft, given: Any) -> list[tuple[int, int | None]]:
    if not isinstance(given, list):
        raise AdminError("bad-items", "items is a list of {id, cap}.", field="items")
    chosen: dict[int, int | None] = {}
    held = {key for key, _ in draft.items}
    for one in given:
        key = one.get("id") if isinstance(one, dict) else None
        cap = one.get("cap") if isinstance(one, dict) else None
        item = tx.catalog.items.get(key) if type(key) is int else None
        if item is None or item.organization_id != draft.organization_id:
            raise AdminError("no-such-item", f"There is no license item {key!r} of this organization.", field="items")
        if item.state == ARCHIVED and item.key not in held:
            sentence = f"License item {key} is archived; import its license file again to use it."
            raise AdminError("archived-item", sentence, field="items")
        if item.key in chosen:
            raise AdminError("bad-items", f"items names item {key} twice; name it once.", field="items")
        if cap is not None and (type(cap) is not int or not 0 <= cap <= 10**12):
            raise AdminError("bad-cap", "A cap is a whole number, or nothing for no cap.", field="items")
        chosen[item.key] = cap
    return list(chosen.items())


def describe(ctx: Context, of: Iterable[Code] | None = None, *, keys: bool = False) -> list[CodeDetails]:
    """All codes, or some, with their license keys where `keys` are asked for."""
    chosen = ctx.store.catalog.present if of is None else of
    return [describe_code(code, _license_key(ctx, code) if keys else None) for code in chosen]


def license_key(ctx: Context, name: str, organization_id: str | None = None) -> str:
    """The license key string of a code (docs/design/surface.md, License key); its URLs are the configured ones, never a
    request's. Raises AdminError."""
    return _license_key(ctx, find(ctx.store.catalog, name, organization_id))


def _license_key(ctx: Context, code: Code) -> str:
    vendor = ctx.store.catalog.vendors.get(code.organization_id)
    key = LicenseKey(tuple(serverurls.server_urls(ctx)), code.organization_id, code.name, code.session_password, vendor)
    return key.encode()
