"""`python3 -m tools.client_package OUT`: a wheel of the Python client alone, for applications that do not carry LTS."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from lts import __version__

ROOT = Path(__file__).resolve().parents[1]
SHARED = ("__init__.py", "py.typed", "errors.py", "crypto.py", "protocol.py", "strictjson.py")
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


if __name__ == "__main__":
    print(build(Path(sys.argv[1] if len(sys.argv) > 1 else "dist")))
