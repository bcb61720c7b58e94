"""A sample of changes, tried by several workers at once, each in a copy of the project."""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from lts.bootstrap import say
from tools.mutation import reach
from tools.mutation.candidates import Mutant
from tools.mutation.reach import Reach, Unmeasured
from tools.mutation.trial import LASTING, NO_TESTS, PASSED, Copy

CLEAN_TIMES = 4
"""A mutant gets this many times what its tests took, and some seconds more."""
NOTICED, TOO_LONG, SURVIVED, NOT_REACHED = "noticed", "ran too long", "survived", "not reached"
"""What becomes of a mutant; one that runs too long is noticed."""


@dataclass(frozen=True)
class Verdict:
    """The verdict about a mutant after `tests` tests."""

    mutant: Mutant
    outcome: str
    tests: int

    @property
    def survived(self) -> bool:
        """Whether no test noticed it."""
        return self.outcome in (SURVIVED, NOT_REACHED)


@dataclass(frozen=True)
class Plan:
    """How to try: what counts as a line, which tests may be asked, how many workers, seconds beyond what tests take."""

    sources: list[str]
    tests: list[str]
    options: list[str]
    workers: int
    seconds: float


def try_all(root: Path, python: Path, mutants: list[Mutant], plan: Plan, tell: Callable[[Verdict], None]) -> None:
    """Try every mutant and report each verdict as it comes; the copies are removed afterwards in any case.

    Raises Unmeasured, OSError, and SyntaxError for a change that is no Python.
    """
    with contextlib.ExitStack() as open_ones:
        copies: queue.SimpleQueue[Copy] = queue.SimpleQueue()
        first = open_ones.enter_context(contextlib.closing(Copy(root, python)))
        copies.put(first)
        reached = _reached(root, first, plan)
        chosen = {mutant: reached.tests(mutant) for mutant in mutants}
        _check_clean(first, [tests[0] for tests in chosen.values() if tests], plan)
        for _ in range(plan.workers - 1):
            copies.put(open_ones.enter_context(contextlib.closing(Copy(first.root, python))))

        def one(mutant: Mutant) -> Verdict:
            copy = copies.get()
            try:
                return _try(copy, mutant, chosen[mutant], reached, plan)
            finally:
                copies.put(copy)

        pool = ThreadPoolExecutor(plan.workers)
        open_ones.callback(pool.shutdown, wait=False, cancel_futures=True)  # before the copies close and end the rest
        for done in as_completed([pool.submit(one, mutant) for mutant in mutants]):
            tell(done.result())


def _reached(root: Path, copy: Copy, plan: Plan) -> Reach:
    file = root / reach.kept(copy.root, plan.sources, plan.tests + plan.options)
    found = reach.load(copy.root, file)
    if found is None:
        say("Measuring which test reaches which line; this is done once for each state of the program …")
        spread = ["-n", str(plan.workers), "--dist", "loadfile"]
        reach.measure(copy, plan.sources, plan.tests, [*plan.options, *spread], file)
        found = reach.load(copy.root, file)
        assert found is not None
    if found.failed:
        say(f"{len(found.failed)} tests failed without any change and are not asked: {', '.join(found.failed[:3])} …")
    return found


def _check_clean(copy: Copy, tests: list[str], plan: Plan) -> None:
    """Tests pass one by one when nothing is changed, or every mutant would seem noticed. Raises Unmeasured."""
    if tests and copy.run(sorted(set(tests)), LASTING, *plan.options) != PASSED:
        raise Unmeasured("Tests that passed when measured fail now without any change; fix or exclude them first.")


def _try(copy: Copy, mutant: Mutant, tests: list[str], reached: Reach, plan: Plan) -> Verdict:
    if not tests:
        return Verdict(mutant, NOT_REACHED, 0)
    source = (copy.root / mutant.path).read_bytes()
    copy.write(mutant.path, mutant.apply(source))
    limit = plan.seconds + CLEAN_TIMES * sum(reached.seconds[test] for test in tests)
    code = copy.run(tests, limit, "-x", *plan.options)
    copy.write(mutant.path, source)
    if code == NO_TESTS:
        raise Unmeasured(f"pytest finds none of the tests of {mutant.path}:{mutant.line}.")
    outcome = {PASSED: SURVIVED, None: TOO_LONG}.get(code, NOTICED)
    return Verdict(mutant, outcome, len(tests))
