"""Bodies of the administrators' API: a strict JSON object and its fields."""

from __future__ import annotations

from typing import Any

from flask import request

from lts.errors import AdminError
from lts.web.bodytree import path_text, read_tree

Json = dict[str, Any]


def json_body() -> Json:
    """The request's JSON object. Raises Malformed, AdminError naming the field."""
    tree = read_tree(request.get_data())
    if tree.faults:
        field = path_text(tree.faults[0].path)
        raise AdminError("bad-body", f"{field} {tree.faults[0].detail}.", field=field)
    return tree.value


def body_text(body: Json, name: str) -> str:
    """A field that must be a text with something in it. Raises AdminError naming it."""
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise AdminError("bad-field", f"{name} must be a text.", field=name)
    return value
