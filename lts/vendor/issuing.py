"""Making license files: issue, activate, amend, revoke. Pure: the caller passes the time.

See docs/design/license-files.md, Issue and activate.

Files and keys on disk are in lts.vendor.keys. A file is changed only by the vendor who signed it: by the same
key, or by the one that `pub`, the vendor's own public key file, proves to be its successor. Otherwise a customer could
write a license, sign it himself, and have it signed again by asking for its activation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lts.crypto import SigningKey, canonical_json, jws_header, sign_jws
from lts.errors import LicenseFileError, TokenError
from lts.protocol import CERTIFICATE_TYPE, iso
from lts.rules.licensing import armor, licensefile, vendorkey
from lts.rules.licensing.activation import ActivationRequest
from lts.rules.licensing.licensefile import License
from lts.rules.licensing.vendorkey import VendorKey
from lts.rules.values.fields import Fields
from lts.strictjson import strict_json
from lts.vendor.spec import ITEM_FIELDS, LICENSE_FIELDS, check_item

Json = dict[str, Any]


def _sign(payload: Json, key: SigningKey, name: str) -> License:
    """The payload signed, and read back as strictly as a server will. Raises LicenseFileError."""
    for item in licensefile.fields_of_items(Fields(payload, "the license")):
        if not item.has("expiresAt"):
            raise item.fault("expiresAt", "is missing; write a time, or null for never")
    signed = {**payload, "vendor": {"name": name or "vendor", "keyId": key.kid}}
    header = jws_header(key.public, licensefile.JWS_TYPE, jwk=key.public.jwk)
    try:
        made = licensefile.parse(sign_jws(header, canonical_json(signed), key))
    except UnicodeEncodeError as error:
        raise LicenseFileError("bad-field", "A text holds half a character (a lone surrogate).") from error
    if len(licensefile.render(made).encode("utf-8")) > armor.MAX_BYTES:
        raise LicenseFileError(
            "too-large", "The license file would be larger than 1 MiB; split the items into several licenses."
        )
    return made


def _check_own(license_file: License, key: SigningKey, pub: VendorKey | None) -> None:
    """Raises LicenseFileError unless this vendor signed the file (see the module's docstring)."""
    signer = license_file.vendor_key
    try:
        licensefile.verify(license_file, signer)
        if signer != key.public:
            if pub is None or pub.key != key.public:
                raise TokenError("The vendor's public key file names no predecessor.")
            vendorkey.verify_succession(pub, signer)
    except TokenError as error:
        raise LicenseFileError(
            "other-vendor",
            f"The license file is not signed by your key, nor by the one it replaces, but by the key with fingerprint"
            f" {vendorkey.fingerprint(signer.kid)}. Use the file that you issued.",
        ) from error


def payload_of(license_file: License) -> Json:
    """The payload as JSON, to be changed and signed again."""
    payload: Json = strict_json(license_file.payload)
    return payload


def issue(spec: Json, key: SigningKey, name: str, now: int) -> License:
    """A new license file, status New, from a spec (docs/vendor.md). Raises LicenseFileError naming the field."""
    _check_spec(spec)
    payload = {
        **{field: spec[field] for field in LICENSE_FIELDS if field in spec},
        "licenseTextVersion": licensefile.TEXT_VERSION,
        "licenseStatus": "New",
        "revision": 1,
        "issuedAt": iso(now),
        "revokes": [],
    }
    return _sign(payload, key, name)


def _check_spec(spec: Any) -> None:
    fields = Fields(spec, "the spec")
    for field in LICENSE_FIELDS:
        fields.get(field)
    fields.refuse_unknown()
    _check_items(fields)


def _check_items(fields: Fields) -> None:
    for item in licensefile.fields_of_items(fields):
        for field in ITEM_FIELDS:
            item.get(field)
        item.refuse_unknown()
        check_item(item)


def activate(
    license_file: License,
    servers: Sequence[ActivationRequest | str],
    key: SigningKey,
    name: str,
    now: int,
    alias: str | None = None,
    pub: VendorKey | None = None,
) -> License:
    """Bind a license to one or two servers (a request, or a bare UUID without certificate).

    An Activated file moves to the servers given, with a higher revision; its alias stays. Raises LicenseFileError.
    """
    _check_own(license_file, key, pub)
    if not 1 <= len(servers) <= 2:
        raise LicenseFileError("bad-servers", "Name one server, or a main and a standby.")
    payload = payload_of(license_file)
    is_reactivation = license_file.license_status == "Activated"
    bound: list[Json] = []
    certificates = []
    for server in servers:
        if isinstance(server, str):
            uuid = licensefile.normal_uuid(server)
            if uuid is None:
                raise LicenseFileError("bad-uuid", f"{server!r} is not an LTS UUID; copy it from the server.")
            bound.append({"uuid": uuid})
            continue
        bound.append({"uuid": server.uuid, "key": server.key.jwk, "labels": list(server.labels)})
        certificates.append(_certificate(license_file, server, key, now))
    if len({server["uuid"] for server in bound}) != len(bound):
        raise LicenseFileError("bad-servers", "The two servers have the same UUID.")
    kept = license_file.alias if is_reactivation and license_file.alias else alias or license_file.alias
    payload.update(
        licenseStatus="Activated",
        alias=kept or licensefile.default_alias(license_file.license_id, now),
        activatedAt=iso(now),
        revision=license_file.revision + int(is_reactivation),
        servers=bound,
        certificates=certificates,
    )
    return _sign(payload, key, name)


def _certificate(license_file: License, server: ActivationRequest, key: SigningKey, now: int) -> str:
    claims = {
        "iss": key.kid,
        "sub": server.uuid,
        "cnf": {"jwk": server.key.jwk},
        "iat": now,
        "licenseId": license_file.license_id,
        "organizationId": license_file.organization_id,
    }
    return sign_jws(jws_header(key.public, CERTIFICATE_TYPE), canonical_json(claims), key)


def revoke(
    license_file: License, item_ids: Sequence[str], key: SigningKey, name: str, pub: VendorKey | None = None
) -> License:
    """The next revision with some items revoked. Raises LicenseFileError for an unknown item."""
    _check_own(license_file, key, pub)
    known = {item.item_id for item in license_file.items}
    for item_id in item_ids:
        if item_id not in known:
            raise LicenseFileError("no-such-item", f"The license has no item {item_id!r}.")
    payload = payload_of(license_file)
    payload["revokes"] = sorted({*license_file.revokes, *item_ids})
    payload["revision"] = license_file.revision + 1
    return _sign(payload, key, name)


def amend(license_file: License, changes: Json, key: SigningKey, name: str, pub: VendorKey | None = None) -> License:
    """The next revision with items changed or added: {"items": [{"itemId": …, fields to change}], "remove": [ids]}.

    Removed items count as revoked from then on, and cannot come back. Raises LicenseFileError, which names the fault.
    """
    _check_own(license_file, key, pub)
    fields = Fields(changes, "the changes")
    fields.get("items")
    removed = set(fields.texts("remove", optional=True))
    fields.refuse_unknown()
    if fields.get("items") is not None:
        _check_items(fields)
    payload = payload_of(license_file)
    by_id: dict[str, Json] = {item["itemId"]: item for item in payload["items"]}
    for change in changes.get("items") or []:
        item_id = str(change.get("itemId"))
        if item_id in license_file.revokes:
            raise LicenseFileError(
                "revoked-item", f"Item {item_id!r} is revoked and stays so; sell it again under another itemId."
            )
        by_id[item_id] = {**by_id.get(item_id, {}), **change}
    for item_id in removed:
        if by_id.pop(item_id, None) is None:
            raise LicenseFileError("no-such-item", f"The license has no item {item_id!r}.")
    before = payload["items"]
    payload["items"] = list(by_id.values())
    if payload["items"] == before:
        raise LicenseFileError("no-change", "These changes change nothing: name items to change, to add or to remove.")
    payload["revokes"] = sorted({*license_file.revokes, *removed})
    payload["revision"] = license_file.revision + 1
    return _sign(payload, key, name)
