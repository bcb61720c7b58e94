"""`lts sandbox`: a server that gives any answer on demand, so that a developer can try each path of an application.

Every situation has a license key of its own: put it into the application and see what happens. On a new data folder,
which is removed at the end.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import socket
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lts.cli.options import config_of, refuse_data, uses_only
from lts.cli.output import print_table
from lts.cli.serving.runner import serving, until_stopped
from lts.cli.serving.serve import add_address
from lts.config import RateLimits
from lts.crypto import SigningKey
from lts.protocol import DAY_SECONDS, LicenseKey, iso
from lts.rules.licensing import activation, licensefile, vendorkey
from lts.rules.metering.checks import Request
from lts.server import Opened, Server, opened, set_up_logging
from lts.service.licensing import handshakes, licenses
from lts.service.licensing.licenses import Choice
from lts.service.metering import authorize
from lts.vendor import issuing
from lts.web.sandbox import Sandbox

Json = dict[str, Any]
ORGANIZATION, PRODUCT, MODULES = "1000", "demo", ["QR Code", "1D barcode"]
CLOSED_URL = "http://127.0.0.1:9/lts/"


@dataclass(frozen=True)
class Situation:
    """What an application gets with a license key: `item` changes the license item, `code` the handshake code, `mode`
    is a fault in front of the server (lts.web.sandbox), None = nobody is there at all."""

    name: str
    words: str
    item: Json | None = None
    code: Json | None = None
    mode: str | None = "works"


def _day(days: int) -> str:
    return iso(int(time.time()) + days * DAY_SECONDS)


def situations() -> list[Situation]:
    """All there are; each with an item and a handshake code of its name."""
    return [
        Situation("works", "authorized for 7 days; counts scans"),
        Situation("devices", "a seat for 30 days", {"chargeWay": "device", "activePeriod": "monthly", "quota": 100}),
        Situation("instances", "up to 5 instances of a server", {"chargeWay": "concurrentInstance", "quota": 5}),
        Situation(
            "short", "a lease of 3 to 6 minutes, renewed by reports", {"chargeWay": "concurrentDevice", "quota": 5}
        ),
        Situation("trial", "ends in 2 days", {"trial": True, "expiresAt": _day(2)}),
        Situation("grace", "ended yesterday, works in grace", {"expiresAt": _day(-1)}),
        Situation("expired", "111: ended, grace is over", {"expiresAt": _day(-30)}),
        Situation("not-begun", "112: begins tomorrow", {"startsAt": _day(1)}),
        Situation("full", "120: the only seat is taken", {"chargeWay": "device", "quota": 1, "graceQuota": 0}),
        Situation("password", "102: the key lacks the session password", code={"password": "secret of the sandbox"}),
        Situation("bound", "103, 114: bound to app.example.com", code={"validation": {"domains": ["app.example.com"]}}),
        Situation("other-module", "124 for the usual modules", {"modules": ["OCR"]}),
        Situation("no-code", "101: no such handshake code"),
        Situation("clone", "151: two devices use one identity", mode="clone"),
        Situation("standby", "100: the main serves", mode="standby"),
        Situation("full-disk", "150: the server cannot store now", mode="full-disk"),
        Situation("limited", "130: too many requests", mode="limited"),
        Situation("slow", "answers after 8 seconds", mode="slow"),
        Situation("offline", "nobody answers", mode=None),
        Situation("failover", "the main is gone, the standby serves"),
        Situation("portal", "a network's sign-in page instead of an answer", mode="portal"),
        Situation("half", "half an answer", mode="half"),
        Situation("redirect", "an answer that redirects elsewhere", mode="redirect"),
        Situation("clock", "142: your clock and the server's disagree by a day", mode="clock"),
        Situation("switch", "changes while it runs: POST /lts/sandbox/switch?mode=…", mode="switch"),
    ]


def add_parsers(commands: Any) -> None:
    """Register the command."""
    sandbox = commands.add_parser("sandbox", help="a server that gives any answer on demand, for developers")
    sandbox.set_defaults(run=_sandbox)
    uses_only(sandbox, "config")
    add_address(sandbox)
    sandbox.add_argument("--json", action="store_true", help="keys as JSON on standard output, nothing else")


def _is_free(host: str, port: int) -> bool:
    """Whether nobody listens there."""
    with contextlib.closing(socket.socket()) as probe:
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _sandbox(args: argparse.Namespace) -> int:
    refuse_data(args, "sandbox")
    config = config_of(args)
    with tempfile.TemporaryDirectory(prefix="lts-sandbox-", ignore_cleanup_errors=True) as name:
        port = config.port if _is_free(config.host, config.port) else 0
        config = replace(config, data_dir=Path(name) / "data", vendor_keys=Path(name) / "trust", port=port,
                         public_url=None, rate_limits=RateLimits(100_000, 100_000, 100_000))  # fmt: skip
        set_up_logging(replace(config, log=replace(config.log, level="error")))
        with opened(config) as here:
            listed: list[Json] = []
            server = Server(here, config, lambda app: Sandbox(app, listed))
            vendor = _fill(here)
            listed += [_summary(server.url, one, vendor) for one in situations()]
            with until_stopped() as stopped, serving(server):
                _say(args, server.url, vendor, listed)
                while not stopped.wait(0.5):
                    pass
    return 0


def _fill(here: Opened) -> SigningKey:
    """A vendor, an item and a code for each situation."""
    ctx, now, vendor = here.ctx, int(time.time()), SigningKey.generate()
    common = {"product": PRODUCT, "chargeWay": "scan", "quota": 1_000_000, "modules": MODULES,
              "startsAt": iso(now - 400 * DAY_SECONDS), "expiresAt": None}  # fmt: skip
    items = [{**common, "itemId": one.name, **(one.item or {})} for one in situations()]
    for item in items:
        if item["chargeWay"] == "concurrentInstance":
            item["deploymentTypes"] = ["server"]
    spec = {"licenseId": "sandbox", "organizationId": ORGANIZATION, "items": items}
    me = ctx.identity
    request = activation.read(activation.build(me.uuid, me.key, me.labels, me.binding, now).encode())
    file = issuing.activate(issuing.issue(spec, vendor, "Sandbox", now), [request], vendor, "Sandbox", now)
    ctx.trust.add(vendorkey.build("Sandbox", vendor, now).encode())
    licenses.import_license(ctx, licensefile.render(file).encode(), Choice(items_only=True), "cli:sandbox", now)
    numbers = {item.terms.item_id: key for key, item in ctx.store.catalog.items.items()}
    for one in situations():
        if one.name != "no-code":
            changes = {"custom": one.name, "items": [{"id": numbers[one.name], "cap": None}], **(one.code or {})}
            handshakes.add(ctx, ORGANIZATION, changes, "cli:sandbox", now)
    authorize.authorize(ctx, Request(b"\1" * 16, PRODUCT, "desktop", f"{ORGANIZATION}-full"), now)
    return vendor


def _summary(url: str, one: Situation, vendor: SigningKey) -> Json:
    """A situation as the page and the console show it."""
    root = url.removesuffix("lts/")
    here = url if one.mode == "works" else CLOSED_URL if one.mode is None else f"{root}s/{one.mode}/lts/"
    servers = (CLOSED_URL, here) if one.name == "failover" else (here,)
    key = LicenseKey(servers, ORGANIZATION, f"{ORGANIZATION}-{one.name}", None, vendor.public.kid)
    return {"name": one.name, "words": one.words, "licenseKey": key.encode(), "vendorKey": vendor.public.x,
            "product": PRODUCT, "modules": MODULES}  # fmt: skip


def _say(args: argparse.Namespace, url: str, vendor: SigningKey, listed: list[Json]) -> None:
    if args.json:
        print(json.dumps({"url": url, "vendorKey": vendor.public.x, "product": PRODUCT, "modules": MODULES,
                          "situations": listed}), flush=True)  # fmt: skip
        return
    print(f"Sandbox at {url}. Every situation has a license key of its own; the product is {PRODUCT!r}.")
    print(f"Vendor's public key: {vendor.public.x}")
    print(f"Try them in a page: {url}static/sandbox/index.html\n")
    print_table(
        ("Situation", "What happens", "License key"), [(o["name"], o["words"], o["licenseKey"]) for o in listed], ""
    )
    print(f"\nChange the switch by: POST {url}sandbox/switch?mode=standby (works, slow, portal, …)")
    print("Stop with Ctrl-C; nothing is kept.", flush=True)
