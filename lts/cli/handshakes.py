"""`lts handshake …`: handshake codes, as in the portal."""

from __future__ import annotations

import argparse
from typing import Any
from urllib.parse import quote

from lts.cli import ask
from lts.cli.admin import Session, session
from lts.cli.options import config_of
from lts.cli.output import counted, note, print_json, print_table
from lts.errors import AdminError

_NONE = "'' or none removes these"


def add_parsers(commands: Any) -> None:
    """Register the commands."""
    handshake = commands.add_parser("handshake", help="handshake codes")
    sub = handshake.add_subparsers(required=True, metavar="COMMAND")
    listing = sub.add_parser("list", help="all codes with their items in order of use")
    listing.set_defaults(run=_list)
    listing.add_argument("--json", action="store_true")
    add = sub.add_parser("add", help="make a code")
    add.set_defaults(run=_add)
    add.add_argument("organization", nargs="?", help="organization id; not needed when there is one organization")
    add.add_argument("name", help="the part after the organization id")
    _fields(add)
    edit = sub.add_parser("edit", help="change a code")
    edit.set_defaults(run=_edit)
    edit.add_argument("code")
    edit.add_argument("--rename", metavar="NAME")
    _whose(edit)
    _fields(edit)
    remove = sub.add_parser("remove", help="remove a code; its history stays")
    remove.set_defaults(run=_remove)
    remove.add_argument("code")
    remove.add_argument("--yes", action="store_true", help="do not ask")
    _whose(remove)
    order = sub.add_parser("order", help="set the order in which a code uses its items")
    order.set_defaults(run=_order)
    order.add_argument("code")
    order.add_argument("items", nargs="*", type=int, metavar="NO", help="item numbers; none = the default order")
    _whose(order)
    key = sub.add_parser("key", help="the license key string of a code")
    key.set_defaults(run=_key)
    key.add_argument("code")
    _whose(key)


