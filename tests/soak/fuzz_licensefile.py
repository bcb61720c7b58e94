"""`python3 -m tests.soak.fuzz_licensefile [--seconds N]`: only LicenseFileError may come out of a license file.

Half of the files are damaged bytes; the others are honestly signed, but say things that no honest vendor says, so
that the reading of the content is reached too.
"""

from __future__ import annotations

import argparse
import copy
import random
import re
import sys
import time
from collections.abc import Callable
from typing import Any

from lts.crypto import canonical_json, jws_header, sign_jws
from lts.errors import LicenseFileError
from lts.rules.licensing import armor, licensefile
from lts.vendor import issuing
from tests.support.kit import NOON, Vendor, item

VENDOR = Vendor()
UUID = "6F1C2B7E-8C1D-4A0E-9A57-0C6A2F7A1B11"
ODD: list[Any] = [
    None, True, False, 0, -1, 1, 10**19, 1.5, 1e308, "", " ", "\u200b", "\u0000", "e\u0301", "x" * 501, "2.0", "New",
    "Activated", "server", "domain", "concurrentInstance", "daily", "permanent", "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00", "2026-02-30", "2026-11-25T23:59:60Z", "com", "co.uk", "xn--", "a..b", "\u3002", "*.x",
    armor.BEGIN, UUID, "{" + UUID.lower() + "}", [], [[]], {}, [None], ["server"], ["a", "a"], ["x" * 64 + ".com"],
    {"kty": "OKP", "crv": "Ed25519", "x": "AA"}, {"name": "", "keyId": 1}, [{}], [{"uuid": UUID}] * 2,
]  # fmt: skip


def survives(text: str, rng: random.Random) -> bytes:
    """A file after changes that it must survive: mail, line ends, encodings."""
    changes: list[Callable[[str], str]] = [
        lambda t: t.replace("\n", "\r\n"),
        lambda t: t.replace("\n", "\r"),
        lambda t: re.sub(r"(?m)^", "> ", t),
        lambda t: t.replace("\n", "=20\n"),
        lambda t: t.replace("\n", "\n \n"),
        lambda t: t.replace("\n", "\u00a0\u200b\n"),
        lambda t: "\n\n" + t + "   ",
        lambda t: _rewrapped(t, rng.randint(20, 80)),
    ]
    for change in rng.sample(changes, rng.randint(0, len(changes))):
        text = change(text)
    return text.encode(rng.choice(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"]))


def _rewrapped(text: str, width: int) -> str:
    """The armor's lines joined and broken again, with the soft breaks of quoted-printable."""
    found = re.search(rf"(?s)({armor.BEGIN})(.*)({armor.END})", text)
    if found is None or ">" in text:
        return text
    body = "".join(found.group(2).replace("=20", "").split())
    lines = "=\n".join(body[i : i + width] for i in range(0, len(body), width))
    return f"{text[: found.end(1)]}\n{lines}\n{text[found.start(3) :]}"


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


def signed(payload: bytes, **header: Any) -> bytes:
    """A payload as no honest tool would make it, honestly signed; `header` replaces fields of its header."""
    key = VENDOR.key
    fields = {"typ": licensefile.JWS_TYPE, "jwk": key.public.jwk, **header}
    return armor.wrap(sign_jws(jws_header(key.public, **fields), payload, key)).encode()


def odd(payload: dict[str, Any], rng: random.Random) -> bytes:
    """The payload with some values anywhere in it replaced by odd ones, or fields lost; as JSON."""
    made = copy.deepcopy(payload)
    for _ in range(rng.randint(1, 3)):
        place: Any = made
        while True:
            key = rng.choice(list(place) if isinstance(place, dict) else range(len(place)))
            if not (isinstance(place[key], (dict, list)) and place[key]) or rng.random() < 0.2:
                break
            place = place[key]
        if rng.random() < 0.15:
            del place[key]
        else:
            place[key] = copy.deepcopy(rng.choice(ODD))
        if not made:
            break
    return canonical_json(made)


def good() -> dict[str, Any]:
    """An activated license's payload with an item of every charge way."""
    ways = ("scan", "device", "concurrentDevice", "concurrentInstance", "server", "domain")
    made = VENDOR.issue(*[item(way, way, 3, graceDays=7, trial=False) for way in ways])
    return issuing.payload_of(issuing.activate(made, [UUID], VENDOR.key, "Vendor", NOON))


def attempt(data: bytes) -> bool:
    """Whether the file is read; a file that is read must also render, and read the same again."""
    try:
        made = licensefile.read(data)
    except LicenseFileError:
        return False
    again = licensefile.read(licensefile.render(made).encode("utf-8"))
    assert (again.digest, again.items) == (made.digest, made.items)
    return True


def main() -> int:
    """Exit code 0 when nothing unexpected came out in the time given."""
    parser = argparse.ArgumentParser(prog="tests.soak.fuzz_licensefile")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**9))
    args = parser.parse_args()
    print(f"Seed {args.seed}.", flush=True)
    rng, until, tried, read = random.Random(args.seed), time.monotonic() + args.seconds, 0, 0
    payload = good()
    text = licensefile.render(licensefile.read(signed(canonical_json(payload)))).encode()
    while time.monotonic() < until:
        tried += 2
        read += attempt(mangled(text, rng)) + attempt(signed(odd(payload, rng)))
    print(f"{tried} files tried, {read} read: nothing but LicenseFileError came out of the others.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
