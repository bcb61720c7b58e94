"""Strict reading of what clients send (interfaces.md, Client API): every fault names its field.

msgspec refuses NaN, infinite and huge numbers, true for 1, and bad UTF-8; what it lets pass (a key that
stands twice) is caught by counting colons, and read again slowly only when the count is off.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta, Raw, Struct

from lts.crypto import strict_json
from lts.errors import Malformed, TooLarge
from lts.protocol import MAX_COUNT, MAX_REPORT_SLOTS, SLOT_SECONDS, parse_iso, slot_of
from lts.rules.authorize import Request
from lts.rules.licensefile import CHARGE_WAYS, DEPLOYMENT_TYPES
from lts.rules.usage import BadEntry, Entry

MAX_TYPES_PER_SLOT = 200
_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\Z")
_BLANK = " \t\r\n\f\v\u00a0\u2007\u202f\ufeff\u3000"

Text = Annotated[str, Meta(min_length=1, max_length=256)]
Secret = Annotated[str, Meta(max_length=256)]
Token = Annotated[str, Meta(max_length=200)]
JwsText = Annotated[str, Meta(min_length=1, max_length=262_144)]
Instances = Annotated[int, Meta(ge=1, le=MAX_COUNT)]


class Validation(Struct, rename="camel"):
    """What binds an application to a handshake code."""

    domain: Text | None = None
    application_id: Text | None = None
    process_name: Text | None = None


class AuthorizeMessage(Struct, rename="camel"):
    """Body of POST /api/v1/authorize."""

    device_id: Annotated[str, Meta(max_length=64)]
    product: Text
    deployment_type: Text
    handshake_code: Annotated[str, Meta(max_length=400)] | None = None
    organization_id: Annotated[str, Meta(max_length=400)] | None = None
    session_password: Secret | None = None
    version: Text | None = None
    edition: Text | None = None
    charge_way: Text | None = None
    modules: Annotated[list[Text], Meta(max_length=1000)] | None = None
    instances: Instances = 1
    validation: Validation | None = None
    chain: Token | None = None
    client_time: Token | None = None
    client_name: Text | None = None


class ReportMessage(Struct, rename="camel"):
    """Body of POST /api/v1/report; entries are read one by one."""

    lease: JwsText
    reports: list[Raw]
    chain: Token | None = None


class ReportEntry(Struct):
    """One slot of a report."""

    slot: Annotated[str, Meta(max_length=40)]
    usage: dict[str, Any]
    instances: Instances | None = None


class ReleaseMessage(Struct):
    """Body of POST /api/v1/release."""

    lease: JwsText


_decode_authorize = msgspec.json.Decoder(AuthorizeMessage).decode
_decode_report = msgspec.json.Decoder(ReportMessage).decode
_decode_entry = msgspec.json.Decoder(ReportEntry).decode
_decode_release = msgspec.json.Decoder(ReleaseMessage).decode
_PATH = re.compile(r"(?s)^(.*?)(?: - at `\$?\.?(.*)`)?$")


def _fault(error: Exception) -> Malformed:
    """msgspec's words turned into a sentence and the field's path."""
    match = _PATH.match(str(error))
    words, field = (match.group(1), match.group(2)) if match else (str(error), None)
    missing = re.match(r"Object missing required field `(.*)`", words)
    if missing:
        name = missing.group(1)
        return Malformed(f"The field {name} is missing.", field=f"{field}.{name}" if field else name)
    if isinstance(error, msgspec.ValidationError):
        return Malformed(f"{field or 'The body'}: {words}.", field=field or "body")
    return Malformed(f"The body is not JSON: {words}.", field="body")


def _decode(decoder: Any, body: bytes) -> Any:
    if not body:
        raise Malformed("The body is empty; send a JSON object.", field="body")
    try:
        return decoder(body)
    except RecursionError as error:
        raise Malformed("The body is nested too deeply.", field="body") from error
    except (msgspec.MsgspecError, UnicodeError, ValueError) as error:
        raise _fault(error) from error


def _refuse_twins(body: bytes) -> None:
    """Raises Malformed when a key stands twice. Slow: called only when a count of colons is off."""
    try:
        strict_json(body)
    except ValueError as error:
        raise Malformed(f"The body cannot be read: {error}", field="body") from error
    except RecursionError as error:
        raise Malformed("The body is nested too deeply.", field="body") from error


def _name(text: str | None, field: str) -> str | None:
    """NFC, outer blanks trimmed; None stays None. Raises Malformed when nothing is left."""
    if text is None:
        return None
    trimmed = text.strip(_BLANK)
    if not trimmed:
        raise Malformed(f"{field} is empty.", field=field)
    return trimmed if trimmed.isascii() else unicodedata.normalize("NFC", trimmed)


def device_of(text: str) -> bytes:
    """16 bytes of a client UUID in any case. Raises Malformed; all zeros or all ones name no device."""
    trimmed = text.strip(_BLANK)
    if not _UUID.match(trimmed):
        raise Malformed(
            "deviceId must be a UUID such as 6f1c2b7e-8c1d-4a0e-9a57-0c6a2f7a1b11.", field="deviceId"
        )
    raw = UUID(trimmed).bytes
    if raw in (bytes(16), b"\xff" * 16):
        raise Malformed("deviceId names no device; make a random UUID and keep it.", field="deviceId")
    return raw


def read_authorize(body: bytes) -> Request:
    """The request in a body. Raises Malformed naming the field."""
    message: AuthorizeMessage = _decode(_decode_authorize, body)
    _refuse_twins(body)
    validation = message.validation or Validation()
    way = message.charge_way
    if way is not None and way != "auto" and way not in CHARGE_WAYS:
        raise Malformed(f"chargeWay must be auto or one of {', '.join(CHARGE_WAYS)}.", field="chargeWay")
    if message.deployment_type not in DEPLOYMENT_TYPES:
        raise Malformed(
            f"deploymentType must be one of {', '.join(DEPLOYMENT_TYPES)}.", field="deploymentType"
        )
    modules = tuple(dict.fromkeys(_name(m, "modules") or "" for m in message.modules or ()))
    return Request(
        device=device_of(message.device_id),
        product=_name(message.product, "product") or "",
        deployment_type=message.deployment_type,
        handshake_code=_name(message.handshake_code, "handshakeCode"),
        organization_id=_name(message.organization_id, "organizationId"),
        session_password=message.session_password,
        version=_name(message.version, "version"),
        edition=_name(message.edition, "edition"),
        charge_way=None if way == "auto" else way,
        modules=modules,
        instances=message.instances,
        domain=_name(validation.domain, "validation.domain"),
        application_id=_name(validation.application_id, "validation.applicationId"),
        process_name=_name(validation.process_name, "validation.processName"),
        chain=message.chain,
        client_name=_name(message.client_name, "clientName"),
    )


def read_release(body: bytes) -> str:
    """The lease in a body. Raises Malformed."""
    message: ReleaseMessage = _decode(_decode_release, body)
    _refuse_twins(body)
    return message.lease


def read_report(body: bytes) -> tuple[str, str | None, list[Entry | BadEntry]]:
    """(lease, chain token, entries) of a body; a fault inside an entry makes that one a BadEntry.

    Raises Malformed for a fault of the envelope, TooLarge for over 15,000 entries.
    """
    message: ReportMessage = _decode(_decode_report, body)
    if len(message.reports) > MAX_REPORT_SLOTS:
        raise TooLarge(f"A report holds up to {MAX_REPORT_SLOTS} slots; send the rest in another one.")
    _check_envelope(body, message)
    return message.lease, message.chain, [_entry(raw, i) for i, raw in enumerate(message.reports)]


def _check_envelope(body: bytes, message: ReportMessage) -> None:
    inside = sum(bytes(raw).count(b":") for raw in message.reports)
    chain = 0 if message.chain is None else 1 + message.chain.count(":")
    own = body.count(b":") - inside
    if own != 2 + chain and own != 3 + chain:
        _refuse_twins(body)
    elif body.count(b'"lease"') != 1 or body.count(b'"reports"') != 1:
        _refuse_twins(body)


def _entry(raw: Raw, position: int) -> Entry | BadEntry:
    try:
        entry = _decode_entry(raw)
    except (msgspec.MsgspecError, UnicodeError, ValueError, RecursionError) as error:
        fault = _fault(error)
        field = f"reports[{position}]" + (f".{fault.field}" if fault.field != "body" else "")
        return BadEntry(_slot_text(raw), field, fault.detail)
    colons = entry.slot.count(":") + 2 + len(entry.usage) + (entry.instances is not None)
    names = sum(name.count(":") for name in entry.usage)
    if bytes(raw).count(b":") != colons + names:
        try:
            strict_json(bytes(raw))
        except ValueError as error:
            return BadEntry(entry.slot, f"reports[{position}]", str(error))
    return _checked(entry, position)


def _slot_text(raw: Raw) -> str | None:
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeError, ValueError, RecursionError):
        return None
    slot = value.get("slot") if isinstance(value, dict) else None
    return slot[:40] if isinstance(slot, str) else None


def _checked(entry: ReportEntry, position: int) -> Entry | BadEntry:
    try:
        seconds = parse_iso(entry.slot)
    except ValueError as error:
        return BadEntry(entry.slot, f"reports[{position}].slot", f"{error}.")
    if seconds % SLOT_SECONDS:
        return BadEntry(
            entry.slot, f"reports[{position}].slot", "A slot begins at a whole multiple of 3 minutes."
        )
    usage = entry.usage
    if len(usage) > MAX_TYPES_PER_SLOT:
        return BadEntry(
            entry.slot, f"reports[{position}].usage", f"Over {MAX_TYPES_PER_SLOT} types in one slot."
        )
    for name, count in usage.items():
        if type(count) is not int or not 0 <= count <= MAX_COUNT:
            return BadEntry(
                entry.slot,
                f"reports[{position}].usage.{name[:80]}",
                f"A count is a whole number from 0 to {MAX_COUNT}.",
            )
        if not _is_type_name(name):
            return BadEntry(
                entry.slot,
                f"reports[{position}].usage",
                "A type is a text of 1 to 200 characters without control characters.",
            )
    return Entry(slot_of(seconds), entry.slot, _normal(usage), entry.instances)


def _is_type_name(name: str) -> bool:
    if not 0 < len(name) <= 200:
        return False
    return (name.isascii() and name.isprintable()) or not any(
        unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in name
    )


def _normal(usage: dict[str, int]) -> dict[str, int]:
    if all(name.isascii() for name in usage):
        return usage
    merged: dict[str, int] = {}
    for name, count in usage.items():
        normal = unicodedata.normalize("NFC", name)
        merged[normal] = merged.get(normal, 0) + count
    return merged
