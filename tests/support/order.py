"""Which files begin first where processes share them out: a long one that came last would leave the others idle."""

from __future__ import annotations

import pytest

from tests.support.lines import ROOT

LONGEST = (
    "install/test_windows.py",
    "install/test_packages.py",
    "system/test_pair.py",
    "portal/test_shipped_proxy.py",
    "portal/test_proxy.py",
    "client/test_production.py",
    "style/test_style.py",
    "install/test_environment.py",
    "web/test_outside.py",
    "web/test_made_up_requests.py",
    "docs/test_docs.py",
    "portal/test_use.py",
    "portal/test_sessions.py",
    "portal/test_pages.py",
    "portal/test_totals.py",
    "system/test_start.py",
    "system/test_every_command.py",
    "system/test_arguments.py",
    "system/test_bad_places.py",
    "system/test_command_line.py",
    "client/test_browser.py",
    "client/test_conformance.py",
    "service/test_counting_machine.py",
    "web/test_cost.py",
    "web/test_unreadable.py",
    "portal/test_licenses.py",
    "web/test_listen.py",
    "store/test_failure.py",
    "tools/test_mutation.py",
    "portal/test_told.py",
    "system/test_demo.py",
    "service/test_folderstate.py",
    "web/test_unread.py",
    "service/test_hostile_mail.py",
    "docs/test_citations.py",
    "portal/test_alerts.py",
    "service/test_giving_way.py",
    "portal/test_two_at_once.py",
)
"""Below tests/, the longest first, by `--durations=0`; what takes less than five seconds need not be here."""


def longest_first(items: list[pytest.Item]) -> None:
    """Sort in place; tests of a file, and other files, keep the order of the dice."""
    places = {ROOT / "tests" / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))
