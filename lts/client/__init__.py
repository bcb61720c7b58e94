"""The client library for Python applications: authorize, count, report, release (docs/protocol.md).

    from lts.client import Client

    with Client(LICENSE_KEY, product="barcode-reader", vendor_key=VENDOR_KEY) as license:
        if license.allowed("QR Code"):
            license.use("QR Code", 3)

Needs `cryptography` and nothing else beyond the standard library.
"""

from lts.client.client import Client
from lts.client.errors import ClientError, NotTrusted, Refused, Unreachable

__all__ = ["Client", "ClientError", "NotTrusted", "Refused", "Unreachable"]
