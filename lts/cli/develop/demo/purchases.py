"""What the demo's company buys: license files issued by its vendor, bound to the server, imported on their days."""

from __future__ import annotations

from typing import Any

from lts.cli.develop.demo.company import CONTRACTS, ORGANIZATION, REVOKED_DAY, REVOKED_ITEM, VENDOR_NAME, Contract
from lts.crypto import SigningKey
from lts.protocol import DAY_SECONDS, iso
from lts.rules.accounts import OWNER
from lts.rules.licensing import activation, licensefile, vendorkey
from lts.rules.licensing.licensefile import License
from lts.service.core.context import Context
from lts.service.licensing import handshakes, licenses
from lts.service.licensing.licenses import Choice
from lts.vendor import issuing

Json = dict[str, Any]


class Purchases:
    """Of an open server that trusts the vendor; `begin` is the first second of the first day, UTC."""

    def __init__(self, ctx: Context, vendor: SigningKey, begin: int) -> None:
        self._ctx = ctx
        self._vendor = vendor
        self._begin = begin
        self._sold: dict[str, License] = {}
        ctx.trust.add(vendorkey.build(VENDOR_NAME, vendor, begin).encode("utf-8"))

    def day(self, day: int) -> None:
        """Import what was bought on this day, at the time of the server's clock."""
        for contract in CONTRACTS:
            if contract.day == day:
                self._import(contract)
        if day == REVOKED_DAY:
            self._revoke()

    def _import(self, contract: Contract) -> None:
        now = self._ctx.clock.now()
        items = [self._dated(item) for item in contract.items]
        spec = {"licenseId": contract.license_id, "organizationId": ORGANIZATION, "items": items}
        issued = issuing.issue(spec, self._vendor, VENDOR_NAME, now)
        me = self._ctx.identity
        request = activation.build(me.uuid, me.key, me.labels, me.binding, now).encode("utf-8")
        activated = issuing.activate(issued, [activation.read(request)], self._vendor, VENDOR_NAME, now)
        custom = contract.code.removeprefix(f"{ORGANIZATION}-")
        self._take(activated, Choice(new_code=custom))
        handshakes.edit(self._ctx, contract.code, {"note": contract.note}, OWNER, now)

    def _revoke(self) -> None:
        """The vendor takes an item back: the next revision of its license."""
        sold = next(one for one in self._sold.values() if REVOKED_ITEM in {i.item_id for i in one.items})
        self._take(issuing.revoke(sold, [REVOKED_ITEM], self._vendor, VENDOR_NAME), Choice())

    def _take(self, license_file: License, choice: Choice) -> None:
        self._sold[license_file.license_id] = license_file
        data = licensefile.render(license_file).encode("utf-8")
        licenses.import_license(self._ctx, data, choice, OWNER, self._ctx.clock.now())

    def _dated(self, item: Json) -> Json:
        return {**item, **{name: iso(self._begin + item[name] * DAY_SECONDS) for name in ("startsAt", "expiresAt")}}
