"""`python3 -m tools.client_package [OUT]`: a wheel of the Python client alone, for applications that do not carry LTS.

Brings what makes wheels into an environment of its own, once; OUT is `dist` unless it is named.
"""

from __future__ import annotations

import argparse
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from lts import __version__
from lts.bootstrap import SetupError, ensure_venv, say

ROOT = Path(__file__).resolve().parents[1]
SHARED = ("__init__.py", "py.typed", "errors.py", "claims.py", "crypto.py", "protocol.py", "reach.py", "strictjson.py")
_PROJECT = f"""[build-system]
requires = ["flit_core"]
build-backend = "flit_core.buildapi"

[project]
name = "lts-client"
version = "{__version__}"
description = "Client of the License Tracking Server"
requires-python = ">=3.10"
license = {{ file = "LICENSE" }}
dependencies = ["cryptography>=45"]

[tool.flit.module]
name = "lts"
"""


def build(out: Path) -> Path:
    """The wheel's path."""
    out = out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        stage = Path(name)
        shutil.copytree(ROOT / "lts" / "client", stage / "lts" / "client", ignore=shutil.ignore_patterns("__pycache__"))
        for file in SHARED:
            shutil.copy(ROOT / "lts" / file, stage / "lts" / file)
        shutil.copy(ROOT / "LICENSE", stage)
        (stage / "pyproject.toml").write_text(_PROJECT, encoding="utf-8")
        command = [sys.executable, "-m", "flit_core.wheel", "--outdir", str(out), str(stage)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return next(out.glob("lts_client-*.whl"))


def main() -> int:
    """Exit code 0 with the wheel's path printed."""
    parser = argparse.ArgumentParser(prog="python3 -m tools.client_package", description="a wheel of the client")
    parser.add_argument("out", nargs="?", default="dist", metavar="OUT", help="folder for the wheel (default: dist)")
    out = parser.parse_args().out
    if importlib.util.find_spec("flit_core") is not None:
        print(build(Path(out)))
        return 0
    try:
        python = ensure_venv(".venv-wheel", ROOT / "requirements" / "wheel.txt", keep_pip=False)
    except SetupError as error:
        say(f"client_package: {error}")
        return 1
    return subprocess.run([str(python), "-m", "tools.client_package", "--", out], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
