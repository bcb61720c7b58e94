"""What an administrator should know (lts.service.core.running)."""

from __future__ import annotations

from lts.rules.alerting.notices import Notice
from lts.service.core.running import Warnings


def test_a_code_has_one_notice_the_newest_behind_all_others() -> None:
    warnings, first, other = Warnings(), Notice("a", "first"), Notice("b", "other")
    assert warnings.put(first) is None
    assert warnings.put(other) is None
    again = Notice("a", "again")
    assert warnings.put(again) is first
    assert warnings.all() == [other, again]
    assert (warnings.find("a"), warnings.find("c")) == (again, None)
    warnings.clear("a")
    warnings.clear("a")
    assert warnings.all() == [other]
