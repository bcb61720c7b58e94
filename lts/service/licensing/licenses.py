"""Importing license files: preview, then all or nothing in one transaction (docs/design/license-files.md, Import)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import count

from lts.errors import AdminError, LicenseFileError
from lts.rules.alerting import codenotices
from lts.rules.alerting.notices import HINT, WARNING, Notice
from lts.rules.licensing import filekind, licensefile, vendorkey
from lts.rules.licensing.catalog import Catalog, Code
from lts.rules.licensing.licensefile import Difference, ItemTerms, License
from lts.rules.licensing.vendorkey import VendorKey, fingerprint, is_fingerprint
from lts.rules.values.text import MAX_NAME
from lts.service.core.context import Context
from lts.service.licensing import handshakes
from lts.service.licensing.catalog import binding_fault
from lts.service.licensing.importeffects import Effects, effects
from lts.store.changes import records
from lts.store.tables import codes, licenses, vendorkeys
from lts.store.writing.snapshot import View
from lts.store.writing.transaction import Transaction

_NAMED = 3
"""Items that a refusal names."""
SAME, TAKEN_BACK = "already-imported", "taken-back"


@dataclass(frozen=True)
class Choice:
    """Where new items go: a new code (named or by default), an existing code, or none (`items_only`)."""

    new_code: str | None = None
    to_code: str | None = None
    items_only: bool = False
    make_default: bool = False


@dataclass(frozen=True)
class _ImportTarget:
    """The code that new items go to, or the name (without organization) of the one to be made for them."""

    code: Code | None
    custom: str
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True)
class Preview:
    """What an import would do. `trusted` False: an administrator has to confirm `fingerprint` first. `takes_back`: the
    license was archived and will not be; by the same file the status is then "taken-back"."""

    license: License
    trusted: bool
    fingerprint: str
    status: str
    difference: Difference
    effects: Effects = field(default_factory=Effects)
    takes_back: bool = False
    target: _ImportTarget | None = None
    unused: Notice | None = None

    @property
    def handshake_code(self) -> str | None:
        """Name of the code that new items go to; None for import only, and where none would have to be made since there
        are no new ones."""
        if self.target is None or not (self.code_exists or self.difference.added):
            return None
        return f"{self.license.organization_id}-{self.target.custom}"

    @property
    def code_exists(self) -> bool:
        return self.target is not None and self.target.code is not None

    @property
    def notices(self) -> tuple[Notice, ...]:
        """What the administrator should know of where new items go, and of items that are nowhere."""
        placed = self.target.notices if self.target is not None and self.difference.added else ()
        return placed if self.unused is None else (*placed, self.unused)


def preview(ctx: Context, data: bytes, choice: Choice, now: int) -> Preview:
    """Read and check a file, and say what importing it would change. Raises LicenseFileError, AdminError."""
    return _previewed(ctx, _read(data), choice, now)


def _previewed(ctx: Context, new: License, choice: Choice, now: int) -> Preview:
    with ctx.store.snapshot() as view:
        shown = _preview(view, ctx, new, choice)
        vendor = ctx.trust.root(new.vendor_kid)
        known = licenses.item_keys(view.db, vendor, new.license_id)
        return replace(
            shown,
            effects=effects(view, known, new, shown.difference.revoked, ctx.clock.moment(now)),
        )


def import_license(
    ctx: Context, data: bytes, choice: Choice, actor: str, now: int, confirmed: str | None = None
) -> Preview:
    """Import a license file; `confirmed` is the fingerprint of an unknown vendor key that the administrator
    accepts. Returns what was done (status "already-imported" when nothing). Raises LicenseFileError, AdminError.

    The key is trusted by a separate change before: if the process is killed between the two, the key is confirmed, as
    the audit log records, and the file must be imported again.
    """
    license_file = _read(data)
    shown = _previewed(ctx, license_file, choice, now)  # nothing is trusted for a bad file
    if not shown.trusted:
        _trust_confirmed(ctx, license_file, confirmed, actor, now)
    ctx.files.keep(license_file)  # the writer then has it read and verified
    done = ctx.store.write(lambda tx: _import(tx, ctx, license_file, choice, actor, now))
    return replace(done, effects=shown.effects)


def _read(data: bytes) -> License:
    """The license file; another kind of file is named instead. Raises LicenseFileError."""
    try:
        return licensefile.read(data)
    except LicenseFileError as error:
        fault = filekind.mistaken("The file", data, filekind.LICENSE) if error.code == "no-license" else None
        raise error if fault is None else LicenseFileError("wrong-file", fault) from error


def _trust_confirmed(ctx: Context, license_file: License, confirmed: str | None, actor: str, now: int) -> None:
    shown = fingerprint(license_file.vendor_kid)
    if confirmed is None:
        raise AdminError(
            "unknown-vendor",
            f"The file is signed by a vendor key that this server does not know. Compare its fingerprint {shown}"
            " with the vendor's, then confirm it.",
            status=409,
        )
    if not is_fingerprint(confirmed, license_file.vendor_kid) and confirmed != license_file.vendor_kid:
        raise AdminError("wrong-fingerprint", f"The fingerprint given is not that of the file's key ({shown}).")
    trust(ctx, vendorkey.describe(license_file.vendor_name, license_file.vendor_key).encode("utf-8"), actor, now)


def trust(ctx: Context, pub: bytes, actor: str, now: int) -> VendorKey:
    """Trust the vendor's key of a `.pub` text from now on; the audit log records it. Raises TokenError, CannotStore."""
    with ctx.trust.once_stored([pub]) as [key]:
        ctx.store.write(lambda tx: tx.emit(records.TrustChange(actor, key.key.kid, key.text), now))
    ctx.store.refresh_catalog()
    return key


