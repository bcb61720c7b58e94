"""A lab whose counts are looked at."""

from __future__ import annotations

import copy
from typing import Any
from uuid import UUID

from lts.protocol import slot_of
from lts.service.maintenance import verify
from tests.support.kit import NOON, Lab, item

SLOT = slot_of(NOON)


DEVICE = str(UUID(int=77))


class Program:
    """A client that keeps its token as clients do."""

    def __init__(self, server: Lab, device: str, *, chain: str | None = None) -> None:
        self.server = server
        self.device = device
        self.lease, self.token = "", chain

    def authorize(self, **more: Any) -> None:
        done = self.server.authorize(None, self.device, clone_token=self.token, **more)
        self.lease, self.token = done.lease, done.clone_token

    def report(self, count: int, slot: int | None = None, name: str = "QR") -> str:
        answer = self.server.report(self.lease, {name: count}, slot, self.token)
        self.token = answer.clone_token
        return answer.results[0].status

    def copy(self) -> Program:
        """The same state on another machine."""
        return copy.copy(self)


def program(server: Lab) -> Program:
    """A program with a lease, that has returned a token."""
    server.load(item(quota=10**6))
    one = Program(server, DEVICE)
    one.authorize()
    one.report(1, SLOT - 200)
    return one


def verified(server: Lab) -> bool:
    faults = verify.verify(server.ctx.store.path.parent, server.ctx.trust)
    assert faults == []
    return not faults
