"""Fixtures of all tests, and how pytest runs them: programs they need, time they have, their order."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from playwright.sync_api import Browser, sync_playwright

from tests.support.kit import Lab, lab
from tests.support.lines import ROOT
from tests.support.needed import Needs
from tests.support.order import longest_first
from tests.support.visitor import chromium

# Other programs on the machine must not decide whether a test passes.
settings.register_profile("tests", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")


SLOW_TO_COLLECT = ROOT / "tests" / "web" / "test_made_up_requests.py"
"""Makes its requests up when it is collected, which every process does: half of all the time that takes."""


class Failures:
    """Names each failure when it comes, so that a run that is cut off has shown them."""

    def __init__(self, terminal: pytest.TerminalReporter) -> None:
        self._terminal = terminal

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A failure's name, on a line of its own."""
        if report.failed:
            self._terminal.write_line(f"\nFAILED {report.nodeid} ({report.when})")


def pytest_addoption(parser: pytest.Parser) -> None:
    """See tests/support/needed.py."""
    parser.addoption("--bring", action="store_true", help="install programs of the system that chosen tests need")


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """See tests/support/needed.py, and Failures; only who runs the tests has a terminal, no process that helps."""
    config.pluginmanager.register(Needs())
    if terminal := config.pluginmanager.get_plugin("terminalreporter"):
        config.pluginmanager.register(Failures(terminal))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """See SLOW_TO_COLLECT."""
    return True if collection_path == SLOW_TO_COLLECT and config.option.markexpr == "not slow" else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """After the dice: see tests/support/order.py. One process alone has no other that could wait for it."""
    if hasattr(config, "workerinput"):
        longest_first(items)


def pytest_collection_finish() -> None:
    """What is loaded now stays to the end, so no search for garbage looks at it: each took a quarter of a second."""
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, exitstatus: int) -> None:
    """After a failure, say how to have the same order again."""
    if exitstatus == pytest.ExitCode.TESTS_FAILED:
        seed = terminalreporter.config.getoption("randomly_seed", None)
        terminalreporter.write_line(f"The order of the tests: --randomly-seed={seed} has it again.")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Lab]:
    """An open server with a trusted vendor and nothing imported."""
    with lab(tmp_path) as here:
        yield here


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests, which say that they need it; each visitor has a profile of its own."""
    with sync_playwright() as playwright:
        started = chromium(playwright)
        yield started
        started.close()
