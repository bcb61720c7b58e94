"""`lts license`, `lts trust`, `lts request`: license files and vendor keys."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from lts.cli import ask
from lts.cli.admin import Session, session
from lts.cli.administer import license_show
from lts.cli.files import is_output, naming, read_file, write_text
from lts.cli.options import JSON_WORDS, config_of
from lts.cli.output import note, print_json, print_table
from lts.errors import AdminError
from lts.rules.licensing import filekind, licensefile, vendorkey
from lts.rules.values.ends import end_text, when_text
from lts.rules.values.plural import counted


def add_parsers(commands: Any) -> None:
    """Register the commands."""
    license_ = commands.add_parser("license", help="show and import license files")
    sub = license_.add_subparsers(required=True, metavar="COMMAND")
    show = sub.add_parser("show", help="verify and print a license file; needs no server")
    show.set_defaults(run=license_show.show)
    show.add_argument("file", type=Path, help="the license file")
    show.add_argument("--json", action="store_true", help=JSON_WORDS)
    show.add_argument(
        "--trust", type=Path, metavar="FILE_OR_DIR", help="vendor keys (.pub) to trust instead of the trust store's"
    )
    items = sub.add_parser("list", help="license items of the server")
    items.set_defaults(run=_list)
    items.add_argument("--archived", action="store_true", help="those of archived licenses")
    items.add_argument("--json", action="store_true", help=JSON_WORDS)
    archive = sub.add_parser(
        "archive", help="hide a license: it authorizes nobody, its seats end; importing its file takes it back"
    )
    archive.set_defaults(run=_archive)
    archive.add_argument("license", metavar="LICENSE", help="the license's id")
    archive.add_argument("--organization", help="if licenses of several vendors have this id")
    archive.add_argument("--yes", action="store_true", help="do not ask")
    import_ = sub.add_parser("import", help="import a license file")
    import_.set_defaults(run=_import)
    import_.add_argument("file", type=Path, help="the license file")
    import_.add_argument("--preview", action="store_true", help="only say what would change")
    target = import_.add_mutually_exclusive_group()
    target.add_argument("--new-code", metavar="NAME", help="make a code of this name for its items")
    target.add_argument("--to-code", metavar="CODE", help="add its items to this code")
    target.add_argument("--items-only", action="store_true", help="put its items into no code")
    import_.add_argument("--default", action="store_true", help="make the code the organization's default")
    import_.add_argument("--fingerprint", help="fingerprint of an unknown vendor key, confirmed by you")
    import_.add_argument("--json", action="store_true", help=JSON_WORDS)
    trust = commands.add_parser("trust", help="trust a vendor's key")
    trust.set_defaults(run=_trust)
    trust.add_argument("file", type=Path, help="the vendor's public key (.pub)")
    agree = trust.add_mutually_exclusive_group()
    agree.add_argument("--yes", action="store_true", help="do not ask")
    agree.add_argument("--fingerprint", help="the fingerprint that the vendor gave you")
    request = commands.add_parser("request", help="write this machine's activation request for the vendor")
    request.set_defaults(run=_request)
    request.add_argument("-o", "--output", type=Path, required=True, help="the file to write; - is standard output")


def _list(args: argparse.Namespace) -> int:
    with session(config_of(args)) as server:
        state = "archived" if args.archived else None
        answer = server.call("GET", "/licenses/items", state=state)
    items = answer["items"]
    if args.json:
        print_json(items)
        return 0
    rows = [
        (
            f"#{i['id']}",
            i["itemId"],
            i["licenseId"],
            i["product"],
            i["chargeWay"],
            f"{i['used']} of {i['quota']}" if i["quota"] else "no quota",
            _ends(i),
            i["state"],
            ", ".join(i["handshakeCodes"]),
        )
        for i in items
    ]
    head = ("No.", "Item", "License", "Product", "Charge way", "Used", "Ends", "State", "Handshake codes")
    print_table(head, rows, "No license is archived." if args.archived else _none(answer["states"].get("archived", 0)))
    return 0


def _none(archived: int) -> str:
    """Why no license item is listed."""
    if archived:
        items = counted(archived, "license item is", "license items are")
        return f"No license is in use; {items} archived: lts license list --archived"
    return "No license items yet. Import a license file: lts license import FILE.lic"


def _archive(args: argparse.Namespace) -> int:
    named = {"licenseId": args.license, "organizationId": args.organization}
    with session(config_of(args)) as server:
        effects = _archive_effects(server.call("GET", "/licenses/use", **named))
        ask.confirm(effects, f"Archive license {args.license}?", yes=args.yes, instead="--yes")
        server.call("POST", "/licenses/archive", named)
    print(f"License {args.license} is archived. Importing its file takes it back.")
    return 0


def _archive_effects(use: dict[str, Any]) -> str:
    """What archiving a license would change, in figures: it is shown before anybody confirms."""
    if use["archived"]:
        raise AdminError("archived-before", f"License {use['licenseId']} is archived already.")
    items, seats = counted(use["items"], "item"), counted(use["seats"], "seat")
    codes = ", ".join(use["handshakeCodes"]) or "no handshake code"
    return (
        f"License {use['licenseId']} of organization {use['organizationId']} would be hidden with its {items} and"
        f" authorize nobody: {seats} would end at once, and devices would keep working until their leases end. Used by:"
        f" {codes}. Statistics would be kept."
    )


def _ends(item: dict[str, Any]) -> str:
    if item["expiresAt"] is None:
        return "never"
    return when_text(item["expiresAt"], item["daysLeft"]) if item["daysLeft"] in (0, 1) else end_text(item["expiresAt"])


def _import(args: argparse.Namespace) -> int:
    data = read_file(args.file, filekind.LICENSE)
    with naming(args.file):
        licensefile.read(data)
    query: dict[str, str | None] = {
        "newCode": args.new_code,
        "toCode": args.to_code,
        "itemsOnly": "true" if args.items_only else None,
        "default": "true" if args.default else None,
        "fingerprint": args.fingerprint,
    }
    with session(config_of(args)) as server:
        done = _call_import(server, data, args.preview, query)
    if args.json:
        print_json(done)
        return 0
    _print_import(done, args.preview)
    return 0


def _call_import(server: Session, data: bytes, preview: bool, query: dict[str, str | None]) -> dict[str, Any]:
    """Import; an unknown vendor key is confirmed at the terminal, when there is one."""
    path = "/licenses/preview" if preview else "/licenses"
    try:
        return server.call("POST", path, data, **query)
    except AdminError as error:
        if error.code != "unknown-vendor":
            raise
        shown = vendorkey.fingerprint(licensefile.read(data).vendor_kid)
        ask.confirm(error.detail, "Is the fingerprint the vendor's?", yes=False, instead=f"--fingerprint {shown}")
        return server.call("POST", path, data, **{**query, "fingerprint": shown})


def _print_import(done: dict[str, Any], preview: bool) -> None:
    if done["status"] == "taken-back":
        verb = "would be taken back" if preview else "is taken back"
        print(f"License {done['licenseId']} revision {done['revision']} was archived and {verb}.")
        _note_all(done)
        return
    if done["status"] == "already-imported":
        print(f"License {done['licenseId']} revision {done['revision']} is imported already; nothing changed.")
        return
    print(f"License {done['licenseId']} revision {done['revision']} from {done['vendor']}:")
    for name in ("added", "renewed", "revoked", "unchanged"):
        if done[name]:
            verb = "would be" if preview else "was" if len(done[name]) == 1 else "were"
            print(f"  {len(done[name])} {verb} {name}: {', '.join(done[name])}")
    for stop in done["stops"]:
        print(f"  {stop['itemId']} {_WHY[stop['why']]}{_ending(stop['seats'])}")
    for item, excess in done["overQuota"].items():
        seats = counted(excess, "seat over the new quota stays", "seats over the new quota stay")
        print(f"  {item}: {seats} until {'it ends' if excess == 1 else 'they end'}")
    if done["takesBack"]:
        print(f"  The license was archived; it {'would be' if preview else 'is'} taken back")
    if not done["trusted"]:
        print(f"  The vendor's key is not trusted yet; its fingerprint is {done['fingerprint']}")
    if done["handshakeCode"] and done["added"]:
        print(f"Handshake code: {done['handshakeCode']}")
    _note_all(done)


def _note_all(done: dict[str, Any]) -> None:
    for notice in done["notices"]:
        note(notice["detail"])


_WHY = {
    "revoked": "is revoked",
    "charged-anew": "is charged in another way",
    "ended": "ends in the past, grace included",
    "pending": "starts later",
}


def _ending(seats: int) -> str:
    """What becomes of the seats of an item that stops."""
    ending = f": {counted(seats, 'seat in use ends', 'seats in use end')}; nothing is renewed"
    return f"{ending}, and devices keep working until their leases end" if seats else ""


def _trust(args: argparse.Namespace) -> int:
    data = read_file(args.file, filekind.PUBLIC_KEY)
    with naming(args.file):
        key = vendorkey.read(data)
    shown = vendorkey.fingerprint(key.key.kid)
    print(f"{key.name}: fingerprint {shown}")
    if args.fingerprint and args.fingerprint.replace("-", "").upper() != shown.replace("-", ""):
        raise AdminError("wrong-fingerprint", "The fingerprint given is another one; nothing was changed.")
    advice = "Compare the fingerprint with the vendor's: whoever holds this key can give this server licenses."
    instead = "--yes, or --fingerprint with the one that the vendor gave you"
    ask.confirm(advice, "Trust this key?", yes=args.yes or bool(args.fingerprint), instead=instead)
    with session(config_of(args)) as server:
        server.call("POST", "/trust", data)
    print("The key is trusted.")
    return 0


def _request(args: argparse.Namespace) -> int:
    with session(config_of(args)) as server:
        text = server.call("GET", "/activation-request")["text"]
    write_text(args.output, text)
    if not is_output(args.output):
        print(f"{args.output}: send this file to the vendor.")
    return 0
