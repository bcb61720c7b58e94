"""License files: their content, strictly read, and how a new revision compares (docs/design/license-files.md, Payload).

A file is trusted only after `verify`; whether its vendor's key is trusted is the caller's rule.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from datetime import datetime, timezone

from lts.crypto import Jws, PublicKey, read_jws
from lts.errors import LicenseFileError, TokenError
from lts.protocol import DAY_SECONDS
from lts.rules.licensing import armor
from lts.rules.values import domains
from lts.rules.values.ends import end_text
from lts.rules.values.fields import MAX_TEXT, Fields
from lts.strictjson import strict_json

TEXT_VERSION = "2.0"
JWS_TYPE = "lts-license+jws"
MAX_ITEMS = 10_000
MAX_QUOTA = 10**12
DEPLOYMENT_TYPES = ("browser", "mobile", "server", "desktop", "embedded")
PERIOD_DAYS = {"yearly": 365, "quarterly": 90, "monthly": 30, "daily": 1}
DEFAULT_GRACE_DAYS = 7
OVERDRAFT_FACTOR = 1000
_UUID = re.compile(r"\{?([0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12})\}?")


class ChargeWay:
    """Names of the charge ways (docs/design/charging.md, Charge ways)."""

    SCAN = "scan"
    PAGE = "page"
    DEVICE = "device"
    CONCURRENT_DEVICE = "concurrentDevice"
    CONCURRENT_INSTANCE = "concurrentInstance"
    SERVER = "server"
    DOMAIN = "domain"


CHARGE_WAYS = ("scan", "page", "device", "concurrentDevice", "concurrentInstance", "server", "domain")
DEFAULT_GRACE_QUOTA = {"scan": 5, "page": 5, "device": 10, "server": 10}


@dataclass(frozen=True, slots=True)
class ItemTerms:
    """A license item. Times are UTC seconds, `expires_at` None = never, `max_offline_days` None = unset;
    empty tuples of editions or deployment types mean any.

    `module_set` and `hosts` are modules and domains as sets in which a request looks up its own, made once for each
    item: an item may have thousands, and a code thousands of items.
    """

    item_id: str
    description: str
    product: str
    product_versions: tuple[str, ...]
    editions: tuple[str, ...]
    deployment_types: tuple[str, ...]
    modules: tuple[str, ...]
    charge_way: str
    quota: int
    active_period: str
    domains: tuple[str, ...]
    starts_at: int
    expires_at: int | None
    grace_days: int
    grace_quota: int
    overdraft: int
    max_offline_days: int | None
    trial: bool
    module_set: frozenset[str] = field(init=False, repr=False, compare=False)
    hosts: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "module_set", frozenset(self.modules))
        object.__setattr__(self, "hosts", domains.hosts(self.domains))

    @property
    def active_period_seconds(self) -> int:
        """How long a seat lasts after the last contact."""
        return PERIOD_DAYS[self.active_period] * DAY_SECONDS


@dataclass(frozen=True, slots=True)
class BoundServer:
    """A server that a license is bound to; `key` is unknown for a bare UUID."""

    uuid: str
    key: PublicKey | None
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class License:
    """A license file's payload. `jws` is the signed text, `payload` its exact bytes, `digest` their SHA-256 in
    hexadecimal. Times are UTC seconds; `activated_at` None = not activated yet."""

    license_id: str
    alias: str
    organization_id: str
    license_status: str
    revision: int
    issued_at: int
    activated_at: int | None
    vendor_name: str
    vendor_key: PublicKey
    servers: tuple[BoundServer, ...]
    items: tuple[ItemTerms, ...]
    revokes: frozenset[str]
    certificates: tuple[str, ...]
    jws: str
    payload: bytes
    digest: str

    @property
    def vendor_kid(self) -> str:
        """Key id of the vendor's key that signed the file."""
        return self.vendor_key.kid


def read(data: bytes) -> License:
    """A license file whose signature matches the key named in it. Raises LicenseFileError.

    The signature is checked before the content, so that an edited file is reported as edited.
    """
    text = armor.extract(data)
    jws, key = _signed(text)
    try:
        jws.verify(key)
    except TokenError as error:
        raise LicenseFileError(
            "bad-signature",
            "The license file was changed after the vendor signed it: the signature does not match. Use the"
            " original file.",
        ) from error
    return _content(jws, text, key)


def verify(license_file: License, vendor_key: PublicKey) -> None:
    """Raises TokenError when the file is not signed by `vendor_key`."""
    read_jws(license_file.jws, JWS_TYPE).verify(vendor_key)


def parse(jws_text: str) -> License:
    """The content of a signed text, checked strictly; the signature is not verified.

    Raises LicenseFileError naming the item or field at fault.
    """
    jws, key = _signed(jws_text)
    return _content(jws, jws_text, key)


def _signed(text: str) -> tuple[Jws, PublicKey]:
    """The token and the key it names as its signer's."""
    try:
        jws = read_jws(text, None)
        key = PublicKey.from_jwk(jws.header.get("jwk"))
    except TokenError as error:
        raise LicenseFileError(
            "damaged", "The license file is damaged or incomplete; use the original file."
        ) from error
    if jws.header.get("typ") != JWS_TYPE:
        raise LicenseFileError("no-license", "The file is signed, but is not a license; use the original file.")
    return jws, key


