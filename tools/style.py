"""`python3 -m tools.style [--fix] [FILE …]`: ruff's rules and its format over these files (default: the project's).

The style part of `python3 -m tests`, in the environment of the tests; .pre-commit-config.yaml calls it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from lts.bootstrap import SetupError, ensure_venv, say

ROOT = Path(__file__).resolve().parents[1]


def commands(arguments: list[str]) -> list[list[str]]:
    """What ruff is to do; .gitignore says what is not the project's."""
    fix = "--fix" in arguments
    files = [argument for argument in arguments if argument != "--fix"] or ["."]
    check = ["check", *(["--fix"] if fix else [])]
    form = ["format", "--quiet"] if fix else ["format", "--diff", "--quiet"]
    return [[*check, "--", *files], [*form, "--", *files]]


def main() -> int:
    """Exit code 0 when nothing is left to mend."""
    try:
        python = ensure_venv(".venv-tests", ROOT / "requirements" / "dev.txt")
    except SetupError as error:
        say(f"style: {error}")
        return 1
    codes = [
        subprocess.run([str(python), "-m", "ruff", *command], cwd=ROOT, check=False).returncode
        for command in commands(sys.argv[1:])
    ]
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
