"""`lts vendor …`: the vendor's commands. Needs no server."""

from __future__ import annotations

import argparse
import getpass
import os
import time
from pathlib import Path
from typing import Any

from lts.cli.output import read_bytes, read_json, write_text
from lts.errors import AdminError
from lts.rules import activation, licensefile, vendorkey
from lts.rules.activation import ActivationRequest
from lts.rules.licensefile import License
from lts.rules.vendorkey import fingerprint
from lts.vendor import issuing, keys
from lts.vendor.keys import KeyPair


def add_parsers(commands: Any) -> None:
    """Register the commands."""
    vendor = commands.add_parser("vendor", help="make keys and license files (for vendors)")
    sub = vendor.add_subparsers(required=True, metavar="COMMAND")
    init = _command(sub, "init", _init, "make the vendor's key pair")
    init.add_argument("folder", type=Path)
    init.add_argument("--name", required=True, help="the vendor's name, as customers see it")
    init.add_argument("--passphrase", action="store_true", help="ask for a passphrase that protects the key")
    init.add_argument("--replaces", type=Path, metavar="OLD.key", help="the earlier key, which signs the succession")
    issue = _signing(sub, "issue", _issue, "issue a license file from a spec")
    issue.add_argument("spec", type=Path)
    activate = _signing(sub, "activate", _activate, "bind a license file to a customer's server")
    activate.add_argument("file", type=Path)
    which = activate.add_mutually_exclusive_group(required=True)
    which.add_argument("--request", type=Path, help="the server's activation request")
    which.add_argument("--uuid", help="the server's UUID alone (leases then need allow_pinned in the client)")
    activate.add_argument("--standby-request", type=Path)
    activate.add_argument("--alias")
    revoke = _signing(sub, "revoke", _revoke, "revoke items in the next revision")
    revoke.add_argument("file", type=Path)
    revoke.add_argument("--item", action="append", required=True, metavar="ID")
    amend = _signing(sub, "amend", _amend, "change items in the next revision")
    amend.add_argument("file", type=Path)
    amend.add_argument("changes", type=Path)


def _command(sub: Any, name: str, run: Any, words: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = sub.add_parser(name, help=words)
    parser.set_defaults(run=run)
    return parser


def _signing(sub: Any, name: str, run: Any, words: str) -> argparse.ArgumentParser:
    parser = _command(sub, name, run, words)
    parser.add_argument("--key", type=Path, required=True, metavar="VENDOR.key")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.lic")
    return parser


def _passphrase(path: Path) -> bytes | None:
    """Asked for only when the key is protected; LTS_VENDOR_PASSPHRASE answers for scripts."""
    given = os.environ.get("LTS_VENDOR_PASSPHRASE")
    if b"ENCRYPTED" not in read_bytes(path):
        return None
    return (given or getpass.getpass(f"Passphrase of {path}: ")).encode("utf-8")


def _load_key(path: Path) -> KeyPair:
    return keys.load(path, _passphrase(path))


def _init(args: argparse.Namespace) -> int:
    passphrase = None
    if args.passphrase:
        passphrase = (os.environ.get("LTS_VENDOR_PASSPHRASE") or getpass.getpass("New passphrase: ")).encode("utf-8")
        if not passphrase:
            raise AdminError("empty-passphrase", "The passphrase is empty.")
    old = _load_key(args.replaces).key if args.replaces else None
    pub = keys.init(args.folder, args.name, int(time.time()), passphrase, old)
    key = vendorkey.read(pub.read_bytes())
    print(f"Keep {args.folder / keys.KEY_FILE} secret; give {pub} to customers.")
    print(f"Fingerprint: {fingerprint(key.key.kid)}")
    return 0


def _write(license_file: License, output: Path) -> int:
    write_text(output, licensefile.render(license_file))
    print(
        f"{output}: license {license_file.license_id}, {license_file.license_status}, revision {license_file.revision}"
    )
    return 0


def _issue(args: argparse.Namespace) -> int:
    mine = _load_key(args.key)
    return _write(issuing.issue(read_json(args.spec), mine.key, mine.name, int(time.time())), args.output)


def _read(path: Path) -> License:
    return licensefile.read(read_bytes(path))


def _activate(args: argparse.Namespace) -> int:
    mine = _load_key(args.key)
    servers = [_request(path) for path in (args.request, args.standby_request) if path]
    if args.uuid:
        print("Note: without a request the server certifies itself; clients must be told allow_pinned.")
    named = [args.uuid, *servers] if args.uuid else servers
    made = issuing.activate(_read(args.file), named, mine.key, mine.name, int(time.time()), args.alias, mine.pub)
    return _write(made, args.output)


def _request(path: Path) -> ActivationRequest:
    request = activation.read(read_bytes(path))
    if request.binding == "weak":
        print(f"Note: the machine labels of server {request.uuid} are few (binding: weak).")
    return request


def _revoke(args: argparse.Namespace) -> int:
    mine = _load_key(args.key)
    return _write(issuing.revoke(_read(args.file), args.item, mine.key, mine.name, mine.pub), args.output)


def _amend(args: argparse.Namespace) -> int:
    mine = _load_key(args.key)
    made = issuing.amend(_read(args.file), read_json(args.changes), mine.key, mine.name, mine.pub)
    return _write(made, args.output)
