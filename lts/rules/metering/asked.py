"""What an authorization asked for, as recorded in its lease.

So a report is judged by the same decision as an authorization, on either server of a pair and after a restore, without
a row for it (docs/design/charging.md, Renewal by report). Of a session password only the number of its change is
included.
"""

from __future__ import annotations

from lts.protocol import Asked
from lts.rules.licensing.catalog import Catalog, Code
from lts.rules.metering.checks import Request


def asked_by(request: Request, code: Code) -> Asked:
    """What the lease that answers a request by a code says of it."""
    return Asked(
        product=request.product,
        deployment_type=request.deployment_type,
        version=request.version,
        edition=request.edition,
        charge_way=request.charge_way,
        is_default=request.handshake_code is None,
        modules=request.modules,
        instances=request.instances,
        domain=request.domain,
        application_id=request.application_id,
        process_name=request.process_name,
        password=None if code.session_password is None else code.password_change,
    )


def is_still_asked_for(asked: Asked, code: Code, catalog: Catalog) -> bool:
    """Whether the request would still find its code: one that named only an organization gets whichever code is its
    default."""
    if not asked.is_default:
        return True
    default = catalog.defaults.get(code.organization_id)
    return default is not None and default.key == code.key


def request_of(asked: Asked, device: bytes, code: Code) -> Request:
    """The request as it would be sent again: with the session password if that has not changed since."""
    return Request(
        device=device,
        product=asked.product,
        deployment_type=asked.deployment_type,
        session_password=code.session_password if asked.password == code.password_change else None,
        version=asked.version,
        edition=asked.edition,
        charge_way=asked.charge_way,
        modules=asked.modules,
        instances=asked.instances,
        domain=asked.domain,
        application_id=asked.application_id,
        process_name=asked.process_name,
    )
