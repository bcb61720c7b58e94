"""What an authorization asked for, as recorded in its lease.

So a report is judged by the same decision as an authorization, on either server of a pair and after a restore, without
a row for it (docs/design/charging.md, Renewal by report). Of a session password only the number of its change is
included.
"""

from __future__ import annotations

from typing import Any

from lts.rules.licensing.catalog import Catalog, Code
from lts.rules.metering.authorize import Request

_OPTIONAL = {"version": "version", "edition": "edition", "chargeWay": "charge_way"}
_VALIDATION = {"domain": "domain", "applicationId": "application_id", "processName": "process_name"}
"""Names in the claim, and in the request."""


def claim_of(request: Request, code: Code) -> dict[str, Any]:
    """The claim `asked` of a lease that answers a request by a code; what was not sent is left out."""
    claim: dict[str, Any] = {"product": request.product, "deploymentType": request.deployment_type}
    claim |= _sent(request, _OPTIONAL)
    if request.handshake_code is None:
        claim["default"] = True
    if request.modules:
        claim["modules"] = request.modules
    if request.instances != 1:
        claim["instances"] = request.instances
    validation = _sent(request, _VALIDATION)
    if validation:
        claim["validation"] = validation
    if code.session_password is not None:
        claim["password"] = code.password_change
    return claim


def _sent(request: Request, names: dict[str, str]) -> dict[str, Any]:
    return {name: value for name, field in names.items() if (value := getattr(request, field)) is not None}


def is_still_asked_for(claim: dict[str, Any], code: Code, catalog: Catalog) -> bool:
    """Whether the request behind a claim would still find its code: a request that named only an organization gets
    whichever code is its default."""
    if not claim.get("default"):
        return True
    default = catalog.defaults.get(code.organization_id)
    return default is not None and default.key == code.key


def request_of(claim: dict[str, Any], device: bytes, code: Code) -> Request:
    """The request behind a claim, as it would be sent again: with the session password as long as that is the one that
    was sent."""
    sent = {_OPTIONAL[name]: value for name, value in claim.items() if name in _OPTIONAL}
    sent |= {_VALIDATION[name]: value for name, value in claim.get("validation", {}).items() if name in _VALIDATION}
    knows_password = claim.get("password") == code.password_change
    return Request(
        device=device,
        product=claim["product"],
        deployment_type=claim["deploymentType"],
        session_password=code.session_password if knows_password else None,
        modules=tuple(claim.get("modules", ())),
        instances=claim.get("instances", 1),
        **sent,
    )