def _content(jws: Jws, text: str, key: PublicKey) -> License:
    try:
        payload = strict_json(jws.payload)
    except ValueError as error:
        raise LicenseFileError(
            "bad-payload", "The license file cannot be read; ask the vendor for a new one."
        ) from error
    return _license(Fields(payload, "the license"), jws, text, key)


def _license(fields: Fields, jws: Jws, text: str, key: PublicKey) -> License:
    version = fields.text("licenseTextVersion")
    if version != TEXT_VERSION:
        raise LicenseFileError("text-version", f"License text version {version} is unknown; update LTS.")
    vendor = fields.object("vendor")
    if vendor.text("keyId") != key.kid:
        raise LicenseFileError("bad-vendor", "The license names another vendor key than the one that signed it.")
    status = fields.one_of("licenseStatus", ("New", "Activated"))
    activated_at = fields.time("activatedAt", optional=True)
    servers = tuple(_server(entry) for entry in fields.objects("servers", optional=True))
    if status == "Activated" and (activated_at is None or not 1 <= len(servers) <= 2):
        raise LicenseFileError("bad-servers", "An activated license names one or two servers and its time.")
    if len({server.uuid for server in servers}) != len(servers):
        raise LicenseFileError("bad-servers", "The license names the same server twice.")
    return License(
        license_id=fields.text("licenseId"),
        alias=fields.text("alias", optional=True) or "",
        organization_id=fields.text("organizationId"),
        license_status=status,
        revision=fields.integer("revision", 1, 10**9),
        issued_at=fields.time("issuedAt") or 0,
        activated_at=activated_at,
        vendor_name=vendor.text("name"),
        vendor_key=key,
        servers=servers,
        items=read_items(fields),
        revokes=frozenset(fields.texts("revokes", optional=True)),
        certificates=fields.texts("certificates", optional=True, limit=4096),
        jws=text,
        payload=jws.payload,
        digest=hashlib.sha256(jws.payload).hexdigest(),
    )


def normal_uuid(text: str) -> str | None:
    """Upper-case UUID text of one in any case, with or without braces; or None."""
    match = _UUID.fullmatch(text.strip())
    return match.group(1).upper() if match else None


def _server(fields: Fields) -> BoundServer:
    uuid = normal_uuid(fields.text("uuid"))
    if uuid is None:
        raise fields.fault("uuid", "is not an LTS UUID")
    key = fields.get("key")
    try:
        public = PublicKey.from_jwk(key) if key is not None else None
    except TokenError as error:
        raise fields.fault("key", "is not an Ed25519 key") from error
    return BoundServer(uuid, public, fields.texts("labels", optional=True))


def fields_of_items(fields: Fields) -> list[Fields]:
    """The fields of each of `items`; a fault names its position and itemId. Raises LicenseFileError."""
    found = fields.objects("items")
    for item in found:
        item_id = item.get("itemId")
        if isinstance(item_id, str) and item_id.isprintable() and 0 < len(item_id) <= MAX_TEXT:
            item.call(item_id)
    return found


def read_items(fields: Fields) -> tuple[ItemTerms, ...]:
    """The `items` of a payload or spec. Raises LicenseFileError, which names the item."""
    items = fields_of_items(fields)
    if not 1 <= len(items) <= MAX_ITEMS:
        raise fields.fault("items", f"must hold 1 to {MAX_ITEMS} items, not {len(items)}")
    terms: dict[str, ItemTerms] = {}
    for one in items:
        item_id = one.text("itemId")
        if item_id in terms:
            raise one.fault("itemId", "appears twice in the license")
        terms[item_id] = _item(one, item_id)
    return tuple(terms.values())


def _item(fields: Fields, item_id: str) -> ItemTerms:
    way = fields.one_of("chargeWay", CHARGE_WAYS)
    quota = fields.integer("quota", 0, MAX_QUOTA, default=0 if way == ChargeWay.DOMAIN else None)
    starts_at = fields.time("startsAt") or 0
    expires_at = None if fields.get("expiresAt") in (None, "permanent", "never") else fields.time("expiresAt", end=True)
    if expires_at is not None and expires_at <= starts_at:
        raise fields.fault("expiresAt", "is before startsAt")
    deployment_types = fields.texts("deploymentTypes", optional=True)
    for name in deployment_types:
        if name not in DEPLOYMENT_TYPES:
            raise fields.fault("deploymentTypes", f"has the unknown type {name!r}")
    if way == ChargeWay.CONCURRENT_INSTANCE and deployment_types != ("server",):
        raise fields.fault("deploymentTypes", "must be server alone for concurrentInstance")
    period = fields.one_of("activePeriod", tuple(PERIOD_DAYS), default="monthly" if way == "server" else "yearly")
    terms = ItemTerms(
        item_id=item_id,
        description=fields.text("description", optional=True) or "",
        product=fields.text("product"),
        product_versions=fields.texts("productVersions", optional=True) or ("*",),
        editions=fields.texts("editions", optional=True),
        deployment_types=deployment_types,
        modules=fields.texts("modules", optional=True),
        charge_way=way,
        quota=quota,
        active_period="monthly" if way == ChargeWay.SERVER else period,
        domains=fields.texts("domains", optional=True),
        starts_at=starts_at,
        expires_at=expires_at,
        grace_days=fields.integer("graceDays", 0, 3650, default=DEFAULT_GRACE_DAYS),
        grace_quota=fields.integer("graceQuota", 0, 100, default=DEFAULT_GRACE_QUOTA.get(way, 0)),
        overdraft=fields.integer("overdraft", 0, MAX_QUOTA * OVERDRAFT_FACTOR, default=OVERDRAFT_FACTOR * quota),
        max_offline_days=fields.integer("maxOfflineDays", 1, 3650, default=0) or None,
        trial=fields.boolean("trial", default=False),
    )
    _check_domains(fields, terms)
    return terms


