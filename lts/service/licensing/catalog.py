"""Building the catalog from the stored license files and codes.

The signed files are the truth: each is verified here, at start and after every change, so that an edited
row is never honored (docs/design/license-files.md, Trust).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

from lts.crypto import SigningKey, b64url, canonical_json, jws_header, read_jws, sign_jws, unb64url
from lts.errors import LtsError
from lts.protocol import CERTIFICATE_TYPE
from lts.rules.licensing import licensefile
from lts.rules.licensing.catalog import (
    ACTIVE,
    ARCHIVED,
    INVALID,
    REVOKED,
    Catalog,
    Code,
    CodeBinding,
    LicenseItem,
    LinkedItems,
)
from lts.rules.licensing.certificates import Certificates, Certified, LicenseName
from lts.rules.licensing.codenames import Names, learn
from lts.rules.licensing.codeplaces import placed
from lts.rules.licensing.licensefile import License
from lts.rules.licensing.vendorkey import VendorKey
from lts.service.core.identity import Identity
from lts.service.core.licensefiles import LicenseFiles
from lts.service.core.pinned import Delegation
from lts.service.core.trust import TrustStore
from lts.service.core.vault import Vault
from lts.store.sql import Connection
from lts.store.tables import codenames, codes, licenses, pair
from lts.store.tables.codes import StoredCode
from lts.store.tables.licenses import StoredLicense
from lts.store.writing.writermemory import Forgotten

PASSWORD_PURPOSE = "session-password"  # noqa: S105 - a name, no password
PASSWORD_CHANGE = "passwordChange"  # noqa: S105 - a name, no password
"""Field of a code: the number of the last change of its session password (lts.service.licensing.handshakes)."""


class Builder:
    """What the store calls whenever licenses, codes or settings changed; what did not change is taken as it was, and
    costs nothing but a place in a copied table.

    `delegation` is the main's for this server, if it is a standby: the main's licenses then count as its own.
    """

    def __init__(
        self,
        trust: TrustStore,
        files: LicenseFiles,
        identity: Identity,
        vault: Vault,
        delegation: Callable[[], Delegation | None] = lambda: None,
    ) -> None:
        self._trust = trust
        self._files = files
        self._identity = identity
        self._vault = vault
        self._delegation = delegation

    def __call__(self, db: Connection, before: Catalog | None = None, forgotten: Forgotten | None = None, /) -> Catalog:
        if before is None or before.made_of is None or forgotten is None:
            before = Catalog(made_of=_NOTHING)
            forgotten = Forgotten(set(licenses.numbers(db)), set(codes.numbers(db)))
        held, keys = self._delegation(), self._trust.keys()
        found, fresh = self._with_licenses(db, before, forgotten.licenses, held, keys)
        found = self._with_codes(db, found, forgotten.codes, fresh)
        made_of = found.made_of._replace(held=held, keys=keys)
        settings = MappingProxyType(codes.settings(db))
        return replace(found, settings=settings, stands_in=held is not None, made_of=made_of)

    def _with_licenses(
        self,
        db: Connection,
        before: Catalog,
        forgotten: set[int],
        held: Delegation | None,
        keys: Mapping[str, VendorKey],
    ) -> tuple[Catalog, dict[int, _Known]]:
        """The catalog with these licenses read again, and those that another trust or delegation makes others; what was
        known of them before."""
        known: dict[int, _Known] = before.made_of.licenses
        stale = set(forgotten)
        if before.made_of.held != held:
            stale.update(known)
        elif before.made_of.keys != keys:
            stale.update(
                key for key, one in known.items() if any((kid in keys) != had for kid, had in one.kids.items())
            )
        fresh = {key: self._license(db, key, held, keys) for key in sorted(stale)}
        if not fresh and before.made_of.held == held and before.certificates.named:
            return before, {}
        together, items = {**known, **fresh}, dict(before.items)
        for one in fresh.values():
            items.update(one.items)
        if _is_disordered(known, fresh):
            together = dict(sorted(together.items(), key=lambda entry: (entry[1].first, entry[0])))
            items = {key: item for one in together.values() for key, item in one.items.items()}
        found = replace(
            before,
            items=MappingProxyType(items),
            vendors=MappingProxyType(_owners(together)),
            certificates=_certificates(together, self._identity, held),
            made_of=before.made_of._replace(licenses=together),
        )
        return found, {key: known.get(key, _UNKNOWN) for key in fresh}

    def _license(self, db: Connection, key: int, held: Delegation | None, keys: Mapping[str, VendorKey]) -> _Known:
        stored = licenses.one(db, key)
        items, owner, kids = _items_of(db, stored, self._files.read, self._identity, held)
        if licenses.is_archived(db, key):
            items = {key: replace(item, state=ARCHIVED, reason=None) for key, item in items.items()}
        items |= {
            item: replace(items[item], round=n) for item, n in licenses.rounds_of(db, key).items() if item in items
        }
        numbers = pair.first_numbers(db, pair.ITEM)
        first = min([numbers.get(item, item) for item in items], default=0)
        known = _Known(items, owner, {}, {}, first, {kid: kid in keys for kid in kids})
        _learn_certificates(known.own, known.of_main, stored, self._files.read, self._identity, held)
        return known

    def _with_codes(self, db: Connection, before: Catalog, forgotten: set[int], changed: dict[int, _Known]) -> Catalog:
        """The catalog with these codes read again, and those linked anew that hold items of licenses that changed, by
        what was known of those."""
        known, holders = before.made_of.licenses, before.made_of.holders
        read, linked = set(forgotten), set[int]()
        if changed:
            read |= holders.get(None, frozenset())
        for key, one in changed.items():
            goes = not known[key].items.keys() >= one.items.keys()
            (read if goes else linked).update(holders.get(key, ()))
        pool = {key: known[key].items for key in changed}
        fresh = {key: _linked(before.codes_by_key[key], pool) for key in linked - read}
        stored = [codes.one(db, key) for key in sorted(read) if codes.exists(db, key)]
        fresh |= {one.key: _code(one, known, self._vault) for one in stored}
        if not fresh:
            return before
        by_key = {**before.codes_by_key, **fresh}
        numbers = pair.first_numbers(db, pair.CODE)
        if numbers or len(by_key) > len(before.codes_by_key):
            by_key = dict(sorted(by_key.items(), key=lambda entry: numbers.get(entry[0], entry[0])))
        names, names_read, again = _names(db, before)
        made_of = before.made_of._replace(holders=_holders(holders, stored, fresh), names=names_read)
        return replace(
            before,
            codes_by_key=MappingProxyType(by_key),
            names=names,
            made_of=made_of,
            **placed(before, by_key, names, by_key if again else fresh),
        )


class _Known(NamedTuple):
    """What the catalog takes from one license; `owner` is (organization, vendor) of a verified file, `own` and
    `of_main` are its certificates (see `_learn_certificates`). `first` is the lowest number that one of its items has
    on a server, `kids` says of the vendor keys of its files whether they were trusted."""

    items: dict[int, LicenseItem]
    owner: tuple[str, str] | None
    own: dict[LicenseName, str]
    of_main: dict[LicenseName, str]
    first: int
    kids: dict[str, bool]


class _Sources(NamedTuple):
    """What a catalog was made of: licenses by number in order, the codes that hold items of a license by its number
    (None: those that hold an item which is not known), and what held then."""

    licenses: dict[int, _Known]
    holders: dict[int | None, frozenset[int]]
    names: codenames.NamesRead
    held: Delegation | None
    keys: Mapping[str, VendorKey]


_UNKNOWN = _Known({}, None, {}, {}, 0, {})
_NOTHING = _Sources({}, {}, codenames.NamesRead(), None, {})


def _is_disordered(known: dict[int, _Known], fresh: dict[int, _Known]) -> bool:
    """Whether licenses that were read put items in another place than behind all others, or where they were."""
    last = max([one.first for one in known.values()], default=-1) if fresh.keys() - known.keys() else -1
    new = [one.first for key, one in fresh.items() if key not in known]
    return new != sorted(new) or any(first < last for first in new) or any(
        known[key].first != one.first or known[key].items.keys() != one.items.keys()
        for key, one in fresh.items() if key in known
    )  # fmt: skip


def _owners(known: dict[int, _Known]) -> dict[str, str]:
    """Organizations' vendors: of several the one whose license came first."""
    owners: dict[str, str] = {}
    for one in known.values():
        if one.owner is not None:
            owners.setdefault(*one.owner)
    return owners


