"""What administrators should know about the names of handshake codes (docs/design/administering.md, Handshake
codes)."""

from __future__ import annotations

from lts.rules.alerting.notices import WARNING, Notice
from lts.rules.licensing.catalog import Catalog, Code


def spelled_alike(catalog: Catalog, organization_id: str, custom: str) -> tuple[Notice, ...]:
    """What to know of a name that a code is about to get, where another organization's code had it first."""
    name = f"{organization_id}-{custom}"
    owner = catalog.owner(name)
    if owner in (None, organization_id):
        return ()
    sentence = (
        f"A handshake code of organization {owner} is, or was, spelled {name} too. Requests by that name alone mean"
        " that one; for the new one they name their organization as well, as its license key does."
    )
    return (Notice("code-spelled-alike", sentence, WARNING, {"name": name, "organization": str(owner)}),)


def named_twice(catalog: Catalog) -> list[Notice]:
    """Codes of one organization that have the same name, since each server of a pair gave it to a different code."""
    found: dict[tuple[str, str], list[Code]] = {}
    for code in catalog.present:
        found.setdefault((code.organization_id, code.name), []).append(code)
    return [_named_twice(catalog, alike) for alike in found.values() if len(alike) > 1]


def _named_twice(catalog: Catalog, alike: list[Code]) -> Notice:
    name = alike[0].name
    meant = catalog.code_called(name, alike[0].organization_id)
    numbers = " and ".join(f"#{number}" for number in sorted(code.key for code in alike))
    params = {"name": name, "codes": numbers, "meant": f"#{meant.key}" if meant else ""}
    sentence = (
        f"The handshake codes {numbers} are both called {name}, since both servers of the pair gave that name. Requests"
        f" by it go to {params['meant']}; give the other one another name."
    )
    return Notice("code-named-twice", sentence, WARNING, params)
