"""The newest changes in memory say the same as the database would, or nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lts.store.changes.feed import ChangeRow
from lts.store.changes.recent import KEPT, KEPT_BYTES, Recent


def row(origin: int, serial: int, payload: bytes = b"") -> ChangeRow:
    return origin, serial, 0, 1, payload, b""


@given(
    before=st.dictionaries(st.integers(1, 3), st.integers(0, 5)),
    writers=st.lists(st.integers(1, 3), max_size=30),
    behind=st.dictionaries(st.integers(1, 3), st.integers(0, 40)),
)
def test_everything_beyond_a_vector_in_order(
    before: dict[int, int], writers: list[int], behind: dict[int, int]
) -> None:
    recent = Recent()
    recent.listen(before)
    serials, rows = dict(before), []
    for origin in writers:
        serials[origin] = serials.get(origin, 0) + 1
        rows.append(row(origin, serials[origin]))
        recent.add(rows[-1:])
    found = recent.since(behind, 1000, 0)
    if all(behind.get(origin, 0) >= serial for origin, serial in before.items()):
        assert found == [one for one in rows if one[1] > behind.get(one[0], 0)]
    else:
        assert found is None


def test_more_than_asked_for_is_left_to_the_database() -> None:
    recent = Recent()
    recent.listen({1: 0})
    recent.add([row(1, n) for n in range(1, 11)])
    assert recent.since({1: 5}, 4, 0) is None
    assert [one[1] for one in recent.since({1: 5}, 5, 0) or []] == [6, 7, 8, 9, 10]


def test_what_fell_out_of_memory_is_left_to_the_database() -> None:
    recent = Recent()
    recent.listen({1: 0})
    recent.add([row(1, n) for n in range(1, KEPT + 100)])
    assert recent.since({1: 50}, 10**6, 0) is None
    assert recent.since({1: KEPT}, 10**6, 0) is not None


def test_more_bytes_than_asked_for_are_left_to_the_database() -> None:
    recent = Recent()
    recent.listen({1: 0})
    recent.add([row(1, n, bytes(100)) for n in range(1, 11)])
    assert recent.since({1: 7}, 9, 299) is None
    assert [one[1] for one in recent.since({1: 7}, 9, 300) or []] == [8, 9, 10]


def test_large_changes_are_kept_up_to_so_many_bytes() -> None:
    recent, payload, fit = Recent(), bytes(1 << 20), KEPT_BYTES >> 20
    recent.listen({1: 0})
    for number in range(1, fit + 9):
        recent.add([row(1, number, payload)])
    assert recent.since({1: 7}, 10**6, 10**9) is None
    assert len(recent.since({1: 8}, 10**6, 10**9) or []) == fit
    recent.add([row(1, fit + 9, bytes(KEPT_BYTES + 1))])
    assert recent.since({1: fit + 8}, 10**6, 10**9) is None, "one alone may be too large"
    recent.add([row(1, fit + 10)])
    assert recent.since({1: fit + 9}, 1, 0) == [row(1, fit + 10)]