def _linked(code: Code, pool: Mapping[int, Mapping[int, LicenseItem]]) -> Code:
    assert isinstance(code.items, LinkedItems)
    return replace(code, items=code.items.over(pool))


def _holders(
    before: dict[int | None, frozenset[int]], stored: list[StoredCode], made: Mapping[int, Code]
) -> dict[int | None, frozenset[int]]:
    """Which codes hold items of which licenses, some of which were read again. A code may be named where it holds none
    any more."""
    added: defaultdict[int | None, set[int]] = defaultdict(set)
    for code in stored:
        for key in {*code.licenses, *([None] if len(made[code.key].items) < len(code.items) else ())}:
            added[key].add(code.key)
    return {**before, **{key: before.get(key, frozenset()) | found for key, found in added.items()}}


def _names(db: Connection, before: Catalog) -> tuple[Names, codenames.NamesRead, bool]:
    """The names that codes had, how far they were read, and whether that was done all over again."""
    later = codenames.changes(db, before.made_of.names)
    if later is not None:
        return learn(later[0], before.names), later[1], False
    every = codenames.changes(db)
    assert every is not None  # nothing comes before all of it
    return learn(every[0]), every[1], True


def _misplaced(stored: StoredLicense, file: License) -> str | None:
    """The fault of a file that is in another file's place in the database, even if its signature is valid."""
    if (file.license_id, file.revision, file.digest) == (stored.license_id, stored.revision, stored.digest):
        return None
    return (
        f"In the place of revision {stored.revision} of license {stored.license_id} the database holds revision"
        f" {file.revision} of license {file.license_id}; restore a backup."
    )


