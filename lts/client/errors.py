"""What can go wrong for an application: ClientError and its subclasses."""

from __future__ import annotations

from lts.errors import LtsError, RefusalCode

_ADVICE: dict[int, str] = {
    RefusalCode.NOT_SERVING: "Try again shortly; the other server of the pair takes over by itself.",
    RefusalCode.NO_SUCH_CODE: "Copy the license key again from the portal.",
    RefusalCode.WRONG_PASSWORD: "Check the session password of the handshake code.",
    RefusalCode.WRONG_VALIDATION: "Add this domain, application id or process name to the handshake code,"
    " or use another code.",
    RefusalCode.NO_ITEMS: "Ask the administrator to link license items to the handshake code.",
    RefusalCode.OTHER_PRODUCT: "Check the product's name in the application, or ask for a license of this product.",
    RefusalCode.OTHER_VERSION: "Ask for a license of this version.",
    RefusalCode.OTHER_DEPLOYMENT: "Ask for a license of this type of deployment.",
    RefusalCode.OTHER_EDITION: "Ask for a license of this edition.",
    RefusalCode.EXPIRED: "Ask the administrator to import a renewed license file.",
    RefusalCode.NOT_STARTED: "Wait for the license to start.",
    RefusalCode.INVALID_ITEM: "Ask the administrator: the license was revoked or is not valid on the server.",
    RefusalCode.NO_VALIDATION: "Send the domain, application id or process name that the handshake code is bound to.",
    RefusalCode.OTHER_CHARGE_WAY: "Ask for any charge way, or for one that the license has.",
    RefusalCode.USED_UP: "Ask the administrator to make room in the license, or to enlarge it.",
    RefusalCode.UNKNOWN_ORGANIZATION: "Name a handshake code, or ask the administrator for a default one.",
    RefusalCode.OTHER_ORGANIZATION: "Use a handshake code of this organization.",
    RefusalCode.NOTHING_NAMED: "Name a handshake code or an organization.",
    RefusalCode.MODULE_MISSING: "Ask for a license that covers this module.",
    RefusalCode.TOO_MANY_REQUESTS: "Send less often; the server says when to continue.",
    RefusalCode.MALFORMED: "This is a fault of the application; the field at fault is named.",
    RefusalCode.UNKNOWN_LEASE: "Authorize again.",
    RefusalCode.TOO_LARGE: "Report in smaller parts.",
    RefusalCode.CANNOT_STORE: "Try again shortly; nothing was lost.",
    RefusalCode.CLONE: "Two devices use one identity; let one of them make a new one.",
}


class ClientError(LtsError):
    """Root of the errors of the client library."""


class Refused(ClientError):
    """The server refused; `request_id` finds the request in its log, and most on its "Why?" page."""

    def __init__(self, code: int, detail: str, request_id: str, field: str | None = None) -> None:
        super().__init__(detail, field=field)
        self.code: int = int(code)
        self.request_id = request_id

    @property
    def number(self) -> int:
        """The code as the negative number that some applications expect."""
        return -20000 - self.code

    @property
    def advice(self) -> str:
        """What to do about it, in one sentence; "" when the detail says it all."""
        return _ADVICE.get(self.code, "")


def is_of_entries(refusal: Refused) -> bool:
    """Whether a report was refused because none of its entries can be read, now or later."""
    return refusal.code == RefusalCode.MALFORMED and (refusal.field or "").startswith("reports[")


class Unreachable(ClientError):
    """No server could be reached, or what answered is not LTS."""

    code = "unreachable"


class NotTrusted(ClientError):
    """The lease in an answer does not verify."""

    code = "not-trusted"
