"""Which lease an application trusts: the vendor's key vouches for the server, or the first server contacted is
pinned."""

from __future__ import annotations

from lts.client.errors import NotTrusted
from lts.client.state import State
from lts.crypto import PublicKey, read_jws
from lts.errors import TokenError
from lts.protocol import LEASE_TYPE, Lease, verify_chain, verify_lease


def vendor_key_of(text: str | None, *, allow_pinned: bool) -> PublicKey | None:
    """The key that the application names, None if the first server is pinned. Raises NotTrusted."""
    if not text:
        if allow_pinned:
            return None
        raise NotTrusted("Give the vendor's public key, or allow_pinned=True to trust the first server contacted.")
    try:
        return PublicKey.from_x(text)
    except TokenError as error:
        raise NotTrusted(
            f"vendor_key is {text!r}, which is no vendor's public key: 43 letters, digits, - and _. Copy it whole from"
            " the vendor, or from what the demo or the sandbox prints."
        ) from error


class Trust:
    """Believes leases by `vendor_key`; without one, or where `allow_pinned` is set and it does not hold, by the key
    that each server showed first, which the state keeps."""

    def __init__(self, state: State, vendor_key: PublicKey | None, *, allow_pinned: bool) -> None:
        self._state = state
        self._vendor_key = vendor_key
        self._allow_pinned = allow_pinned

    def verify(self, text: str, certificates: list[str], device_id: str) -> Lease:
        """A lease, verified. Raises NotTrusted."""
        try:
            lease = self._verified(text, certificates)
        except TokenError as error:
            raise NotTrusted(f"The server's lease cannot be trusted: {error.detail}") from error
        if lease.device.lower() != device_id.lower():
            raise NotTrusted("The server's lease is for another device.")
        return lease

    def _verified(self, text: str, certificates: list[str]) -> Lease:
        if self._vendor_key is not None:
            try:
                return verify_lease(text, certificates, self._vendor_key)
            except TokenError:
                if not self._allow_pinned:
                    raise
        lease = verify_lease(text, certificates, None)
        uuid, key = verify_chain(certificates, None, lease.issued_at)
        pinned = self._state.fact(f"pin {uuid}")
        if pinned is not None and pinned != key.x:
            raise TokenError(f"The server {uuid} shows another key than the one pinned at first.")
        self._state.keep(f"pin {uuid}", key.x)
        return lease

    def remember(self, text: str, certificates: list[str]) -> None:
        """Keep the certificates of the key that signed a lease, for those that it renews."""
        self._state.keep("certificates", certificates)
        chains = self._state.fact("chains") or {}
        self._state.keep("chains", {**chains, read_jws(text, LEASE_TYPE).header.get("kid"): certificates})

    def chain_of(self, lease: str) -> list[str] | None:
        """The certificates that came with the last authorization by the key that signed this lease."""
        try:
            found = (self._state.fact("chains") or {}).get(read_jws(lease, LEASE_TYPE).header.get("kid"))
        except TokenError as error:
            raise NotTrusted(f"The server's lease cannot be trusted: {error.detail}") from error
        return found if isinstance(found, list) else None
