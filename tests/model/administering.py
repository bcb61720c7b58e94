"""Steps of administrators: handshake codes, and seats taken away."""

from __future__ import annotations

from functools import partial
from typing import Any

from lts.service.licensing import handshakes
from lts.service.metering import release
from tests.model.licenses import Code
from tests.model.scene import same, uuid_of
from tests.model.selling import Selling
from tests.model.sequences import Step

CODE_NAMES = ("100", "x", "y", "z", "new", "last", "alike")
ALIKE = {"1": "2-3", "1-2": "3"}
"""What a code called "alike" is called in these organizations: there its whole name is that of the other's."""


def _custom(organization: str, name: int) -> str:
    custom = CODE_NAMES[name]
    return ALIKE.get(organization, custom) if custom == "alike" else custom


class Administering(Selling):
    """Handshake codes are added, changed, renamed and removed."""

    def _changes(self, code: Code, given: Step) -> dict[str, Any]:
        """The administrator's changes as the API wants them; the model's code takes them at once."""
        changes: dict[str, Any] = {}
        held = {key for key, _ in code.items}
        mine = [
            key
            for key, item in self.model.items.items()
            if item.organization == code.organization and (key in held or not item.archived)
        ]
        if "items" in given and mine:
            code.items = list({mine[n % len(mine)]: cap for n, cap in given["items"]}.items())
            changes["items"] = [{"id": self._number(key), "cap": cap} for key, cap in code.items]
        if "manual" in given:
            changes["manualOrder"] = code.manual = given["manual"]
        if "password" in given:
            if code.password != given["password"]:
                code.password_change = self._next_id()
            changes["password"] = code.password = given["password"]
        if "bound" in given:
            code.domains, code.applications, code.processes = map(tuple, given["bound"])
            changes["validation"] = {
                "domains": list(code.domains),
                "applicationIds": list(code.applications),
                "processNames": list(code.processes),
            }
        if given.get("default"):
            changes["isDefault"] = True
            for other in self.model.live_codes():
                if other.organization == code.organization:
                    other.default = False
            code.default = True
        return changes

    def _add_code(self, organization: int, name: int, **given: Any) -> None:
        known = list(dict.fromkeys(sale.organization for sale in self.sales))
        if not known:
            return
        owner = known[organization % len(known)]
        custom = _custom(owner, name)
        taken = any((c.organization, c.custom) == (owner, custom) for c in self.model.live_codes())
        ctx, now = self.server.lab.ctx, self.model.now
        if taken:
            self._refused("code-exists", partial(handshakes.add, ctx, owner, {"custom": custom}, "test", now))
            return
        code = self._new_code(owner, custom)
        changes = self._changes(code, given)
        handshakes.add(ctx, owner, {"custom": custom, **changes}, "test", now)

    def _edit_code(self, code: int, **given: Any) -> None:
        found = self._live_code(code)
        if found is not None:
            changes = self._changes(found, given)
            self._edit(found, changes)

    def _edit(self, code: Code, changes: dict[str, Any]) -> None:
        handshakes.edit(self.server.lab.ctx, code.name, changes, "test", self.model.now, code.organization)

    def _rename_code(self, code: int, name: int) -> None:
        found = self._live_code(code)
        if found is None:
            return
        custom = _custom(found.organization, name)
        others = [c for c in self.model.codes if c is not found and c.organization == found.organization]
        same_name = [c for c in others if c.custom == custom]
        if any(c.removed for c in same_name) and not self.features["numbers"]:
            return
        old = found.name
        ctx, now, owner = self.server.lab.ctx, self.model.now, found.organization
        call = partial(handshakes.edit, ctx, old, {"custom": custom}, "test", now, owner)
        if any(not c.removed for c in same_name):
            self._refused("code-exists", call)
            return
        call()
        if custom == found.custom:
            return  # it goes on having its name
        self.former.append(old)
        found.former.append((found.named, old))
        found.custom, found.named = custom, self._next_turn()

    def _spell_alike(self, organization: str, code: int, name: int, back: int) -> None:
        if back:
            self._step_back(back)
        live = self.model.live_codes()
        mine = [n for n, found in enumerate(live) if found.organization == organization]
        if mine:
            self._rename_code(mine[code % len(mine)], name)
        owner = self.model.owner("1-2-3")
        has = any(found.name == "1-2-3" and found.organization == owner for found in live)
        meant = self.server.lab.ctx.store.catalog.code_meant("1-2-3", None)
        same("whose code 1-2-3 is", owner if has else None, meant.organization_id if meant else None)

    def _remove_code(self, code: int) -> None:
        found = self._live_code(code)
        if found is None:
            return
        siblings = [c for c in self.model.live_codes() if c.organization == found.organization]
        call = partial(handshakes.remove, self.server.lab.ctx, found.name, "test", self.model.now, found.organization)
        if found.default and len(siblings) > 1:
            self._refused("default-code", call)
            return
        call()
        self.former.append(found.name)
        found.removed, found.default = True, False

    def _free_seat(self, device: int, item: int) -> None:
        if not self.model.items:
            return
        found = list(self.model.items.values())[item % len(self.model.items)]
        seat = self.model.held(found, uuid_of(device))
        number, now = self._number(found.key), self.model.now
        call = partial(release.release_seat, self.server.lab.ctx, uuid_of(device), number, "test", now)
        if seat is None:
            self._refused("no-live-seat", call)
            return
        same("end of the seat that was freed", seat.end, call())
        self.model.close(uuid_of(device), found.key, seat.grant)
