"""What a server may not have yet, as switches: so the model runs against a server before and after it learns them."""

from __future__ import annotations

TODAY: dict[str, bool] = {
    "numbers": True,
    "one judge": True,
    "caps beyond": True,
    "archive": True,
    "fresh grants": True,
}
"""What the server of this checkout does.

- numbers: leases know their code by number; a name made again is a new code; names live within an organization.
- one judge: a report renews what an authorization with the same request would grant.
- caps beyond: a cap counts what a device asks beyond the instances it holds.
- archive: a license can go, and come back by its file.
- fresh grants: an item whose charge way changes begins with grants of its own.
"""
WANTED: dict[str, bool] = dict.fromkeys(TODAY, True)