def _items_of(
    db: Connection,
    stored: StoredLicense,
    read: Callable[[str], License],
    identity: Identity,
    held: Delegation | None,
) -> tuple[dict[int, LicenseItem], tuple[str, str] | None, set[str]]:
    """The license's items of all revisions, (organization, vendor) if some are in a verified file, and the ids of the
    keys that its files are signed by; those missing in the newest or revoked by it count as revoked. Items of a file
    that is not verified are shown as invalid, with the reason."""
    state, reason = ACTIVE, None
    try:
        newest = read(stored.jws)
        reason = _misplaced(stored, newest) or binding_fault(newest, identity, held)
    except LtsError as error:
        reason = error.detail
        newest = None
    if reason is not None:
        state = INVALID
    current = {item.item_id for item in newest.items} - newest.revokes if newest else set()
    found: dict[int, LicenseItem] = {}
    owner, kids = None, set()
    for jws in licenses.older_files(db, stored.key):
        fault = None
        try:
            license_file = read(jws)
        except LtsError as error:
            fault = error.detail
            try:
                license_file = licensefile.parse(jws)
            except LtsError:
                continue
        kids.add(license_file.vendor_kid)
        for item in license_file.items:
            key = stored.items.get(item.item_id)
            if key is None or key in found:
                continue
            if fault is None:
                owner = owner or (license_file.organization_id, stored.vendor)
            own_state = state if newest is None or item.item_id in current else REVOKED
            shown_state, shown_reason = (own_state, reason) if fault is None else (INVALID, fault)
            found[key] = LicenseItem(
                key, stored.license_id, stored.vendor, license_file.organization_id, item, shown_state, shown_reason
            )
    return found, owner, kids


