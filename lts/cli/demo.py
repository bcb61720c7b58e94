"""`lts demo`: the main job in one go, on a new data folder: issue, activate, import, authorise, report, count."""

from __future__ import annotations

import argparse
import contextlib
import socket
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from lts.cli.options import config_of
from lts.cli.output import print_json, print_table
from lts.cli.questions import print_usage
from lts.cli.runner import serving, until_stopped
from lts.cli.serve import add_address, portal_url
from lts.client import Client
from lts.config import Config
from lts.crypto import SigningKey
from lts.protocol import DAY_SECONDS, iso
from lts.rules import activation, licensefile, vendorkey
from lts.server import Opened, Server, opened, set_up_logging
from lts.service import handshakes, licenses, sessions, usage
from lts.service.licenses import Choice
from lts.vendor import issuing

ORGANIZATION, LICENSE_ID = "216998", "100028117"
_USAGE = (
    {"QR Code": 3, "1D barcode": 1},
    {"QR Code": 7},
    {"1D barcode": 12, "QR Code": 2},
)


def add_parsers(commands: Any) -> None:
    """Register the command."""
    demo = commands.add_parser("demo", help="see the main job in one go, on a new data folder")
    demo.set_defaults(run=_demo)
    add_address(demo)
    demo.add_argument("--exit", action="store_true", help="end instead of leaving the server running")
    demo.add_argument("--json", action="store_true", help="only JSON on standard output")


def _say(args: argparse.Namespace, text: str) -> None:
    print(text, file=sys.stderr if args.json else sys.stdout, flush=True)


def _demo(args: argparse.Namespace) -> int:
    config = config_of(args)
    folder = Path(tempfile.mkdtemp(prefix="lts-demo-"))
    port = config.port if is_free(config.host, config.port) else 0
    config = replace(config, data_dir=folder / "data", vendor_keys=folder / "trust", port=port, public_url=None)
    set_up_logging(replace(config, log=replace(config.log, level="warning")))
    with opened(config) as here:
        server = Server(here, config)
        with until_stopped() as stopped, serving(server):
            _run(args, config, here, server)
            if not args.exit:
                portal = portal_url(server.url, sessions.setup_code(server.ctx))
                _say(args, f"The server goes on at {portal} until Ctrl-C.")
                _say(args, f"Command line on its data: lts status --data {config.data_dir}")
                while not stopped.wait(0.5):
                    pass
    return 0


def is_free(host: str, port: int) -> bool:
    """Whether nobody listens there."""
    with contextlib.closing(socket.socket()) as probe:
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _run(args: argparse.Namespace, config: Config, here: Opened, server: Server) -> None:
    ctx, now = here.ctx, int(time.time())
    _say(args, f"1. Server     {server.url}, LTS UUID {ctx.identity.uuid}")
    vendor = SigningKey.generate()
    issued = issuing.issue(_spec(now), vendor, "Demo Vendor", now)
    request = activation.build(ctx.identity.uuid, ctx.identity.key, ctx.identity.labels, ctx.identity.binding, now)
    activated = issuing.activate(issued, [activation.read(request.encode("utf-8"))], vendor, "Demo Vendor", now)
    file = config.data_dir.parent / "demo.lic"
    file.write_text(licensefile.render(activated), encoding="utf-8")
    _say(args, f"2. License    {file} issued by Demo Vendor and activated for this server")
    ctx.trust.add(vendorkey.build("Demo Vendor", vendor, now).encode("utf-8"))
    done = licenses.import_license(ctx, file.read_bytes(), Choice(), "cli:demo", now)
    code = str(done.handshake_code)
    key = handshakes.license_key(ctx, code)
    _say(args, f"3. Imported   {len(done.added)} items into handshake code {code}")
    _say(args, f"4. License key\n{key}")
    devices = [_device(key, vendor, usage_) for usage_ in _USAGE]
    table = usage.usage(ctx, code=code)
    totals = {name: table.rows["all", name] for name in table.types}
    if args.json:
        print_json(
            {
                "serverUuid": ctx.identity.uuid,
                "vendorKey": vendor.public.x,
                "handshakeCode": code,
                "licenseKey": key,
                "devices": devices,
                "usage": totals,
            }
        )
        return
    print("5. Devices")
    rows = [(d["deviceId"], d["until"], ", ".join(f"{n} {t}" for t, n in d["reported"].items())) for d in devices]
    print_table(("Device", "Lease until", "Reported"), rows, "")
    for device in devices:
        print(f"\nLease of {device['deviceId']}:\n{device['lease']}")
    print("\n6. Usage of the handshake code")
    print_usage(
        {"by": "type", "types": table.types, "total": table.total,
         "rows": [{"group": g, "type": t, "units": n} for (g, t), n in table.rows.items()]}
    )  # fmt: skip


def _spec(now: int) -> dict[str, Any]:
    year = iso(now + 365 * DAY_SECONDS)
    common = {
        "product": "barcode-reader",
        "productVersions": ["8"],
        "startsAt": iso(now - DAY_SECONDS),
        "expiresAt": year,
    }
    modules = ["QR Code", "1D barcode"]
    return {
        "licenseId": LICENSE_ID,
        "organizationId": ORGANIZATION,
        "items": [
            {**common, "itemId": "scans", "description": "Scans", "chargeWay": "scan", "quota": 10_000,
             "modules": modules},
            {**common, "itemId": "devices", "description": "Devices", "chargeWay": "device", "quota": 10,
             "activePeriod": "monthly", "modules": modules},
        ],
    }  # fmt: skip


def _device(key: str, vendor: SigningKey, reported: dict[str, int]) -> dict[str, Any]:
    """One client device: authorised, its lease verified with the vendor's key, its usage reported."""
    with Client(key, product="barcode-reader", version="8.2.5", vendor_key=vendor.public.x) as client:
        for name, count in reported.items():
            client.use(name, count)
        lease = client.lease
        text, certificates = client.lease_text, list(client.certificates)
        client.flush()
        assert lease is not None
        return {
            "deviceId": client.device_id,
            "lease": text,
            "certificates": certificates,
            "until": iso(lease.expires_at),
            "reported": reported,
        }
