"""The change feed decides who had a name first, whatever its clock said (lts.rules.licensing.codenames)."""

from __future__ import annotations

from lts.rules.licensing.codenames import Names, Naming, learn

A, B = 1, 2
NAME, OTHER = "1-2-3", "1-other"


def names(*rows: tuple[str, int, int, str, int]) -> Names:
    """From (name, code, since, origin, serial), in the order of the feed."""
    return learn(Naming(*row, place) for place, row in enumerate(rows))


def test_of_two_that_have_a_name_the_one_that_got_it_first_has_the_lower_place() -> None:
    known = names((NAME, A, 500, "one", 1), (NAME, B, 100, "one", 2))
    assert known.place(A) < known.place(B)
    assert (known.had[A][-1].since, known.had[B][-1].since, known.place(7)) == (500, 100, -1)


def test_a_code_that_gets_a_name_of_its_own_back_stands_behind_who_had_it_meanwhile() -> None:
    rows = [(NAME, A, 10, "one", 1), (OTHER, A, 20, "one", 2), (NAME, B, 30, "one", 3), (NAME, A, 40, "one", 4)]
    known = names(*rows, (NAME, A, 50, "one", 5))
    assert known.place(B) < known.place(A)
    assert known.had[A][-1].since == 40, "an edit that leaves the name is no naming"
    assert known.bore(A, OTHER)
    assert not known.bore(B, OTHER)
    assert known.bearers(NAME) == (A, B, A)
    assert [(given.name, given.since) for given in known.had[A]] == [(NAME, 10), (OTHER, 20), (NAME, 40)]


def test_a_lease_belongs_to_who_had_the_name_by_its_serial_not_by_a_clock_that_was_set_back() -> None:
    known = names((NAME, A, 1000, "one", 1), (NAME, B, 500, "one", 5))
    assert known.bearer(NAME, "one", 3, 1200) == A
    assert known.bearer(NAME, "one", 5, 600) == B
    assert known.bearer(NAME, "one", 0, 400) == A, "who had it first, when none had it by then"
    assert known.bearer("never", "one", 9, 9999) == 0
    assert (known.bearers(NAME), known.bearers("never")) == ((A, B), ())


def test_changes_of_the_other_server_go_by_time() -> None:
    known = names((NAME, A, 1000, "one", 1), (NAME, B, 2000, "two", 1))
    assert known.bearer(NAME, "one", 10, 1500) == A
    assert known.bearer(NAME, "one", 10, 2500) == B
    assert known.bearer(NAME, "two", 1, 1) == B
