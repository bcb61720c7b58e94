"""`lts license show`: verify a license file and print it. Needs no server, and changes nothing."""

from __future__ import annotations

import argparse
from collections.abc import Collection
from pathlib import Path

from lts.cli.files import read_file, read_license
from lts.cli.options import config_of
from lts.cli.output import note, print_json, print_table
from lts.errors import AdminError, TokenError
from lts.protocol import iso
from lts.rules.licensing import filekind, vendorkey
from lts.rules.licensing.licensefile import ItemTerms, License
from lts.rules.values.ends import end_text
from lts.service.core.trust import TrustStore
from lts.strictjson import strict_json


def show(args: argparse.Namespace) -> int:
    """Print the file when its signature holds. With --trust the signer must be one of those keys.

    Raises AdminError.
    """
    file = read_license(args.file)
    trusted = file.vendor_kid in _trusted(args)
    shown = vendorkey.fingerprint(file.vendor_kid)
    if args.trust and not trusted:
        raise AdminError(
            "unknown-vendor",
            f"{args.file} is signed by a key that is not in {args.trust}; its fingerprint is {shown}. Ask the vendor"
            " whether it is theirs.",
        )
    if args.json:
        more = {"vendorKeyId": file.vendor_kid, "fingerprint": shown, "trusted": trusted}
        print_json({**strict_json(file.payload), **more})
        return 0
    _print(file, shown, trusted)
    return 0


def _trusted(args: argparse.Namespace) -> Collection[str]:
    """Key ids that are trusted: those of --trust, else those of this machine's trust store."""
    if args.trust is None:
        config = config_of(args)
        trust = TrustStore(config.vendor_keys, config.data_dir)
        keys = trust.keys()
        for closed in trust.closed:  # a file may be shown to somebody who may not read the server's data
            note(closed)
        return keys
    path: Path = args.trust
    paths = sorted(path.glob("*.pub")) if path.is_dir() else [path]
    if not paths:
        raise AdminError("no-keys", f"The folder {path} holds no vendor key (*.pub).")
    try:
        return [vendorkey.read(read_file(one, filekind.PUBLIC_KEY)).key.kid for one in paths]
    except TokenError as error:
        raise AdminError("bad-key", f"{path} holds a file that is not a vendor key ({error.detail})") from error


def _print(file: License, shown: str, trusted: bool) -> None:
    print(f"License {file.license_id} of organization {file.organization_id}, {file.license_status},"
          f" revision {file.revision}")  # fmt: skip
    print(f"Signed by {file.vendor_name}, fingerprint {shown}")
    if not trusted:
        print("This key is not in your trust store: compare the fingerprint with the vendor's before you trust it.")
    print(f"Bound to {', '.join(server.uuid for server in file.servers) or 'no server yet'}")
    rows = [_row(terms, file) for terms in file.items]
    print_table(("Item", "Product", "Charge way", "Quota", "Starts", "Ends", "State"), rows, "No items.")


def _row(terms: ItemTerms, file: License) -> tuple[object, ...]:
    ends = "never" if terms.expires_at is None else end_text(terms.expires_at)
    state = "revoked" if terms.item_id in file.revokes else ""
    return terms.item_id, terms.product, terms.charge_way, terms.quota, iso(terms.starts_at)[:10], ends, state
