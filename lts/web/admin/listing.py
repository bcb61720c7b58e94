"""Reading what part of a list is asked for, and answering it as JSON or as a CSV file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response, request

from lts.errors import AdminError
from lts.rules.values.paging import MAX_SIZE, Page
from lts.rules.values.text import nfc

MAX_TEXT = 200


def check_query(described: Mapping[str, Any]) -> None:
    """Refuse a name of the query that the call does not know, or that is there twice and is not a list; `described` is
    the JSON Schema of each that it knows. Raises AdminError naming the field."""
    for name, values in request.args.lists():
        if name not in described:
            known = f"It knows {', '.join(described)}." if described else "It takes none."
            sentence = f"This call does not know {name[:60]!r} in its query. {known}"
            raise AdminError("unknown-field", sentence, field=name[:60])
        if len(values) > 1 and described[name].get("type") != "array":
            raise AdminError("bad-field", f"The query has {name} twice; send it once.", field=name)


def asked_page() -> Page:
    """`q`, `sort`, `order`, `page`, `size` of the query. Raises AdminError naming the field."""
    args = request.args
    text = args.get("q", "").strip()
    if len(text) > MAX_TEXT:
        raise AdminError("long-text", f"Search for at most {MAX_TEXT} characters.", field="q")
    size = None if args.get("size") is None else number("size", 1, MAX_SIZE)
    order = args.get("order", "asc")
    if order not in ("asc", "desc"):
        raise AdminError("bad-field", "order is asc or desc.", field="order")
    page = 1 if args.get("page") is None else number("page", 1, 1_000_000)
    return Page(nfc(text, MAX_TEXT), args.get("sort", ""), order == "desc", page, size)


def asked_text(name: str) -> str | None:
    """A text of the query, None if absent. Raises AdminError naming an empty one, which does not mean all."""
    text = request.args.get(name)
    if text is not None and not text.strip():
        raise AdminError("empty-text", f"{name} must not be empty; leave it out to mean all.", field=name)
    return text


def number(name: str, least: int, most: int) -> int:
    """A whole number of the query. Raises AdminError naming it."""
    text = request.args.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) <= 20 and least <= int(text) <= most):
        raise AdminError("bad-field", f"{name} is a number from {least} to {most}.", field=name)
    return int(text)


def yes(name: str) -> bool:
    """A boolean of the query, `true` or `false`; false when absent. Raises AdminError naming it."""
    text = request.args.get(name, "false")
    if text not in ("true", "false"):
        raise AdminError("bad-field", f"{name} is true or false.", field=name)
    return text == "true"


def wants_csv() -> bool:
    form = request.args.get("format", "json")
    if form not in ("json", "csv"):
        raise AdminError("bad-field", "format is json or csv.", field="format")
    return form == "csv"


def csv_file(name: str, text: str) -> Response:
    return download(f"{name}.csv", text.encode("utf-8"), "text/csv; charset=utf-8")


def download(name: str, data: bytes, kind: str) -> Response:
    """A file that a browser saves; `name` is plain ASCII."""
    return Response(data, content_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})
