"""How long a browser's session in the portal lasts (docs/design/administering.md, Accounts)."""

from __future__ import annotations

from lts.protocol import DAY_SECONDS

IDLE_SECONDS = 12 * 3600
"""Seconds without use after which a session ends."""
LONGEST_SECONDS = 30 * DAY_SECONDS
SEEN_SECONDS = 60
"""How old "last used" of a session or token may be before it is written again."""


def session_ended(begun: int, seen: int, now: int) -> bool:
    """Whether a session begun and last used then has run out (UTC seconds)."""
    return now - seen > IDLE_SECONDS or now - begun > LONGEST_SECONDS
