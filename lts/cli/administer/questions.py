"""`lts usage`, `lts status`, `lts explain`: questions to the server."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from lts.cli.admin import session
from lts.cli.administer.pair import of_server, print_pair
from lts.cli.options import JSON_WORDS, add_deployment, config_of, whole_number
from lts.cli.output import note, print_json, print_table
from lts.rules.statistics.usagetable import GROUPINGS, usage_csv


def add_parsers(commands: Any) -> None:
    """Register the commands."""
    usage = commands.add_parser("usage", help="usage of a handshake code, a license item, or all")
    usage.set_defaults(run=_usage)
    what = usage.add_mutually_exclusive_group()
    what.add_argument("--code", help="a code's name, or # and its number")
    what.add_argument("--item", help="item id, of all licenses that have it, or # and the number of one item")
    usage.add_argument("--organization", help="of this organization only")
    usage.add_argument("--from", dest="first", metavar="DAY", help="first day, UTC, such as 2026-11-25")
    usage.add_argument("--to", dest="last", metavar="DAY", help="last day, included")
    usage.add_argument("--by", choices=GROUPINGS, default="type", help="what each row is for (default: type)")
    usage.add_argument("--format", choices=("table", "csv", "json"), default="table", help="(default: table)")
    status = commands.add_parser("status", help="role, licenses, warnings")
    status.set_defaults(run=_status)
    status.add_argument("--json", action="store_true", help=JSON_WORDS)
    explain = commands.add_parser("explain", help="dry run of an authorization: the verdict of each item")
    explain.set_defaults(run=_explain)
    explain.add_argument("--code", required=True, help="handshake code, or # and its number")
    explain.add_argument("--organization", help="the code's organization, if two have codes of this name")
    explain.add_argument("--product", required=True, help="the product's name as the license has it")
    explain.add_argument("--version", dest="product_version", help="the product's version, such as 8.2.5")
    explain.add_argument("--edition", help="the product's edition")
    add_deployment(explain)
    explain.add_argument("--modules", metavar="A,B", help="features asked for (default: all)")
    explain.add_argument("--instances", type=whole_number, default=1, help="instances asked for (default: 1)")
    explain.add_argument("--device", help="UUID of the device that asks (default: one that has no seat)")
    explain.add_argument("--password", help="session password of the code")
    explain.add_argument("--domain", help="web domain that the application runs on")
    explain.add_argument("--json", action="store_true", help=JSON_WORDS)


def _usage(args: argparse.Namespace) -> int:
    with session(config_of(args)) as server:
        subject = {"code": args.code, "organizationId": args.organization, "item": args.item}
        query = {**subject, "from": args.first, "to": args.last, "by": args.by}
        table = server.call("GET", "/usage", None, **query)
    if args.format == "json":
        print_json(table)
    elif args.format == "csv":
        if table["items"]:
            note(_summed(table["items"]))
        rows = [(row["group"], row["type"], row["units"]) for row in table["rows"]]
        sys.stdout.buffer.write(usage_csv(table["by"], rows).encode("utf-8"))
    else:
        if table["items"]:
            print(_summed(table["items"]))
        print_usage(table)
    return 0


def _summed(items: list[dict[str, Any]]) -> str:
    """Which items a table shows: items of several licenses may have the same id."""
    named = [f"#{i['id']} {i['itemId']} of license {i['licenseId']}, organization {i['organizationId']}" for i in items]
    return f"Usage of {'; '.join(named)}."


def print_usage(table: dict[str, Any]) -> None:
    """The table for people: a row a group, a column a type, and the total."""
    cells = {(row["group"], row["type"]): row["units"] for row in table["rows"]}
    groups = list(dict.fromkeys(row["group"] for row in table["rows"]))
    types = list(table["types"])
    rows: list[list[Any]] = [
        [
            group,
            *(cells.get((group, name), 0) for name in types),
            sum(cells.get((group, name), 0) for name in types),
        ]
        for group in groups
    ]
    if len(rows) > 1:
        sums = [sum(cells.get((group, name), 0) for group in groups) for name in types]
        rows.append(["total", *sums, table["total"]])
    head = [f"{table['by'].capitalize()} (UTC)" if table["by"] in ("hour", "day") else "", *types, "Total"]
    print_table(head, rows, "No usage yet.")


def _status(args: argparse.Namespace) -> int:
    config = config_of(args)
    with session(config) as server:
        status = of_server(server, server.call("GET", "/status"))
        status["pair"] = status["pair"] and of_server(server, status["pair"])
    if args.json:
        print_json(status)
        return 0
    print(f"{'Running' if status['running'] else 'Stopped'}, {status['role']}, version {status['version']}")
    print(f"LTS UUID        {status['serverUuid']} ({status['binding']} binding)")
    if status["running"]:
        print(f"URL             {status['url']}")
    print(f"License items   {status['items']}")
    print(f"Handshake codes {status['handshakeCodes']}")
    if status["pair"]:
        print()
        print_pair({**status["pair"], "faults": [], "notices": []})
    for warning in status["warnings"]:
        print(f"! {warning}")
    return 0


def _used(item: dict[str, Any]) -> str:
    """`3 of 10+1` with the grace, if there is a quota; of a concurrent item how many are active, with the overdraft."""
    if "overdraft" in item:
        return f"{item['used']} of {item['quota']}, overdraft {item['overdraftSpent']} of {item['overdraft']}"
    return f"{item['used']} of {item['quota']}+{item['grace']}" if item["quota"] else "no quota"


def _explain(args: argparse.Namespace) -> int:
    body = {
        "handshakeCode": args.code,
        "organizationId": args.organization,
        "product": args.product,
        "version": args.product_version,
        "edition": args.edition,
        "deploymentType": args.deployment,
        "modules": [module for module in (args.modules or "").split(",") if module],
        "instances": args.instances,
        "deviceId": args.device,
        "sessionPassword": args.password,
        "validation": {"domain": args.domain} if args.domain else None,
    }
    with session(config_of(args)) as server:
        answer = server.call("POST", "/explain", body)
    if args.json:
        print_json(answer)
        return 0
    print(f"{answer['code'] or 'OK'}: {answer['detail']}")
    rows = [
        (
            i["itemId"],
            i["code"] or "fits",
            _used(i),
            i.get("nextFree") or "-",
            i["detail"],
        )
        for i in answer["items"]
    ]
    print_table(("Item", "Verdict", "Used", "Next seat is free", "Reason"), rows, "No item was considered.")
    return 0
