"""A command-line tool with a licensed feature: `python scanner.py LICENSE_KEY VENDOR_KEY [TEXT …]`.

Its state is in the user's folder, so that it works offline until its lease ends, and loses no count.
"""

import sys
from pathlib import Path

from lts.client import Client, Refused
from lts.errors import LtsError

STATE = Path.home() / ".scanner"
USAGE = """usage: scanner.py LICENSE_KEY VENDOR_KEY [TEXT …]

LICENSE_KEY is the text from the portal's page Handshake Codes, VENDOR_KEY the vendor's public key. `lts sandbox`
prints both for testing."""


def scan(text: str) -> str:
    """What the tool does."""
    return f"{len(text)} characters"


def main() -> int:
    """Exit code 0 when everything was scanned, 1 without a license, 2 when called the wrong way."""
    if len(sys.argv) < 3 or sys.argv[1].startswith("-"):
        print(USAGE, file=sys.stderr)
        return 2
    key, vendor_key, *texts = sys.argv[1:]
    try:
        client = Client(key, product="demo", modules=("QR Code",), vendor_key=vendor_key, state=STATE)
        lease = client.authorize()
    except Refused as refusal:
        print(f"No license: {refusal.detail} {refusal.advice} (code {refusal.code}, request {refusal.request_id})")
        return 1
    except LtsError as error:  # nobody answers, who answers is not trusted, or a key is not one
        print(f"No license: {error.detail}")
        return 1
    if any(item.grace for item in lease.items):
        print("The license has run out and works in grace; tell your administrator.")
    for text in texts:
        print(scan(text))
        client.use("QR Code")
    client.close()  # reports what waits; without a server it goes out with the next start
    return 0


if __name__ == "__main__":
    sys.exit(main())
