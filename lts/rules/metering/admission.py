"""Which handshake code a request means, and whether that lets it in (docs/design/authorizing.md, Choosing the code and
Admission)."""

from __future__ import annotations

import hmac
from collections.abc import Callable

from lts.errors import Malformed, Refusal, RefusalCode
from lts.rules.licensing.catalog import Catalog, Code
from lts.rules.metering.checks import Request
from lts.rules.values import domains


def find_code(catalog: Catalog, request: Request) -> Code:
    """The code a request names (docs/design/authorizing.md, Choosing the code). Raises Refusal 123, 101, 121, 122."""
    name, organization = request.handshake_code, request.organization_id
    if name is None and organization is None:
        raise Refusal(RefusalCode.NOTHING_NAMED, "Name a handshake code or an organization.", field="handshakeCode")
    if name is not None:
        code = catalog.code_meant(name, organization)
        if code is None and catalog.code_called(name) is None:
            raise Refusal(RefusalCode.NO_SUCH_CODE, "This server has no such handshake code; copy it from the portal.")
        if code is None and organization is None:
            raise Refusal(
                RefusalCode.NO_SUCH_CODE,
                "Another organization's code had this name first: name your organization as well.",
            )
        if code is None:
            raise Refusal(RefusalCode.OTHER_ORGANIZATION, "The handshake code belongs to another organization.")
        return code
    default = catalog.defaults.get(organization or "")
    if default is None:
        raise Refusal(
            RefusalCode.UNKNOWN_ORGANIZATION, "This server does not know the organization, or it has no default code."
        )
    return default


def admit(code: Code, request: Request) -> None:
    """Password and validation fields (docs/design/authorizing.md, Admission).

    Raises Refusal 102, 114, 140 (a domain that is not valid), 103, 104.
    """
    if code.session_password is not None:
        given = (request.session_password or "").encode("utf-8", "surrogatepass")
        if not hmac.compare_digest(given, code.session_password.encode("utf-8")):
            raise Refusal(
                RefusalCode.WRONG_PASSWORD, "The session password is missing or wrong.", field="sessionPassword"
            )
    _check_validation(code, request)
    if not code.items:
        raise Refusal(RefusalCode.NO_ITEMS, "The handshake code has no license items; add some in the portal.")


def _check_validation(code: Code, request: Request) -> None:
    bound = code.validation
    if not any(bound):
        return
    fields: tuple[tuple[tuple[str, ...], str | None, Callable[[str], bool]], ...] = (
        (bound.domains, request.domain, lambda sent: domains.matches_any(sent, code.hosts)),
        (bound.application_ids, request.application_id, bound.application_ids.__contains__),
        (bound.process_names, request.process_name, bound.process_names.__contains__),
    )
    sent_ones = [(sent, test) for allowed, sent, test in fields if allowed and sent is not None]
    if not sent_ones:
        raise Refusal(
            RefusalCode.NO_VALIDATION,
            "The handshake code is bound to an application; send its validation field.",
            field="validation",
        )
    if not any(test(sent) for sent, test in sent_ones):
        if bound.domains and request.domain is not None and domains.normalize(request.domain) is None:
            raise Malformed(
                "validation.domain is a host name, optionally with a port, such as shop.example.com.",
                field="validation.domain",
            )
        raise Refusal(
            RefusalCode.WRONG_VALIDATION,
            "The application is not one this handshake code is bound to.",
            field="validation",
        )
