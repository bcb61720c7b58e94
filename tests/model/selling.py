"""Steps of vendors: license files, issued and imported."""

from __future__ import annotations

import importlib
from functools import partial
from typing import Any

from lts.errors import LicenseFileError
from lts.protocol import iso
from lts.rules.licensing import licensefile
from lts.rules.licensing.licensefile import License
from lts.service.licensing import licenses
from lts.service.licensing.licenses import Choice
from lts.vendor import issuing
from tests.model.licenses import CONCURRENT_WAYS, FOREVER, Code, Item, ItemKey, read_item
from tests.model.scene import VENDORS, Sale, Scene, same
from tests.model.sequences import Step
from tests.model.server import vendors

Words = tuple[dict[str, Any], dict[str, int]]
"""(an item's spec, its `startsAt` and `expiresAt` in UTC seconds)."""


class Selling(Scene):
    """Licenses come, change and go."""

    def _license(self, vendor: int, organization: str, license: str, items: list[Step]) -> None:
        if any((sale.organization, sale.license_id) == (organization, license) for sale in self.sales):
            return
        maker = vendors()[vendor]
        words = {words["itemId"]: self._words(words) for words in items}
        spec = {"licenseId": license, "organizationId": organization, "items": [w for w, _ in words.values()]}
        new = maker.activate(issuing.issue(spec, maker.key, maker.name, self.model.now), self.server.lab.ctx)
        sale = Sale(vendor, organization, license, new, {})
        self.sales.append(sale)
        self._import(sale, new, words)

    def _words(self, words: Step) -> Words:
        """(an item's spec, its `startsAt` and `expiresAt` in UTC seconds) of a step's words."""
        spec = {name: value for name, value in words.items() if name not in ("starts_in", "ends_in")}
        times: dict[str, int] = {}
        if "starts_in" in words:
            times["startsAt"] = self.model.now + words["starts_in"]
        if "ends_in" in words:
            times["expiresAt"] = FOREVER if words["ends_in"] is None else self.model.now + words["ends_in"]
        if times.get("expiresAt", FOREVER) <= times.get("startsAt", 0):
            times["expiresAt"] = times["startsAt"] + 1
        return spec | {name: None if at == FOREVER else iso(at) for name, at in times.items()}, times

    def _import(self, sale: Sale, new: License, words: dict[str, Words]) -> None:
        """Take a file in on both: `words` are those of all items it holds, with their times."""
        data = licensefile.render(new).encode()
        call = partial(licenses.import_license, self.server.lab.ctx, data, Choice(), "test", self.model.now)
        sale.file = new
        sale.words |= {item_id: {"spec": spec, "times": times} for item_id, (spec, times) in words.items()}
        bound = tuple(server.uuid for server in new.servers)
        if not self.model.is_one_of_its_own(bound):
            self._refused("other-server", call)
            return
        done = call()
        self.model.revisions[sale.organization, sale.license_id] = new.revision
        fresh = []
        for item_id in (item.item_id for item in new.items):
            spec, times = sale.words[item_id]["spec"], sale.words[item_id]["times"]
            key = (VENDORS[sale.vendor], sale.license_id, item_id)
            before = self.model.items.get(key)
            if before is None and item_id not in sale.gone:
                fresh.append(key)
            item = read_item(key, sale.organization, self._number(key), spec, times)
            item.revoked = item_id in sale.gone
            if before is not None:
                item.era = before.era + (self.features["fresh grants"] and item.way != before.way)
            self.model.items[key] = item
        for item in self._items_of(sale):
            item.bound = bound
            item.revoked |= item.key[2] in sale.gone
        self._hide(sale, archived=False)
        if fresh:
            self._place(sale, fresh, done.handshake_code)

    def _place(self, sale: Sale, fresh: list[ItemKey], told: str | None) -> None:
        """New items go to the license's code (docs/design/license-files.md, Import)."""
        code = self._code_for(sale, told)
        code.items += [(key, None) for key in fresh]
        self.model.places[sale.organization, sale.license_id] = code.number
        same("code of the new items", code.name, told)

    def _code_for(self, sale: Sale, told: str | None) -> Code:
        mine = [code for code in self.model.live_codes() if code.organization == sale.organization]
        custom = sale.license_id
        if self.features["numbers"]:
            made = self.model.places.get((sale.organization, sale.license_id))
            for code in mine:
                if code.number == made:
                    return code
            if any(code.custom == custom for code in mine) and told is not None:
                custom = told[len(sale.organization) + 1 :]
                same("a free name for the new items", False, any(code.custom == custom for code in mine))
        else:
            for code in mine:
                if code.custom == custom:
                    return code
        return self._new_code(sale.organization, custom)

    def _sale_and_item(self, license: int, item: int) -> tuple[Sale, str] | None:
        if not self.sales:
            return None
        sale = self.sales[license % len(self.sales)]
        ids = [item_id for item_id in sale.words if item_id not in sale.gone]
        return (sale, ids[item % len(ids)]) if ids else None

    def _all_words(self, sale: Sale) -> dict[str, Words]:
        return {i: (w["spec"], w["times"]) for i, w in sale.words.items() if i not in sale.gone}

    def _amend(
        self, license: int, item: int, change: Step, add: Step | None = None, remove: bool = False, way: str = ""
    ) -> None:
        found = self._sale_and_item(license, item)
        if found is None:
            return
        sale, item_id = found
        words = self._all_words(sale)
        spec, times = words[item_id]
        changed, moved = self._words(change)
        if way and self.features["fresh grants"]:
            changed["chargeWay"] = way
        if spec["chargeWay"] not in CONCURRENT_WAYS:
            changed.pop("overdraft", None)
        if spec["chargeWay"] == "domain":
            changed.pop("quota", None)
        if {**times, **moved}["expiresAt"] <= times["startsAt"]:
            changed.pop("expiresAt")
            moved.pop("expiresAt")
        request: dict[str, Any] = {"items": [{"itemId": item_id, **changed}]}
        words[item_id] = ({**spec, **changed}, {**times, **moved})
        gone = {item_id} if remove and len(words) > 1 else set()
        if gone:
            request = {"items": [], "remove": [item_id]}
            del words[item_id]
        if add is not None and add["itemId"] not in sale.words:
            words[add["itemId"]] = self._words(add)
            request["items"].append(words[add["itemId"]][0])
        maker = vendors()[sale.vendor]
        try:
            new = issuing.amend(sale.file, request, maker.key, maker.name)
        except LicenseFileError as error:
            if way or error.code == "no-change":
                return  # not every item can be charged in every way, and what is the same is no revision
            raise
        sale.gone |= gone
        self._import(sale, new, words)

    def _revoke(self, license: int, item: int) -> None:
        found = self._sale_and_item(license, item)
        if found is None:
            return
        sale, item_id = found
        sale.gone.add(item_id)
        maker = vendors()[sale.vendor]
        self._import(sale, issuing.revoke(sale.file, [item_id], maker.key, maker.name), {})

    def _same_file(self, license: int) -> None:
        if self.sales:
            sale = self.sales[license % len(self.sales)]
            is_held = self.model.revisions[sale.organization, sale.license_id] == sale.file.revision
            if not is_held or not self.model.is_one_of_its_own(tuple(server.uuid for server in sale.file.servers)):
                self._import(sale, sale.file, {})
                return
            data = licensefile.render(sale.file).encode()
            done = licenses.import_license(self.server.lab.ctx, data, Choice(), "test", self.model.now)
            hidden = any(item.archived for item in self._items_of(sale))
            same("the same file again", "taken-back" if hidden else "already-imported", done.status)
            self._hide(sale, archived=False)

    def _archive(self, license: int) -> None:
        if not self.sales:
            return
        archiving = importlib.import_module("lts.service.licensing.archiving")  # not there before a server can archive
        sale = self.sales[license % len(self.sales)]
        call = partial(
            archiving.archive, self.server.lab.ctx, sale.license_id, sale.organization, "test", self.model.now
        )
        if any(item.archived for item in self._items_of(sale)):
            self._refused("archived-before", call)
            return
        call()
        self._hide(sale, archived=True)
        for item in self._items_of(sale):
            item.era += 1

    def _items_of(self, sale: Sale) -> list[Item]:
        return [item for key, item in self.model.items.items() if key[:2] == (VENDORS[sale.vendor], sale.license_id)]

    def _hide(self, sale: Sale, *, archived: bool) -> None:
        for item in self._items_of(sale):
            item.archived = archived
