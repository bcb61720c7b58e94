"""The client's wheel for those who check types: what it declares reaches their checker."""

from __future__ import annotations

import re
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

from lts.bootstrap import python_of
from tools import client_package

ROOT = client_package.ROOT
WRONG = '        license.use("QR Code", "three")\n'


def test_an_installed_client_is_typed_and_the_readme_uses_it_well(tmp_path: Path) -> None:
    [shown] = re.findall(r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)
    wheel = client_package.build(tmp_path / "dist")
    theirs = tmp_path / "theirs"
    venv.create(theirs, with_pip=False)
    [site] = [path for path in theirs.rglob("site-packages") if not path.parent.is_symlink()]
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    (tmp_path / "program.py").write_text(f"{shown}{WRONG}", encoding="utf-8")
    # where it stands, mypy finds neither this project nor its settings; what it learned of Python itself is kept
    command = [sys.executable, "-I", "-m", "mypy", "--cache-dir", str(ROOT / ".mypy_cache" / "wheel"),
               "--python-executable", str(python_of(theirs))]  # fmt: skip
    done = subprocess.run(
        [*command, "program.py"], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    faults = done.stdout.splitlines()[:-1]
    assert [line.partition(" error: ")[0] for line in faults] == [f"program.py:{len(shown.splitlines()) + 1}:"], (
        done.stdout + done.stderr
    )
    assert 'expected "int"' in faults[0]
