"""`python3 -m bench [PART …] [--json] [--quick]`: sets itself up as the tests do, then measures (bench/run.py)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from lts.bootstrap import SetupError, ensure_venv, say

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    """The run's exit code; 1 when the environment could not be set up."""
    try:
        python = ensure_venv(".venv-tests", ROOT / "requirements" / "dev.txt")
        return subprocess.run([str(python), "-m", "bench.run", *sys.argv[1:]], cwd=ROOT, check=False).returncode
    except SetupError as error:
        say(f"bench: {error}")
    except KeyboardInterrupt:
        say("bench: stopped.")
    return 1


if __name__ == "__main__":
    sys.exit(main())
