"""A command-line tool with a licensed feature: `python scanner.py LICENSE_KEY VENDOR_KEY [TEXT …]`.

Its state lies in the user's folder, so that it works offline until its lease ends, and loses no count.
"""

import sys
from pathlib import Path

from lts.client import Client, NotTrusted, Refused, Unreachable

STATE = Path.home() / ".scanner"


def scan(text: str) -> str:
    """What the tool is for."""
    return f"{len(text)} characters"


def main() -> int:
    """Exit code 0 when everything was scanned, 1 without a license."""
    key, vendor_key, *texts = sys.argv[1:]
    client = Client(key, product="demo", modules=("QR Code",), vendor_key=vendor_key, state=STATE)
    try:
        lease = client.authorize()
    except Refused as refusal:
        print(f"No license: {refusal.detail} {refusal.advice} (code {refusal.code}, request {refusal.request_id})")
        return 1
    except (Unreachable, NotTrusted) as error:
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