def _preview(view: View, ctx: Context, new: License, choice: Choice) -> Preview:
    trusted = ctx.trust.get(new.vendor_kid) is not None
    _check_bound(new, ctx)
    vendor = ctx.trust.root(new.vendor_kid) if trusted else new.vendor_kid
    owner = view.catalog.vendors.get(new.organization_id)
    if owner is not None and owner != vendor:
        raise _of_other_vendor(new, trusted)
    stored = licenses.named(view.db, vendor, new.license_id)
    difference = licensefile.compare(ctx.files.content(stored.jws) if stored else None, new)
    archived = licenses.archive_toggle(view.db, vendor, new.license_id)[1] % 2 == 1
    known = stored.items if stored else {}
    _check_none_back(new, [item_id for item_id in difference.added if item_id in known])
    target = _target_of(view, new, choice, any_new=any(item.item_id not in known for item in new.items))
    return Preview(
        new,
        trusted,
        fingerprint(new.vendor_kid),
        TAKEN_BACK if archived and difference.status == SAME else difference.status,
        difference,
        takes_back=archived,
        target=target,
        unused=_unused_notice(view, new, known) if archived else None,
    )


def _unused_notice(view: View, new: License, known: dict[str, int]) -> Notice | None:
    """Of a license that is taken back: its items whose codes were removed meanwhile authorize nobody."""
    keys = [known[item.item_id] for item in new.items if item.item_id in known]
    lost = [key for key in keys if key not in view.catalog.codes_of_items]
    if not lost:
        return None
    sentence = (
        f"Items of license {new.license_id} in no handshake code, for example since the code was removed: {len(lost)}."
        " Nobody can use them. Add them to a code on the portal's page Handshake Codes, or by lts handshake edit CODE"
        " --item NO."
    )
    return Notice("items-in-no-code", sentence, WARNING, {"n": len(lost), "license": new.license_id})


def _of_other_vendor(new: License, trusted: bool) -> LicenseFileError:
    """Why a file for an organization of another vendor is refused. A key that is not known may be the new one of that
    vendor, which only its succession proves: to confirm the fingerprint would give the organization to anybody."""
    if trusted:
        return LicenseFileError(
            "other-vendor",
            f"Organization {new.organization_id} belongs to another vendor on this server; ask the vendor for a"
            " license of your own organization.",
        )
    return LicenseFileError(
        "other-vendor-key",
        f"The file is signed by a vendor key that this server does not know, fingerprint"
        f" {fingerprint(new.vendor_kid)}, and organization {new.organization_id} belongs to a vendor with another key."
        " It may be that vendor's new key: ask the vendor for its public key file, signed by the old key, add it by"
        " `lts trust FILE.pub`, and import again.",
    )


def _check_none_back(new: License, back: list[str]) -> None:
    """Raises LicenseFileError for items that the newest file stored here has revoked or left out, and this one has."""
    if back:
        named = ", ".join(back[:_NAMED]) + (", …" if len(back) > _NAMED else "")
        raise LicenseFileError(
            "revoked-item",
            f"License {new.license_id} has items that are revoked on this server ({named}), and a revoked item does not"
            " come back; ask the vendor for a file that has them under another itemId.",
        )


def _check_bound(new: License, ctx: Context) -> None:
    if new.license_status != "Activated":
        raise LicenseFileError(
            "not-activated",
            "The license file is new and bound to no server; ask the vendor to activate it with this server's"
            " activation request.",
        )
    fault = binding_fault(new, ctx.identity, ctx.delegation())
    if fault is not None:
        raise LicenseFileError("other-server", fault)


