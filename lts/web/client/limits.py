"""Limits of the client API (docs/design/surface.md, Limits): what each call counts as, for its device and its address,
and which lease vouches for a body before it is read.

A request counts for the device that it proves to come from, at its address. A request that proves nothing counts
only for the address.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from lts.config import RateLimits
from lts.errors import LtsError, Malformed, NotVerified, Refusal, RefusalCode
from lts.protocol import Lease
from lts.rules.metering import workload
from lts.rules.metering.checks import Request
from lts.service.core.context import Context
from lts.web.wire import messages
from lts.web.wire.addresses import Addresses
from lts.web.wire.body import Sent
from lts.web.wire.bodytree import LARGE_BYTES
from lts.web.wire.ratelimit import Limiter
from lts.web.wire.wsgi import Environ

UNPROVEN_PER_MINUTE = 600
UNPROVEN_BURST = 3000
"""Of one address with one handshake code: the first start of a large company's devices behind one address."""
WORK_PER_MINUTE = 5000
WORK_BURST = 2000
"""Of an address, with large reports and authorizations (lts.rules.metering.workload.units_of): a fifth of a core."""
Vouched = tuple[str, Lease]
"""The text of a lease that verifies, and what it says."""
NOT_THE_CLIENTS_FAULT = (RefusalCode.NOT_SERVING, RefusalCode.TOO_MANY_REQUESTS, RefusalCode.CANNOT_STORE)
"""Refusals that do not count against the address they went to."""


class Limits:
    """The limits of the client API. Raise Refusal 130 with Retry-After."""

    def __init__(self, settings: RateLimits, clock: Callable[[], float] = time.monotonic) -> None:
        refusals = settings.address_refusals_per_minute
        self._devices = Limiter(settings.device_requests_per_minute, settings.device_burst, clock)
        self._addresses = Limiter(refusals, refusals, clock)
        self._unproven = Limiter(UNPROVEN_PER_MINUTE, UNPROVEN_BURST, clock)
        self._work = Limiter(WORK_PER_MINUTE, WORK_BURST, clock)

    def device(self, device: bytes, address: str) -> None:
        """One request that proved to come from a device. Anybody who knows a device's UUID and handshake code can get a
        lease and tokens for it: from another address that must delay nobody."""
        _refuse_while(self._devices.take((device, address)), "from this device")

    def charge(self, device: bytes, address: str, requests: int, *, proven: bool = True) -> None:
        """A request of a device, or one that only names it, counts as this many more."""
        self._devices.charge((device, address) if proven else (device, address, "named"), requests)

    def check_work(self, address: str) -> None:
        """An address with too much work in its large requests waits with further ones."""
        _refuse_while(self._work.wait_of(address), "with many items or large reports from this address")

    def work(self, address: str, units: int) -> None:
        """A request of an address was so much work."""
        self._work.charge(address, units)

    def named_device(self, device: bytes, address: str) -> None:
        """One request that only names a device: it delays neither another address nor the device itself."""
        _refuse_while(self._devices.take((device, address, "named")), "for this device")

    def unproven(self, address: str, code: str) -> None:
        """One request of a device that is new, or does not prove to be known, with a handshake code."""
        _refuse_while(
            self._unproven.take((address, code)), "of devices that are new, or send no clone token, from this address"
        )

    def check_address(self, address: str) -> None:
        """An address with too many refused requests waits."""
        _refuse_while(self._addresses.wait_of(address), "from this address")

    def refused(self, address: str) -> None:
        self._addresses.take(address)


def _refuse_while(wait: float, what: str) -> None:
    if wait:
        seconds = int(wait) + 1
        raise Refusal(
            RefusalCode.TOO_MANY_REQUESTS, f"Too many requests {what}; wait {seconds} s.", retry_after=seconds
        )


