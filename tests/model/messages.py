"""What devices ask for, and what they get, in the model's words."""

from __future__ import annotations

from dataclasses import dataclass

from tests.model.licenses import DAY, ItemKey

ORDER_OF_CHECKS = (106, 107, 109, 108, 115, 114, 103, 124, 113, 112, 111, 120)


@dataclass(frozen=True)
class Asked:
    """An authorization as a device asks for it."""

    product: str
    deployment: str
    code: str | None = None
    organization: str | None = None
    password: str | None = None
    version: str | None = None
    edition: str | None = None
    way: str | None = None
    modules: tuple[str, ...] = ()
    instances: int = 1
    domain: str | None = None
    application: str | None = None
    process: str | None = None


@dataclass(frozen=True)
class Grant:
    """One item of a lease; `end` of the lease for this item."""

    item: ItemKey
    modules: tuple[str, ...]
    way: str
    instances: int
    grace: bool
    era: int
    number: int
    end: int


@dataclass(frozen=True)
class Lease:
    """What a device holds."""

    device: str
    code: int
    name: str
    issued: int
    grants: tuple[Grant, ...]
    asked: Asked
    password_change: int
    issuer: str
    doubted: int = 0
    """By how many seconds the clock was ahead of the trusted time."""

    @property
    def end(self) -> int:
        """The first end of its items; by a doubted clock it is sooner, but not within an hour."""
        end = min(grant.end for grant in self.grants)
        return max(end - self.doubted, min(end, self.issued + 3600)) if self.doubted else end

    @property
    def renew_after(self) -> int:
        """When to authorize again."""
        return self.issued + min((self.end - self.issued) // 2, DAY)


class Refused(Exception):
    """The answer is no, with a code of docs/design/authorizing.md, Refusal codes."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Use:
    """One entry of a report."""

    slot: int
    counts: dict[str, int]
    instances: int | None = None


@dataclass(frozen=True)
class Verdict:
    """What the items of a code say to a request: codes by item, and the grants, none when it is refused."""

    codes: dict[ItemKey, int]
    grants: tuple[Grant, ...]

    @property
    def furthest(self) -> int:
        """The refusal: of the item that came furthest in the checks."""
        return max((code for code in self.codes.values() if code), key=ORDER_OF_CHECKS.index)
