"""The audit log: who did what when, searched and exported (docs/design/administering.md, Audit log)."""

from __future__ import annotations

from typing import Any

from lts.protocol import iso
from lts.rules.paging import Page
from lts.service.core.context import Context
from lts.store import audit
from lts.store.audit import AuditFilter, Line

Json = dict[str, Any]
SHOWN = 50
MOST_EXPORTED = 100_000


def search(ctx: Context, page: Page, actions: tuple[str, ...], since: int, until: int) -> Json:
    """A page of lines, newest first, over times [since, until) in UTC seconds."""
    wanted = AuditFilter(page.text, actions, since, until)
    with ctx.store.reader() as db:
        lines = audit.lines(db, wanted, page.offset, page.size or SHOWN)
        return {
            "lines": [{**vars(line), "time": iso(line.time)} for line in lines],
            "found": audit.count(db, wanted),
            "actions": audit.actions(db),
        }


def export(ctx: Context, text: str, actions: tuple[str, ...], since: int, until: int) -> list[Line]:
    """All lines found, up to MOST_EXPORTED, newest first."""
    with ctx.store.reader() as db:
        return audit.lines(db, AuditFilter(text, actions, since, until), 0, MOST_EXPORTED)
