"""The OpenAPI document says what the server does."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import get_args, get_type_hints

import msgspec
from flask import Response

from lts.errors import HTTP_STATUS
from lts.protocol import iso
from lts.rules.metering.usage import Entry
from lts.web import openapi
from lts.web.admin import openapi_admin
from lts.web.client import reports
from lts.web.client.client_api import ClientApi
from lts.web.wire import messages
from tests.support.kit import NOON
from tests.web.conftest import Web

SCHEMAS = openapi.document()["components"]["schemas"]
ADMIN = openapi_admin.paths()


def test_every_field_of_a_message_is_in_the_document() -> None:
    kinds: tuple[type[msgspec.Struct], ...] = (*openapi.TYPES, *openapi_admin.ANSWERS)
    for kind in kinds:
        names = {field.encode_name for field in msgspec.structs.fields(kind)}
        needed = {field.encode_name for field in msgspec.structs.fields(kind) if field.required}
        assert set(SCHEMAS[kind.__name__]["properties"]) == names
        assert set(SCHEMAS[kind.__name__].get("required", ())) == needed


def test_every_path_is_described_and_every_described_path_is_answered(web: Web) -> None:
    api = ClientApi(web.lab.ctx, web.config, web.app.metrics)
    clients = {path: methods for path, methods in openapi.document()["paths"].items() if path not in ADMIN}
    assert set(clients) == set(api.routes)
    for path, methods in clients.items():
        assert {method.upper() for method in methods} <= set(api.routes[path].methods)


def test_every_call_of_the_portal_is_described(web: Web) -> None:
    served = set()
    for rule in web.app.flask.url_map.iter_rules():
        if rule.rule.startswith(openapi_admin.PREFIX):
            path = openapi_admin.path_of(rule.rule)
            served |= {(method, path) for method in rule.methods or () if method not in ("HEAD", "OPTIONS")}
    assert served == {(call.method, openapi_admin.PREFIX + call.path) for call in openapi_admin.CALLS}


def test_every_call_of_the_portal_answers_what_is_described(web: Web) -> None:
    described = {(call.method, openapi_admin.PREFIX + call.path): call.answer for call in openapi_admin.CALLS}
    for rule in web.app.flask.url_map.iter_rules():
        if rule.rule.startswith(openapi_admin.PREFIX):
            kind = get_type_hints(web.app.flask.view_functions[rule.endpoint])["return"]
            answers = {one for one in get_args(kind) or (kind,) if one is not Response}
            for method in {*(rule.methods or ())} - {"HEAD", "OPTIONS"}:
                named = described[method, openapi_admin.path_of(rule.rule)]
                assert answers == ({named} if named else set()), rule.rule


def test_every_field_of_a_query_is_described() -> None:
    described = {name for call in openapi_admin.CALLS for name in call.query}
    text = "".join(path.read_text(encoding="utf-8") for path in Path(openapi_admin.__file__).parent.glob("*.py"))
    read = re.findall(r'(?:args\.get(?:list)?|_text|_day|number|flags\.get|yes)\("(\w+)"', text)
    assert set(read) == described


def test_every_status_of_a_refusal_is_described() -> None:
    for path in ("authorize", "report", "release"):
        described = openapi.document()["paths"][f"/api/v1/{path}"]["post"]["responses"]
        assert {str(status) for status in HTTP_STATUS.values()} <= set(described)


def test_the_examples_are_read(web: Web) -> None:
    def example(path: str) -> bytes:
        content = openapi.document()["paths"][f"/api/v1/{path}"]["post"]["requestBody"]["content"]
        return json.dumps(content["application/json"]["example"]).encode()

    assert messages.read_authorize(example("authorize")).modules == ("QR Code",)
    [entry] = reports.read_report(example("report")).entries
    assert isinstance(entry, Entry)
    assert entry.usage == {"QR Code": 3, "1D barcode": 1}
    assert messages.read_release(example("release"))


def test_answers_have_the_described_fields(web: Web) -> None:
    granted = web.authorize().json
    assert set(granted) == set(SCHEMAS["AuthorizeAnswer"]["required"])
    counted = web.report([{"slot": iso(NOON), "usage": {}}], granted["lease"]).json
    assert set(counted) == set(SCHEMAS["ReportAnswer"]["required"])
    assert set(counted["results"][0]) == set(SCHEMAS["ResultAnswer"]["required"])
    refused = web.authorize(instances=0).json
    assert set(refused) == set(SCHEMAS["Problem"]["properties"])
