"""Which certificates go out with a lease: one chain from the vendor down, and one certificate for each further license
(docs/design/surface.md, Lease). Pure: lts/service/licensing/catalog.py supplies the content of the license files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

LicenseName = tuple[str, str]
"""(root key id of the vendor, license id)."""


@dataclass(frozen=True)
class Certified:
    """The vendors' certificates for one server key, by license and by vendor; `rest` leads from there to this
    server."""

    by_license: Mapping[LicenseName, str] = field(default_factory=lambda: MappingProxyType({}))
    by_vendor: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    rest: tuple[str, ...] = ()


_NONE = Certified()


class CertificateChain(NamedTuple):
    """What a client needs to verify a lease; `licenses` holds the certificates of the lease's licenses that the first
    of `certificates` does not name."""

    certificates: tuple[str, ...] = ()
    licenses: tuple[str, ...] = ()


@dataclass(frozen=True)
class Certificates:
    """All certificates of this server: those for its own key, then those for the main's key if it acts for it
    for the main. `bare` is the chain where no vendor had a key of it."""

    named: tuple[Certified, ...] = ()
    bare: tuple[str, ...] = ()

    def chain_of(self, licenses: Sequence[LicenseName]) -> CertificateChain:
        """The chain of a lease over these licenses, all of one vendor; the key that most of them certify leads it."""
        best = max(self.named, key=lambda one: sum([name in one.by_license for name in licenses]), default=_NONE)
        found = [best.by_license[name] for name in dict.fromkeys(licenses) if name in best.by_license]
        if found:
            return CertificateChain((found[0], *best.rest), tuple(found[1:]))
        vendor = licenses[0][0]
        other = next((one for one in self.named if vendor in one.by_vendor), None)
        return CertificateChain((other.by_vendor[vendor], *other.rest)) if other else CertificateChain(self.bare)
