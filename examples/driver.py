"""The driver of the Python client for `lts conformance`: each line is a JSON object and is answered with a line."""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from lts.client import Client, ClientError, Refused
from lts.crypto import PublicKey
from lts.errors import LtsError
from lts.protocol import LicenseKey, verify_lease

Json = dict[str, Any]


class Invalid(ClientError):
    """What no server would count was to be used."""


class Driver:
    """One client at a time, with a clock that the conformance program sets."""

    def __init__(self) -> None:
        self.client: Client | None = None
        self.now = 0
        self.opened: Json = {}
        self.folder = tempfile.TemporaryDirectory()

    def handle(self, call: Json) -> Json:
        """The answer to a call: {"ok": …} or {"error": …, "code": …}."""
        try:
            return {"ok": getattr(self, f"do_{call['do']}")(call)}
        except Refused as refusal:
            return {"error": "Refused", "code": refusal.code}
        except ClientError as error:
            return {"error": type(error).__name__}

    def do_key(self, call: Json) -> Json | None:
        try:
            key = LicenseKey.decode(call["text"])
        except LtsError:
            return None
        return {"s": list(key.servers), "o": key.organization_id, "h": key.handshake_code, "p": key.session_password,
                "k": key.vendor_kid, "f": key.fingerprint}  # fmt: skip

    def do_verify(self, call: Json) -> bool:
        try:
            key = PublicKey.from_x(call["vendorKey"]) if call["vendorKey"] else None
            verify_lease(call["lease"], call["certificates"], key)
        except LtsError:
            return False
        return True

    def do_open(self, call: Json) -> bool:
        if self.client is not None:
            self.client.close()
        self.folder.cleanup()
        self.folder = tempfile.TemporaryDirectory()
        self.opened, self.now = call, call["now"]
        self.client = self.make()
        return True

    def make(self) -> Client:
        """The client, over the state that is kept."""
        call = self.opened
        return Client(
            call["licenseKey"],
            product=call["product"],
            vendor_key=call["vendorKey"],
            device_id=call["deviceId"],
            state=Path(self.folder.name),
            clock=lambda: self.now,
            timeout=3,
        )

    def do_reopen(self, call: Json) -> bool:
        self.client = self.make()  # as after a kill: the one before was not closed
        return True

    def do_clock(self, call: Json) -> bool:
        self.now = call["now"]
        return True

    def do_authorize(self, call: Json) -> bool:
        assert self.client is not None
        self.client.authorize()
        return True

    def do_allowed(self, call: Json) -> bool:
        assert self.client is not None
        return self.client.allowed(call["module"])

    def do_use(self, call: Json) -> bool:
        assert self.client is not None
        try:
            self.client.use(call["type"], call["count"])
        except ValueError as error:
            raise Invalid(str(error)) from error
        return True

    def do_flush(self, call: Json) -> list[Json]:
        assert self.client is not None
        return self.client.flush()

    def do_release(self, call: Json) -> bool:
        assert self.client is not None
        self.client.release()
        return True


def main() -> None:
    """Answer until standard input ends."""
    if sys.argv[1:] or sys.stdin.isatty():
        print('usage: lts conformance "python driver.py", which sends it a JSON object a line', file=sys.stderr)
        sys.exit(2)
    driver = Driver()
    for line in sys.stdin:
        print(json.dumps(driver.handle(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
