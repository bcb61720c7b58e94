"""Two who edit the same at once (docs/design/administering.md, Two at once)."""

from __future__ import annotations

from typing import Any

import pytest

from lts.errors import AdminError
from lts.rules.values.meanwhile import check

PRESENT = {"note": "now", "order": [1, 2]}


@pytest.mark.parametrize(
    ("was", "new"),
    [
        (None, {"note": "mine"}),
        ({}, {"note": "mine"}),
        ({"note": "now"}, {"note": "mine"}),
        ({"note": "before"}, {"note": "now"}),
        ({"note": "now", "order": [1, 2]}, {}),
    ],
)
def test_a_change_passes_where_nobody_made_it_otherwise(was: Any, new: dict[str, Any]) -> None:
    check(was, PRESENT, new)


@pytest.mark.parametrize(
    ("was", "new", "told"),
    [
        ({"note": "before"}, {"note": "mine"}, ("changed-meanwhile", 409, "note")),
        ({"note": "before"}, {}, ("changed-meanwhile", 409, "note")),
        ({"note": "now", "order": [2, 1]}, {"note": "mine"}, ("changed-meanwhile", 409, "order")),
        ({"other": 1}, {"note": "mine"}, ("unknown-field", 400, "was")),
        ([], {"note": "mine"}, ("bad-field", 400, "was")),
    ],
)
def test_a_change_of_what_another_changed_is_refused(was: Any, new: dict[str, Any], told: tuple[str, int, str]) -> None:
    with pytest.raises(AdminError) as caught:
        check(was, PRESENT, new)
    assert (caught.value.code, caught.value.status, caught.value.field) == told
