"""The audit log: who did what when, searched and exported (docs/design/administering.md, Audit log)."""

from __future__ import annotations

from typing import Any

from lts.protocol import iso
from lts.rules.values.paging import Page
from lts.rules.values.readmodel import ReadModel
from lts.service.core.context import Context
from lts.store.tables import audit
from lts.store.tables.audit import AuditFilter, Line

SHOWN = 50
MOST_EXPORTED = 100_000


class AuditLine(ReadModel, frozen=True):
    """A line of the audit log (lts.store.tables.audit.Line), its time as RFC 3339."""

    time: str
    server: str
    actor: str
    action: str
    subject: str
    detail: dict[str, Any]
    overruled: bool


class AuditPage(ReadModel, frozen=True):
    """A page of the audit log, newest first; `found` counts those of all pages, `actions` are all there are."""

    lines: list[AuditLine]
    found: int
    actions: list[str]


def search(ctx: Context, page: Page, actions: tuple[str, ...], since: int, until: int) -> AuditPage:
    """A page of lines, newest first, over times [since, until) in UTC seconds."""
    wanted = AuditFilter(page.text, actions, since, until)
    with ctx.store.reader() as db:
        lines = audit.lines(db, wanted, page.offset, page.size or SHOWN)
        shown = [
            AuditLine(iso(one.time), one.server, one.actor, one.action, one.subject, one.detail, one.overruled)
            for one in lines
        ]
        return AuditPage(shown, audit.count(db, wanted), audit.actions(db))


def export(ctx: Context, text: str, actions: tuple[str, ...], since: int, until: int) -> list[Line]:
    """All lines found, up to MOST_EXPORTED, newest first."""
    with ctx.store.reader() as db:
        return audit.lines(db, AuditFilter(text, actions, since, until), 0, MOST_EXPORTED)
