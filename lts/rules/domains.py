"""Matching web domains: a domain covers itself and its subdomains, but never across a public suffix."""

from __future__ import annotations

from functools import lru_cache

from publicsuffixlist import PublicSuffixList


@lru_cache(maxsize=1)
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList(accept_unknown=False)  # so that an intranet's own names are none


@lru_cache(maxsize=4096)
def normalize(domain: str) -> str | None:
    """Lower-case ASCII form (IDNA) without port or final dot, None when it cannot be a domain."""
    host = domain.strip().rstrip(".").lower()
    if host.count(":") == 1:
        host = host.split(":")[0]
    try:
        ascii_host = host.encode("idna").decode("ascii")
    except UnicodeError:
        return None
    return ascii_host if ascii_host and len(ascii_host) <= 253 else None


@lru_cache(maxsize=4096)
def is_public_suffix(domain: str) -> bool:
    """Whether the (normalized) domain is a public suffix such as `com` or `co.uk`, under which anyone registers."""
    return bool(_suffixes().publicsuffix(domain) == domain)


def matches_any(domain: str, allowed: tuple[str, ...]) -> bool:
    """Whether `domain` is one of `allowed` or a subdomain of one (docs/design/authorizing.md, Admission)."""
    host = normalize(domain)
    return host is not None and any(_covers(normalize(one), host) for one in allowed)


def _covers(owner: str | None, host: str) -> bool:
    if owner is None:
        return False
    return host == owner or (host.endswith("." + owner) and not is_public_suffix(owner))
