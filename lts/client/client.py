"""The client an application uses."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from lts.client import machine
from lts.client.errors import NotTrusted, Refused, Unreachable, is_of_entries
from lts.client.instances import Held, Instances
from lts.client.journal import Journal
from lts.client.limits import Counter, SlotSums, shows_nothing, type_name
from lts.client.servers import TRY_OTHER, Servers, read_key, token_names
from lts.client.state import State, Waiting, counted_as
from lts.client.transport import HttpTransport, Transport
from lts.client.trust import Trust, vendor_key_of
from lts.errors import RefusalCode
from lts.protocol import (
    MAX_COUNT,
    MAX_REPORT_SLOTS,
    REPORT_INTERVAL_SECONDS,
    SLOT_SECONDS,
    Lease,
    iso,
    parse_iso,
    slot_of,
)

log = logging.getLogger("lts.client")
NAME = "lts-client-python/1.0"
MOST_TYPES = 10_000


class Client:
    """A licensed device.

    `key` is the license key string from the portal; `vendor_key` the vendor's public key (JWK `x` text),
    against which leases are verified; without it `allow_pinned` must be set, and the first server's own
    certificate is pinned. `state` is a folder for identity and unsent usage (None = memory only).
    `background` reports every 3 minutes from a thread of its own. A request takes `timeout` seconds at most, and
    a call that tries several servers `start_timeout` in all. `bound` ties the identity to this machine: a copy of the
    state on another one becomes a device of its own (for servers and desktops; the labels never leave the machine).
    """

    def __init__(
        self,
        key: str,
        *,
        product: str,
        version: str | None = None,
        edition: str | None = None,
        deployment_type: str = "desktop",
        modules: tuple[str, ...] = (),
        charge_way: str | None = None,
        instances: int = 1,
        validation: dict[str, str] | None = None,
        vendor_key: str | None = None,
        allow_pinned: bool = False,
        device_id: str | None = None,
        state: Path | None = None,
        transport: Transport | None = None,
        clock: Callable[[], float] = time.time,
        timeout: float = 5.0,
        start_timeout: float = 10.0,
        bound: bool = False,
        background: bool = False,
    ) -> None:
        self._license_key = read_key(key)
        self._request: dict[str, Any] = {
            "product": product,
            "version": version,
            "edition": edition,
            "deploymentType": deployment_type,
            "modules": list(modules),
            "chargeWay": charge_way,
            "instances": instances,
            "validation": validation,
        }
        believed = vendor_key_of(vendor_key, allow_pinned=allow_pinned)
        self._state = State(state)
        self._trust = Trust(self._state, believed, allow_pinned=allow_pinned)
        self._journal = Journal(self._state.folder)
        self._entries: dict[str, tuple[bytes, Counter]] = {}
        self._sums = SlotSums()
        self.device_id = self._state.device_id(device_id, machine.label() if bound else None)
        self._servers = Servers(self._license_key.servers, transport or HttpTransport(), timeout, start_timeout)
        self._instances = Instances(instances)
        self._clock = clock
        self._lock = threading.RLock()
        self._lease: Lease | None = None
        self._offset = int(self._state.fact("offset") or 0)
        self._seen = int(self._state.fact("seen") or 0)
        self.certificates: list[str] = []
        self._lease_server: str | None = None
        self._moved = False
        self.unanswered: str | None = None
        """Why the last `authorize` left the lease at hand as it was, since no server answered; None if one did."""
        self._restore()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        if background:
            self._thread = threading.Thread(target=self._report_on, name="lts-client", daemon=True)
            self._thread.start()

    def __enter__(self) -> Client:
        self.authorize()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def lease(self) -> Lease | None:
        """The lease at hand, None before the first authorization or once it has ended."""
        lease = self._lease
        return lease if lease is not None and self.now() < lease.expires_at else None

    @property
    def lease_text(self) -> str | None:
        """The lease as the server signed it."""
        return self._state.lease()

    def now(self) -> int:
        """UTC seconds by the server's clock as last received. A local clock that was set back gains nothing: it is
        never earlier than the latest time seen."""
        now = max(int(self._clock()) + self._offset, self._lease.issued_at if self._lease else 0, self._seen)
        self._seen = now
        return now

    @property
    def storage_fault(self) -> str | None:
        """Why usage is kept only in memory, and would be lost with this process; None if it is not."""
        return self._state.fault or self._journal.fault

    def authorize(self) -> Lease:
        """Get a lease, or keep the one at hand when no server answers (`unanswered` says why). Raises Refused,
        Unreachable, NotTrusted."""
        with self._lock:
            token = self._state.fact("chain")
            body = {
                **{name: value for name, value in self._request.items() if value is not None},
                "handshakeCode": self._license_key.handshake_code,
                "organizationId": self._license_key.organization_id,
                "sessionPassword": self._license_key.session_password,
                "deviceId": self.device_id,
                **token_names(token),
                "clientTime": iso(int(self._clock())),
                "clientName": NAME,
            }
            self.unanswered = None
            try:
                server, answer = self._servers.call("authorize", body)
            except Unreachable as error:
                if self.lease is None:
                    raise
                self.unanswered = error.detail
                return self.lease
            self._take_time(answer)
            self._take_lease(server, str(answer.get("lease")), answer.get("certificates") or [])
            self._take_token(token, answer)
            assert self._lease is not None
            return self._lease

    def allowed(self, module: str) -> bool:
        """Whether the lease at hand covers a module now; asks no server."""
        lease = self.lease
        return lease is not None and any(module in item.modules for item in lease.items)

    def use(self, type_name: str, count: int = 1) -> None:
        """Count usage in the present slot. What returned survives a kill; nothing waits for the network.

        Raises Refused 111 without a lease, ValueError for what no server would count (docs/protocol.md, Report): a
        count, or the sum of the slot, that is not a whole number from 1 to 1,000,000, or a name that is none.
        """
        if type(count) is not int or not 0 < count <= MAX_COUNT:
            raise ValueError(f"count is a whole number from 1 to {MAX_COUNT}, not {count!r}.")
        now, lease = self.now(), self._lease
        if lease is None or now >= lease.expires_at:
            raise Refused(RefusalCode.EXPIRED, "There is no lease at hand; authorize first.", "-")
        entry, counter = self._entries.get(type_name) or self._entry(lease, type_name)
        slot = now // SLOT_SECONDS
        self._sums.add(slot, counter, count)
        self._journal.add(slot, count, entry)

    def _entry(self, lease: Lease, text: str) -> tuple[bytes, Counter]:
        name = type_name(text)
        item = next((i for i in lease.items if name in i.modules), None)
        if item is None and shows_nothing(name):
            raise ValueError(f"A type name has a visible character; not {name!r}.")
        counter = (*counted_as(lease, item or lease.items[0]), name)
        made = self._journal.entry(lease.jti, *counter), counter
        if len(self._entries) < MOST_TYPES:
            self._entries[text] = made
        return made

    def acquire(self, count: int = 1) -> Held:
        """Take instances out of those that the lease grants, until `release` of the returned object or the end of a
        `with`. Reports say how many were taken at once at most in each slot.

        Raises Refused 111 without a lease, Refused 120 when all are taken.
        """
        now, lease = self.now(), self._lease
        if lease is None or now >= lease.expires_at:
            raise Refused(RefusalCode.EXPIRED, "There is no lease at hand; authorize first.", "-")
        return self._instances.acquire(count, max(item.instances for item in lease.items), now // SLOT_SECONDS)

    def flush(self) -> list[dict[str, Any]]:
        """Report everything that waits, or a sign of life if nothing does; returns the server's results.

        Raises Refused, Unreachable; what was not confirmed is kept for the next time, except what the server can never
        count: that is dropped, and logged. A refusal of what waits under one lease is raised once all were sent.
        """
        with self._lock:
            self._absorb()
            results: list[dict[str, Any]] = []
            refusals: list[Refused] = []
            by_lease: dict[str, list[Waiting]] = {}
            for entry in self._state.waiting():
                by_lease.setdefault(entry.lease, []).append(entry)
            for lease, entries in by_lease.items():
                for begin in range(0, len(entries), MAX_REPORT_SLOTS):
                    results += self._send_or_keep(lease, entries[begin : begin + MAX_REPORT_SLOTS], refusals)
            lease_text = self._state.lease()
            if not by_lease and lease_text is not None:
                results += self._send(lease_text, [])[0]
            if self._moved:
                self._follow_server()
            if refusals:
                raise refusals[0]
            return results

    def _absorb(self) -> None:
        """What `use` left behind goes into the outbox."""
        self._state.absorb(self._journal, self._lease)
        self._journal.renew()
        self._state.keep("seen", self.now())

    def _follow_server(self) -> None:
        """The other server of the pair answers now, and renews no lease of the first: get one of its own."""
        try:
            self.authorize()
        except (Refused, Unreachable, NotTrusted):
            return  # the lease at hand is good until it ends; the next report tries again
        self._moved = False

    def report(self, usage: dict[str, int], slot: int | None = None, instances: int | None = None) -> dict[str, Any]:
        """Report the counts so far of one slot at once, without the outbox: for scripts. Returns the answer."""
        entry: dict[str, Any] = {
            "slot": iso((slot_of(self.now()) if slot is None else slot) * SLOT_SECONDS),
            "usage": usage,
        }
        if instances is not None:
            entry["instances"] = instances
        with self._lock:
            lease = self._state.lease()
            if lease is None:
                raise Refused(RefusalCode.UNKNOWN_LEASE, "There is no lease to report under; authorize first.", "-")
            return self._post_report(lease, [entry])

    def release(self) -> None:
        """Report what waits, then give the seat back. Raises Refused, Unreachable."""
        with self._lock:
            lease = self._state.lease()
            if lease is None:
                return
            self._absorb()
            if any(True for _ in self._state.waiting()):
                self.flush()
                lease = self._state.lease() or lease
            self._servers.call("release", {"lease": lease})
            self._state.keep("lease", None)
            self._lease = None

    def close(self) -> None:
        """Stop the background thread, report what waits if a server answers, close the state."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=10)
        with self._lock:
            self._absorb()
            try:
                if any(True for _ in self._state.waiting()):
                    self.flush()
            except (Unreachable, Refused, NotTrusted):
                pass  # it is on disk and goes out with the next start
            finally:
                self._journal.close()
                self._state.forget_journal(self._journal.path)
                self._state.close()

    def _send_or_keep(self, lease: str, entries: list[Waiting], refusals: list[Refused]) -> list[dict[str, Any]]:
        """Report under one lease. A report that the server does not take must not hold up the others: its refusal joins
        `refusals`, unless the lease is unknown (141). A refused name must not take others with it: an entry of several
        is sent once more, one for each."""
        try:
            results, together = self._send(lease, entries)
        except Refused as refusal:
            if refusal.code in TRY_OTHER:
                raise
            if not is_of_entries(refusal) or all(len(entry.usage) == 1 for entry in entries):
                return self._refused(refusal, entries, refusals)
            results, together = [], entries
        apart = [one for entry in together for one in entry.apart()]
        for begin in range(0, len(apart), MAX_REPORT_SLOTS):
            results += self._send_or_keep(lease, apart[begin : begin + MAX_REPORT_SLOTS], refusals)
        return results

    def _refused(self, refusal: Refused, entries: list[Waiting], refusals: list[Refused]) -> list[dict[str, Any]]:
        if refusal.code != RefusalCode.UNKNOWN_LEASE:
            refusals.append(refusal)
        if is_of_entries(refusal):
            for entry in entries:
                self._state.drop(entry, refusal.code, refusal.detail)
        told = {"status": "rejected", "code": refusal.code, "detail": refusal.detail}
        return [{"slot": iso(e.slot * SLOT_SECONDS), **told} for e in entries]

    def _send(self, lease: str, entries: list[Waiting]) -> tuple[list[dict[str, Any]], list[Waiting]]:
        """The server's results, and the entries that are to be sent apart, which have none."""
        present = slot_of(self.now())
        counted = [(entry.slot, entry.usage) for entry in entries] or [(present, {})]
        sent = [
            {"slot": iso(slot * SLOT_SECONDS), "usage": usage, **self._instances.of(slot, present)}
            for slot, usage in counted
        ]
        answer = self._post_report(lease, sent)
        return self._state.settle(entries, answer)

    def _post_report(self, lease: str, entries: list[dict[str, Any]]) -> dict[str, Any]:
        token = self._state.fact("chain")
        server, answer = self._servers.call("report", {"lease": lease, **token_names(token), "reports": entries})
        self._take_time(answer)
        self._take_token(token, answer)
        renewed = answer.get("lease")
        chain_of_signer = self._trust.chain_of(renewed) if isinstance(renewed, str) else None
        if isinstance(renewed, str) and chain_of_signer is not None:
            self._take_lease(server, renewed, chain_of_signer)
        self._moved = chain_of_signer is None and (renewed is not None or server != self._lease_server)
        return answer

    def _take_time(self, answer: dict[str, Any]) -> None:
        try:
            server_time = parse_iso(str(answer.get("serverTime")))
            self._offset = server_time - int(self._clock())
            self._seen = server_time
            self._state.keep("offset", self._offset)
        except ValueError as error:
            raise Unreachable("The server's answer does not give its time; check the server's URL.") from error

    def _take_token(self, sent: str | None, answer: dict[str, Any]) -> None:
        new = answer.get("cloneToken") or answer.get("chain")  # servers of 0.1 know only the second
        if new:
            self._state.replace_token(sent, new)

    def _take_lease(self, server: str, text: str, certificates: list[str]) -> None:
        self._lease_server = server
        self._lease = self._trust.verify(text, certificates, self.device_id)
        self._entries = {}
        self.certificates = certificates
        self._trust.remember(text, certificates)
        self._state.remember_lease(self._lease.jti, server, text, self.now())

    def _restore(self) -> None:
        """Take up the lease kept on disk, if it still verifies."""
        text, certificates = self._state.lease(), self._state.fact("certificates")
        if text is None or not isinstance(certificates, list):
            return
        try:
            self._lease = self._trust.verify(text, certificates, self.device_id)
            self._lease_server = self._state.lease_server()
            self.certificates = certificates
        except NotTrusted:
            self._lease = None

    def _report_on(self) -> None:
        """Report every 3 minutes with some jitter, and authorize again if the lease was not renewed."""
        while not self._stop.wait(REPORT_INTERVAL_SECONDS * random.uniform(0.9, 1.1)):  # noqa: S311 - jitter, no secret
            try:
                self.flush()
                if self.lease is None:
                    self.authorize()
            except (Refused, Unreachable, NotTrusted):
                continue  # raised by the next call that needs a lease; the outbox keeps what waits
            except Exception:  # usage is reported for as long as the program runs, whatever happens to one report
                log.exception("usage was not reported; it will be tried again")