class ClientLimits(Limits):
    """Methods raise Refusal 130 where a client must wait."""

    def __init__(self, ctx: Context, addresses: Addresses, settings: RateLimits) -> None:
        super().__init__(settings)
        self._ctx = ctx
        self._senders = addresses

    def ask(self, request: Request, environ: Environ, address: str, *, proven: bool) -> None:
        """Count an authorization for the device it proves to come from, else for its address. Raises Refusal 130."""
        if proven:
            self.device(request.device, address)
            return
        self.named_device(request.device, address)
        if self._senders.is_nobody(environ):
            return
        code = request.handshake_code or request.organization_id or ""
        try:
            self.unproven(address, code)
        except Refusal:
            self._ctx.running.newcomers.note(address, code, self._ctx.clock.now())
            raise

    def charge_items(self, request: Request, items: int, environ: Environ, address: str, *, proven: bool) -> None:
        """Charge an authorization by how many items it checks. Raises Refusal 130."""
        units = workload.units_of_items(items)
        if not self._senders.is_nobody(environ):
            self.check_work(address)
            self.work(address, units)
        self.charge(request.device, address, units, proven=proven)

    def admit(
        self, address: str, sent: Sent, environ: Environ, read_lease: Callable[[bytes], str] | None = None
    ) -> tuple[bytes, Vouched | None, int]:
        """A body, the lease that vouches for it, and how many more requests it was charged as before it is read. A
        lease that cannot be found quickly is found by `read_lease`, if given. Raises LtsError."""
        body, vouched, paid = self._opened(address, sent, environ)
        if vouched is None:
            if read_lease is None:
                return body, None, paid
            text = read_lease(body)
            vouched = text, self._prove(text, address)
        known = workload.least_units(body, sent.packed)
        self.charge_body(address, vouched[1], known, environ, charged=paid)
        return body, vouched, known

    def lease_of(self, text: str, vouched: Vouched | None, address: str) -> Lease:
        """The lease that a body was sent under, if another one may have vouched for it."""
        return vouched[1] if vouched is not None and vouched[0] == text else self._prove(text, address)

    def charge_body(self, address: str, lease: Lease, units: int, environ: Environ, *, charged: int = 0) -> None:
        """Charge a body as this many requests beyond one, to the lease's device and to the address: as far as known
        before it is read, then the rest. Raises Refusal 130, for what was not yet `charged` in part."""
        if units <= charged:
            return
        if not self._senders.is_nobody(environ):
            if not charged:
                self.check_work(address)
            self.work(address, units - charged)
        self.charge(lease.device_bytes, address, units - charged)

    def count_refusal(self, error: LtsError, address: str) -> None:
        """A refusal counts against its address; after too many the answer is 130.

        Requests that are not refused are never delayed: usage is counted however many neighbors were refused.
        """
        if error.code in NOT_THE_CLIENTS_FAULT or error.status >= 500:
            return
        self.check_address(address)
        self.refused(address)

    def _opened(self, address: str, sent: Sent, environ: Environ) -> tuple[bytes, Vouched | None, int]:
        """A body, the lease that vouches for it, and how many more requests it was already charged as. Of a large body
        only the beginning is processed before a lease vouches for it, and nothing if the address has to wait."""
        try:
            opening, whole = sent.opening()
            if not whole and messages.is_lease_cut(opening):
                opening, _ = sent.opening(LARGE_BYTES + messages.MAX_LEASE)
        except Malformed:
            self.check_address(address)
            raise
        vouched = self._vouched(address, opening, whole)
        if whole or vouched is None:
            return opening, vouched, 0
        if not self._senders.is_nobody(environ):
            self.check_work(address)
        if not sent.packed:
            return sent.data, vouched, 0
        paid = workload.least_units(b"", sent.packed)
        self.charge_body(address, vouched[1], paid, environ)
        try:
            return sent.unpacked(), vouched, paid
        except LtsError:  # by the largest size that it may decompress to
            self.charge_body(address, vouched[1], sent.limit // workload.UNIT_BYTES, environ, charged=paid)
            raise

    def _vouched(self, address: str, body: bytes, whole: bool) -> Vouched | None:
        """The lease that vouches for a body, or for one with this beginning; its device is charged then.

        None if an address in good standing sends a small body whose lease only the careful reader can find.
        Usage is counted however many neighbors were refused. Raises Refusal 130, NotVerified, Malformed.
        """
        fault: NotVerified | None = None
        plain = messages.lease_of(body) if whole else None
        for text in messages.leases_in(body) if plain is None else (plain,):
            try:
                return text, self._prove(text, address)
            except NotVerified as error:
                fault = fault or error
        self.check_address(address)
        if whole and plain is None:
            return None
        raise fault or Malformed("A body over 64 KiB must begin with its lease.", field="lease")

    def _prove(self, text: str, address: str) -> Lease:
        """Only a lease that verifies counts against its device, so that nobody can block another's."""
        lease = self._ctx.leases.verify(text)
        self.device(lease.device_bytes, address)
        return lease
