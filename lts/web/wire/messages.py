"""Strict reading of what clients send: every fault is a Malformed naming its field.

See docs/design/surface.md, Client API. The portal's page Why? reads an authorization with it as well.

The message types here are also what openapi.json is made from. msgspec reads them fast; a body that it
refuses, or whose count of colons does not add up (a key is duplicate, or new to this version), is read
again by lts.web.wire.bodytree, which finds the place. Reports are read in lts.web.client.reports.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import islice
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from lts.errors import Malformed
from lts.protocol import MAX_COUNT
from lts.rules.licensing.licensefile import CHARGE_WAYS, DEPLOYMENT_TYPES
from lts.rules.metering.checks import Request
from lts.rules.values.plural import counted
from lts.rules.values.text import MOST_MARKS, too_many_marks
from lts.web.wire.bodytree import BODY, Tree, path_text, read_tree

M = TypeVar("M")
MAX_MODULES = 1000
MAX_VALUES = 4000
"""In an authorization or release that has to be read the careful way."""
_BLANK = " \t\r\n\f\v\u00a0\u2007\u202f\ufeff\u3000"
"""Trimmed at both ends of names; blanks inside a name stay, and make it another name."""
_UUID_PATTERN = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"
_NO_DEVICE = (bytes(16), b"\xff" * 16)
CONTROLS = r"\u0000-\u001f\u007f-\u009f\u2028\u2029"
_SOME_TEXT = {"pattern": rf"^[^\s{CONTROLS}]([^{CONTROLS}]*[^\s{CONTROLS}])?$"}

Name = Annotated[str, Meta(min_length=1, max_length=256, extra_json_schema=_SOME_TEXT)]
Secret = Annotated[str, Meta(max_length=256)]
ShortText = Annotated[str, Meta(max_length=256)]
LastCloneToken = Annotated[ShortText | None | UnsetType, Meta(description="As the last answer gave it; null for none")]
OldName = Annotated[ShortText | None | UnsetType, Meta(description="The clone token by its name of 0.1, until 0.3")]
MAX_LEASE = 262_144
"""Characters of a lease, or another signed text."""
JwsText = Annotated[str, Meta(min_length=1, max_length=MAX_LEASE, description="Compact JWS")]
InstanceNumber = Annotated[int, Meta(ge=1, le=MAX_COUNT)]
DeviceId = Annotated[str, Meta(max_length=64, extra_json_schema={"pattern": _UUID_PATTERN})]
Deployment = Annotated[str, Meta(extra_json_schema={"enum": list(DEPLOYMENT_TYPES)})]
Way = Annotated[str, Meta(extra_json_schema={"enum": ["auto", *CHARGE_WAYS]})]


class Validation(Struct, rename="camel"):
    """What binds an application to a handshake code."""

    domain: Name | None | UnsetType = UNSET
    application_id: Name | None | UnsetType = UNSET
    process_name: Name | None | UnsetType = UNSET


class AuthorizeMessage(Struct, rename="camel"):
    """Body of POST /api/v1/authorize."""

    device_id: DeviceId
    product: Name
    deployment_type: Deployment
    handshake_code: Name | None | UnsetType = UNSET
    organization_id: Name | None | UnsetType = UNSET
    session_password: Secret | None | UnsetType = UNSET
    version: Name | None | UnsetType = UNSET
    edition: Name | None | UnsetType = UNSET
    charge_way: Way | None | UnsetType = UNSET
    modules: Annotated[list[Name], Meta(max_length=MAX_MODULES)] | None | UnsetType = UNSET
    instances: InstanceNumber | None | UnsetType = UNSET
    validation: Validation | None | UnsetType = UNSET
    clone_token: LastCloneToken = UNSET
    chain: OldName = UNSET
    client_time: ShortText | None | UnsetType = UNSET
    client_name: Name | None | UnsetType = UNSET
    device_name: Name | None | UnsetType = UNSET


class ReleaseMessage(Struct):
    """Body of POST /api/v1/release."""

    lease: JwsText


_decode_authorize = msgspec.json.Decoder(AuthorizeMessage).decode
_decode_release = msgspec.json.Decoder(ReleaseMessage).decode
MAX_SHOWN = 3
_LEASE = re.compile(rb'"lease"\s*:\s*"([A-Za-z0-9_.-]{1,262144})"')
_BEGUN_LEASE = re.compile(rb'"lease"\s*:\s*"[A-Za-z0-9_.-]*\Z')
UNREADABLE = (msgspec.MsgspecError, UnicodeError, RecursionError)
"""What msgspec raises on a body that it does not take."""


def read_authorize(body: bytes) -> Request:
    """The request in a body. Raises Malformed naming the field."""
    message = _read(body, _decode_authorize, AuthorizeMessage, _colons_of_authorize)
    validation = message.validation or _NO_VALIDATION
    _name(message.device_name, "deviceName")  # checked, and not kept yet
    return Request(
        device=device_of(message.device_id),
        product=_name(message.product, "product") or "",
        deployment_type=_one_of(message.deployment_type, DEPLOYMENT_TYPES, "deploymentType"),
        handshake_code=_name(message.handshake_code, "handshakeCode"),
        organization_id=_name(message.organization_id, "organizationId"),
        session_password=message.session_password or None,
        version=_name(message.version, "version"),
        edition=_name(message.edition, "edition"),
        charge_way=_way(message.charge_way),
        modules=_modules(message.modules or ()),
        instances=message.instances or 1,
        domain=_name(validation.domain, "validation.domain"),
        application_id=_name(validation.application_id, "validation.applicationId"),
        process_name=_name(validation.process_name, "validation.processName"),
        clone_token=clone_token(message.clone_token, message.chain),
        client_name=_name(message.client_name, "clientName"),
    )


_NO_VALIDATION = Validation()


def clone_token(sent: str | None | UnsetType, old: str | None | UnsetType) -> str | None:
    """The token of a message that may name it `cloneToken`, `chain` as 0.1 does, or both. Raises Malformed when they
    differ."""
    if sent and old and sent != old:
        raise Malformed(
            "cloneToken and chain are two names of one token; send the same in both, or one.", field="cloneToken"
        )
    return sent or old or None


def read_release(body: bytes) -> str:
    """The lease in a body. Raises Malformed."""
    return _read(body, _decode_release, ReleaseMessage, lambda m: 1 + m.lease.count(":")).lease


def lease_of(body: bytes) -> str | None:
    """The lease in a report or release, at little cost and without judging the rest; None if that is unclear."""
    try:
        return _decode_release(body).lease
    except UNREADABLE:
        return None


def leases_in(body: bytes) -> Iterator[str]:
    """What a body shows as a lease, at the least cost and without judging the rest: the first few of them."""
    return (found[1].decode("ascii") for found in islice(_LEASE.finditer(body), MAX_SHOWN))


def is_lease_cut(opening: bytes) -> bool:
    """Whether the beginning of a body ends in the middle of a lease."""
    return _BEGUN_LEASE.search(opening) is not None


def _read(body: bytes, decode: Callable[[bytes], M], kind: type[M], colons: Callable[[M], int]) -> M:
    try:
        message = decode(body)
    except UNREADABLE:
        return careful(read_tree(body, most=MAX_VALUES), kind)
    if adds_up(body, colons(message)):
        return message
    return careful(read_tree(body, most=MAX_VALUES), kind)


def adds_up(body: bytes, colons: int) -> bool:
    """Whether the body holds no other colon than those of the keys and texts that were read from it.

    Then no key is duplicate and none was skipped. An escaped colon (`\\u003a`) would hide another.
    """
    return body.count(b":") == colons and b"\\u003" not in body


def careful(tree: Tree, kind: type[M]) -> M:
    """A message from a tree. Raises Malformed for its first fault, wherever it is."""
    for found in tree.faults:
        field = path_text(found.path)
        raise Malformed(f"{field} {found.detail}.", field=field)
    try:
        return msgspec.convert(tree.value, kind)
    except UNREADABLE as error:
        detail, field = words_of(error)
        raise Malformed(detail, field=field) from error


_WORDS = re.compile(r"(?s)(.*?)(?: - at `\$?\.?(.*)`)?\Z")
_MISSING = re.compile(r"Object missing required field `(.*)`")


def words_of(error: Exception) -> tuple[str, str]:
    """(sentence, field) of an error of msgspec, which puts the path into its text."""
    return _words(str(error))


@lru_cache(maxsize=1000)
def _words(text: str) -> tuple[str, str]:
    match = _WORDS.match(text)
    words, field = (match.group(1), match.group(2) or "") if match else (text, "")
    missing = _MISSING.match(words)
    if missing:
        name = f"{field}.{missing.group(1)}" if field else missing.group(1)
        return f"{name} is missing.", name
    return f"{field or 'The body'} {_wanted(words)}.", field or BODY


_EXPECTED = re.compile(r"Expected `([^`]+)`(?: (of length )?(>=|<=) (\d+))?(?:, got `([^`]+)`)?\Z")
_KINDS = {"str": "a text", "int": "a whole number", "float": "a fraction", "bool": "true or false", "array": "a list",
          "object": "a JSON object"}  # fmt: skip


def _wanted(words: str) -> str:
    """What msgspec expected, worded for people; its own text if it says something else."""
    match = _EXPECTED.match(words)
    if match is None:
        return f"is not valid: {words.replace('`', '')}"
    kinds, of_length, bound, number, got = match.groups()
    if of_length and (bound, number) == (">=", "1"):
        return "must not be empty"
    wanted = " or ".join(_KINDS.get(kind, kind) for kind in kinds.split(" | "))
    if of_length:
        size = counted(int(number), "entry", "entries") if "array" in kinds else counted(int(number), "character")
        wanted += f" of {'at least' if bound == '>=' else 'at most'} {size}"
    elif bound:
        wanted += f" from {number}" if bound == ">=" else f" up to {number}"
    return f"must be {wanted}" + (f", not {_KINDS.get(got, got)}" if got else "")


def _colons_of_authorize(message: AuthorizeMessage) -> int:
    colons = 0
    for value in msgspec.structs.astuple(message):
        if value is UNSET:
            continue
        colons += 1
        if type(value) is str:
            colons += value.count(":")
        elif type(value) is list:
            colons += sum([module.count(":") for module in value])
        elif type(value) is Validation:
            colons += sum([1 + (v or "").count(":") for v in msgspec.structs.astuple(value) if v is not UNSET])
    return colons


def _name(text: str | None | UnsetType, field: str) -> str | None:
    """NFC, outer blanks trimmed. Raises Malformed if nothing is left, or it has a control character or too many marks
    in a row."""
    if not text:
        return None
    trimmed = text.strip(_BLANK)
    if trimmed.isascii() and trimmed.isprintable() and trimmed:
        return trimmed
    if not trimmed:
        raise Malformed(f"{field} is blank.", field=field)
    if has_controls(trimmed):
        raise Malformed(f"{field} holds a control character.", field=field)
    if too_many_marks(trimmed):  # putting them into their order is dear, and nothing is called so
        raise Malformed(f"{field} has over {MOST_MARKS} combining marks in a row.", field=field)
    return unicodedata.normalize("NFC", trimmed)


_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""The categories Cc, Zl, Zp and Cs of Unicode, which no version of it will change."""


