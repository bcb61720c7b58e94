"""What a test does when a program of the system is missing: fail where it could be installed, else skip."""

from __future__ import annotations

import os

import pytest

from tests.support.programs import find, may_install


def need(package: str) -> str:
    """Path of a program. Fails under CI or root where it is missing, skips the test elsewhere."""
    found = find(package)
    if found is not None:
        return found
    sentence = f"{package} is missing; install it by the system's package manager"
    if os.environ.get("CI") == "true" or may_install():
        pytest.fail(sentence)
    pytest.skip(sentence)