def binding_fault(license_file: License, identity: Identity, held: Delegation | None) -> str | None:
    """Why a license is not one of this server, or on a standby not one of its main; None if it is bound to it or to
    the main that delegated to it."""
    bound = [server.uuid for server in license_file.servers]
    if identity.uuid in bound or (held is not None and held.main_uuid in bound):
        return None
    to = " and ".join(bound) or "no server"
    if held is None or held.former:
        return (
            f"The license is bound to {to}, this server is {identity.uuid}; ask the vendor to activate it for this"
            " server."
        )
    return f"The license is bound to {to}, the main is {held.main_uuid}; ask the vendor to activate it for the main."


def _learn_certificates(
    own: dict[LicenseName, str],
    of_main: dict[LicenseName, str],
    stored: StoredLicense,
    read: Callable[[str], License],
    identity: Identity,
    held: Delegation | None,
) -> None:
    """Note the certificates of a valid license: for this server's key, and for that of the main which lets this server
    act for it."""
    try:
        for text in read(stored.jws).certificates:
            claims = read_jws(text, CERTIFICATE_TYPE).claims()
            subject, confirmed = claims.get("sub"), claims.get("cnf")
            if subject == identity.uuid and confirmed == {"jwk": identity.key.public.jwk}:
                own[stored.vendor, stored.license_id] = text
            elif held is not None and subject == held.main_uuid and confirmed == _key_of(held):
                of_main[stored.vendor, stored.license_id] = text
    except LtsError:
        return


def _certificates(known: dict[int, _Known], identity: Identity, held: Delegation | None) -> Certificates:
    own = {name: text for one in known.values() for name, text in one.own.items()}
    if held is None:
        return Certificates((_certified(own),), (self_signed(identity.uuid, identity.key),))
    of_main = {name: text for one in known.values() for name, text in one.of_main.items()}
    return Certificates((_certified(own), _certified(of_main, held.certificates[1:])), held.certificates)


def _certified(by_license: dict[LicenseName, str], rest: tuple[str, ...] = ()) -> Certified:
    by_vendor = {vendor: text for (vendor, _), text in by_license.items()}
    return Certified(MappingProxyType(by_license), MappingProxyType(by_vendor), rest)


def _key_of(held: Delegation) -> object:
    """`cnf` of the main's own certificate: the key that signed the delegation."""
    return read_jws(held.certificates[0], CERTIFICATE_TYPE).claims().get("cnf")


def self_signed(uuid: str, key: SigningKey) -> str:
    """The certificate a server gives itself when the vendor had no key of it (docs/design/machine.md, Server key and
    certificates): `iss` = `sub` = LTS UUID, `cnf.jwk` the key itself; valid from 1970."""
    claims = {"iss": uuid, "sub": uuid, "cnf": {"jwk": key.public.jwk}, "iat": 0}
    return sign_jws(jws_header(key.public, CERTIFICATE_TYPE), canonical_json(claims), key)


def _code(stored: StoredCode, known: Mapping[int, _Known], vault: Vault) -> Code:
    fields = stored.fields
    manual = bool(fields.get("manualOrder"))
    validation = fields.get("validation") or {}
    pool = {key: known[key].items for key in set(stored.licenses) if key is not None and key in known}
    links = [
        (owner, item, cap)
        for (item, cap), owner in zip(stored.items, stored.licenses, strict=True)
        if owner in pool and item in pool[owner]
    ]
    return Code(
        stored.key,
        stored.organization,
        stored.custom,
        LinkedItems(links, pool, manual),
        stored.is_default,
        manual,
        unseal_password(vault, fields.get("password")),
        int(fields.get(PASSWORD_CHANGE, 0)),
        CodeBinding(
            tuple(validation.get("domains", ())),
            tuple(validation.get("applicationIds", ())),
            tuple(validation.get("processNames", ())),
        ),
        str(fields.get("note", "")),
        stored.removed is not None,
    )


def seal_password(vault: Vault, password: str) -> str:
    """A session password as stored in the database."""
    return b64url(vault.seal(password, PASSWORD_PURPOSE))


def unseal_password(vault: Vault, sealed: str | None) -> str | None:
    """A session password from its stored form, or None."""
    return None if sealed is None else vault.unseal(unb64url(sealed), PASSWORD_PURPOSE)
