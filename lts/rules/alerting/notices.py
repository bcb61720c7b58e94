"""What an administrator should know: a code and figures for the portal, a sentence for everything else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

ERROR, WARNING, HINT = "error", "warning", "hint"
LEVELS = (ERROR, WARNING, HINT)
"""Worst first: something does not work, something will not work soon, something could be better."""


@dataclass(frozen=True)
class Notice:
    """One thing that needs attention; `params` fill the portal's own text for `code`."""

    code: str
    detail: str
    level: str = WARNING
    params: Mapping[str, str | int] = field(default_factory=dict)
