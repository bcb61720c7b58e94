"""Whether the administrators' API answers what openapi.json says."""

from __future__ import annotations

from functools import cache
from typing import Any

from jsonschema_rs import Draft202012Validator

from lts.web import openapi


@cache
def _validator(method: str, path: str) -> Draft202012Validator:
    document = openapi.document()
    answer = document["paths"][path][method.lower()]["responses"]["200"]["content"]["application/json"]["schema"]
    return Draft202012Validator({**answer, "components": document["components"]})


def check_answer(method: str, path: str, answer: Any) -> None:
    """Raises ValidationError for an answer of 200 that is not as `path` of the document says it."""
    _validator(method, path).validate(answer)
