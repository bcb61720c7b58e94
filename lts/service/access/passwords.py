"""Hashes of passwords: Argon2id, one at a time (docs/decisions/0016-budget.md).

Nothing is computed, and no library loaded, before the first password is used. lts/rules/accounts.py decides which
passwords are good enough.
"""

from __future__ import annotations

import threading
from functools import lru_cache
from typing import TYPE_CHECKING

from lts.rules.accounts import normal_password

if TYPE_CHECKING:
    from argon2 import PasswordHasher

MEMORY_KIB, PASSES, LANES = 12 << 10, 12, 1
"""OWASP's password storage cheat sheet asks for 3 passes at least over 12 MiB."""
NOBODY = "$argon2id$v=19$m=12288,t=12,p=1$RIDzsnScNTO7VexTocpdBA$itMit4ZlszQSF9xRcE+CZZtY/yC3FZxP0vlpSBpB/NU"
"""Hash of a password that nobody knows, with the parameters above: compared if there is no such user, so that the
time taken reveals nothing."""
_one_at_once = threading.Lock()
"""A flood of sign-ins must neither fill memory nor processor."""


@lru_cache(maxsize=1)
def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher

    return PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)


def hashed(password: str) -> str:
    """Argon2id hash of a password that has been checked."""
    with _one_at_once:
        return _hasher().hash(normal_password(password))


def matches(stored: str | None, password: str) -> bool:
    """Whether a hash is that of a password; for None (no such user) False, after the same time."""
    from argon2.exceptions import InvalidHashError, VerificationError

    with _one_at_once:
        try:
            _hasher().verify(NOBODY if stored is None else stored, normal_password(password))
        except (VerificationError, InvalidHashError):
            return False
    return stored is not None


def is_dated(stored: str) -> bool:
    """Whether a hash was made with other parameters than a new one would be."""
    return _hasher().check_needs_rehash(stored)
