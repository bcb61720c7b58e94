"""`python3 -m tests`: sets itself up, then style, types, imports and every test; arguments go to pytest alone.

`python3 -m tests --coverage` runs every test and says what they reach, as information.
`python3 -m tests --screenshots` makes pictures of every page of the portal, in screenshots/.
`python3 -m tests --doc-pictures` makes the guide's pictures anew, in docs/pictures/.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from lts.bootstrap import SetupError, ensure_venv, say
from tests.support import programs

_LINT = "import sys; from importlinter.cli import lint_imports_command as c; c(sys.argv[1:])"
CHECKED = ["lts", "tests", "bench", "tools", "run_lts.py"]


def main() -> int:
    """Exit code 0 when everything passed."""
    if sys.version_info < (3, 10):
        say("tests: Python 3.10 or newer is needed.")
        return 1
    try:
        python = str(ensure_venv(".venv-tests", ROOT / "requirements" / "dev.txt"))
    except SetupError as error:
        say(f"tests: {error}")
        return 1
    programs.bring()
    checks = [
        ("style", ["-m", "ruff", "check", *CHECKED]),
        ("format", ["-m", "ruff", "format", "--check", "--quiet", *CHECKED]),
        ("types", ["-m", "mypy"]),
        ("types on Windows", ["-m", "mypy", "--platform", "win32", "-p", "lts"]),
        ("imports", ["-c", _LINT, "--no-cache"]),
    ]
    arguments = sys.argv[1:]
    if arguments == ["--coverage"]:
        code = _run(python, "tests", ["-m", "coverage", "run", "-m", "pytest"])
        return _run(python, "coverage", ["-m", "coverage", "report"]) or code
    if arguments == ["--doc-pictures"]:
        return _run(python, "pictures of the guide", ["-m", "tests.portal.docpictures"])
    if arguments == ["--screenshots"]:
        return _run(python, "screenshots", ["-m", "tests.portal.pictures"])
    failed = [] if arguments else [name for name, command in checks if _run(python, name, command)]
    if failed:
        say(f"These checks failed: {', '.join(failed)}. The tests run all the same.")
    code = _run(python, "tests", ["-m", "pytest", *arguments])
    return code or int(bool(failed))


def _run(python: str, name: str, command: list[str]) -> int:
    say(f"== {name}")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run([python, *command], cwd=ROOT, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
