"""The OpenAPI document: client calls, made from the message types so that the two cannot differ, and the portal's."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

import msgspec

from lts import __version__
from lts.errors import HTTP_STATUS, TITLES
from lts.protocol import MAX_REPORT_SLOTS
from lts.rules.metering.workload import MAX_TYPES_OF_ENTRY
from lts.web.admin import openapi_admin
from lts.web.client.reports import MAX_TYPE_LENGTH, ReportMessage
from lts.web.wire.answers import AuthorizeAnswer, HealthAnswer, Problem, ReportAnswer
from lts.web.wire.messages import CONTROLS, AuthorizeMessage, ReleaseMessage

Json = dict[str, Any]
TYPES = (AuthorizeMessage, ReportMessage, ReleaseMessage, AuthorizeAnswer, ReportAnswer, HealthAnswer, Problem)
_REFUSALS = {
    "400": "Cannot be read; `field` names the part at fault (123, 140)",
    "403": "Refused by the license, or the lease is not one of this server",
    "404": "No such handshake code or organization (101, 121)",
    "413": "Larger than the limit, also once unzipped (144)",
    "415": "A Content-Encoding other than gzip",
    "429": "Too many requests of this device, or refused ones of this address (130)",
    "500": "A fault of the server; its log says more under the request id",
    "503": "This server does not serve clients now (100), or cannot store (150)",
}
_LATER = ("429", "503")
_RETRY = {"Retry-After": {"description": "Seconds", "schema": {"type": "integer", "minimum": 0}}}
_AUTHORIZE_EXAMPLE = {
    "handshakeCode": "216998-100028117",
    "deviceId": "6f1c2b7e-8c1d-4a0e-9a57-0c6a2f7a1b11",
    "product": "barcode-reader",
    "version": "8.2.5",
    "edition": "javascript",
    "deploymentType": "browser",
    "chargeWay": "auto",
    "modules": ["QR Code"],
    "validation": {"domain": "demo.example.com"},
    "cloneToken": None,
    "deviceName": "Reception 2",
}
_REPORT_EXAMPLE = {
    "lease": "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIuLi4ifQ.c2lnbmF0dXJl",
    "cloneToken": None,
    "reports": [{"slot": "2026-11-25T02:03:00Z", "usage": {"QR Code": 3, "1D barcode": 1}}],
}
_RELEASE_EXAMPLE = {"lease": _REPORT_EXAMPLE["lease"]}


def _state_rules(schemas: Json) -> None:
    """Checks beyond the types: rules between fields, and limits of lists and names."""
    authorize = schemas["AuthorizeMessage"]
    name = authorize["properties"]["product"]
    authorize["anyOf"] = [
        {"required": [field], "properties": {field: name}} for field in ("handshakeCode", "organizationId")
    ]
    authorize["properties"]["deviceId"]["not"] = {"pattern": "^([0-]*|[fF-]*)$"}
    report = schemas["ReportMessage"]["properties"]["reports"]
    report.update(minItems=1, maxItems=MAX_REPORT_SLOTS)
    entry = schemas["ReportEntry"]["properties"]
    entry["slot"]["format"] = "date-time"
    type_name = {
        "minLength": 1,
        "maxLength": MAX_TYPE_LENGTH,
        "pattern": f"^[^{CONTROLS}]*$",
    }
    entry["usage"].update(maxProperties=MAX_TYPES_OF_ENTRY, propertyNames=type_name)


def _content(name: str, kind: str = "application/json", example: Json | None = None) -> Json:
    content: Json = {"schema": {"$ref": f"#/components/schemas/{name}"}}
    if example is not None:
        content["example"] = example
    return {kind: content}


def _refusals(*statuses: str) -> Json:
    return {
        status: {
            "description": _REFUSALS[status],
            "content": _content("Problem", "application/problem+json"),
            **({"headers": _RETRY} if status in _LATER else {}),
        }
        for status in statuses
    }


def _post(summary: str, body: str, example: Json, answer: Json) -> Json:
    return {
        "post": {
            "summary": summary,
            "operationId": body.removesuffix("Message").lower(),
            "requestBody": {"required": True, "content": _content(body, example=example)},
            "responses": {**answer, **_refusals(*_REFUSALS)},
        }
    }


def _health() -> Json:
    answers = {
        status: {"description": words, "content": _content("HealthAnswer")}
        for status, words in (("200", "Clients are served"), ("503", "Clients are not served now"))
    }
    return {"get": {"summary": "Whether clients are served", "operationId": "health", "responses": answers}}


@lru_cache(maxsize=1)
def document() -> Json:
    _, schemas = msgspec.json.schema_components(
        (*TYPES, *openapi_admin.ANSWERS), ref_template="#/components/schemas/{name}"
    )
    _state_rules(schemas)
    codes = "; ".join(f"{code}: {TITLES[code]}" for code in sorted(HTTP_STATUS))
    granted = {"200": {"description": "A lease", "content": _content("AuthorizeAnswer")}}
    counted = {"200": {"description": "A result for each entry", "content": _content("ReportAnswer")}}
    released = {"204": {"description": "The seat is free, again as often as asked"}}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "LTS API",
            "version": __version__,
            "description": "Bodies are JSON in UTF-8, plain or gzip: of an authorization up to 64 KiB, of a "
            "release 1 MiB, of a report 4 MiB. "
            f"Fields not named here are ignored. Codes of refusals: {codes}.",
        },
        "servers": [{"url": "../.."}],
        "paths": {
            "/api/v1/authorize": _post("Get a lease", "AuthorizeMessage", _AUTHORIZE_EXAMPLE, granted),
            "/api/v1/report": _post("Report usage", "ReportMessage", _REPORT_EXAMPLE, counted),
            "/api/v1/release": _post("Give a seat back", "ReleaseMessage", _RELEASE_EXAMPLE, released),
            "/api/v1/health": _health(),
            **openapi_admin.paths(),
        },
        "components": {"schemas": schemas, "securitySchemes": openapi_admin.SECURITY},
    }


@lru_cache(maxsize=1)
def document_bytes() -> bytes:
    return json.dumps(document(), ensure_ascii=False).encode("utf-8")
