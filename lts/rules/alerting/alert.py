"""What an administrator is alerted of, once; a notice (lts.rules.alerting.notices) is shown for as long as it is so."""

from __future__ import annotations

from typing import Any

import msgspec


class Alert(msgspec.Struct, frozen=True):
    """One thing that an administrator is alerted of, an event of a message: its kind (lts.rules.alerting.alertwords),
    the level reached, 0 where there are none, and what the words are filled with. Stored in this form."""

    kind: str
    level: int = 0
    params: dict[str, Any] = {}
