"""`lts handshake …`: handshake codes, as in the portal."""

from __future__ import annotations

import argparse
from typing import Any
from urllib.parse import quote

from lts.cli import ask
from lts.cli.admin import Session, session
from lts.cli.options import JSON_WORDS, config_of, or_empty
from lts.cli.output import note, print_json, print_table
from lts.errors import AdminError
from lts.rules.values.plural import counted

_CODE = "its name, or # and its number"
_CHANGEABLE = "--rename, --item, --password, --domain, --application, --process, --note or --default"
_NONE = "'' or none removes these"


def add_parsers(commands: Any) -> None:
    """Register the commands."""
    handshake = commands.add_parser("handshake", help="handshake codes")
    sub = handshake.add_subparsers(required=True, metavar="COMMAND")
    listing = sub.add_parser("list", help="all codes with their items in order of use")
    listing.set_defaults(run=_list)
    listing.add_argument("--json", action="store_true", help=JSON_WORDS)
    add = sub.add_parser("add", help="make a code")
    add.set_defaults(run=_add)
    add.add_argument("organization", nargs="?", help="organization id; not needed when there is one organization")
    add.add_argument("name", help="the part after the organization id")
    _fields(add)
    edit = sub.add_parser("edit", help="change a code")
    edit.set_defaults(run=_edit)
    edit.add_argument("code", help=_CODE)
    edit.add_argument("--rename", metavar="NAME", help="give it another name, the part after the organization id")
    _whose(edit)
    _fields(edit)
    remove = sub.add_parser("remove", help="remove a code; its history stays")
    remove.set_defaults(run=_remove)
    remove.add_argument("code", help=_CODE)
    remove.add_argument("--yes", action="store_true", help="do not ask")
    _whose(remove)
    order = sub.add_parser("order", help="set the order in which a code uses its items")
    order.set_defaults(run=_order)
    order.add_argument("code", help=_CODE)
    order.add_argument(
        "items",
        nargs="*",
        default=[],
        type=_named_number,
        metavar="NO",
        help="item numbers; without any the default order",
    )
    _whose(order)
    key = sub.add_parser("key", help="the license key string of a code")
    key.set_defaults(run=_key)
    key.add_argument("code", help=_CODE)
    _whose(key)


