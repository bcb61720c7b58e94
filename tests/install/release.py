"""`python3 -m tests.install.release`: keeps a data folder of this version in tests/releases, before a release is made.

Later versions are tried on the folders of all earlier ones (test_upgrade.py), so what was kept is never made anew.
0.1.0-early is of a build before 0.1.0, at the first schema; such folders may be in use too.
"""

from __future__ import annotations

import json
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from lts import __version__
from lts.service.statistics import usage
from tests.support.furnish import furnish
from tests.support.kit import Lab, lab
from tests.support.lines import ROOT

FOLDER = ROOT / "tests" / "releases"
EXPECTED = "expected.json"


def figures(here: Lab) -> dict[str, Any]:
    """What must be the same after an upgrade."""
    catalog = here.ctx.store.catalog
    codes = sorted(code.name for code in catalog.codes.values())
    return {
        "serverUuid": here.ctx.identity.uuid,
        "codes": codes,
        "items": sorted(f"{entry.terms.item_id}:{entry.terms.quota}" for entry in catalog.items.values()),
        "usage": {
            f"{code} by {by}": [
                [*group, units] for group, units in sorted(usage.usage(here.ctx, code=code, grouping=by).rows.items())
            ]
            for code in codes
            for by in ("day", "device", "type")
        },
    }


def keep(target: Path) -> None:
    """A furnished data folder, with what to expect of it and a lease that a device holds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with lab(folder) as here:
            code = furnish(here, days=29)
            lease = here.authorize(code, modules=("QR",), charge_way="scan").lease
            expected = {**figures(here), "lease": lease, "code": code}
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for file in sorted(path for path in folder.rglob("*") if path.is_file()):
                archive.write(file, file.relative_to(folder).as_posix())
            archive.writestr(EXPECTED, json.dumps(expected, indent=1, sort_keys=True))


def main() -> int:
    """Exit code 0 when it was kept; 1 when there is one of this version already."""
    target = FOLDER / f"{__version__}.zip"
    if target.exists():
        print(f"{target} is kept already; a release is made once.")
        return 1
    FOLDER.mkdir(exist_ok=True)
    keep(target)
    print(f"{target}: {target.stat().st_size // 1024} KiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
