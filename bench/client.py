"""What the client libraries cost an application."""

from __future__ import annotations

import gzip
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.processes import ROOT, Process, prepare
from lts.client import Client
from lts.protocol import LicenseKey

_IMPORT = """
import time
import cryptography.hazmat.primitives.asymmetric.ed25519
import cryptography.hazmat.primitives.serialization
begun = time.perf_counter()
import lts.client
print(time.perf_counter() - begun)
"""


def client(quick: bool) -> dict[str, Any]:
    """Microseconds of `use`, milliseconds of the import beyond cryptography, packed bytes of the browser library."""
    uses, rounds = (2_000, 3) if quick else (50_000, 7)
    with tempfile.TemporaryDirectory() as name, tempfile.TemporaryDirectory() as state:
        code = prepare(Path(name))
        with Process("bench.serve", name) as server:
            key = LicenseKey((f"http://127.0.0.1:{server.read()}/lts/",), None, code, None, None).encode()
            licensed = Client(key, product="reader", deployment_type="server", allow_pinned=True, state=Path(state))
            licensed.authorize()
            times = []
            for _ in range(rounds):
                begun = time.perf_counter()
                for _ in range(uses):
                    licensed.use("QR")
                times.append((time.perf_counter() - begun) / uses * 1e6)
            licensed.close()
    command = [sys.executable, "-c", _IMPORT]
    imports = [
        float(subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout)
        for _ in range(rounds)
    ]
    library = (ROOT / "static" / "client" / "lts-client.js").read_bytes()
    return {"useMicroseconds": round(statistics.median(times), 2),
            "importMilliseconds": round(1000 * statistics.median(imports), 1),
            "browserLibraryBytes": len(gzip.compress(library, 9))}  # fmt: skip
