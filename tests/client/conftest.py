"""A listening server, and clients of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lts.cli.serving.runner import serving
from lts.client import Client
from lts.server import Server
from lts.service.licensing import handshakes
from tests.support.kit import Lab


@pytest.fixture
def served(server: Lab) -> Iterator[Lab]:
    """The lab, listening."""
    with serving(Server(server.here, server.config)):
        yield server


def client(server: Lab, folder: Path | None = None, **more: Any) -> Client:
    """A client of the lab's handshake code, on the lab's time."""
    key = handshakes.license_key(server.ctx, "216998-100")
    settings = {"product": "reader", "deployment_type": "server", "vendor_key": server.vendor.key.public.x,
                "clock": lambda: server.time.wall, "state": folder}  # fmt: skip
    return Client(key, **{**settings, **more})
