"""`lts authorize`, `lts report`, `lts release`: a real client, for trying and for scripts."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from lts import plainfile
from lts.cli.files import naming, outside_data, read_file
from lts.cli.options import JSON_WORDS, add_deployment, uses_only, whole_number
from lts.cli.output import note, print_json, print_table
from lts.client import Client, Unreachable
from lts.client.transport import split
from lts.crypto import PublicKey
from lts.errors import AdminError, TokenError
from lts.protocol import Lease, LicenseKey, iso, parse_iso, slot_of
from lts.rules.licensing import filekind, vendorkey

PRODUCT = "demo"
"""What a device asks for when the command does not say."""


def add_parsers(commands: Any) -> None:
    """Register the commands."""
    for name, run, words in (
        ("authorize", _authorize, "authorize a device, as an application would"),
        ("report", _report, "report usage of a device"),
        ("release", _release, "give a device's seat back"),
    ):
        parser = commands.add_parser(name, help=words)
        parser.set_defaults(run=run)
        uses_only(parser)
        _who(parser)
        if name == "report":
            parser.add_argument(
                "--usage", action="append", default=[], metavar="TYPE=N", help="count so far in the slot"
            )
            parser.add_argument("--slot", help="start of the slot, such as 2026-11-25T02:03:00Z (default: now)")


def _who(parser: argparse.ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--key", help="license key string from the portal")
    which.add_argument("--server", help="URL of the server, with --code")
    parser.add_argument("--code", help="handshake code")
    parser.add_argument("--password", help="session password of the code")
    parser.add_argument("--device", help="device UUID (default: one kept in the state folder)")
    parser.add_argument(
        "--state", type=Path, metavar="DIR", help="folder of the client's state (default: ~/.lts-client)"
    )
    parser.add_argument(
        "--vendor-key", metavar="X", help="the vendor's public key, or its .pub; without it the server is pinned"
    )
    parser.add_argument("--product", help=f"the product's name as the license has it (default: {PRODUCT})")
    parser.add_argument("--version", dest="product_version", help="the product's version, such as 8.2.5")
    parser.add_argument("--edition", help="the product's edition")
    add_deployment(parser)
    parser.add_argument("--modules", metavar="A,B", help="features asked for (default: all)")
    parser.add_argument(
        "--instances", type=whole_number, default=1, metavar="N", help="instances asked for (default: 1)"
    )
    parser.add_argument("--domain", help="web domain that the application runs on")
    parser.add_argument("--json", action="store_true", help=JSON_WORDS)


def _vendor_key(text: str | None) -> str | None:
    """The public key's text, read from the vendor's `.pub` when a file is named. Raises AdminError."""
    if text is None:
        return None
    if not plainfile.is_seen(Path(text)):
        try:
            return PublicKey.from_x(text).x
        except TokenError as error:
            raise AdminError(
                "usage",
                f"--vendor-key is {text!r}, which is neither a file that is there nor a vendor's public key"
                " (43 letters and digits, as `lts vendor init` printed them).",
            ) from error
    data = read_file(Path(text), filekind.PUBLIC_KEY)
    with naming(Path(text)):
        return vendorkey.read(data).key.x


def _say_what_is_asked(args: argparse.Namespace) -> None:
    if args.product is None:
        note(
            f"without --product it asks for the product {PRODUCT}, as a {args.deployment} application"
            f" (--deployment {args.deployment})."
        )


def _state_folder(args: argparse.Namespace) -> Path:
    """Where the client keeps its state. Raises AdminError where nothing says which folder that is, and in a server's
    data folder."""
    try:
        folder: Path = args.state or Path.home() / ".lts-client"
    except RuntimeError as error:
        raise AdminError(
            "usage", "Your home folder is not known, so say where the client keeps its state: add --state DIR."
        ) from error
    outside_data(folder / "client.db")
    return folder / args.device if args.device else folder


def _check_kept(client: Client, folder: Path) -> None:
    """Raises AdminError where the state cannot be kept: each call would be a new device, and take a seat."""
    if fault := client.storage_fault:
        raise AdminError(
            "cannot-write",
            f"The client's state cannot be kept in {folder} ({fault}), so nothing was asked for; name a folder that you"
            " may write: --state DIR.",
        )


def _check_lease(client: Client, folder: Path) -> None:
    """Raises AdminError if there is no lease to report under or to give back."""
    if client.lease_text is None:
        why = f", which cannot be used ({client.storage_fault})" if client.storage_fault else ""
        raise AdminError("no-lease", f"There is no lease in {folder}{why}; `lts authorize` gets one.")


def client_of(args: argparse.Namespace) -> Client:
    """The client that the arguments describe; each device named has its own state."""
    key = args.key
    if key is None:
        if not args.code:
            raise AdminError("usage", "Give --code with --server.")
        try:
            split(args.server)
        except Unreachable as error:
            raise AdminError("usage", f"--server is wrong: {error.detail}") from error
        key = LicenseKey((args.server,), None, args.code, args.password, None).encode()
    return Client(
        key,
        product=args.product or PRODUCT,
        version=args.product_version,
        edition=args.edition,
        deployment_type=args.deployment,
        modules=tuple(module for module in (args.modules or "").split(",") if module),
        instances=args.instances,
        validation={"domain": args.domain} if args.domain else None,
        vendor_key=_vendor_key(args.vendor_key),
        allow_pinned=args.vendor_key is None,
        device_id=args.device,
        state=_state_folder(args),
    )


def _authorize(args: argparse.Namespace) -> int:
    _say_what_is_asked(args)
    client = client_of(args)
    _check_kept(client, _state_folder(args))
    lease = client.authorize()
    if args.json:
        print_json({"deviceId": client.device_id, "unanswered": client.unanswered, "lease": client.lease_text,
                    "certificates": client.certificates, "claims": lease.claims()})  # fmt: skip
        return 0
    until = f"until {iso(lease.expires_at)} by code {lease.handshake_code}"
    if client.unanswered:
        print(f"No server answered: {client.unanswered}")
        print(
            f"The lease in {_state_folder(args)} is still valid: it lets device {client.device_id} use these {until}."
        )
    else:
        print(f"Device {client.device_id} is authorized for {args.product or PRODUCT} ({args.deployment}) {until}.")
    _print_items(lease)
    return 0


def _print_items(lease: Lease) -> None:
    rows = [
        (item.item_id, item.charge_way, ", ".join(item.modules) or "-", "grace" if item.grace else "")
        for item in lease.items
    ]
    print_table(("Item", "Charge way", "Modules", ""), rows, "No items.")


def _report(args: argparse.Namespace) -> int:
    usage: dict[str, int] = {}
    for text in args.usage:
        name, sign, count = text.rpartition("=")
        if not name or not sign:
            raise AdminError("usage", f"Write usage as TYPE=N, such as QR=3, not {text!r}.")
        if not (count.isascii() and count.isdigit()):
            raise AdminError("usage", f"--usage {text} counts {count!r}: a count is a whole number from 0, such as 3.")
        usage[name] = int(count)
    try:
        slot = slot_of(parse_iso(args.slot)) if args.slot else None
    except ValueError as error:
        raise AdminError("usage", f"--slot is {error}.") from error
    client = client_of(args)
    _check_lease(client, _state_folder(args))
    answer = client.report(usage, slot)
    if args.json:
        print_json(answer)
    else:
        rows = [(r["slot"], r["status"], r.get("detail") or "") for r in answer["results"]]
        print_table(("Slot", "Status", ""), rows, "Nothing was reported.")
    for result in answer["results"]:
        if result["status"] == "rejected":
            raise AdminError("rejected", f"The server rejected the report ({result['code']}): {result['detail']}")
    return 0


def _release(args: argparse.Namespace) -> int:
    client = client_of(args)
    _check_lease(client, _state_folder(args))
    client.release()
    print_json({"deviceId": client.device_id, "released": True}) if args.json else print("The seat is free.")
    return 0
