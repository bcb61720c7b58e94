"""`python3 -m tools.style [--fix] [FILE …]`: ruff's rules and its format over these files (default: the project's).

The style part of `python3 -m tests`, in the environment of the tests; .pre-commit-config.yaml calls it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from lts.bootstrap import SetupError, ensure_venv, say

ROOT = Path(__file__).resolve().parents[1]


def commands(files: list[str], *, fix: bool = False) -> list[list[str]]:
    """The runs of ruff, over all files if none is named; .gitignore excludes what is not part of the project."""
    files = files or ["."]
    check = ["check", *(["--fix"] if fix else [])]
    form = ["format", "--quiet"] if fix else ["format", "--diff", "--quiet"]
    return [[*check, "--", *files], [*form, "--", *files]]


def main() -> int:
    """Exit code 0 when nothing is left to fix."""
    parser = argparse.ArgumentParser(prog="python3 -m tools.style", description="ruff's rules and its format")
    parser.add_argument("--fix", action="store_true", help="fix what can be fixed")
    parser.add_argument("files", nargs="*", metavar="FILE", help="files and folders (default: the project's)")
    asked = parser.parse_args()
    try:
        python = ensure_venv(".venv-tests", ROOT / "requirements" / "dev.txt")
    except SetupError as error:
        say(f"style: {error}")
        return 1
    codes = [
        subprocess.run([str(python), "-m", "ruff", *command], cwd=ROOT, check=False).returncode
        for command in commands(asked.files, fix=asked.fix)
    ]
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
