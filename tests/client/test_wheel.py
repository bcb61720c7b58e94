"""The client's wheel for those who check types: what it declares reaches their checker."""

from __future__ import annotations

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

from lts.bootstrap import python_of
from tools import client_package

PROGRAM = """from lts.client import Client


def count(client: Client) -> None:
    client.use("QR Code", 3)
    client.use("QR Code", "three")
"""


def test_an_installed_client_is_typed(tmp_path: Path) -> None:
    wheel = client_package.build(tmp_path / "dist")
    theirs = tmp_path / "theirs"
    venv.create(theirs, with_pip=False)
    [site] = [path for path in theirs.rglob("site-packages") if not path.parent.is_symlink()]
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    # where it stands, mypy finds neither this project nor its settings
    command = [sys.executable, "-I", "-m", "mypy", "--no-incremental", "--python-executable", str(python_of(theirs))]
    done = subprocess.run(
        [*command, "program.py"], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    faults = done.stdout.splitlines()[:-1]
    assert [line.partition(" error: ")[0] for line in faults] == ["program.py:6:"], done.stdout + done.stderr
    assert 'expected "int"' in faults[0]
