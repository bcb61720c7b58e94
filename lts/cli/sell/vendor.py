"""`lts vendor …`: the vendor's commands. Needs no server."""

from __future__ import annotations

import argparse
import contextlib
import json
import textwrap
import time
from pathlib import Path
from typing import Any

from lts import plainfile
from lts.cli import ask
from lts.cli.files import is_output, naming, outside_data, read_file, read_json, read_license, write_text
from lts.cli.options import uses_only
from lts.cli.output import note
from lts.cli.paste import command
from lts.errors import AdminError, LtsError
from lts.rules.licensing import activation, filekind, licensefile, vendorkey
from lts.rules.licensing.activation import ActivationRequest
from lts.rules.licensing.licensefile import License
from lts.rules.licensing.vendorkey import fingerprint
from lts.service.core.identity import IDENTITY
from lts.vendor import issuing, keys, spec
from lts.vendor.keys import KeyPair

PASSPHRASE = "LTS_VENDOR_PASSPHRASE"  # noqa: S105 - the variable's name
_CHANGES = """\
CHANGES.json holds only what changes:

  {"items": [{"itemId": "scans", "quota": 500}], "remove": ["desks"]}

  items   items by their itemId: of an existing one, only the fields named change; any other is new
  remove  itemIds that the license no longer holds
"""


def add_parsers(commands: Any) -> None:
    """Register the commands."""
    vendor = commands.add_parser("vendor", help="make keys and license files (for vendors)")
    sub = vendor.add_subparsers(required=True, metavar="COMMAND")
    init = _command(sub, "init", _init, "make the vendor's key pair")
    init.add_argument("folder", type=Path, metavar="DIR", help="folder for vendor.key and vendor.pub")
    init.add_argument("--name", required=True, help="the vendor's name, as customers see it")
    init.add_argument(
        "--passphrase",
        action="store_true",
        help=f"protect the key with a passphrase, asked for, or taken from {PASSPHRASE}",
    )
    init.add_argument("--replaces", type=Path, metavar="OLD.key", help="the earlier key, which signs the succession")
    spec_ = _command(sub, "spec", _spec, "print a spec to start from", _fields_of_spec())
    spec_.add_argument(
        "-o", "--output", type=Path, default=Path("-"), metavar="SPEC.json", help="a file instead of standard output"
    )
    issue = _signing(sub, "issue", _issue, "issue a license file from a spec", _fields_of_spec())
    issue.add_argument("spec", type=Path, metavar="SPEC.json", help="what is sold; - reads standard input")
    activate = _signing(sub, "activate", _activate, "bind a license file to a customer's server")
    activate.add_argument("file", type=Path, metavar="FILE.lic", help="a license file of yours, new or activated")
    which = activate.add_mutually_exclusive_group(required=True)
    which.add_argument("--request", type=Path, metavar="R.json", help="the server's activation request")
    which.add_argument("--uuid", help="the server's UUID alone (leases then need allow_pinned in the client)")
    activate.add_argument("--standby-request", type=Path, metavar="R2.json", help="activation request of its standby")
    activate.add_argument("--alias", help="name that people see; fixed once activated")
    revoke = _signing(sub, "revoke", _revoke, "revoke items in the next revision")
    revoke.add_argument("file", type=Path, metavar="FILE.lic", help="the license's newest file")
    revoke.add_argument("--item", action="append", required=True, metavar="ID", help="an item; may be repeated")
    amend = _signing(sub, "amend", _amend, "change items in the next revision", _CHANGES + "\n" + _fields_of_items())
    amend.add_argument("file", type=Path, metavar="FILE.lic", help="the license's newest file")
    amend.add_argument("changes", type=Path, metavar="CHANGES.json", help="what changes; - reads standard input")


def _command(sub: Any, name: str, run: Any, words: str, more: str = "") -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = sub.add_parser(
        name, help=words, epilog=more, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.set_defaults(run=run)
    uses_only(parser)
    return parser


def _signing(sub: Any, name: str, run: Any, words: str, more: str = "") -> argparse.ArgumentParser:
    parser = _command(sub, name, run, words, more)
    parser.add_argument("--key", type=Path, required=True, metavar="VENDOR.key", help="the vendor's private key")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="OUT.lic", help="the file to write; - is standard output"
    )
    return parser


def _fields_of_spec() -> str:
    head = "The spec is a JSON object (* required; `lts vendor spec -o spec.json` writes one to start from):"
    return "\n".join([head, "", *_described(spec.LICENSE_FIELDS), "", _fields_of_items()])


def _fields_of_items() -> str:
    return "\n".join(["A license item:", "", *_described(spec.ITEM_FIELDS)])


def _described(fields: dict[str, str]) -> list[str]:
    lines = []
    for name, meaning in fields.items():
        mark = "*" if name in spec.REQUIRED else " "
        lines += textwrap.wrap(meaning, 100, initial_indent=f"  {mark} {name:<17}", subsequent_indent=" " * 21)
    return lines


