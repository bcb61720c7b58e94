"""What a sequence plays on: the server, the model, and what the players hold. Time passes for both."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from lts.errors import AdminError, LicenseFileError
from lts.rules.licensing.licensefile import License
from lts.service.pair import delegated
from lts.store import sql
from tests.model.clones import Token
from tests.model.facts import SLOT
from tests.model.licenses import DAY, Code, ItemKey
from tests.model.messages import Lease
from tests.model.product import Product
from tests.model.server import BEGIN, Server, vendors
from tests.model.watch import Watch

VENDORS = ("First", "Second")


class Differs(AssertionError):
    """Server and model do not say the same."""


def same(what: str, model: Any, server: Any) -> None:
    """Raises Differs."""
    if model != server:
        raise Differs(f"{what}: by the model {model!r}, by the server {server!r}")


@dataclass
class Held:
    """A lease in the hands of a device: its text, and what the model knows of it."""

    text: str
    lease: Lease


@dataclass
class Sale:
    """One license: its newest file, and where its items first went."""

    vendor: int
    organization: str
    license_id: str
    file: License
    words: dict[str, dict[str, Any]]
    gone: set[str] = field(default_factory=set)


def uuid_of(device: int) -> str:
    """A device's UUID."""
    return str(UUID(int=device + 1))


class Scene:
    """One sequence under way on both; `world` is one that was shut, to go on from."""

    def __init__(self, features: dict[str, bool], world: Scene | None = None) -> None:
        self.features = features
        self.server: Server = Server(world.server.folder if world else None)
        self.model: Product = (
            copy.deepcopy(world.model) if world else Product(features, BEGIN, self._started(), BEGIN, BEGIN)
        )
        self.sales: list[Sale] = copy.deepcopy(world.sales) if world else []
        self.leases: list[Held] = []
        self.tokens: dict[tuple[int, str], tuple[str, Token]] = {}
        self.old_tokens: dict[int, list[tuple[str, Token]]] = {}
        self.numbers: dict[ItemKey, int] = {}
        self.code_keys: dict[int, int] = dict(world.code_keys) if world else {}
        """The server's number of each code of the model."""
        self._ids = itertools.count(10**6 if world else 1)
        self.former: list[str] = []
        self.met = 0
        self.model.watch = self._started()
        self.began = 0
        self.turn = 0

        self.model.me = self.server.lab.ctx.identity.uuid

    def close(self) -> None:
        """The end."""
        self.server.close()

    def _pass(self, seconds: int) -> None:
        self.server.time.forward(seconds)
        self._look()

    def _started(self) -> Watch:
        """The clock of a server that started."""
        return Watch.started(*self.server.opened)

    def _look(self) -> None:
        self.server.lab.ctx.clock.look()
        delegated.look(self.server.lab.ctx)  # as a job does every few seconds
        self._see()

    def _see(self) -> None:
        """The model's clock is that of now."""
        time, watch = self.server.time, self.model.watch
        watch.look(time.now, time.elapsed)
        self.model.now, self.model.trusted = watch.time(time.now), watch.trusted(time.now)
        self.model.known = watch.known
        same("the time", self.model.now, self.server.lab.ctx.clock.now())

    def _pass_to_an_edge(self, edge: int, off: int) -> None:
        model = self.model
        ends = {(model.now // SLOT + 1) * SLOT, (model.now // DAY + 1) * DAY}
        for item in model.items.values():
            ends |= {item.starts, item.expires, item.expires + item.grace_days * DAY}
            ends |= {seat.end for _, seat in model.facts.live(item, model.now)}
        ends |= {held.lease.end for held in self.leases[-8:]}
        ahead = sorted(end for end in ends if model.now < end < model.now + 400 * DAY)
        self._pass(max(0, ahead[edge % len(ahead)] + off - model.now))

    def _step_back(self, seconds: int, times: int = 1) -> None:
        """Once, or again as soon as the clock is where it was, each time."""
        if self.model.watch.doubted is not None:
            return
        for _ in range(times):
            self._pass(seconds if times > 1 else 0)
            self.server.time.wall -= seconds
            self._look()

    def _restart(self, down: int = 0) -> None:
        self.server.restart(down)
        self._reopened()

    def _reopened(self) -> None:
        """The server is open again over what the model holds."""
        before, self.model.watch = self.model.watch, self._started()
        highest, least, *_ = self.server.opened
        if max(abs(highest - before.highest), abs(least + 7_200 - before.known)) > 60:
            raise Differs(f"{before} was kept as {self.server.opened}")
        self.began = len(self.model.facts.answers)
        self._look()

    # what several kinds of steps need

    def _number(self, key: ItemKey) -> int:
        """The server's number of an item."""
        if key not in self.numbers:
            catalog = self.server.lab.ctx.store.catalog
            vendor = vendors()[VENDORS.index(key[0])].key.kid
            for number, entry in catalog.items.items():
                if (entry.vendor, entry.license_id, entry.terms.item_id) == (vendor, *key[1:]):
                    self.numbers[key] = number
        return self.numbers[key]

    def _next_id(self) -> int:
        """A number that nothing had before."""
        return next(self._ids)

    def _learn_codes(self) -> None:
        """Codes that were made get the server's numbers."""
        made = [code for code in self.model.live_codes() if code.number not in self.code_keys]
        for code in made:
            known = self.server.lab.ctx.store.catalog.by_place.get((code.organization, code.custom))
            same(f"code {code.name}", True, known is not None)
            assert known is not None
            self.code_keys[code.number] = known.key

    def _learn_ages(self) -> None:
        """Of devices that came in the same second the server goes by their numbers, which no rule tells."""
        if len(self.model.facts.devices) == self.met:
            return
        with self.server.lab.ctx.store.reader() as db:
            ages = {str(UUID(bytes=bytes(uuid))): key for key, uuid in sql.rows(db, "SELECT id, uuid FROM devices")}
        same("devices", set(self.model.facts.devices), set(ages))
        self.model.facts.devices.sort(key=ages.__getitem__)
        self.met = len(ages)

    def _next_turn(self) -> int:
        return max((code.named for code in self.model.codes), default=0) + 1

    def _live_code(self, number: int) -> Code | None:
        codes = self.model.live_codes()
        return codes[number % len(codes)] if codes else None

    def _new_code(self, organization: str, custom: str) -> Code:
        """A code made by an import or an administrator: the first of an organization is its default."""
        first = not any(code.organization == organization for code in self.model.live_codes())
        gone = [
            code
            for code in self.model.codes
            if (code.organization, code.custom, code.removed) == (organization, custom, True)
        ]
        if gone and not self.features["numbers"]:
            self.model.codes.remove(gone[0])
        number = gone[0].number if gone and not self.features["numbers"] else self._next_id()
        code = Code(number, organization, custom, first, named=self._next_turn())
        self.model.codes.append(code)
        return code

    def _refused(self, reason: str, call: Callable[[], Any]) -> None:
        try:
            call()
        except (AdminError, LicenseFileError) as error:
            same("the administrator's refusal", reason, error.code)
            return
        raise Differs(f"the administrator's refusal: by the model {reason}, by the server none")
