"""Two who edit the same thing at once: a change says what its maker had read of the fields it changes, and is refused
if another changed them meanwhile (docs/design/administering.md, Two at once)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lts.errors import AdminError

WAS = "was"
"""Field of a change: what its maker had read, by the names of fields."""


def check(was: Any, present: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Refuse a change to `new` by somebody who had read `was` (None: did not say) if a field is now different in
    `present`, unless it already has the new value. Raises AdminError, 409 `changed-meanwhile`, naming the field."""
    if was is None:
        return
    if not isinstance(was, dict):
        raise AdminError("bad-field", "was holds the fields that are changed, as they were read.", field=WAS)
    for name, value in was.items():
        if name not in present:
            raise AdminError("unknown-field", f"Unknown field {name!r} in was.", field=WAS)
        if present[name] not in (value, new.get(name, value)):
            raise AdminError(
                "changed-meanwhile",
                f"Somebody else has changed {name} meanwhile, so nothing is saved. Read it again, then change it.",
                status=409,
                field=name,
            )
