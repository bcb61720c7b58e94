"""Building the catalog from the stored license files and codes.

The signed files are the truth: each is verified here, at start and after every change, so that an edited
row is never honored (docs/design/license-files.md, Trust).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType

import apsw

from lts.crypto import SigningKey, b64url, jws_header, read_jws, sign_jws, unb64url
from lts.errors import LtsError, TokenError
from lts.protocol import CERTIFICATE_TYPE
from lts.rules import licensefile
from lts.rules.catalog import (
    ACTIVE,
    ARCHIVED,
    INVALID,
    REVOKED,
    Catalog,
    Code,
    CodeItem,
    LicenseItem,
    Validation,
    default_order,
    since,
)
from lts.rules.certificates import Certificates, Certified, LicenseName
from lts.rules.licensefile import License
from lts.service.identity import Identity
from lts.service.pair.pinned import Delegation
from lts.service.trust import TrustStore
from lts.service.vault import Vault
from lts.store import codenames, codes, licenses
from lts.store.codes import StoredCode
from lts.store.licenses import StoredLicense

PASSWORD_PURPOSE = "session-password"  # noqa: S105 - a name, no password
PASSWORD_CHANGE = "passwordChange"  # noqa: S105 - a name, no password
"""Field of a code: the number of the last change of its session password (lts.service.handshakes)."""


def builder(
    trust: TrustStore,
    identity: Identity,
    vault: Vault,
    delegation: Callable[[], Delegation | None] = lambda: None,
) -> Callable[[apsw.Connection], Catalog]:
    """The function that the store calls whenever licenses, codes or settings changed. `delegation` is the main's
    word for this server, where it is a standby: the main's licenses then count as its own."""
    verified: dict[str, License] = {}

    def read(jws: str) -> License:
        """A stored file, verified against the trust store; each text is parsed once."""
        parsed = verified.get(jws)
        if parsed is None:
            parsed = licensefile.parse(jws)
            key = trust.get(parsed.vendor_kid)
            if key is None:
                raise TokenError("The vendor's key is not in the trust store.")
            licensefile.verify(parsed, key)
            verified[jws] = parsed
        elif trust.get(parsed.vendor_kid) is None:
            raise TokenError("The vendor's key is not in the trust store.")
        return parsed

    def build(db: apsw.Connection) -> Catalog:
        items: dict[int, LicenseItem] = {}
        vendors: dict[str, str] = {}
        held, rounds, hidden = delegation(), licenses.rounds(db), licenses.archived(db)
        own: dict[LicenseName, str] = {}
        of_main: dict[LicenseName, str] = {}
        for stored in licenses.newest(db):
            found, verified_items = _items_of(db, stored, read, identity, held)
            if (stored.vendor, stored.license_id) in hidden:
                found = {key: replace(item, state=ARCHIVED, reason=None) for key, item in found.items()}
            items.update(found)
            for key in verified_items:
                vendors.setdefault(found[key].organization_id, found[key].vendor)
            _learn_certificates(own, of_main, stored, read, identity, held)
        for key, number in rounds.items():
            if key in items:
                items[key] = replace(items[key], round=number)
        every = [_code(stored_code, items, vault) for stored_code in codes.all_codes(db)]
        names = codenames.by_name(db)
        present = sorted(
            (code for code in every if not code.removed), key=lambda code: (since(names, code), code.key), reverse=True
        )
        defaults = {code.organization_id: code for code in present}
        defaults.update({code.organization_id: code for code in present if code.is_default})
        return Catalog(
            MappingProxyType(items),
            MappingProxyType({code.name: code for code in present}),
            MappingProxyType({(code.organization_id, code.custom): code for code in present}),
            MappingProxyType({code.key: code for code in every}),
            MappingProxyType(defaults),
            MappingProxyType(vendors),
            _certificates(own, of_main, identity, held),
            MappingProxyType(codes.settings(db)),
            MappingProxyType(names),
        )

    return build


