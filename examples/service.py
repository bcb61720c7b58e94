"""A web service with a licensed feature, on Flask: one client for the process, reporting in the background.

LICENSE_KEY=… VENDOR_KEY=… flask --app examples/service run
"""

import atexit
import os
import sys
from pathlib import Path
from typing import Any

from flask import Flask, request

from lts.client import Client, Refused, Unreachable

USAGE = "Start it with: LICENSE_KEY=… VENDOR_KEY=… flask --app examples/service run"


def given(name: str) -> str:
    """A setting from the environment; without it the service prints how to start it, and ends."""
    if not os.environ.get(name):
        print(f"{name} is not set. {USAGE}", file=sys.stderr)
        sys.exit(2)
    return os.environ[name]


def create_app(license_key: str | None = None, vendor_key: str | None = None, state: str = "service-state") -> Flask:
    """The service. It starts without a license server and answers 503 until one has authorized it."""
    app = Flask("service")
    client = Client(
        license_key or given("LICENSE_KEY"),
        product="demo",
        deployment_type="server",
        vendor_key=vendor_key or given("VENDOR_KEY"),
        state=Path(state),
        bound=True,
        background=True,
    )
    atexit.register(client.close)

    def licensed() -> bool:
        if not client.allowed("QR Code"):
            try:
                client.authorize()
            except (Refused, Unreachable) as error:
                app.logger.warning("no license: %s", error.detail)
        return client.allowed("QR Code")

    @app.post("/scan")
    def scan() -> Any:
        if not licensed():
            return {"error": "There is no license at the moment."}, 503
        found = request.get_data(as_text=True)
        client.use("QR Code")
        return {"characters": len(found)}

    @app.get("/health")
    def health() -> Any:
        lease = client.lease
        return {"licensedUntil": lease.expires_at if lease else None, "storage": client.storage_fault}

    return app


if __name__ == "__main__":  # it is an application for Flask, and nothing by itself
    print(USAGE, file=sys.stderr)
    sys.exit(2)
