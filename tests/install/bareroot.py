"""`python3 -m tests.install.bareroot FOLDER`: the one-dir build where there is no Python, only the C library.

Needs root. Says how long it takes from the start to the first answer.
"""

from __future__ import annotations

import http.client
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.support.ports import free_port
from tests.support.wait import PATIENCE


def libraries(program: Path) -> set[Path]:
    """The system's libraries that a program and what lies beside it are linked with."""
    found: set[Path] = set()
    for file in [program, *program.parent.rglob("*.so*")]:
        listed = subprocess.run(["ldd", str(file)], capture_output=True, text=True, check=False).stdout
        found |= {Path(path) for path in re.findall(r"(?:=> )?(/\S+) \(0x", listed)}
    return {path for path in found if program.parent not in path.parents}


def make_root(folder: Path, root: Path) -> None:
    """A root with the build in /opt/lts, the C library, and nothing else."""
    shutil.copytree(folder, root / "opt" / "lts", symlinks=True)
    for library in libraries(folder / "lts"):
        target = root / str(library).lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, target)
    for name in ("dev", "proc", "tmp", "data"):
        (root / name).mkdir()
    subprocess.run(["mknod", str(root / "dev" / "null"), "c", "1", "3"], check=True)
    subprocess.run(["mknod", "-m", "666", str(root / "dev" / "urandom"), "c", "1", "9"], check=True)


def serve(root: Path, port: int) -> tuple[str, int, float]:
    """Start the program in `root` and end it: status of its first answer, exit code, seconds to that answer."""
    words = ["/opt/lts/lts", "serve", "--no-browser", "--port", str(port), "--data", "/data/lts"]
    begun = time.monotonic()
    with subprocess.Popen(["chroot", str(root), *words], stdout=subprocess.DEVNULL) as server:
        try:
            status = _first_answer(port, begun)
            seconds = time.monotonic() - begun
        finally:
            server.terminate()
            code = server.wait(PATIENCE)
    return status, code, seconds


def main() -> int:
    """Exit code 0 when it serves."""
    with tempfile.TemporaryDirectory() as name:
        make_root(Path(sys.argv[1]).resolve(), Path(name))
        for _ in range(3):
            status, code, seconds = serve(Path(name), free_port())
            print(f"{status} after {seconds:.2f} s, ended with {code}")
            if (status, code) != ("serving", 0):
                return 1
    return 0


def _first_answer(port: int, begun: float) -> str:
    while time.monotonic() - begun < PATIENCE:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
            connection.request("GET", "/lts/api/v1/health")
            return str(json.loads(connection.getresponse().read())["status"])
        except (OSError, ValueError):
            time.sleep(0.02)
    return "no answer"


if __name__ == "__main__":
    sys.exit(main())
