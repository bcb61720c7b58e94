"""Adding calls to the administrators' API: the one place where what they return becomes JSON."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import wraps
from typing import Any, TypeVar

from flask import Blueprint, Response, g

from lts.rules.values.readmodel import ReadModel
from lts.web.admin.dearcalls import DearCalls
from lts.web.admin.jsonpieces import pieces

View = TypeVar("View", bound=Callable[..., ReadModel | Response])


class Calls:
    """Adds views to a blueprint. A view returns a read model, of the type that lts/web/admin/openapi_admin.py names for
    its call, or a Response: a file, or nothing."""

    def __init__(self, api: Blueprint, dear: DearCalls) -> None:
        """The account of a call that reads is charged for it by `dear`."""
        self._api = api
        self._dear = dear

    def get(self, rule: str) -> Callable[[View], View]:
        return self._adding("GET", rule)

    def post(self, rule: str) -> Callable[[View], View]:
        return self._adding("POST", rule)

    def put(self, rule: str) -> Callable[[View], View]:
        return self._adding("PUT", rule)

    def patch(self, rule: str) -> Callable[[View], View]:
        return self._adding("PATCH", rule)

    def delete(self, rule: str) -> Callable[[View], View]:
        return self._adding("DELETE", rule)

    def _adding(self, method: str, rule: str) -> Callable[[View], View]:
        def add(view: View) -> View:
            @wraps(view)
            def answer(**parts: str) -> Any:
                account = g.get("account") if method == "GET" else None
                with self._dear.page(account) if account else nullcontext():
                    done = view(**parts)
                    if not isinstance(done, ReadModel):
                        return done
                    return Response(b"".join(pieces(done)), content_type="application/json")

            self._api.add_url_rule(rule, view_func=answer, methods=[method])
            return view

        return add
