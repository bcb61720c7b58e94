"""The packages for Linux: where there is no Python, in a booted system, carried along as one file."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.install.bareroot import make_root, serve
from tests.install.boot import boot
from tests.support.lines import environment
from tests.support.ports import free_port
from tests.support.wait import PATIENCE
from tools.package import build_tarball

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="packages for Linux"),
]


def test_the_sums_are_those_of_the_packages(packages: Path) -> None:
    lines = [line.split("  ") for line in (packages / "SHA256SUMS").read_text().splitlines()]
    assert [name.split("-")[0].split("_")[0] for _, name in lines] == ["lts", "lts", "lts"]
    for digest, name in lines:
        assert hashlib.sha256((packages / name).read_bytes()).hexdigest() == digest


def test_the_same_folder_gives_the_same_tarball(packages: Path, tmp_path: Path) -> None:
    again = build_tarball(packages / "lts", tmp_path)
    assert again.read_bytes() == (packages / again.name).read_bytes()
    with tarfile.open(again) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {
        "lts",
        "lts.json.sample",
        "LICENSE",
        "docs/administrator.md",
        "docs/admin/linux.md",
        "proxy/nginx.conf",
    } <= names


def test_the_folder_serves_where_there_is_no_python(packages: Path, tmp_path: Path) -> None:
    make_root(packages / "lts", tmp_path)
    for _ in range(2):
        status, code, _seconds = serve(tmp_path, free_port())
        assert (status, code) == ("serving", 0)


def test_the_one_file_keeps_its_data_beside_it(packages: Path, tmp_path: Path) -> None:
    folder = tmp_path / "my lts 许可"
    folder.mkdir()
    program = shutil.copy(packages / "lts-portable", folder)
    (folder / "lts.json").write_text(json.dumps({"port": free_port()}))
    command = [str(program), "serve", "--no-browser"]
    with subprocess.Popen(command, cwd="/", stdout=subprocess.PIPE, text=True, env=environment()) as server:
        assert server.stdout is not None
        assert re.match(r"LTS is running: http://127", server.stdout.readline())
        server.stdout.readline()
        assert str(folder / "data") in server.stdout.readline()
        server.terminate()
        assert server.wait(PATIENCE) == 0
    assert sorted(path.name for path in folder.iterdir()) == ["data", "lts-portable", "lts.json", "lts.json.sample"]


@pytest.mark.needs("mmdebstrap", "systemd-container")
def test_the_package_in_a_booted_system(packages: Path) -> None:
    [deb] = packages.glob("*.deb")
    lines, log = boot(deb, packages / "lts")
    assert lines[-1:] == ["done"], log
    assert [line for line in lines if line.startswith("FAIL")] == [], log
