"""Matching web domains: a domain covers itself and its subdomains, but never across a public suffix.

Names are compared as browsers send them, by IDNA 2008: what people type is mapped (RFC 5895, section 2) and put into
A-labels (RFC 5891). Which characters a registry allows does not matter, since a name that nobody can register matches
nothing (docs/decisions/0020-domains-and-ends.md).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import urlsplit

from publicsuffixlist import PublicSuffixList

from lts.rules.values import punycode
from lts.rules.values.text import normal

_MAX_HOST, _MAX_LABEL = 253, 63
_ACE = "xn--"
_LONGEST = _MAX_HOST + len(".:65535")
_FULL_STOP = "\u3002"
_PORT = re.compile(r":[0-9]{1,5}\Z")
_BESIDE_DOT = re.compile(r"\s*\.\s*")
_LABEL = re.compile(r"[a-z0-9_-]{1,63}")


@lru_cache(maxsize=1)
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList(accept_unknown=False)  # so that an intranet's own names are not public suffixes


@lru_cache(maxsize=4096)
def normalize(domain: str) -> str | None:
    """The name in lower-case A-labels, without port and final dot. None for what is not a host name with an optional
    port: a URL, a pattern, an address in brackets, a text with blanks or anything else in it."""
    if len(domain) > _LONGEST:
        return None
    host = _PORT.sub("", _mapped(domain)).removesuffix(".")
    labels = [_a_label(label) for label in host.split(".")]
    found = ".".join(label for label in labels if label is not None)
    return found if None not in labels and len(found) <= _MAX_HOST else None


def _mapped(text: str) -> str:
    """In lower case, wide and narrow characters as the usual ones, composed, with the one kind of full stop.

    Each character separately: as a word in lower case, the last sigma would become another one.
    """
    if text.isascii():
        return text.lower()
    usual = "".join(
        unicodedata.normalize("NFKC", char) if unicodedata.decomposition(char)[:5] in ("<wide", "<narr") else char
        for char in text
    )
    lower = "".join(char.lower() for char in usual)
    return normal(lower).replace(_FULL_STOP, ".")


def _a_label(label: str) -> str | None:
    if label.isascii():
        return label if _LABEL.fullmatch(label) else None
    if len(label) > _MAX_LABEL - len(_ACE):  # each character takes one or more
        return None
    if not all(_LABEL.fullmatch(char) if char.isascii() else _may_stand(char) for char in label):
        return None
    encoded = punycode.encode(label, _MAX_LABEL - len(_ACE))
    return None if encoded is None else _ACE + encoded


def _may_stand(char: str) -> bool:
    return not char.isspace() and unicodedata.category(char) not in ("Cc", "Cs")


@lru_cache(maxsize=4096)
def is_public_suffix(domain: str) -> bool:
    """Whether the (normalized) domain is a public suffix such as `com` or `co.uk`, under which anyone registers."""
    return bool(_suffixes().publicsuffix(domain) == domain)


def binding_fault(domain: str) -> str | None:
    """What is wrong with a domain in a binding, and what to write instead; None if it can match. The text follows the
    name of a field."""
    host = normalize(domain)
    if host is None:
        return f"has {domain[:80]!r}, {_fault(domain)}"
    if is_public_suffix(host):
        return f"has {domain!r}, under which anybody can register; write a name under it, such as example.{host}"
    return None


def _fault(text: str) -> str:
    """What is wrong with a text that is not a domain, and what to write instead if that is known."""
    meant = _meant(text)
    if meant is not None:
        return f"which is not a domain; write it as {meant}"
    blank = "holds a blank" if len(text.split()) > 1 else "is not a domain"
    return f"which {blank}; write a name such as example.com"


def _meant(text: str) -> str | None:
    """The name in a URL or a pattern, or with blanks around its dots: what was probably meant."""
    text = _BESIDE_DOT.sub(".", text.strip()[:1000]).replace("*.", "")
    try:
        host = urlsplit(text if "://" in text else f"//{text}").hostname
    except ValueError:
        return None
    found = host and normalize(host)
    return host if found and "." in found and not is_public_suffix(found) else None


def hosts(names: Iterable[str]) -> frozenset[str]:
    """Names in a binding, normalized once, so that a request's name can be looked up; those that can match nothing are
    left out."""
    return frozenset([host for host in map(normalize, names) if host is not None])


def matches_any(domain: str, allowed: frozenset[str]) -> bool:
    """Whether `domain` is one of `allowed`, made by `hosts`, or a subdomain of one (docs/design/authorizing.md,
    Admission). It costs the same for however many names."""
    host = normalize(domain)
    if host is None:
        return False
    return host in allowed or not all(map(is_public_suffix, _parents(host) & allowed))


@lru_cache(maxsize=64)
def _parents(host: str) -> frozenset[str]:
    labels = host.split(".")
    return frozenset([".".join(labels[at:]) for at in range(1, len(labels))])