def _check_domains(fields: Fields, terms: ItemTerms) -> None:
    if terms.charge_way == ChargeWay.DOMAIN and not terms.domains:
        raise fields.fault("domains", "must name the domains of a domain item")
    if len(terms.hosts) == len(terms.domains) and not any(map(domains.is_public_suffix, terms.hosts)):
        names = tuple(name for name in terms.domains if ":" in name)
    else:
        names = terms.domains  # some may match nothing: which, and why
    for name in names:
        if ":" in name:
            raise fields.fault("domains", f"has {name!r}; write the name alone, without port, such as example.com")
        fault = domains.binding_fault(name.rstrip("."))
        if fault is not None:
            raise fields.fault("domains", fault)


@dataclass(frozen=True, slots=True)
class Difference:
    """What importing a file changes, as item ids. `status` is new, renewal or already-imported."""

    status: str
    added: tuple[str, ...] = ()
    renewed: tuple[str, ...] = ()
    revoked: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()


def compare(old: License | None, new: License) -> Difference:
    """A file against the newest one held of the same license (docs/design/license-files.md, Import).

    Raises LicenseFileError for another organization, for a lower revision, and for an equal one with another payload.
    """
    if old is None:
        ids = tuple(terms.item_id for terms in new.items)
        revoked = tuple(i for i in ids if i in new.revokes)
        return Difference("new", tuple(i for i in ids if i not in new.revokes), (), revoked)
    if new.organization_id != old.organization_id:
        raise LicenseFileError(
            "organization-changed",
            f"License {new.license_id} of this vendor belongs to organization {old.organization_id} on this server, and"
            f" this file is for organization {new.organization_id}; ask the vendor for a file with another licenseId.",
        )
    if new.digest == old.digest:
        return Difference("already-imported", unchanged=tuple(terms.item_id for terms in new.items))
    if new.revision < old.revision:
        raise LicenseFileError(
            "older-revision",
            f"Revision {old.revision} of license {new.license_id} is imported already; this file is the older"
            f" revision {new.revision}.",
        )
    if new.revision == old.revision:
        raise LicenseFileError(
            "same-revision",
            f"Revision {old.revision} of license {new.license_id} is imported with different content (digest"
            f" {old.digest[:16]}… there, {new.digest[:16]}… here); ask the vendor for a higher revision.",
        )
    return _changes(old, new)


def _changes(old: License, new: License) -> Difference:
    before = {terms.item_id: terms for terms in old.items if terms.item_id not in old.revokes}
    after = {terms.item_id: terms for terms in new.items if terms.item_id not in new.revokes}
    return Difference(
        "renewal",
        added=tuple(i for i in after if i not in before),
        renewed=tuple(i for i, terms in after.items() if i in before and before[i] != terms),
        revoked=tuple(i for i in before if i not in after),
        unchanged=tuple(i for i, terms in after.items() if before.get(i) == terms),
    )


def default_alias(license_id: str, activated_at: int) -> str:
    """`LTS_{licenseId}_Date{activation date}`."""
    day = datetime.fromtimestamp(activated_at, timezone.utc).strftime("%Y%m%d")
    return f"LTS_{license_id}_Date{day}"


def render(license_file: License) -> str:
    """The text of the file: a readable summary, then the armor."""
    lines = [
        "LTS license file",
        "",
        f"License:       {license_file.license_id}",
        f"Alias:         {license_file.alias or '-'}",
        f"Text version:  {TEXT_VERSION}",
        f"Organization:  {license_file.organization_id}",
        f"Status:        {license_file.license_status}, revision {license_file.revision}",
        "Items:",
    ]
    for terms in license_file.items:
        end = "never" if terms.expires_at is None else end_text(terms.expires_at)
        state = " (revoked)" if terms.item_id in license_file.revokes else ""
        lines.append(f"  {terms.item_id}: {terms.product}, {terms.charge_way} {terms.quota}, until {end}{state}")
    lines += ["", "Only the signed block below counts. Do not change this file.", ""]
    summary = re.sub("-{5,}", "----", "\n".join(lines))  # no name may look like an armor line
    return summary + "\n" + armor.wrap(license_file.jws)
