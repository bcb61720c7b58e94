"""The demo from its new data folder to the server that keeps running: the past, three devices of today, and what to
try."""

from __future__ import annotations

import argparse
import secrets
import shutil
import sys
import tempfile
import threading
import time
import webbrowser
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lts.cli import streams
from lts.cli.develop.demo import livedevices, screen
from lts.cli.develop.demo.company import STORES
from lts.cli.develop.demo.livedevices import Live
from lts.cli.develop.demo.past import Past
from lts.cli.develop.demo.pastclock import PastClock, begin_of
from lts.cli.develop.demo.screen import Scene
from lts.cli.options import config_of, refuse_data
from lts.cli.output import print_json
from lts.cli.serving.runner import serving, until_stopped
from lts.cli.serving.serve import has_desktop, portal_url
from lts.config import Config, Log
from lts.crypto import SigningKey
from lts.errors import ListenError
from lts.rules.accounts import OWNER
from lts.server import Opened, Server, opened, set_up_logging
from lts.service.access import accounts, sessions, signinlink
from lts.service.core.context import Context
from lts.service.licensing import handshakes
from lts.service.statistics import usage


@dataclass(frozen=True)
class Stage:
    """Where a demo plays: a folder of its own, and a vendor of its own."""

    folder: Path
    config: Config
    vendor: SigningKey


def run(args: argparse.Namespace) -> int:
    """`lts demo`: 0 also when it was ended by Ctrl-C. One that fails leaves nothing behind."""
    began = time.monotonic()
    refuse_data(args, "demo")
    given = config_of(args)
    folder = Path(tempfile.mkdtemp(prefix="lts-demo-"))
    config = Config(None, host=given.host, port=given.port, data_dir=folder / "data", vendor_keys=folder / "trust",
                    log=Log("warning"))  # fmt: skip
    set_up_logging(config)
    try:
        _run(args, Stage(folder, config, SigningKey.generate()), began)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)  # it was never announced
        raise
    return 0


def _run(args: argparse.Namespace, stage: Stage, began: float) -> None:
    now = int(time.time())
    clock = PastClock(begin_of(now))
    with until_stopped() as stopped, opened(stage.config, clock=clock.clock()) as here:
        past = _play(here.ctx, clock, stage.vendor, now, stopped)
        if past is not None:
            _go_on(args, here, stage, past, began, stopped)
    if stopped.is_set():
        streams.complain(screen.stopped(stage.folder))


def _play(ctx: Context, clock: PastClock, vendor: SigningKey, now: int, stopped: threading.Event) -> Past | None:
    """The sixty days up to `now`, None if somebody stopped them."""
    progress = screen.Progress()
    _set_password(ctx)
    past = Past(ctx, clock, vendor, now)
    for day in past.days():
        if stopped.is_set():
            break
        progress.show(day)
    else:
        clock.arrive()
    progress.end()
    return None if stopped.is_set() else past


def _set_password(ctx: Context) -> None:
    """One that nobody needs: the printed address signs in, and `lts password reset` sets another."""
    code = sessions.setup_code(ctx) or ""
    accounts.set_up(ctx, code, secrets.token_urlsafe(24), ctx.clock.now())


def _server(here: Opened, config: Config) -> Server:
    """On the requested port, or on a free one if that is taken."""
    try:
        return Server(here, config)
    except ListenError:
        return Server(here, replace(config, port=0))


def _go_on(
    args: argparse.Namespace, here: Opened, stage: Stage, past: Past, began: float, stopped: threading.Event
) -> None:
    """Serve: let the devices call, show it all, and stay until somebody stops it (with --exit, end)."""
    server = _server(here, stage.config)
    with serving(server):
        key = handshakes.license_key(here.ctx, STORES)
        live = livedevices.call(key, stage.vendor.public.x, past.players, stage.folder / "devices")
        link = None if args.exit else portal_url(server.url, sign_in=_link(here.ctx))
        if args.json:
            print_json(_summary(here.ctx, stage, key, live))
            sys.stdout.flush()
            if link is not None:
                streams.complain(f"The portal, signed in: {link}")
        else:
            scene = Scene(stage.folder, server.url, args.host, server.listener.port, stage.config.port, key,
                          stage.vendor.public.x, live, link, time.monotonic() - began)  # fmt: skip
            screen.show(here.ctx, scene)
        if link is not None:
            if has_desktop() and not args.no_browser and not args.json:
                webbrowser.open(link)
            while not stopped.wait(0.5):
                pass


def _link(ctx: Context) -> str:
    return signinlink.make(ctx, OWNER, ctx.clock.now())


def _summary(ctx: Context, stage: Stage, key: str, live: list[Live]) -> dict[str, Any]:
    """The JSON of the command: all that the handshake code of the license key has seen is the live devices' use."""
    table = usage.usage(ctx, code=STORES)
    return {
        "serverUuid": ctx.identity.uuid,
        "vendorKey": stage.vendor.public.x,
        "handshakeCode": STORES,
        "licenseKey": key,
        "devices": [
            {"deviceId": one.device_id, "lease": one.lease, "certificates": one.certificates, "reported": one.reported}
            for one in live
        ],
        "usage": {name: table.rows["all", name] for name in table.types},
    }
