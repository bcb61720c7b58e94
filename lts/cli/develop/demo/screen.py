"""What the demo shows: a screenful, with commands that can be pasted as they are."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lts.cli.develop.demo.company import CONTRACTS, DAYS, DEVICES, OFFICE, PRINTER, READER, STORES, VENDOR_NAME
from lts.cli.develop.demo.livedevices import Live
from lts.cli.output import print_table
from lts.cli.paste import command
from lts.config import Config
from lts.protocol import iso
from lts.rules.statistics.usagetable import BY_TALLY
from lts.service.core.context import Context
from lts.service.statistics import usage
from lts.service.statistics.usage import GRANTED, REPORTS

ANEW_SECONDS = 0.2
_WIDTH = 7
"""Of a column of numbers."""


class Progress:
    """Which day is being played, on standard error; on a terminal in one line that goes away at the end."""

    def __init__(self) -> None:
        self._live = sys.stderr is not None and sys.stderr.isatty()
        self._shown_at = 0.0
        if not self._live:
            print(f"Playing {DAYS} days of a company …", file=sys.stderr, flush=True)

    def show(self, day: int) -> None:
        """Day number `day` begins."""
        if self._live and time.monotonic() - self._shown_at > ANEW_SECONDS:
            self._shown_at = time.monotonic()
            print(f"\rPlaying {DAYS} days of a company: day {day} …", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        """All days are played, or somebody stopped them."""
        if self._live:
            print(f"\r{' ' * 60}\r", end="", file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Scene:
    """What to show: `url` of the server, `key` is the license key of the stores, `vendor_key` the vendor's public key
    (JWK x), `link` signs in to the portal (None = the server ends), `seconds` is how long everything took.

    It listens on `port`, and should listen on `wanted` (0 = any). `host` is what `--host` named.
    """

    folder: Path
    url: str
    host: str | None
    port: int
    wanted: int
    key: str
    vendor_key: str
    live: list[Live]
    link: str | None
    seconds: float

    @property
    def place(self) -> tuple[str, Path]:
        """The option that names the data folder."""
        return "--data", self.folder / "data"

    @property
    def address(self) -> tuple[str, ...]:
        """The options that let `lts serve` have the address that the license key names."""
        host = () if self.host is None else ("--host", self.host)
        usual = self.port == self.wanted == Config.port
        return host if usual else (*host, "--port", str(self.port))


def show(ctx: Context, scene: Scene) -> None:
    """Print all of it on standard output."""
    _what_happened(ctx, scene)
    _usage(ctx)
    print()
    if scene.port != Config.port:
        print(f"This server listens on port {scene.port}{_why_not(scene)}.")
    print(f"License key of {STORES}, for an application to embed:\n  {scene.key}")
    print(f"The vendor's public key, to embed with it: {scene.vendor_key}")
    print(f"\nEverything is in {scene.folder}")
    print("Delete that folder when you are done. To serve it again later, and to set its password:")
    print(f"  {command('serve', *scene.place, *scene.address)}")
    print(f"  {command('password', 'reset', *scene.place)}")
    if scene.link is not None:
        print(f"\nThe portal, signed in (the address works once, within an hour, on this machine):\n  {scene.link}")
        print(_TO_LOOK_AT)
        print(f"\nFrom another window, while this one runs:\n{_commands(scene)}")
        print("\nCtrl-C ends the demo.")
    sys.stdout.flush()


def _why_not(scene: Scene) -> str:
    return "" if scene.wanted in (0, scene.port) else f", since {scene.wanted} is not free"


def _what_happened(ctx: Context, scene: Scene) -> None:
    tallies = {by: usage.usage(ctx, grouping=by) for by in BY_TALLY}
    granted = _sum(tallies["authorizations"], GRANTED)
    refused = tallies["authorizations"].total - granted
    print(f"{DAYS} days of a company's license server, played in {scene.seconds:.1f} s:")
    print(f"  {len(CONTRACTS)} license files of {VENDOR_NAME} signed, bound to this server, imported, shared out")
    print(f"  {len(DEVICES)} devices authorized {granted:,} times and refused {refused:,} times")
    print(f"  {_sum(tallies['reports'], REPORTS):,} reports counted, in slots of 3 minutes")
    print("Today three of them called over HTTP; the vendor's public key alone verifies their leases:")
    for one in scene.live:
        print(f"  {one.name}  {one.device_id}  until {iso(one.until)}")


def _sum(table: usage.UsageTable, name: str) -> int:
    return sum(n for (_, column), n in table.rows.items() if column == name)


def _usage(ctx: Context) -> None:
    """A line for each handshake code, numbers to the right."""
    tables = {contract.code: usage.usage(ctx, code=contract.code) for contract in CONTRACTS}
    types = sorted({name for table in tables.values() for name in table.types})
    units = {code: [table.rows.get(("all", name), 0) for name in types] for code, table in tables.items()}
    units["all"] = [sum(column) for column in zip(*units.values(), strict=True)]
    widths = [max(len(name), _WIDTH) for name in (*types, "Total")]
    print()
    print_table(
        ["Units by handshake code", *_right((*types, "Total"), widths)],
        [[code, *_right([f"{n:,}" if n else "-" for n in (*row, sum(row))], widths)] for code, row in units.items()],
        "",
    )


def _right(cells: Iterable[str], widths: list[int]) -> list[str]:
    return [cell.rjust(width) for cell, width in zip(cells, widths, strict=True)]


_TO_LOOK_AT = """\
  Home           one item is used up and one nearly so; one is in its grace period,
                 and a trial ends in a few days
  Statistics     by type, day, hour or device; as chart, table and CSV
  Usage Alerts   which levels were passed, and when
  Why?           each refused request, with the verdict on every item"""


def _commands(scene: Scene) -> str:
    lines = (
        command("usage", "--code", STORES, "--by", "day", *scene.place),
        command("explain", "--code", OFFICE, "--product", PRINTER, *scene.place),
        command("authorize", "--server", scene.url, "--code", STORES, "--product", READER,
                "--state", scene.folder / "devices" / "yours"),
    )  # fmt: skip
    return "\n".join(f"  {line}" for line in lines)


def stopped(folder: Path) -> str:
    """The last words."""
    return f"The demo has stopped. Its data stays in {folder} until you delete it."
