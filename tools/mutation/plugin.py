"""A plugin of pytest: writes which test runs which lines, and how long it takes; set-up and tear-down included.

Runs in the process of the tests, in each of them where they are spread. Processes that a test starts are not seen.
Environment variables say where to write and which folders count.
"""

from __future__ import annotations

import functools
import json
import os
import sys
from collections import defaultdict
from collections.abc import Generator
from pathlib import Path

import coverage
import pytest

from tools.mutation.trial import FOLDER, SOURCES

ROOT = os.path.realpath(os.curdir)
_CACHED = type(functools.lru_cache(lambda: None))
_sources: list[str] = json.loads(os.environ[SOURCES])
_seconds: dict[str, float] = defaultdict(float)
_passed: set[str] = set()
_failed: set[str] = set()
_watch = coverage.Coverage(data_file=None, config_file=False, source=_sources, messages=False)
_watch.start()  # before anything of the program is imported


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Lines count for this test from its set-up to its tear-down."""
    _forget()
    _watch.switch_context(item.nodeid)
    try:
        return (yield)
    finally:
        _watch.switch_context("")


def _forget() -> None:
    """Empty what functions of the program remember, or only the first test would run their lines."""
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in _sources:
            for value in list(vars(module).values()):
                if type(value) is _CACHED:
                    value.cache_clear()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Keep the time, and which tests may serve: those that ran and passed."""
    _seconds[report.nodeid] += report.duration
    if report.failed:
        _failed.add(report.nodeid)
    elif report.when == "call" and report.passed:
        _passed.add(report.nodeid)


def pytest_sessionfinish() -> None:
    """Write what was seen, a file a process: while the one that spreads the tests still waits, for any later it ends
    the others after ten seconds, done or not."""
    _watch.stop()
    data = _watch.get_data()
    tests = sorted(_passed - _failed)
    number = {test: index for index, test in enumerate(tests)}
    lines = {
        file: {line: found for line, ids in data.contexts_by_lineno(file).items() if (found := _known(ids, number))}
        for file in data.measured_files()
    }
    seen = {
        "tests": {test: round(_seconds[test], 3) for test in tests},
        "failed": sorted(_failed),
        "lines": {
            Path(os.path.relpath(os.path.realpath(file), ROOT)).as_posix(): reached
            for file, reached in lines.items()
            if reached
        },
    }
    (Path(os.environ[FOLDER]) / f"{os.getpid()}.json").write_text(json.dumps(seen), encoding="utf-8")


def _known(contexts: list[str], number: dict[str, int]) -> list[int]:
    return sorted(number[context] for context in contexts if context in number)