def _items_of(
    db: apsw.Connection,
    stored: StoredLicense,
    read: Callable[[str], License],
    identity: Identity,
    held: Delegation | None,
) -> tuple[dict[int, LicenseItem], list[int]]:
    """The license's items of all revisions, and which of them stand in a verified file; those missing in the newest or
    revoked by it count as revoked. Items of a file that is not verified are shown as invalid, with the reason."""
    state, reason = ACTIVE, None
    try:
        newest = read(stored.jws)
        reason = binding_fault(newest, identity, held)
    except LtsError as error:
        reason = error.detail
        newest = None
    if reason is not None:
        state = INVALID
    current = {item.item_id for item in newest.items} - set(newest.revokes) if newest else set()
    found: dict[int, LicenseItem] = {}
    good: list[int] = []
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
                good.append(key)
            own_state = state if newest is None or item.item_id in current else REVOKED
            shown_state, shown_reason = (own_state, reason) if fault is None else (INVALID, fault)
            found[key] = LicenseItem(
                key, stored.license_id, stored.vendor, license_file.organization_id, item, shown_state, shown_reason
            )
    return found, good


def binding_fault(license_file: License, identity: Identity, held: Delegation | None) -> str | None:
    """Why a license is not one of this server, None when it is bound to it or to the main that let it stand in."""
    bound = [server.uuid for server in license_file.servers]
    if identity.uuid in bound or (held is not None and held.main_uuid in bound):
        return None
    return (
        f"The license is bound to {' and '.join(bound) or 'no server'}, this server is {identity.uuid}; ask the"
        " vendor to activate it for this server."
    )


def _learn_certificates(
    own: dict[LicenseName, str],
    of_main: dict[LicenseName, str],
    stored: StoredLicense,
    read: Callable[[str], License],
    identity: Identity,
    held: Delegation | None,
) -> None:
    """Note a license's certificates, where it is valid: for this server's key, and for that of the main which lets this
    server stand in."""
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
        return Certificates((_certified(own),), (self_signed(identity),))
    return Certificates((_certified(own), _certified(of_main, held.certificates[1:])), held.certificates)


def _certified(by_license: dict[LicenseName, str], rest: tuple[str, ...] = ()) -> Certified:
    by_vendor = {vendor: text for (vendor, _), text in by_license.items()}
    return Certified(MappingProxyType(by_license), MappingProxyType(by_vendor), rest)


def _key_of(held: Delegation) -> object:
    """`cnf` of the main's own certificate: the key that signed the delegation."""
    return read_jws(held.certificates[0], CERTIFICATE_TYPE).claims().get("cnf")


def self_signed(identity: Identity) -> str:
    """The certificate a server gives itself when the vendor had no key of it (docs/design/machine.md, Server key and
    certificates)."""
    return self_signed_certificate(identity.uuid, identity.key)


def self_signed_certificate(uuid: str, key: SigningKey) -> str:
    """Self-signed certificate: `iss` = `sub` = LTS UUID, `cnf.jwk` the key itself; valid from 1970."""
    claims = {"iss": uuid, "sub": uuid, "cnf": {"jwk": key.public.jwk}, "iat": 0}
    payload = json.dumps(claims, separators=(",", ":"), sort_keys=True).encode()
    return sign_jws(jws_header(key.public, CERTIFICATE_TYPE), payload, key)


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
        Validation(
            tuple(validation.get("domains", ())),
            tuple(validation.get("applicationIds", ())),
            tuple(validation.get("processNames", ())),
        ),
        str(fields.get("note", "")),
        stored.removed is not None,
    )


def seal_password(vault: Vault, password: str) -> str:
    """A session password as it stands in the database."""
    return b64url(vault.seal(password, PASSWORD_PURPOSE))


def unseal_password(vault: Vault, sealed: str | None) -> str | None:
    """A session password from as it stands in the database, None where there is none."""
    return None if sealed is None else vault.unseal(unb64url(sealed), PASSWORD_PURPOSE)
