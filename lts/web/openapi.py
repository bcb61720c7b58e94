"""The OpenAPI document of the client API, made from the message types so that the two cannot differ."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec

from lts import __version__
from lts.errors import HTTP_STATUS, TITLES
from lts.protocol import MAX_COUNT, MAX_REPORT_SLOTS
from lts.rules.licensefile import CHARGE_WAYS, DEPLOYMENT_TYPES
from lts.web.messages import AuthorizeMessage, ReleaseMessage

Json = dict[str, Any]
_UUID_PATTERN = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"
_JWS = {"type": "string", "description": "Compact JWS"}
_TIME = {"type": "string", "format": "date-time"}


def _requests() -> Json:
    _, schemas = msgspec.json.schema_components(
        [AuthorizeMessage, ReleaseMessage], ref_template="#/components/schemas/{name}"
    )
    fields = schemas["AuthorizeMessage"]["properties"]
    fields["deviceId"] = {"type": "string", "pattern": _UUID_PATTERN}
    fields["deploymentType"] = {"type": "string", "enum": list(DEPLOYMENT_TYPES)}
    fields["chargeWay"] = {"enum": [None, "auto", *CHARGE_WAYS], "default": None}
    entry = {
        "type": "object",
        "required": ["slot", "usage"],
        "properties": {
            "slot": {**_TIME, "description": "Begin of the 3-minute slot, UTC"},
            "usage": {
                "type": "object",
                "description": "Counts so far in the slot, by type",
                "additionalProperties": {"type": "integer", "minimum": 0, "maximum": MAX_COUNT},
            },
            "instances": {"type": ["integer", "null"], "minimum": 1, "maximum": MAX_COUNT},
        },
    }
    schemas["ReportMessage"] = {
        "type": "object",
        "required": ["lease", "reports"],
        "properties": {
            "lease": _JWS,
            "chain": {"type": ["string", "null"], "maxLength": 200},
            "reports": {"type": "array", "maxItems": MAX_REPORT_SLOTS, "items": entry},
        },
    }
    return schemas


def _object(**properties: Any) -> Json:
    return {"type": "object", "required": list(properties), "properties": properties}


def _answers() -> Json:
    item = _object(
        itemId={"type": "string"},
        chargeWay={"enum": list(CHARGE_WAYS)},
        modules={"type": "array", "items": {"type": "string"}},
        grace={"type": "boolean"},
    )
    result = _object(
        slot={"type": ["string", "null"]},
        status={"enum": ["counted", "unchanged", "rejected"]},
        code={"type": ["integer", "null"]},
        detail={"type": ["string", "null"]},
    )
    chain = {"type": "string"}
    return {
        "Authorized": _object(
            lease=_JWS,
            certificates={"type": "array", "items": _JWS},
            items={"type": "array", "items": item},
            expiresAt=_TIME,
            renewAfter=_TIME,
            reportInterval={"type": "integer", "description": "Seconds"},
            serverTime=_TIME,
            chain=chain,
        ),
        "Reported": _object(
            results={"type": "array", "items": result},
            durable={"enum": ["both", "local", "single"]},
            lease={"type": ["string", "null"]},
            serverTime=_TIME,
            chain=chain,
        ),
        "Health": _object(status={"enum": ["serving", "standby", "starting"]}, version={"type": "string"}),
        "Problem": {
            "type": "object",
            "required": ["title", "status", "code", "detail", "requestId"],
            "properties": {
                "type": {"type": "string"},
                "title": {"type": "string"},
                "status": {"type": "integer"},
                "code": {"type": ["integer", "string"], "description": _codes()},
                "detail": {"type": "string"},
                "requestId": {"type": "string"},
                "field": {"type": "string"},
            },
        },
    }


def _codes() -> str:
    return "; ".join(f"{code}: {TITLES[code]}" for code in sorted(HTTP_STATUS))


def _content(name: str, kind: str = "application/json") -> Json:
    return {kind: {"schema": {"$ref": f"#/components/schemas/{name}"}}}


def _post(summary: str, body: str, answers: Json, refusals: tuple[int, ...]) -> Json:
    problem = _content("Problem", "application/problem+json")
    responses: Json = {**answers}
    for status in refusals:
        responses[str(status)] = {"description": "Refused", "content": problem}
    return {
        "post": {
            "summary": summary,
            "operationId": body,
            "requestBody": {"required": True, "content": _content(body)},
            "responses": responses,
        }
    }


@lru_cache(maxsize=1)
def document() -> Json:
    """The document, OpenAPI 3.1."""
    refusals = (400, 403, 404, 413, 415, 429, 503)
    granted = {"200": {"description": "Granted", "content": _content("Authorized")}}
    counted = {"200": {"description": "Counted", "content": _content("Reported")}}
    released = {"204": {"description": "The seat is free"}}
    health: Json = {
        "get": {
            "summary": "Whether clients are served",
            "operationId": "Health",
            "responses": {
                status: {"description": words, "content": _content("Health")}
                for status, words in (("200", "Serving"), ("503", "Not serving"))
            },
        }
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "LTS client API", "version": __version__},
        "servers": [{"url": "."}, {"url": "/lts"}],
        "paths": {
            "/api/v1/authorize": _post("Get a lease", "AuthorizeMessage", granted, refusals),
            "/api/v1/report": _post("Report usage", "ReportMessage", counted, refusals),
            "/api/v1/release": _post("Give a seat back", "ReleaseMessage", released, refusals),
            "/api/v1/health": health,
        },
        "components": {"schemas": {**_requests(), **_answers()}},
    }