def _load_key(path: Path) -> KeyPair:
    """The passphrase is asked for only when the key is protected."""
    data = read_file(path, filekind.PRIVATE_KEY)
    protected = b"ENCRYPTED" in data
    passphrase = ask.passphrase(f"Passphrase of {path}: ", PASSPHRASE) if protected else None
    with naming(path):
        pair = keys.load(path, passphrase)
    if pair.pub is None and path.resolve().with_name(IDENTITY).exists():  # nothing in the key says whose it is
        raise AdminError(
            "wrong-file",
            f"{path} is the key of a server, as {IDENTITY} next to it shows; give {filekind.PRIVATE_KEY.wanted}.",
        )
    return pair


def _print_next(*words: object) -> None:
    """Say the next step, as it can be pasted."""
    print(f"Next: {command(*words)}")


def _init(args: argparse.Namespace) -> int:
    if not args.name.strip():
        raise AdminError("usage", "--name is empty; give the vendor's name as customers see it.")
    old = _load_key(args.replaces).key if args.replaces else None
    passphrase = ask.passphrase("New passphrase: ", PASSPHRASE, new=True) if args.passphrase else None
    outside_data(args.folder / keys.KEY_FILE)
    pub = keys.init(args.folder, args.name, int(time.time()), passphrase, old)
    key = vendorkey.read(pub.read_bytes())
    print(f"Keep {args.folder / keys.KEY_FILE} secret; give {pub} to customers.")
    print(f"Fingerprint: {fingerprint(key.key.kid)}")
    print(f"Public key for your applications (vendor_key): {key.key.x}")
    _print_next("vendor", "spec", "-o", args.folder / "spec.json")
    return 0


def _spec(args: argparse.Namespace) -> int:
    text = json.dumps(spec.sample(int(time.time())), indent=2) + "\n"
    write_text(args.output, text)
    if is_output(args.output):
        return 0
    print(f"{args.output}: change it to what you sell; `lts vendor spec --help` says what each field means.")
    _print_next(
        "vendor", "issue", "--key", _key_near(args.output.parent), args.output, "-o", args.output.with_name("new.lic")
    )
    return 0


def _key_near(folder: Path) -> Path:
    """Where a vendor's key is: in a folder or one below it; else the guide's name for it."""
    found = [folder / keys.KEY_FILE, *sorted(folder.glob(f"*/{keys.KEY_FILE}"))]
    return next((key for key in found if plainfile.is_seen(key)), folder / "keys" / keys.KEY_FILE)


def _write(made: License, args: argparse.Namespace) -> int:
    """Write the file and print the next step: binding for a new file, sending it to the customer for a bound one."""
    lost = None if made.servers or is_output(args.output) else _activated(args.output)
    write_text(args.output, licensefile.render(made))
    if is_output(args.output):
        return 0
    if lost is not None:
        note(f"This replaced an activated license file: license {lost.license_id}, revision {lost.revision}.")
    print(f"{args.output}: license {made.license_id}, {made.license_status}, revision {made.revision}")
    if made.servers:
        print("Send this file to the customer, who imports it in the portal or by the command below.")
        _print_next("license", "import", args.output)
    else:
        print("It works once it is bound to the customer's server: ask for the activation request that")
        print("`lts request -o request.json` makes there, then run this.")
        bound = args.output.with_name(f"{args.output.stem}-activated.lic")
        _print_next("vendor", "activate", "--key", args.key, args.output, "--request", "request.json", "-o", bound)
    return 0


def _activated(path: Path) -> License | None:
    """The license file that is about to be overwritten, if it is bound to a server."""
    with contextlib.suppress(OSError, LtsError):
        old = licensefile.read(plainfile.read(path, filekind.LICENSE.most))
        return old if old.servers else None
    return None


def _issue(args: argparse.Namespace) -> int:
    mine = _load_key(args.key)
    asked = read_json(args.spec, filekind.SPEC)
    with naming(args.spec):
        made = issuing.issue(asked, mine.key, mine.name, int(time.time()))
    return _write(made, args)


def _activate(args: argparse.Namespace) -> int:
    mine = _load_key(args.key)
    servers = [_request(path) for path in (args.request, args.standby_request) if path]
    if args.uuid:
        note("Without a request the server certifies itself; clients need allow_pinned.")
    file = read_license(args.file)
    if args.alias and file.servers and file.alias not in (None, args.alias):
        raise AdminError("fixed-alias", f"{args.file} is activated as {file.alias}, which stays; leave out --alias.")
    named = [args.uuid, *servers] if args.uuid else servers
    made = issuing.activate(file, named, mine.key, mine.name, int(time.time()), args.alias, mine.pub)
    return _write(made, args)


def _request(path: Path) -> ActivationRequest:
    data = read_file(path, filekind.REQUEST)
    with naming(path):
        request = activation.read(data)
    if request.binding == "weak":
        note(
            f"Server {request.uuid} knows its machine by few labels (binding: weak), so a copy of it on another"
            " machine may go unnoticed; whether to accept that is up to you."
        )
    return request


def _revoke(args: argparse.Namespace) -> int:
    mine = _load_key(args.key)
    return _write(issuing.revoke(read_license(args.file), args.item, mine.key, mine.name, mine.pub), args)


def _amend(args: argparse.Namespace) -> int:
    mine = _load_key(args.key)
    changes = read_json(args.changes, filekind.CHANGES)
    return _write(issuing.amend(read_license(args.file), changes, mine.key, mine.name, mine.pub), args)
