"""What can go wrong for an application: ClientError, and the kinds of it."""

from __future__ import annotations

from lts.errors import LtsError

_ADVICE = {
    100: "Try again shortly; the other server of the pair takes over by itself.",
    101: "Copy the license key again from the portal.",
    102: "Check the session password of the handshake code.",
    103: "Add this domain, application id or process name to the handshake code, or use another code.",
    104: "Ask the administrator to link license items to the handshake code.",
    106: "Check the product's name in the application, or ask for a license of this product.",
    107: "Ask for a license of this version.",
    108: "Ask for a license of this type of deployment.",
    109: "Ask for a license of this edition.",
    111: "Ask the administrator to import a renewed license file.",
    112: "Wait for the license to start.",
    113: "Ask the administrator: the license was revoked or is not valid on the server.",
    114: "Send the domain, application id or process name that the handshake code is bound to.",
    115: "Ask for any charge way, or for one that the license has.",
    120: "Ask the administrator to make room in the license, or to enlarge it.",
    121: "Name a handshake code, or ask the administrator for a default one.",
    122: "Use a handshake code of this organization.",
    123: "Name a handshake code or an organization.",
    124: "Ask for a license that covers this module.",
    130: "Send less often; the server says when to go on.",
    140: "This is a fault of the application; the field at fault is named.",
    141: "Authorize anew.",
    144: "Report in smaller parts.",
    150: "Try again shortly; nothing was lost.",
    151: "Two devices use one identity; let one of them make a new one.",
}


class ClientError(LtsError):
    """Root of the errors of the client library."""


class Refused(ClientError):
    """The server refused; `request_id` finds the request in its log, and most on its "Why?" page."""

    def __init__(self, code: int, detail: str, request_id: str, field: str | None = None) -> None:
        super().__init__(detail, field=field)
        self.code: int = code
        self.request_id = request_id

    @property
    def number(self) -> int:
        """The code as the negative number that some applications expect."""
        return -20000 - self.code

    @property
    def advice(self) -> str:
        """What to do about it, in one sentence; "" when the detail says it all."""
        return _ADVICE.get(self.code, "")


class Unreachable(ClientError):
    """No server could be reached, or what answered is not LTS."""

    code = "unreachable"


class NotTrusted(ClientError):
    """The lease in an answer does not verify."""

    code = "not-trusted"