def _whose(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--organization", help="the code's organization, if two have codes of this name")


def _fields(parser: argparse.ArgumentParser) -> None:
    words = f"an item by its number, with a cap; all that are named are the code's items; {_NONE}"
    parser.add_argument("--item", action="append", type=or_empty, metavar="NO[:CAP]", help=words)
    parser.add_argument("--password", type=or_empty, help="session password; '' removes it")
    parser.add_argument("--domain", action="append", type=or_empty, help=f"only for this web domain; {_NONE}")
    parser.add_argument("--application", action="append", type=or_empty, help=f"only for this application id; {_NONE}")
    parser.add_argument("--process", action="append", type=or_empty, help=f"only for this process name; {_NONE}")
    parser.add_argument("--note", type=or_empty, help="a note that only administrators see; '' removes them")
    parser.add_argument("--default", action="store_true", help="make it the organization's default code")


def _changes(args: argparse.Namespace) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if args.item is not None:
        changes["items"] = [_item(text) for text in _values(args.item)]
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
    """The values of a list, none where the only one says so."""
    return [] if given in ([""], ["none"]) else given


def _bindings(validation: dict[str, list[str]]) -> str:
    """`bound to domain shop.de; process till.exe`, as a code is."""
    kinds = (("domains", "domain"), ("applicationIds", "application"), ("processNames", "process"))
    bound = [f"{word} {', '.join(validation[name])}" for name, word in kinds if validation[name]]
    return f"bound to {'; '.join(bound)}" if bound else "bound to no application"


def _item(text: str) -> dict[str, int | None]:
    number, _, cap = text.partition(":")
    try:
        return {"id": _number(number), "cap": int(cap) if cap else None}
    except ValueError as error:
        raise AdminError("usage", f"Write an item as NO or NO:CAP, not {text!r}.") from error


def _number(text: str) -> int:
    """An item's number, as lists write it or bare. Raises ValueError."""
    return int(text.strip().removeprefix("#"))


def _named_number(text: str) -> int:
    """As `_number`, of an argument of its own. Raises ArgumentTypeError."""
    try:
        return _number(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not an item number, such as 3") from None


def _list(args: argparse.Namespace) -> int:
    with session(config_of(args)) as server:
        codes = server.call("GET", "/handshakes")["handshakeCodes"]
    if args.json:
        print_json(codes)
        return 0
    rows = [
        (
            "*" if code["isDefault"] else "",
            f"#{code['id']}",
            code["name"],
            code["organizationId"],
            ", ".join(_named(item) for item in code["items"]) or "none",
            "yes" if code["hasPassword"] else "",
            code["note"],
        )
        for code in codes
    ]
    print_table(("", "No.", "Handshake code", "Organization", "Items in order", "Password", "Note"), rows,
                "No handshake code yet. A license file brings one; lts handshake add NAME makes one.")  # fmt: skip
    return 0


def _named(item: dict[str, Any]) -> str:
    cap = "" if item["cap"] is None else f" (cap {item['cap']})"
    return f"#{item['id']} {item['itemId']}{cap}"


def _whole(code: dict[str, Any]) -> str:
    """A code, distinguished from any with the same name."""
    return f"{code['name']} (#{code['id']}, organization {code['organizationId']})"


def _find(server: Session, args: argparse.Namespace) -> dict[str, Any]:
    """The code that the command names. Raises AdminError, also where several are spelled so and none is chosen."""
    if not args.code.strip():
        raise AdminError("usage", "Name the handshake code, or # and its number.")
    return server.call("GET", f"/handshakes/{quote(args.code, safe='')}", organizationId=args.organization)


def _path(what: str, code: dict[str, Any]) -> str:
    """The path of a call about a code that was found: by its number, which no other has."""
    return f"/{what}/{quote('#' + str(code['id']), safe='')}"


def _add(args: argparse.Namespace) -> int:
    body = {"organizationId": args.organization, "custom": args.name, **_changes(args)}
    with session(config_of(args)) as server:
        _print_saved(server.call("POST", "/handshakes", body))
    return 0


def _print_saved(saved: dict[str, Any]) -> None:
    print(saved["name"])
    for notice in saved["notices"]:
        note(notice["detail"])


def _edit(args: argparse.Namespace) -> int:
    changes = _changes(args)
    if args.rename:
        changes["custom"] = args.rename
    if not changes:
        raise AdminError("usage", f"Say what to change: {_CHANGEABLE}.")
    with session(config_of(args)) as server:
        code = _find(server, args)
        use = server.call("GET", _path("handshake-use", code)) if args.rename else None
        done = server.call("PATCH", _path("handshakes", code), changes)
    _print_saved(done)
    if use and done["name"] != use["name"] and (use["devices"] or use["authorizations"]):
        note(_asked(use))
    if "items" in changes:
        note(_shared_out(done, code["items"]))
    if "validation" in changes:
        note(f"{done['name']} is {_bindings(done['validation'])}.")
    return 0


def _asked(use: dict[str, Any]) -> str:
    """Who is affected by a new name."""
    return (
        f"{counted(use['devices'], 'device')} used the name {use['name']} in the last {use['days']} days, and it"
        f" gave {counted(use['authorizations'], 'authorization')}. Leases stay valid, but devices authorize again only"
        " with the code's new license key."
    )


def _shared_out(done: dict[str, Any], before: list[dict[str, Any]]) -> str:
    """Which items a code has now, and which items of `before` were removed."""
    now = {item["id"] for item in done["items"]}
    gone = [_named({**item, "cap": None}) for item in before if item["id"] not in now]
    has = f"has {', '.join(map(_named, done['items']))}" if now else "has no items, and authorizes nobody"
    return f"{done['name']} {has}.{' Removed: ' + ', '.join(gone) + '.' if gone else ''}"


def _remove(args: argparse.Namespace) -> int:
    with session(config_of(args)) as server:
        code = _find(server, args)
        if not args.yes:
            use = server.call("GET", _path("handshake-use", code))
            ask.confirm(_removal_effects(use), f"Remove {_whole(code)}?", yes=False)
        server.call("DELETE", _path("handshakes", code))
    print(f"{_whole(code)} is removed; its history stays.")
    return 0


def _removal_effects(use: dict[str, Any]) -> str:
    """What removing a code changes, and for whom."""
    seats, reported = counted(use["seats"], "device holds", "devices hold"), counted(use["reported"], "device")
    return (
        f"Applications with a license key of {use['name']} are refused once it is removed: {seats} a seat through it,"
        f" {reported} reported through it in the last {use['days']} days."
    )


def _order(args: argparse.Namespace) -> int:
    with session(config_of(args)) as server:
        code = _find(server, args)
        caps = {item["id"]: item["cap"] for item in code["items"]}
        if args.items and set(args.items) != set(caps):
            raise AdminError("usage", f"Name each item of the code once: {', '.join(f'#{number}' for number in caps)}.")
        ordered = [{"id": number, "cap": caps[number]} for number in args.items or caps]
        was = {"items": [{"id": number, "cap": cap} for number, cap in caps.items()]}
        changes = {"items": ordered, "manualOrder": bool(args.items), "was": was}
        server.call("PATCH", _path("handshakes", code), changes)
    print(f"The {'order' if args.items else 'default order'} of {_whole(code)} is set.")
    return 0


def _key(args: argparse.Namespace) -> int:
    with session(config_of(args)) as server:
        answer = server.call("GET", _path("license-key", _find(server, args)))
    print(answer["licenseKey"])
    for notice in answer["notices"]:
        note(notice["detail"])
    return 0
