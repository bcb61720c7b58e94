"""The kind of a file, by its content, so that a wrong file is named instead of reported as damaged.

Recognizing is cheap and trusts nothing: signatures and contents are checked by whoever reads the file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from lts.crypto import read_jws
from lts.errors import TokenError
from lts.rules.licensing import activation, armor, licensefile, vendorkey
from lts.strictjson import strict_json

HEAD = 1 << 20
"""Bytes from a file's beginning that are enough to recognize it."""
_ZIP, _SQLITE = b"PK\x03\x04", b"SQLite format 3\x00"
_FIRST_IN_BACKUP = b"lts.db"


@dataclass(frozen=True, slots=True)
class FileKind:
    """A kind of file: `words` describe a file of this kind that was found, `wanted` asks for one. One that is read
    whole has at most `most` bytes."""

    words: str
    wanted: str
    most: int = HEAD


PRIVATE_KEY = FileKind("a private key of a vendor or server, which nobody but its owner may have",
                   "the vendor's private key (vendor.key)")  # fmt: skip
PUBLIC_KEY = FileKind("a vendor's public key", "the vendor's public key (vendor.pub)")
LICENSE = FileKind("a license file", "a license file (.lic)")
REQUEST = FileKind("a server's activation request", "the server's activation request (lts request -o request.json)")
BACKUP = FileKind("a backup of a server", "a backup (a file that lts backup made)")
_WRITTEN = armor.MAX_BYTES << 2
"""What people write for a license file may take more: every character two bytes, and blanks."""
SPEC = FileKind("the spec of a license", "the spec of a license (lts vendor spec prints one)", _WRITTEN)
CHANGES = FileKind("a list of changes for lts vendor amend", 'a list of changes such as {"items": [{"itemId": …}]}',
                   _WRITTEN)  # fmt: skip
CONFIGURATION = FileKind("the configuration of a server", "the configuration of a server (lts.json)")
DATABASE = FileKind("the database of a server", "the database of a server")
LICENSE_KEY = FileKind("a license key for an application", "a license key (LTS2…)")
OTHER_KEY = FileKind("a key or certificate of another program", "a key")
OTHER_ARCHIVE = FileKind("an archive that LTS did not make", "an archive")
EMPTY = FileKind("empty", "an empty file")


def kind_of(data: bytes) -> FileKind | None:
    """The kind of a file by its content, or by its first `HEAD` bytes; or None."""
    return _seen(data)[0]


def _seen(data: bytes) -> tuple[FileKind | None, str]:
    """The kind, and the text of a file that may be one: decoding is what costs, and is done once."""
    if not data.strip(b"\x00 \t\r\n"):
        return EMPTY, ""
    if data.startswith(_ZIP):
        return (BACKUP if data[30 : 30 + len(_FIRST_IN_BACKUP)] == _FIRST_IN_BACKUP else OTHER_ARCHIVE), ""
    if data.startswith(_SQLITE):
        return DATABASE, ""
    text = armor.decode(data, armor.MARK)
    return (LICENSE if armor.is_license(text[:HEAD]) else _kind_of_text(text.strip())), text


def _kind_of_text(text: str) -> FileKind | None:
    if text.startswith("-----BEGIN"):
        first = text.split("\n", 1)[0]
        return PRIVATE_KEY if first.strip() in _PRIVATE else OTHER_KEY
    if text.startswith("{"):
        return _kind_of_json(text)
    if text.startswith("LTS2"):
        return LICENSE_KEY
    return _kind_of_token("".join(text.split()))


_PRIVATE = ("-----BEGIN PRIVATE KEY-----", "-----BEGIN ENCRYPTED PRIVATE KEY-----")


def _kind_of_token(token: str) -> FileKind | None:
    try:
        typ = read_jws(token, None).header.get("typ")
    except TokenError:
        return None
    kinds = {vendorkey.KEY_TYPE: PUBLIC_KEY, licensefile.JWS_TYPE: LICENSE, activation.JWS_TYPE: REQUEST}
    return kinds.get(typ) if isinstance(typ, str) else None


def _kind_of_json(text: str) -> FileKind | None:
    try:
        fields: Any = strict_json(text)
    except (ValueError, RecursionError):
        return None
    if fields.get("format") == activation.FORMAT:
        return REQUEST
    names = set(fields)
    if names & {"jwk", "kty"}:
        return PUBLIC_KEY if "jwk" in names else OTHER_KEY
    if names & {"licenseId", "organizationId"}:
        return SPEC
    if names & {"servers", "dataDir", "port", "host", "publicUrl"}:
        return CONFIGURATION
    return CHANGES if names and names <= {"items", "remove"} else None


_LOOSE = (SPEC, CHANGES, LICENSE, CONFIGURATION)
"""Kinds that people write or mail themselves: an unknown text goes to the reader, which says where it is wrong."""
_CONTROL = re.compile("[\x00-\x08\x0b\x0e-\x1f]")


def _is_text(data: bytes, text: str) -> bool:
    """Whether an editor may have written it, in whatever encoding: not a picture or a program. `text` is how it was
    decoded."""
    for encoding, zero in (("utf-16-le", 1), ("utf-16-be", 0)):
        if len(data) > 1 and data[zero] == 0 and data[1 - zero]:
            text = armor.utf_16(data, encoding)
    return _CONTROL.search(text) is None


def too_large(name: str, head: bytes, wanted: FileKind) -> str:
    """A sentence on the file called `name` that has more than `wanted.most` bytes, by those that it begins with."""
    found = kind_of(head)
    if found in (None, EMPTY, wanted):
        return f"{name} is too large (over {wanted.most >> 20} MiB); give {wanted.wanted}."
    return f"{name} is {found.words}; give {wanted.wanted}."


def mistaken(name: str, data: bytes, wanted: FileKind) -> str | None:
    """A sentence if `data`, the content of the file called `name`, is not of the kind `wanted`."""
    found, text = _seen(data)
    if found == wanted or (found is None and wanted in _LOOSE and _is_text(data[:HEAD], text[:HEAD])):
        return None
    if found is None:
        return f"{name} is nothing that LTS knows; give {wanted.wanted}."
    return f"{name} is {found.words}; give {wanted.wanted}."
