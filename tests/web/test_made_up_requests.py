"""Requests made up from the OpenAPI document: whatever is sent, the answer is one that the document describes.

Slow already when the tests are collected: see tests/conftest.py.
"""

from __future__ import annotations

from typing import Any

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

from lts.web import openapi
from tests.web.conftest import Served

pytestmark = pytest.mark.slow
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
CHECKS_OF_PORTAL = [not_a_server_error, status_code_conformance, response_schema_conformance]
REFUSED = ["400", "403", "404", "405", "413", "415"]
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
    case.call_and_validate(checks=CHECKS_OF_PORTAL, base_url=base, headers=headers)


@portal.parametrize()
@settings(max_examples=30, derandomize=True, suppress_health_check=list(HealthCheck))
def test_nothing_sent_to_the_portal_is_a_fault_of_the_server(case: Any, served: Served) -> None:
    send_to_the_portal(case, served)
