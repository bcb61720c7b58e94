"""Mail addresses as administrators type them (RFC 5322, the part that people use)."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from email.headerregistry import Address

from lts.errors import AdminError
from lts.rules.values import domains
from lts.rules.values.text import nfc

MOST_ADDRESSES = 100
_MAX_NAME = 100
_MAX_DOMAIN = 253
_MAX_TEXT = MOST_ADDRESSES * 500
_PIECES = re.compile(r'(?:"[^"]*"|<[^<>]*>|[^,;；，、\n\r\t"<>])+')
_NEEDS_QUOTES = re.compile(r"[,;；，、@]")
_NAMED = re.compile(r"^(.*?)<([^<>]*)>$")
_LOCAL = re.compile(r"^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$")
_LABEL = re.compile(r"^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$")


@dataclass(frozen=True)
class MailAddress:
    """A display name, maybe empty, and an address in ASCII."""

    name: str
    address: str

    def __str__(self) -> str:
        return str(Address(self.name, addr_spec=self.address)) if self.name else self.address

    @property
    def typed(self) -> str:
        """As in a form."""
        name = f'"{self.name}"' if _NEEDS_QUOTES.search(self.name) else self.name
        return f"{name} <{self.address}>" if name else self.address


def read_addresses(text: object, field: str) -> list[MailAddress]:
    """Addresses separated by semicolons, commas, blanks or line ends, each once. Raises AdminError naming `field`."""
    if not isinstance(text, str):
        raise _wrong("Addresses must be a text.", field)
    if len(text) > _MAX_TEXT:
        raise _wrong(f"At most {MOST_ADDRESSES} addresses.", field)
    if any(unicodedata.category(char) in ("Cc", "Cs") and char not in "\r\n\t" for char in text):
        raise _wrong("The addresses hold a control character; type them again.", field)
    found: dict[str, MailAddress] = {}
    for piece in _PIECES.findall(text):
        for address in _read_piece(piece.strip(), field):
            found.setdefault(address.address.lower(), address)
    if len(found) > MOST_ADDRESSES:
        raise _wrong(f"At most {MOST_ADDRESSES} addresses.", field)
    return list(found.values())


def read_address(text: object, field: str) -> MailAddress:
    """Exactly one address. Raises AdminError."""
    found = read_addresses(text, field)
    if len(found) != 1:
        raise _wrong("Give one address, such as lts@example.com.", field)
    return found[0]


def _read_piece(piece: str, field: str) -> list[MailAddress]:
    if not piece:
        return []
    if named := _NAMED.match(piece):
        name = " ".join(named[1].replace('"', " ").split())
        return [MailAddress(nfc(name, _MAX_NAME)[:_MAX_NAME], _clean(named[2].strip(), field))]
    return [MailAddress("", _clean(word, field)) for word in piece.split()]


def _clean(text: str, field: str) -> str:
    local, _, domain = text.rpartition("@")
    host = domain if domain.isascii() else domains.normalize(domain) or ""
    literal = re.fullmatch(r"\[[0-9A-Fa-f.:]+\]", host)
    good_host = len(host) <= _MAX_DOMAIN and (literal or all(_LABEL.match(part) for part in host.split(".")))
    if not _LOCAL.match(local) or len(local) > 64 or not good_host:
        raise _wrong(f"{text[:100]!r} is not a mail address such as name@example.com.", field)
    return f"{local}@{host.lower()}"


def _wrong(sentence: str, field: str) -> AdminError:
    return AdminError("bad-address", sentence, field=field)
