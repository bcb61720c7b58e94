"""Which code a name means, and which is an organization's default, as far as some codes changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any

from lts.rules.licensing.catalog import Catalog, Code
from lts.rules.licensing.codenames import Names

Rank = tuple[bool, int, int]
"""The lower one comes first; of codes of one name that is the one that has it for longer."""


def placed(before: Catalog, codes: Mapping[int, Code], names: Names, changed: Collection[int]) -> dict[str, Any]:
    """The fields `codes`, `by_place` and `defaults` of a catalog of these `codes`, of which those of these numbers are
    others than `before`, or new."""
    states = [code for key in changed for code in (before.codes_by_key.get(key), codes[key]) if code is not None]
    called, by_place = dict(before.codes), dict(before.by_place)
    for name in {code.name for code in states}:
        bearers = names.bearers(name)
        first = codes.get(bearers[0]) if bearers else None
        owner = None if first is None else first.organization_id
        present = [
            code for code in map(codes.get, dict.fromkeys(bearers)) if code and code.name == name and not code.removed
        ]
        _put(called, name, min(present, key=lambda c: _rank(names, c, c.organization_id != owner), default=None))
    for place in {(code.organization_id, code.custom) for code in states}:
        bearers = names.bearers("-".join(place))
        own = [
            code
            for code in map(codes.get, dict.fromkeys(bearers))
            if code and _place(code) == place and not code.removed
        ]
        _put(by_place, place, min(own, key=lambda c: _rank(names, c, False), default=None))
    defaults = _defaults(before, codes, names, states)
    return {
        "codes": MappingProxyType(called),
        "by_place": MappingProxyType(by_place),
        "defaults": MappingProxyType(defaults),
    }


def _place(code: Code) -> tuple[str, str]:
    return code.organization_id, code.custom


def _rank(names: Names, code: Code, last: bool) -> Rank:
    return last, names.place(code.key), code.key


def _put(places: dict[Any, Code], key: Any, code: Code | None) -> None:
    if code is None:
        places.pop(key, None)
    else:
        places[key] = code


def _defaults(before: Catalog, codes: Mapping[int, Code], names: Names, states: Collection[Code]) -> dict[str, Code]:
    """By organization: the code that was made its default, else the one that has its name for longest."""
    found = dict(before.defaults)
    touched: defaultdict[str, dict[int, Code]] = defaultdict(dict)
    for code in states:
        touched[code.organization_id][code.key] = codes[code.key]
    chosen: dict[str, list[Code]] = {}
    for organization, own in touched.items():
        before_it = found.get(organization)
        default = before_it and codes[before_it.key]
        stays = default and default.organization_id == organization and not default.removed
        if default and stays and (default.is_default or default.key not in own):
            chosen[organization] = [default, *own.values()]
        else:
            chosen[organization] = []
    if not all(chosen.values()):
        for code in codes.values():
            if code.organization_id in chosen:
                chosen[code.organization_id].append(code)
    for organization, candidates in chosen.items():
        present = [c for c in candidates if not c.removed and c.organization_id == organization]
        _put(found, organization, min(present, key=lambda c: _rank(names, c, not c.is_default), default=None))
    return found
