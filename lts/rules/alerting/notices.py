"""What an administrator should know: a notice as long as it is so, an alert once as it becomes so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

ERROR, WARNING, HINT = "error", "warning", "hint"
LEVELS = (ERROR, WARNING, HINT)
"""Worst first: something does not work, something will not work soon, something could be better."""


@dataclass(frozen=True)
class Notice:
    """One thing that needs attention; `params` are what the portal's own words for `code` are filled with."""

    code: str
    detail: str
    level: str = WARNING
    params: Mapping[str, str | int] = field(default_factory=dict)


class Alert(msgspec.Struct, frozen=True):
    """One thing that an administrator is alerted of, an event of a message: its kind (lts.rules.alerting.alertwords),
    the level reached, 0 where there are none, and what the words are filled with. Stored in this form."""

    kind: str
    level: int = 0
    params: dict[str, Any] = {}
