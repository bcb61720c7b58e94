"""What the server may cost (docs/design/budget.md, The figures), against what it costs.

The figures are read from the page, so that each is written once. Times and memory are of a server of the run-time
environment, in its own process, on a new data folder; they are the best of several starts, since other programs of the
machine only ever add to them.
"""

from __future__ import annotations

import configparser
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from packaging.requirements import Requirement

from lts import bootstrap

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "design" / "budget.md"
LINUX = {"sys_platform": "linux", "python_full_version": "3.12.0", "platform_python_implementation": "CPython",
         "implementation_name": "cpython"}  # fmt: skip
"""The platform whose wheels are counted."""
STARTS = 5
REST_SECONDS = 15
"""After so long each frequent job has run."""
_PASSWORD = "correct horse battery"
Figures = dict[str, Any]


def budgets() -> dict[str, float]:
    """What each figure may be, from the table of the page."""
    rows = re.findall(r"^\| ([^|]+?) \| ([\d.,]+)[^|]*\|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return {name: float(number.replace(",", "")) for name, number in rows}


def counted() -> dict[str, float]:
    """The figures that are no matter of time: counted in the files of the project."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    lock = (ROOT / "requirements" / "runtime.txt").read_text(encoding="utf-8")
    locked = [Requirement(line.rstrip("\\ ")) for line in lock.splitlines() if "==" in line]
    files = [path.read_text(encoding="utf-8") for path in (ROOT / "lts").rglob("*.py")]
    return {
        "direct packages": len(setup["options"]["install_requires"].split("\n")) - 1,
        "wheels": sum(one.marker is None or one.marker.evaluate(LINUX) for one in locked),
        "lines of lts/": sum(text.count("\n") for text in files),
        "settings": settings(json.loads((ROOT / "lts.json.sample").read_text(encoding="utf-8"))),
    }


def settings(value: Any) -> int:
    """How many values an administrator can set."""
    return sum(map(settings, value.values())) if isinstance(value, dict) else 1


def budget(quick: bool) -> Figures:
    """Each figure as {"budget", "measured", "over"}; `over` is above 0 where it costs more than it may."""
    measured = {**counted(), **_of_the_process(2 if quick else STARTS), **_of_the_packages()}
    return {
        name: {"budget": most, "measured": measured[name], "over": round(measured[name] - most, 3)}
        if name in measured
        else {"budget": most, "measured": None, "over": None}
        for name, most in budgets().items()
    }


def table(figures: Figures) -> str:
    """The figures for people."""
    lines = [f"{'figure':<28}{'budget':>10}{'measured':>10}{'+/-':>10}"]
    for name, one in figures.items():
        told = [
            "-" if one[key] is None else f"{one[key]:,.2f}".rstrip("0").rstrip(".") for key in ("budget", "measured")
        ]
        over = "-" if one["over"] is None else f"{one['over']:+,.2f}".rstrip("0").rstrip(".")
        lines.append(f"{name:<28}{told[0]:>10}{told[1]:>10}{over:>10}")
    if figures["package, MB"]["measured"] is None:
        lines.append("No package was measured: `python3 -m tools.package` builds them into dist/.")
    return "\n".join(lines)


def _of_the_packages() -> dict[str, float]:
    sizes = [path.stat().st_size for path in (ROOT / "dist").glob("*lts*") if path.is_file()]
    return {"package, MB": round(max(sizes) / 1e6, 1)} if sizes else {}


def _of_the_process(starts: int) -> dict[str, float]:
    python = bootstrap.ensure_venv(".venv", ROOT / "requirements" / "runtime.txt", keep_pip=False)
    version = min(_cpu_of_version(python) for _ in range(starts))
    seconds = []
    for number in range(starts):
        with tempfile.TemporaryDirectory() as name, _server(python, Path(name)) as (server, url, code, first):
            seconds.append(first)
            if number == 0:
                time.sleep(REST_SECONDS)
                idle, threads = server.memory_info().rss, server.num_threads()
                _first_visit(url, code)
                peak = _peak(server)
    return {
        "first answer, s": round(min(seconds), 2),
        "idle memory, MiB": round(idle / 2**20, 1),
        "peak memory, MiB": round(peak / 2**20, 1),
        "threads": threads,
        "lts --version, s of CPU": round(version, 3),
    }


@contextmanager
def _server(python: Path, folder: Path) -> Iterator[tuple[psutil.Process, str, str, float]]:
    """A first start: the process, its URL and set-up code, and the seconds to its first answer."""
    command = [str(python), "-I", "-m", "lts.cli.main", "serve", "--no-browser", "--port", "0"]
    begun = time.perf_counter()
    with subprocess.Popen(
        [*command, "--data", str(folder / "data")], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as child:
        assert child.stdout is not None
        try:
            found = re.search(r"(http\S+?/lts/)\S*setup=(\S+)", child.stdout.readline())
            assert found is not None
            with urllib.request.urlopen(f"{found[1]}api/v1/health") as answer:
                answer.read()
            yield psutil.Process(child.pid), found[1], found[2], time.perf_counter() - begun
        finally:
            child.terminate()


def _first_visit(url: str, code: str) -> None:
    """The portal's first page, and the password set, which is hashed."""
    with urllib.request.urlopen(f"{url}page/") as page:
        page.read()
    body = json.dumps({"code": code, "password": _PASSWORD}).encode()
    headers = {"Content-Type": "application/json", "X-LTS-CSRF": "sign-in"}
    with urllib.request.urlopen(urllib.request.Request(f"{url}api/v1/admin/setup", body, headers)) as answer:
        answer.read()


def _peak(process: psutil.Process) -> int:
    """The most memory a process had, in bytes."""
    if sys.platform == "win32":
        return int(process.memory_info().peak_wset)
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii", errors="replace")
    return int(re.findall(r"VmHWM:\s+(\d+)", status)[0]) * 1024


def _cpu_of_version(python: Path) -> float:
    before = os.times()
    subprocess.run([str(python), "-I", "-m", "lts.cli.main", "--version"], stdout=subprocess.DEVNULL, check=True)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system
