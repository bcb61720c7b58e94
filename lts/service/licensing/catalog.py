"""Building the catalog from the stored license files and codes.

The signed files are the truth: each is verified here, at start and after every change, so that an edited
row is never honored (docs/design/license-files.md, Trust).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple, cast

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
    CodeItem,
    LicenseItem,
    default_order,
)
from lts.rules.licensing.certificates import Certificates, Certified, LicenseName
from lts.rules.licensing.codenames import learn
from lts.rules.licensing.licensefile import License
from lts.service.core.identity import Identity
from lts.service.core.licensefiles import LicenseFiles
from lts.service.core.pinned import Delegation
from lts.service.core.trust import TrustStore
from lts.service.core.vault import Vault
from lts.store.sql import Connection
from lts.store.tables import codenames, codes, licenses, pair
from lts.store.tables.codes import StoredCode
from lts.store.tables.licenses import Stamp, StoredLicense

PASSWORD_PURPOSE = "session-password"  # noqa: S105 - a name, no password
PASSWORD_CHANGE = "passwordChange"  # noqa: S105 - a name, no password
"""Field of a code: the number of the last change of its session password (lts.service.licensing.handshakes)."""


class Builder:
    """What the store calls whenever licenses, codes or settings changed; what did not change is taken as it was.

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
        self._licenses: dict[int, tuple[Stamp, _Known]] = {}
        self._codes: dict[int, tuple[object, Code]] = {}
        self._common: object = None

    def __call__(self, db: Connection) -> Catalog:
        held = self._delegation()
        common = (held, self._trust.keys())
        if common != self._common:
            self._licenses, self._common = {}, common
        known = [self._license(db, key, stamp, held) for key, stamp in licenses.stamps(db).items()]
        numbers = pair.first_numbers(db, pair.ITEM)
        known.sort(key=lambda one: min(cast("Iterator[int]", map(numbers.get, one.items, one.items)), default=0))
        items: dict[int, LicenseItem] = {}
        vendors: dict[str, str] = {}
        own: dict[LicenseName, str] = {}
        of_main: dict[LicenseName, str] = {}
        for one in known:
            items.update(one.items)
            if one.owner is not None:
                vendors.setdefault(*one.owner)
            own.update(one.own)
            of_main.update(one.of_main)
        every = [self._code(stored, items) for stored in codes.all_codes(db)]
        numbers = pair.first_numbers(db, pair.CODE)
        every.sort(key=lambda code: numbers.get(code.key, code.key))
        names = learn(codenames.changes(db))
        present = [code for code in every if not code.removed]
        present.sort(key=lambda code: (names.place(code.key), code.key), reverse=True)
        defaults = {code.organization_id: code for code in present}
        defaults.update({code.organization_id: code for code in present if code.is_default})
        owners = {code.key: code.organization_id for code in every}
        called = {code.name: code for code in present}
        called.update({c.name: c for c in present if owners.get(names.bearers(c.name)[0]) == c.organization_id})
        return Catalog(
            MappingProxyType(items),
            MappingProxyType(called),
            MappingProxyType({(code.organization_id, code.custom): code for code in present}),
            MappingProxyType({code.key: code for code in every}),
            MappingProxyType(defaults),
            MappingProxyType(vendors),
            _certificates(own, of_main, self._identity, held),
            MappingProxyType(codes.settings(db)),
            names,
            held is not None,
        )

    def _license(self, db: Connection, key: int, stamp: Stamp, held: Delegation | None) -> _Known:
        before = self._licenses.get(key)
        if before is not None and before[0] == stamp:
            return before[1]
        stored = licenses.one(db, key)
        items, owner = _items_of(db, stored, self._files.read, self._identity, held)
        if stamp.archived:
            items = {key: replace(item, state=ARCHIVED, reason=None) for key, item in items.items()}
        items |= {key: replace(items[key], round=number) for key, number in stamp.rounds if key in items}
        known = _Known(items, owner, {}, {})
        _learn_certificates(known.own, known.of_main, stored, self._files.read, self._identity, held)
        self._licenses[key] = stamp, known
        return known

    def _code(self, stored: StoredCode, items: dict[int, LicenseItem]) -> Code:
        entries = [items.get(key) for key, _ in stored.items]
        before = self._codes.get(stored.key)
        if before is not None and before[0] == (stored, entries):
            return before[1]
        code = _code(stored, items, self._vault)
        self._codes[stored.key] = (stored, entries), code
        return code


class _Known(NamedTuple):
    """What the catalog takes from one license; `owner` is (organization, vendor) of a verified file, `own` and
    `of_main` are its certificates (see `_learn_certificates`)."""

    items: dict[int, LicenseItem]
    owner: tuple[str, str] | None
    own: dict[LicenseName, str]
    of_main: dict[LicenseName, str]


def _misplaced(stored: StoredLicense, file: License) -> str | None:
    """What is wrong if a file is in another one's place in the database, even if its signature is valid."""
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
) -> tuple[dict[int, LicenseItem], tuple[str, str] | None]:
    """The license's items of all revisions, and (organization, vendor) if some are in a verified file; those
    missing in the newest or revoked by it count as revoked. Items of a file that is not verified are shown as invalid,
    with the reason."""
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
    owner = None
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
    return found, owner


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
    """Note a license's certificates, where it is valid: for this server's key, and for that of the main which lets this
    server act for it."""
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


def _certificates(
    own: dict[LicenseName, str], of_main: dict[LicenseName, str], identity: Identity, held: Delegation | None
) -> Certificates:
    if held is None:
        return Certificates((_certified(own),), (self_signed(identity.uuid, identity.key),))
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


def _code(stored: StoredCode, items: dict[int, LicenseItem], vault: Vault) -> Code:
    fields = stored.fields
    entries = [CodeItem(items[key], cap) for key, cap in stored.items if key in items]
    manual = bool(fields.get("manualOrder"))
    validation = fields.get("validation") or {}
    return Code(
        stored.key,
        stored.organization,
        stored.custom,
        tuple(entries) if manual else default_order(entries),
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
