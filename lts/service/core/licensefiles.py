"""License files as they are stored, each read and verified once: with thousands of items that takes seconds."""

from __future__ import annotations

from lts.errors import TokenError
from lts.rules.licensing import licensefile
from lts.rules.licensing.licensefile import License
from lts.service.core.trust import TrustStore


class LicenseFiles:
    """Parsed files, by the signed text; a file is trusted for as long as its vendor's key is in the trust store."""

    def __init__(self, trust: TrustStore) -> None:
        self._trust = trust
        self._verified: dict[str, License] = {}

    def read(self, jws: str) -> License:
        """A trusted file. Raises LicenseFileError, and TokenError if key or signature are not valid."""
        found = self._verified.get(jws)
        if found is None or self._trust.get(found.vendor_kid) is None:
            return self.keep(self.content(jws))
        return found

    def keep(self, license_file: License) -> License:
        """Verify a file and remember it, before it is imported. Raises TokenError."""
        key = self._trust.get(license_file.vendor_kid)
        if key is None:
            raise TokenError("The vendor's key is not in the trust store.")
        licensefile.verify(license_file, key)
        self._verified[license_file.jws] = license_file
        return license_file

    def content(self, jws: str) -> License:
        """What a stored file says, trusted or not. Raises LicenseFileError."""
        return self._verified.get(jws) or licensefile.parse(jws)
