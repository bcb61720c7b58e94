"""Commands of somebody without rights."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.lines import environment

NOBODY = 65534
ONLY_ROOT = pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() != 0, reason="only root can become somebody without rights"
)
_CODE = f"""import contextlib, io, os, sys
from lts.cli.main import main
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    main(sys.argv[1:])
os.setgroups([]), os.setgid({NOBODY}), os.setuid({NOBODY})
sys.exit(main(sys.argv[1:]))
"""
"""Run once as root, so that all is loaded: Python's own files may not be open to everybody."""


def open_to_all(folder: Path) -> None:
    """Let everybody come to a test's folder, which lies below some of root's own."""
    for place in (folder, *folder.parents):
        if place.name.startswith(("pytest-", "popen-", "test_")):
            place.chmod(0o755)


def as_nobody(
    folder: Path, *words: str, stands_in: Path | None = None, data_named: bool = True
) -> subprocess.CompletedProcess[str]:
    """A command by somebody without rights, on the data in `house/data` of a folder unless that is not `data_named`."""
    env = environment() | ({"LTS_DATA_DIR": str(folder / "house" / "data")} if data_named else {})
    open_to_all(folder)
    return subprocess.run([sys.executable, "-c", _CODE, *words], env=env, capture_output=True, encoding="utf-8",
                          cwd=stands_in, stdin=subprocess.DEVNULL, timeout=120, check=False)  # fmt: skip
