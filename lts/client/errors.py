"""What can go wrong for an application.

ClientError
├── Refused      the server said no: `code` of the table in docs/protocol.md, `number` = -20000 - code
├── Unreachable  no server answered as one; the lease at hand goes on until its end
└── NotTrusted   an answer that does not verify against the vendor's key
"""

from __future__ import annotations

from lts.errors import LtsError

_ADVICE = {
    101: "Copy the license key again from the portal.",
    102: "Check the session password of the handshake code.",
    111: "Ask the administrator to import a renewed license file.",
    112: "Wait for the license to start.",
    113: "Ask the administrator: the license was revoked or is not valid on the server.",
    120: "Ask the administrator to free a seat or to enlarge the license.",
    151: "Two devices use one identity; let one of them make a new one.",
}


class ClientError(LtsError):
    """Root of the errors of the client library."""


class Refused(ClientError):
    """The server refused; `request_id` finds the request in its log and on its "Why?" page."""

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
