"""The OpenAPI document says what the server does."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from lts.errors import HTTP_STATUS
from lts.protocol import iso
from lts.rules.usage import Entry
from lts.web import openapi
from lts.web.admin import openapi_admin
from lts.web.client import messages, reports
from lts.web.client.client_api import ClientApi
from tests.support.kit import NOON
from tests.web.conftest import Served, Web

SCHEMAS = openapi.document()["components"]["schemas"]
# No check that valid data is accepted: JSON Schema takes 3.0 for an integer, we do not (docs/design/charging.md,
# Entries of a report).
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    response_schema_conformance,
    response_headers_conformance,
    negative_data_rejection,
    unsupported_method,
]
REFUSED = ["400", "403", "404", "405", "413", "415"]
ADMIN = openapi_admin.paths()
schema = schemathesis.openapi.from_dict(
    openapi.document(),
    config=schemathesis.Config.from_dict({"checks": {"negative_data_rejection": {"expected-statuses": REFUSED}}}),
)


@schema.exclude(tag="administration").parametrize()
@settings(
    max_examples=60, derandomize=True, suppress_health_check=list(HealthCheck)
)  # one server for all requests is meant
def test_no_request_made_from_the_document_meets_anything_undocumented(case: Any, served: Served) -> None:
    case.call_and_validate(checks=CHECKS, base_url=f"http://127.0.0.1:{served.port}/lts")


HARMFUL = ["/backup$", "/pair/", "/setup$", "/session", "/password", "/alerts/.*test$"]  # tried in tests of their own


portal = schema.include(tag="administration").exclude(path_regex="|".join(HARMFUL))


def send_to_the_portal(case: Any, served: Served) -> None:
    """One request of an administrator."""
    headers = {"Authorization": "Bearer cli-token", "X-LTS-User": "fuzz"}
    base = f"http://127.0.0.1:{served.port}/lts"
    case.call_and_validate(checks=[not_a_server_error, status_code_conformance], base_url=base, headers=headers)


@portal.parametrize()
@settings(max_examples=6, derandomize=True, suppress_health_check=list(HealthCheck))
def test_nothing_sent_to_the_portal_is_a_fault_of_the_server(case: Any, served: Served) -> None:
    send_to_the_portal(case, served)


@pytest.mark.slow
@portal.parametrize()
@settings(max_examples=30, derandomize=True, suppress_health_check=list(HealthCheck))
def test_nothing_more_sent_to_the_portal_is_a_fault_of_the_server(case: Any, served: Served) -> None:
    send_to_the_portal(case, served)


def test_every_field_of_a_message_stands_in_the_document() -> None:
    for kind in openapi.TYPES:
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
            path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
            served |= {(method, path) for method in rule.methods or () if method not in ("HEAD", "OPTIONS")}
    assert served == {(call.method, openapi_admin.PREFIX + call.path) for call in openapi_admin.CALLS}


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
