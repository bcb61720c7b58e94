"""Fetch the front-end libraries into static/vendor: `python -m tools.vendor_assets` (docs/developer.md).

Each comes from its npm package by name and version (needs `npm`); only the files that are served are kept, with the
license. `static/vendor/manifest.json` names version, integrity of the package, and SHA-256 of every file as stored.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1] / "static" / "vendor"
LIBRARIES = {
    ("preact", "10.29.8"): {"dist/preact.module.js": "preact.js", "hooks/dist/hooks.module.js": "hooks.js"},
    ("htm", "3.1.1"): {"dist/htm.module.js": "htm.js"},
    ("chart.js", "4.6.1"): {"dist/chart.umd.min.js": "chart.js"},
}
LICENSES = ("LICENSE", "LICENSE.md")
_SOURCE_MAP = re.compile(rb"\n//# sourceMappingURL=\S+\s*\Z")


def _served(data: bytes) -> bytes:
    """The file as served: no pointer to a source map that is not here, and no bare module name, which a browser
    resolves by an import map only, and the content security policy forbids inline ones."""
    return _SOURCE_MAP.sub(b"\n", data).replace(b'from"preact"', b'from"./preact.js"')


def _take(name: str, version: str, files: dict[str, str], work: Path) -> dict[str, Any]:
    npm = shutil.which("npm") or sys.exit("npm is missing")
    subprocess.run([npm, "pack", "--silent", f"{name}@{version}"], cwd=work, check=True, stdout=subprocess.DEVNULL)
    package = work / f"{name}-{version}.tgz"
    integrity = "sha512-" + base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode()
    target = FOLDER / f"{name}-{version}"
    target.mkdir(parents=True)
    digests = {}
    with tarfile.open(package) as archive:
        names = {member.removeprefix("package/") for member in archive.getnames()}
        wanted = {**files, next(one for one in LICENSES if one in names): "LICENSE"}
        for source, stored in sorted(wanted.items(), key=lambda pair: pair[1]):
            member = archive.extractfile(f"package/{source}")
            assert member is not None
            data = _served(member.read())
            (target / stored).write_bytes(data)
            digests[stored] = hashlib.sha256(data).hexdigest()
    return {"version": version, "integrity": integrity, "folder": target.name, "sha256": digests}


def main() -> None:
    """Replace static/vendor."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    manifest = {}
    with tempfile.TemporaryDirectory() as work:
        for (name, version), files in LIBRARIES.items():
            manifest[name] = _take(name, version, files, Path(work))
    (FOLDER / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
