"""`@pytest.mark.needs("chromium")`: a test says which programs of the system it drives; `browser` says so for it.

Under `--bring` those of the chosen tests are installed before the first of them runs, where this user may do that.
A test whose program is missing all the same is skipped; it fails where the program should have been brought.
"""

from __future__ import annotations

import os

import pytest

from tests.support.programs import bring, find, may_install

_said: frozenset[str] | None = None
"""What the test that runs has said to need; None where no test runs."""


def need(package: str) -> str:
    """Path of a package's program. Raises AssertionError where a test did not say that it needs it."""
    assert _said is None or package in _said, f'mark the test: @pytest.mark.needs("{package}")'
    found = find(package)
    assert found is not None, _sentence(package)
    return found


class Needs:
    """The plugin of pytest behind the mark."""

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Bring what the chosen tests need, and nothing else."""
        if session.config.getoption("bring") and not session.config.getoption("collectonly"):
            bring(frozenset().union(*map(_needs, session.items)))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Before the fixtures: they may start the program."""
        global _said
        _said = _needs(item)
        for package in sorted(_said):
            if find(package) is None:
                if item.config.getoption("bring") and (os.environ.get("CI") == "true" or may_install()):
                    pytest.fail(_sentence(package), pytrace=False)
                pytest.skip(_sentence(package))


def _needs(item: pytest.Item) -> frozenset[str]:
    marked = {package for mark in item.iter_markers("needs") for package in mark.args}
    fixtures = item.fixturenames if isinstance(item, pytest.Function) else ()
    return frozenset(marked | ({"chromium"} if "browser" in fixtures else set()))


def _sentence(package: str) -> str:
    return f"{package} is missing; install it by the system's package manager"
