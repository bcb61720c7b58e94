"""The tree of errors, and the HTTP status of every code.

Raise these anywhere; only the edges (web, cli, jobs) translate them.
"""

from __future__ import annotations

from enum import IntEnum


class RefusalCode(IntEnum):
    """What a request, an item or an entry of a report is refused with (docs/design/authorizing.md, Refusal codes).

    With its HTTP status, 0 for those that occur in results only (140 and 144 occur in results too), and a short name.
    """

    http_status: int
    title: str

    NOT_SERVING = 100, 503, "This server is not serving clients now"
    NO_SUCH_CODE = 101, 404, "No such handshake code"
    WRONG_PASSWORD = 102, 403, "Session password wrong"
    WRONG_VALIDATION = 103, 403, "Validation field does not match"
    NO_ITEMS = 104, 403, "The handshake code has no items"
    OTHER_PRODUCT = 106, 403, "Product not licensed"
    OTHER_VERSION = 107, 403, "Product version not licensed"
    OTHER_DEPLOYMENT = 108, 403, "Deployment type not licensed"
    OTHER_EDITION = 109, 403, "Edition not licensed"
    EXPIRED = 111, 403, "License item expired"
    NOT_STARTED = 112, 403, "License item not yet effective"
    INVALID_ITEM = 113, 403, "License item revoked or invalid"
    NO_VALIDATION = 114, 403, "Validation field required"
    OTHER_CHARGE_WAY = 115, 403, "Charge way does not match"
    USED_UP = 120, 403, "Quota used up"
    UNKNOWN_ORGANIZATION = 121, 404, "Organization unknown"
    OTHER_ORGANIZATION = 122, 403, "Handshake code of another organization"
    NOTHING_NAMED = 123, 400, "Neither handshake code nor organization given"
    MODULE_MISSING = 124, 403, "Module not licensed"
    TOO_MANY_REQUESTS = 130, 429, "Too many requests"
    MALFORMED = 140, 400, "Malformed request"
    UNKNOWN_LEASE = 141, 403, "Lease not of this server"
    SLOT_AHEAD = 142, 0, "Slot lies ahead"
    SLOT_TOO_OLD = 143, 0, "Slot too old"
    TOO_LARGE = 144, 413, "Request too large"
    CANNOT_STORE = 150, 503, "Cannot store now"
    CLONE = 151, 403, "Device clone detected"

    def __new__(cls, number: int, http_status: int, title: str) -> RefusalCode:
        code = int.__new__(cls, number)
        code._value_, code.http_status, code.title = number, http_status, title
        return code

    def __str__(self) -> str:
        return str(self._value_)


HTTP_STATUS: dict[int, int] = {code: code.http_status for code in RefusalCode if code.http_status}
TITLES: dict[int, str] = {code: code.title for code in RefusalCode}


_NO_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "RECORD_LAYER_FAILURE")
"""What versions of OpenSSL call an answer that is not TLS."""


def words_of(error: Exception) -> str:
    """Why something failed, for people: without the system's number and path."""
    if getattr(error, "reason", None) in _NO_TLS:
        return "that port does not use TLS; write http:// for https://, or name the port that does"
    if distrust := getattr(error, "verify_message", None):
        return f"its certificate is not trusted: {distrust}"
    return (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__


class LtsError(Exception):
    """Root of all errors that LTS raises on purpose; `detail` is one sentence for people."""

    code: int | str = "error"
    status: int = 500
    retry_after: int | None = None
    logged_as: str | None = None
    """The request id, if it was logged before the answer was made."""

    def __init__(self, detail: str, *, field: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.field = field

    def was_logged(self, request_id: str) -> None:
        """See `logged_as`."""
        self.logged_as = request_id

    @property
    def title(self) -> str:
        """Short name of the kind of error."""
        return TITLES.get(self.code, "Request refused") if isinstance(self.code, int) else "Request refused"


class Refusal(LtsError):
    """A client's request is refused with one of the codes of docs/design/authorizing.md, Refusal codes.

    `retry_after` is in seconds; None if trying again later would not help by itself.
    """

    def __init__(self, code: int, detail: str, *, field: str | None = None, retry_after: int | None = None) -> None:
        super().__init__(detail, field=field)
        self.code = code
        self.status = HTTP_STATUS[code]
        self.retry_after = retry_after


class Malformed(Refusal):
    """140: the request cannot be read; `field` names what is wrong."""

    def __init__(self, detail: str, *, field: str | None = None) -> None:
        super().__init__(RefusalCode.MALFORMED, detail, field=field)


class TooLarge(Refusal):
    """144: a body or a list over its limit."""

    def __init__(self, detail: str) -> None:
        super().__init__(RefusalCode.TOO_LARGE, detail)


class CannotStore(Refusal):
    """150: disk full, read-only or locked; nothing was acknowledged, try again."""

    def __init__(self, detail: str = "The server cannot store this now; try again shortly.") -> None:
        super().__init__(RefusalCode.CANNOT_STORE, detail, retry_after=5)


class NotVerified(Refusal):
    """141: a lease that is not of this server or pair, or does not verify. Of one that verifies it has `device` (UUID
    text) and `handshake_code`, the name in the lease."""

    def __init__(self, detail: str, *, device: str | None = None, handshake_code: str | None = None) -> None:
        super().__init__(RefusalCode.UNKNOWN_LEASE, detail, field="lease")
        self.device = device
        self.handshake_code = handshake_code


class Coded(LtsError):
    """An error whose `code` is a short slug for programs such as `no-such-code`, and `status` the HTTP status."""

    def __init__(
        self, code: str, detail: str, *, status: int = 400, field: str | None = None, retry_after: int | None = None
    ) -> None:
        super().__init__(detail, field=field)
        self.code = code
        self.status = status
        self.retry_after = retry_after


class LicenseFileError(Coded):
    """A license file is refused whole; nothing of it was stored."""


class TokenError(LtsError):
    """A JWS, key or certificate cannot be read or does not verify."""

    code = "token"
    status = 400


class AdminError(Coded):
    """A wrong request of an administrator."""


class DeliveryError(Coded):
    """A message was not taken by a mail server or webhook. `detail` holds the other side's words and what to change;
    `reached` says whether only this message was refused, or nothing gets there now."""

    def __init__(self, code: str, detail: str, *, reached: bool) -> None:
        super().__init__(code, detail, status=424)
        self.reached = reached


class PeerError(Coded):
    """Between the servers of a pair: the other one cannot be reached or trusted."""


class ConfigError(LtsError):
    """The configuration cannot be used; `faults` lists every fault, each with file and line."""

    code = "config"

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class ListenError(LtsError):
    """The server cannot listen on its address or port; names both and the setting to change."""

    code = "listen"


class HttpError(LtsError):
    """A request refused by HTTP's own rules, before any rule of ours: `code` is a slug for programs (or 140, 144)."""

    def __init__(self, status: int, code: int | str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code


class DataFolderError(LtsError):
    """The data folder or database cannot be used; names path, user and remedy."""

    code = "data-folder"
    status = 503


class DataFolderLocked(DataFolderError):
    """Another process holds the data folder."""

    code = "data-folder-locked"


class DatabaseDamaged(DataFolderError):
    """The database is damaged or belongs to a newer program."""

    code = "database-damaged"
