"""What `python3 -m bench answers` prepares is what the server reads."""

from __future__ import annotations

from pathlib import Path

from bench import answers
from bench.serve import LABELS, config_for
from lts.rules.values.paging import Page
from lts.server import opened
from lts.service.alerting import outbox
from lts.service.core.clock import Clock


def test_the_messages_that_it_stores_are_shown(tmp_path: Path) -> None:
    answers.prepare(tmp_path, codes=2, items=10)
    with opened(config_for(tmp_path), read_labels=lambda: LABELS, clock=Clock()) as here:
        shown = outbox.history(here.ctx, Page(size=2))
    assert (len(shown.messages), shown.found) == (2, answers.MESSAGES)
    assert [event.kind for event in shown.messages[0].events] == ["test"] * answers.EVENTS
