"""`python3 -m tests`: sets itself up, then style, types, imports and all tests that need nothing but Python's packages.

`python3 -m tests --all` runs every test: it builds packages, starts other systems, and torments pairs of servers.
`python3 -m tests tests/rules -k clone`: arguments go to pytest alone, which runs what they choose.
`python3 -m tests --coverage` runs every test and says what they reach, as information.
`python3 -m tests --screenshots` makes pictures of every page of the portal, in screenshots/.
`python3 -m tests --doc-pictures` makes the guide's pictures anew, in docs/pictures/.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from lts.bootstrap import SetupError, ensure_venv, say

PYTEST = ["-m", "pytest"]
CORES = os.cpu_count() or 1


def _parallel(more: int) -> list[str]:
    """So many processes more than cores: for some of its time a test waits, for a browser, a process or a limit of
    time."""
    return ["-n", str(min(CORES + more, 8)), "--dist", "loadfile", "--no-loadscope-reorder"]


BRING = "--bring"
"""Programs of the system that the chosen tests need are installed (tests/support/needed.py)."""
COMMANDS: dict[str, list[list[str]]] = {
    "": [[*PYTEST, *_parallel(3), "-m", "not slow"]],
    "--all": [[*PYTEST, *_parallel(1), BRING]],
    "--coverage": [["-m", "coverage", "run", *PYTEST, BRING], ["-m", "coverage", "report"]],
    "--screenshots": [["-m", "tests.portal.pictures"]],
    "--doc-pictures": [["-m", "tests.portal.docpictures"]],
}
"""What to run with the environment's Python, one after another."""


KEPT = {"PYTHONPYCACHEPREFIX": str(ROOT / ".venv-tests" / "compiled"), "PYTHONDONTWRITEBYTECODE": ""}
"""For the quick tests: what is compiled is kept beside their packages; else each of hundreds of processes does it over
again."""
MEMORY = Path("/dev/shm")
MEMORY_BYTES = 2 << 30
"""Room for the folders of the tests that run, some of which hold a database of a hundred MiB."""


def main() -> int:
    """Exit code 0 when everything passed, else that of the first command that failed."""
    if sys.version_info < (3, 10):
        say("tests: Python 3.10 or newer is needed.")
        return 1
    try:
        python = str(ensure_venv(".venv-tests", ROOT / "requirements" / "dev.txt"))
    except SetupError as error:
        say(f"tests: {error}")
        return 1
    except KeyboardInterrupt:
        say("tests: stopped during set-up; start again to continue.")
        return 1
    arguments = sys.argv[1:]
    word = arguments[0] if arguments else ""
    commands = COMMANDS.get(word) or [[*PYTEST, BRING, *arguments]]
    more = {} if word else {**_in_memory(), **KEPT}
    codes = [_run([python, *command], more) for command in commands]
    return next((code for code in codes if code), 0)


def _in_memory() -> dict[str, str]:
    """For the quick tests: their folders in memory, where there is room; each write of the store waits for its disk."""
    try:
        may_run = not os.statvfs(MEMORY).f_flag & os.ST_NOEXEC
        room = shutil.disk_usage(MEMORY).free if may_run and os.access(MEMORY, os.W_OK) else 0
    except (OSError, AttributeError):  # another system
        return {}
    return {"PYTEST_DEBUG_TEMPROOT": str(MEMORY)} if room >= MEMORY_BYTES else {}


def _run(command: list[str], more: dict[str, str]) -> int:
    """Run to the end; Ctrl-C reaches the command by itself, which ends in good order."""
    with subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT), **more}) as child:
        while True:
            try:
                return child.wait()
            except KeyboardInterrupt:
                continue


if __name__ == "__main__":
    sys.exit(main())