def has_controls(text: str) -> bool:
    """Whether a text holds controls, line separators or halves of surrogate pairs."""
    return _CONTROLS.search(text) is not None


def _one_of(text: str, known: tuple[str, ...], field: str) -> str:
    if text not in known:
        raise Malformed(f"{field} must be one of {', '.join(known)}.", field=field)
    return text


def _way(text: str | None | UnsetType) -> str | None:
    if not text or text == "auto":
        return None
    return _one_of(text, ("auto", *CHARGE_WAYS), "chargeWay")


def _modules(names: list[str] | tuple[()]) -> tuple[str, ...]:
    read = [_name(name, f"modules[{position}]") or "" for position, name in enumerate(names)]
    return tuple(dict.fromkeys(read))


def device_of(text: str) -> bytes:
    """16 bytes of a client UUID in any case. Raises Malformed; all zeros or all ones name no device."""
    trimmed = text.strip(_BLANK)
    hyphens = trimmed[8:9] + trimmed[13:14] + trimmed[18:19] + trimmed[23:24]
    try:
        raw = bytes.fromhex(trimmed.replace("-", "")) if hyphens == "----" and len(trimmed) == 36 else b""
    except ValueError:
        raw = b""
    if len(raw) != 16:
        raise Malformed("deviceId must be a UUID such as 6f1c2b7e-8c1d-4a0e-9a57-0c6a2f7a1b11.", field="deviceId")
    if raw in _NO_DEVICE:
        raise Malformed("deviceId names no device; make a random UUID and keep it.", field="deviceId")
    return raw


def oddities(text: Any) -> str:
    """The invisible or look-alike characters in a name, for the log: `U+200B at 7`; "" if there are none."""
    odd = [
        f"U+{ord(char):04X} at {position}"
        for position, char in enumerate(str(text))
        if unicodedata.category(char) in ("Cf", "Zs", "Co", "Cn") or unicodedata.east_asian_width(char) == "F"
    ]
    return ", ".join(odd[:5])
