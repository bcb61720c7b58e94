"""Vendor keys that this server, or one that it followed, has learnt to trust."""

from __future__ import annotations

import apsw

from lts.store import sql
from lts.store.changes.records import TrustChange
from lts.store.writing.transaction import Transaction


def trust(tx: Transaction, record: TrustChange) -> None:
    """Apply a TRUST change."""
    tx.execute("INSERT OR REPLACE INTO trusted VALUES (?, ?)", (record.kid, record.pub))
    tx.forget_catalog()


def trusted(db: apsw.Connection) -> dict[str, str]:
    """Text of the vendor keys learnt, by key id."""
    return dict(sql.rows(db, "SELECT kid, pub FROM trusted"))
