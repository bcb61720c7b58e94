"""Claims of a token by their names and types, as lts.protocol reads and writes those of a lease."""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from typing import Any


class Kinds:
    """Names of claims in the order of the fields that they fill, and the type of each."""

    def __init__(self, **kinds: type) -> None:
        self.names, self.types = tuple(kinds), [*kinds.values()]
        self.values_in: Callable[[Any], tuple[Any, ...]] = itemgetter(*kinds)


def sent_claims(claims: dict[str, Any]) -> dict[str, Any]:
    """Those that are not None."""
    return {name: value for name, value in claims.items() if value is not None}


def read_claims(claims: Any, kinds: Kinds) -> list[Any]:
    """The claims of these names. Raises KeyError, TypeError."""
    values = [*kinds.values_in(claims)]
    if [*map(type, values)] != kinds.types:
        raise TypeError(_wrong(kinds, values))
    return values


def read_some_claims(claims: dict[str, Any], kinds: Kinds) -> list[Any]:
    """The claims of these names, None for one that is not there. Raises TypeError."""
    values = [*map(claims.get, kinds.names)]
    if [*map(type, values)] != kinds.types and (name := _wrong(kinds, values, optional=True)) is not None:
        raise TypeError(name)
    return values


def _wrong(kinds: Kinds, values: list[Any], *, optional: bool = False) -> str | None:
    """The first of some claims that is of the wrong type."""
    for name, kind, value in zip(kinds.names, kinds.types, values, strict=True):
        if type(value) is not kind and not (optional and value is None):
            return name
    return None