def _whose(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--organization", help="whose code, where those of two organizations are spelled alike")


def _fields(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--item", action="append", metavar="NO[:CAP]", help="an item by its number, with a cap")
    parser.add_argument("--password", help="session password; '' removes it")
    parser.add_argument("--domain", action="append", help=f"only for this web domain; {_NONE}")
    parser.add_argument("--application", action="append", help=f"only for this application id; {_NONE}")
    parser.add_argument("--process", action="append", help=f"only for this process name; {_NONE}")
    parser.add_argument("--note")
    parser.add_argument("--default", action="store_true", help="make it the organization's default code")


def _changes(args: argparse.Namespace) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if args.item is not None:
        changes["items"] = [_item(text) for text in args.item]
    if args.password is not None:
        changes["password"] = args.password or None
    given = {"domains": args.domain, "applicationIds": args.application, "processNames": args.process}
    bound = {name: _values(values) for name, values in given.items() if values is not None}
    if bound:
        changes["validation"] = bound
    if args.note is not None:
        changes["note"] = args.note
    if args.default:
        changes["isDefault"] = True
    return changes


def _values(given: list[str]) -> list[str]:
    """The values of a binding, none where the only one says so."""
    return [] if given in ([""], ["none"]) else given


def _bindings(validation: dict[str, list[str]]) -> str:
    """`bound to domain shop.de; process till.exe`, as a code is."""
    kinds = (("domains", "domain"), ("applicationIds", "application"), ("processNames", "process"))
    bound = [f"{word} {', '.join(validation[name])}" for name, word in kinds if validation[name]]
    return f"bound to {'; '.join(bound)}" if bound else "bound to no application"


def _item(text: str) -> dict[str, int | None]:
    number, _, cap = text.partition(":")
    try:
        return {"id": int(number), "cap": int(cap) if cap else None}
    except ValueError as error:
        raise AdminError("usage", f"Write an item as NO or NO:CAP, not {text!r}.") from error


def _list(args: argparse.Namespace) -> int:
    with session(config_of(args)) as server:
        codes = server.call("GET", "/handshakes")["handshakeCodes"]
    if args.json:
        print_json(codes)
        return 0
    rows = [
        (
            "*" if code["isDefault"] else "",
            code["name"],
            ", ".join(_named(item) for item in code["items"]) or "none",
            "yes" if code["hasPassword"] else "",
            code["note"],
        )
        for code in codes
    ]
    print_table(("", "Handshake code", "Items in order", "Password", "Note"), rows,
                "No handshake codes yet. Importing a license file makes the first one.")  # fmt: skip
    return 0


def _named(item: dict[str, Any]) -> str:
    cap = "" if item["cap"] is None else f" (cap {item['cap']})"
    return f"{item['id']} {item['itemId']}{cap}"


def _call(server: Session, method: str, what: str, args: argparse.Namespace, body: Any = None) -> dict[str, Any]:
    """A call about the code that the command names."""
    return server.call(method, f"/{what}/{quote(args.code, safe='')}", body, organizationId=args.organization)


def _add(args: argparse.Namespace) -> int:
    body = {"organizationId": args.organization, "custom": args.name, **_changes(args)}
    with session(config_of(args)) as server:
        print(server.call("POST", "/handshakes", body)["name"])
    return 0


def _edit(args: argparse.Namespace) -> int:
    changes = _changes(args)
    if args.rename:
        changes["custom"] = args.rename
    with session(config_of(args)) as server:
        if args.rename:
            use = _call(server, "GET", "handshake-use", args)
            note(
                f"{counted(use['devices'], 'device')} asked by the name {use['name']} in the last {use['days']} days:"
                " their leases go on, but they authorize again only with the code's new license key."
            )
        done = _call(server, "PATCH", "handshakes", args, changes)
    print(done["name"])
    if "validation" in changes:
        note(f"{done['name']} is {_bindings(done['validation'])}.")
    return 0


def _remove(args: argparse.Namespace) -> int:
    with session(config_of(args)) as server:
        if not args.yes:
            use = _call(server, "GET", "handshake-use", args)
            ask.confirm(_told(use), f"Remove {args.code}?", yes=False)
        _call(server, "DELETE", "handshakes", args)
    print(f"{args.code} is removed; its history stays.")
    return 0


def _told(use: dict[str, Any]) -> str:
    """What removing a code does to whom."""
    seats, reported = counted(use["seats"], "device holds", "devices hold"), counted(use["reported"], "device")
    return (
        f"Applications with a license key of {use['name']} are refused once it is removed: {seats} a seat by it,"
        f" {reported} reported by it in the last {use['days']} days."
    )


def _order(args: argparse.Namespace) -> int:
    with session(config_of(args)) as server:
        codes = server.call("GET", "/handshakes")["handshakeCodes"]
        own = [code for code in codes if args.organization in (None, code["organizationId"])]
        code = next((code for code in own if args.code in (code["name"], f"#{code['id']}")), None)
        if code is None:
            raise AdminError("no-such-code", f"There is no handshake code {args.code!r}.")
        caps = {item["id"]: item["cap"] for item in code["items"]}
        if args.items and set(args.items) != set(caps):
            raise AdminError("usage", f"Name each item of the code once: {', '.join(map(str, caps))}.")
        ordered = [{"id": number, "cap": caps[number]} for number in args.items or caps]
        was = {"items": [{"id": number, "cap": cap} for number, cap in caps.items()]}
        changes = {"items": ordered, "manualOrder": bool(args.items), "was": was}
        server.call("PATCH", f"/handshakes/{quote('#' + str(code['id']), safe='')}", changes)
    print("The order is set." if args.items else "The default order is set.")
    return 0


def _key(args: argparse.Namespace) -> int:
    with session(config_of(args)) as server:
        answer = _call(server, "GET", "license-key", args)
    print(answer["licenseKey"])
    for notice in answer["notices"]:
        note(notice["detail"])
    return 0