def _target_of(view: View, new: License, choice: Choice, *, any_new: bool) -> _ImportTarget | None:
    """Where new items go, None for import only. Raises AdminError."""
    catalog, organization = view.catalog, new.organization_id
    if choice.items_only:
        return None
    if choice.to_code is not None:
        code = handshakes.find_in(catalog, choice.to_code, organization)
        return _ImportTarget(code, code.custom)
    if choice.new_code is None:
        made = codes.made_at_import(view.db, new.license_id, organization)
        if made is not None:
            return _ImportTarget(catalog.codes_by_key[made], catalog.codes_by_key[made].custom)
    named = new.license_id[:MAX_NAME] if choice.new_code is None else choice.new_code
    custom = handshakes.clean_custom(named)
    taken = catalog.by_place.get((organization, custom))
    if taken is not None and choice.new_code is not None:
        if any_new:
            sentence = f"The handshake code {taken.name} exists already; choose it or another name."
            raise AdminError("code-exists", sentence)
        return _ImportTarget(taken, custom)
    notices = []
    if taken is not None:
        custom = _free_name(catalog, organization, custom)
        notices.append(_name_taken(taken.name, f"{organization}-{custom}"))
    return _ImportTarget(None, custom, (*notices, *codenotices.spelled_alike(catalog, organization, custom)))


def _free_name(catalog: Catalog, organization: str, custom: str) -> str:
    """The name with the lowest number behind it that no code of the organization has."""
    return next(name for n in count(2) if (organization, name := f"{custom[: MAX_NAME - 8]}-{n}")
                not in catalog.by_place)  # fmt: skip


def _name_taken(name: str, instead: str) -> Notice:
    sentence = (
        f"The handshake code {name} was not made by an import of this license, so nothing is added to it: the new items"
        f" go to the new code {instead}."
    )
    return Notice("code-name-taken", sentence, HINT, {"name": name, "code": instead})


def _import(tx: Transaction, ctx: Context, new: License, choice: Choice, actor: str, now: int) -> Preview:
    outcome = _preview(tx, ctx, new, choice)
    if outcome.status == SAME:
        return outcome
    vendor = ctx.trust.root(new.vendor_kid)
    if outcome.status == TAKEN_BACK:
        revision, toggle = licenses.archive_toggle(tx.db, vendor, new.license_id)
        tx.emit(records.ArchiveChange(actor, vendor, new.license_id, revision, toggle + 1), now)
        return outcome
    ids = tuple(item.item_id for item in new.items)
    _hand_on_trust(tx, ctx, new.vendor_kid, now)
    keys = licenses.item_keys(tx.db, vendor, new.license_id)
    new_ids = [item_id for item_id in ids if item_id not in keys]
    first = tx.numbering.new("items")
    fresh = list(range(first, first + len(new_ids)))
    keys.update(zip(new_ids, fresh, strict=True))
    numbered = tuple((item_id, keys[item_id]) for item_id in ids)
    recharged = [keys[item.item_id] for item in new.items if _charge_way_changed(tx.catalog, keys, item)]
    tx.emit(records.LicenseChange(actor, vendor, new.license_id, new.revision, new.digest, numbered, new.jws), now)
    end_grants(tx, recharged, now)
    if outcome.target is not None and outcome.difference.added:
        _put_in(tx, new, outcome.target, fresh, choice.make_default, actor, now)
    return outcome


def _charge_way_changed(catalog: Catalog, keys: dict[str, int], terms: ItemTerms) -> bool:
    """Whether the item of these terms is known, and was charged in another way."""
    before = catalog.items.get(keys[terms.item_id])
    return before is not None and before.terms.charge_way != terms.charge_way


def end_grants(tx: Transaction, items: list[int], now: int) -> None:
    """All grants of these items end; later grants have new numbers."""
    if items:
        tx.emit(records.GrantsEndChange(tuple((key, tx.rounds.get(key, 0) + 1) for key in items)), now)


def _hand_on_trust(tx: Transaction, ctx: Context, kid: str, now: int) -> None:
    """A key from the trust folder is in the feed as well, for a standby: it must trust the same licenses."""
    known = vendorkeys.trusted(tx.db)
    key = ctx.trust.keys().get(kid)
    while key is not None and key.key.kid not in known:
        tx.emit(records.TrustChange("system", key.key.kid, key.text), now)
        known[key.key.kid] = key.text
        key = ctx.trust.keys().get(key.replaces or "")


def _put_in(
    tx: Transaction, new: License, target: _ImportTarget, items: list[int], make_default: bool, actor: str, now: int
) -> None:
    code_items: list[tuple[int, int | None]] = [(item, None) for item in items]
    if target.code is None:
        is_default = make_default or new.organization_id not in tx.catalog.defaults
        draft = handshakes.Draft(None, new.organization_id, target.custom, is_default, {}, code_items, new.license_id)
    else:
        draft = handshakes.draft_of(tx, target.code)
        draft.take(code_items, make_default=make_default)
    handshakes.emit_code(tx, draft, actor, now)
