"""`python3 -m tests.fuzz_licensefile [SECONDS]`: mutated licence files; only LicenseFileError may come out."""

from __future__ import annotations

import random
import re
import sys
import time

from lts.errors import LicenseFileError
from lts.rules import licensefile
from tests.kit import Vendor, item


def survives(text: str, rng: random.Random) -> bytes:
    """A file after a change that it must survive."""
    changes = [
        lambda t: t.replace("\n", "\r\n"),
        lambda t: re.sub(r"(?m)^", "> ", t),
        lambda t: t.replace("\n", "\n \n"),
        lambda t: "\n\n" + t + "   ",
    ]
    for change in rng.sample(changes, rng.randint(0, len(changes))):
        text = change(text)
    return text.encode(rng.choice(["utf-8", "utf-8-sig", "utf-16"]))


def mangled(data: bytes, rng: random.Random) -> bytes:
    """A file after changes that it need not survive."""
    raw = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        kind, at = rng.randrange(6), rng.randrange(max(len(raw), 1))
        if kind == 0 and raw:
            raw[at % len(raw)] = rng.randrange(256)
        elif kind == 1:
            del raw[at : at + rng.randint(1, 200)]
        elif kind == 2:
            raw[at:at] = bytes(rng.randrange(256) for _ in range(rng.randint(1, 40)))
        elif kind == 3:
            raw[at:at] = raw[at : at + rng.randint(1, 300)]
        elif kind == 4:
            raw = bytearray(bytes(raw).swapcase()) if rng.random() < 0.05 else raw
        else:
            raw = bytearray(bytes(raw).decode("utf-8", "replace").encode(rng.choice(["utf-16", "utf-8", "utf-32"])))
    return bytes(raw)


def main() -> int:
    """Exit code 0 when nothing unexpected came out in the time given (60 s)."""

    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    rng, until, tried = random.Random(), time.monotonic() + seconds, 0
    text = licensefile.render(Vendor().issue(item(), item("two", "device", 3)))
    while time.monotonic() < until:
        tried += 1
        try:
            licensefile.read(mangled(text.encode(), rng))
        except LicenseFileError:
            continue
    print(f"{tried} files tried: nothing but LicenseFileError came out.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
