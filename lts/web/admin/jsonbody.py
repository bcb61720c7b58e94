"""Bodies of the administrators' API: a strict JSON object and its fields."""

from __future__ import annotations

from typing import Any

from flask import request

from lts.errors import AdminError
from lts.web.wire.body import read_body
from lts.web.wire.bodytree import path_text, read_tree

Json = dict[str, Any]
SECRET_BYTES = 16 << 10
"""Most that a call without an account, or with a secret to try, is read of; two of the longest passwords are less."""


def json_body() -> Json:
    """The request's JSON object. Raises Malformed, AdminError naming the field."""
    return _object(request.get_data())


def secret_body() -> Json:
    """The same of a call that tries a secret; it has at most 16 KiB. Raises TooLarge too."""
    return _object(read_body(request.environ, SECRET_BYTES))


def _object(body: bytes) -> Json:
    tree = read_tree(body)
    if tree.faults:
        field = path_text(tree.faults[0].path)
        raise AdminError("bad-body", f"{field} {tree.faults[0].detail}.", field=field)
    return tree.value


def body_fields(body: Json, *known: str) -> Json:
    """The body, if it has no other fields. Raises AdminError naming an unknown one."""
    unknown = sorted(set(body) - set(known))
    if unknown:
        raise AdminError("unknown-field", f"Unknown field {unknown[0]!r}.", field=unknown[0])
    return body


def body_yes(body: Json, name: str) -> bool:
    """A field that is true or false; false when absent. Raises AdminError naming it."""
    value = body.get(name, False)
    if type(value) is not bool:
        raise AdminError("bad-field", f"{name} must be true or false.", field=name)
    return value


def body_text(body: Json, name: str) -> str:
    """A field that must be a text with something in it. Raises AdminError naming it."""
    value = body.get(name)
    if not isinstance(value, str) or not value:
        fault = "is missing" if value is None else "is empty" if value == "" else "must be a text"
        raise AdminError("bad-field", f"{name} {fault}.", field=name)
    return value
