"""The administrators' calls in the OpenAPI document: a table of what each takes and answers.

Answers are JSON of a read model, unless `format` asks for a file; everything else is a Problem with a code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from lts.rules.accounts import ROLES
from lts.rules.alerting.alertwords import BOTH
from lts.rules.licensing.itemstatus import STATES
from lts.rules.statistics.usagetable import GROUPINGS
from lts.rules.values.paging import MAX_SIZE
from lts.rules.values.readmodel import ReadModel
from lts.service.access import accounts, auditlog
from lts.service.alerting import alertsettings, outbox
from lts.service.core import pairmodels
from lts.service.licensing import archiving, codedetails, codeuse, handshakes, serverurls
from lts.service.metering import explain
from lts.service.statistics import devicelist, usage
from lts.web.admin import answers

Json = dict[str, Any]
PREFIX = "/api/v1/admin"
_TEXT, _NUMBER, _YES, _DAY = (
    {"type": "string"},
    {"type": "integer"},
    {"enum": ["true", "false"]},
    {"type": "string", "format": "date"},
)
_UUID = {"type": "string", "format": "uuid"}
_OPTIONAL_TEXT = {"type": ["string", "null"]}
_ROLE = {"enum": list(ROLES)}
_TEXTS = {"type": "array", "items": _TEXT}
_LIST = {"q": _TEXT, "sort": _TEXT, "order": {"enum": ["asc", "desc"]}, "page": {"type": "integer", "minimum": 1},
         "size": {"type": "integer", "minimum": 1, "maximum": MAX_SIZE}}  # fmt: skip
_PAGE = {name: _LIST[name] for name in ("page", "size")}
_CSV = {"format": {"enum": ["json", "csv"]}}
_WHOSE = {"organizationId": _TEXT}
_SUBJECT = {"code": _TEXT, **_WHOSE, "item": _TEXT}
_RANGE = {"from": _DAY, "to": _DAY, "days": {"type": "integer", "minimum": 1}}
_PLACE = {"newCode": _TEXT, "toCode": _TEXT, "itemsOnly": _YES, "default": _YES}
_WAS = {"type": "object", "description": "What you had read of the fields that you change: if one has changed since,"
        " the answer is 409 and nothing is changed"}  # fmt: skip
_CODE = {
    "custom": _TEXT, "note": _OPTIONAL_TEXT, "password": _OPTIONAL_TEXT, "manualOrder": {"type": "boolean"},
    "isDefault": {"type": "boolean"},
    "validation": {"type": "object", "properties": {
        "domains": _TEXTS, "applicationIds": _TEXTS, "processNames": _TEXTS}},
    "items": {"type": "array", "items": {
        "type": "object", "properties": {"id": _NUMBER, "cap": {"type": ["integer", "null"]}}, "required": ["id"]}},
}  # fmt: skip
_MAIL = {
    "host": _TEXT, "port": _NUMBER, "security": {"enum": list(alertsettings.SECURITIES)}, "caFile": _OPTIONAL_TEXT,
    "user": _OPTIONAL_TEXT, "password": _TEXT, "from": _TEXT, "to": _OPTIONAL_TEXT, "cc": _OPTIONAL_TEXT,
    "bcc": _OPTIONAL_TEXT, "language": {"enum": list(BOTH)},
}  # fmt: skip
_FILE = "text/plain"
_REQUEST_FILE = {"type": "object", "required": ["format", "version", "uuid", "request"]}
"""An activation request, which is JSON itself."""


@dataclass(frozen=True)
class Call:
    """One call; `body` are the fields of a JSON object, of them `needed` must be there, or a file's media type.
    `answer` is what its view returns, None of a call that is answered by 204, with nothing."""

    method: str
    path: str
    summary: str
    query: Json = field(default_factory=dict)
    body: Json | str | None = None
    needed: tuple[str, ...] = ()
    answer: type[ReadModel] | None = None


CALLS = (
    Call("GET", "/session", "Who is signed in, and whether the password must be set first", answer=answers.SignedIn),
    Call("POST", "/session", "Sign in", body={"user": _TEXT, "password": _TEXT},
         needed=("user", "password"), answer=answers.SignedIn),
    Call("POST", "/sign-in-link", "Sign in with the one-time code of a link, on the server's own machine only",
         body={"code": _TEXT}, needed=("code",), answer=answers.SignedIn),
    Call("DELETE", "/session", "Sign out"),
    Call("POST", "/setup", "Set the password of admin with the one-time set-up code",
         body={"code": _TEXT, "password": _TEXT}, needed=("code", "password"), answer=answers.SignedIn),
    Call("GET", "/setup-code", "The set-up code; for the command line only", answer=answers.SetUpCode),
    Call("POST", "/password", "Change one's own password",
         body={"current": _TEXT, "password": _TEXT}, needed=("current", "password"), answer=answers.SignedIn),
    Call("POST", "/password/reset", "Forget the password of admin; for the command line only",
         answer=answers.SetUpCode),
    Call("GET", "/sessions", "Sessions that are valid", answer=answers.SessionList),
    Call("DELETE", "/sessions/{key}", "End a session", answer=answers.EndedSession),
    Call("GET", "/users", "Users", answer=answers.UserList),
    Call("POST", "/users", "Add a user",
         body={"name": _TEXT, "role": _ROLE, "password": _TEXT}, needed=("name", "role", "password"),
         answer=answers.Named),
    Call("PATCH", "/users/{name}", "Change a user's role or password",
         body={"role": _ROLE, "password": _TEXT, "was": _WAS}, answer=answers.Named),
    Call("DELETE", "/users/{name}", "Remove a user", answer=answers.Removed),
    Call("GET", "/tokens", "API tokens, without their secrets", answer=answers.TokenList),
    Call("POST", "/tokens", "Make an API token; it is shown this once only",
         body={"name": _TEXT, "role": _ROLE}, needed=("name", "role"), answer=accounts.MadeToken),
    Call("DELETE", "/tokens/{key}", "Remove an API token", answer=answers.Removed),
    Call("GET", "/home", "Who this server is, what needs attention, the last days' usage", answer=answers.Home),
    Call("GET", "/status", "Who this server is and its state", answer=answers.StatusAnswer),
    Call("GET", "/activation-request", "What the vendor binds licenses to",
         {"format": {"enum": ["json", "file"]}}, answer=answers.ActivationText),
    Call("GET", "/licenses/items", "License items; archived ones only where `state` names them",
         {**_LIST, "state": {"type": "array", "items": {"enum": list(STATES)}}},
         answer=answers.ItemPage),
    Call("POST", "/licenses/preview", "What importing a license file would change",
         {**_PLACE, "fingerprint": _TEXT}, _FILE, answer=answers.PreviewAnswer),
    Call("POST", "/licenses", "Import a license file", {**_PLACE, "fingerprint": _TEXT}, _FILE,
         answer=answers.PreviewAnswer),
    Call("GET", "/licenses/use", "What archiving a license would end: items, live seats, handshake codes",
         {"licenseId": _TEXT, "organizationId": _TEXT}, answer=archiving.LicenseUse),
    Call("POST", "/licenses/archive", "Archive a license: hidden, authorizing nobody, its seats ended; importing its"
         " file takes it back", body={"licenseId": _TEXT, "organizationId": _OPTIONAL_TEXT}, needed=("licenseId",),
         answer=archiving.LicenseUse),
    Call("POST", "/trust", "Trust a vendor's key", body=_FILE, answer=answers.TrustedKey),
    Call("GET", "/handshakes", "Handshake codes; with `keys` the license keys, for administrators",
         {**_LIST, "keys": _YES}, answer=answers.CodePage),
    Call("POST", "/handshakes", "Add a handshake code; without `organizationId` to the only organization",
         body={"organizationId": _OPTIONAL_TEXT, **_CODE}, needed=("custom",), answer=handshakes.Saved),
    Call("GET", "/handshakes/{name}", "A handshake code; `name` may be # and its number", _WHOSE,
         answer=codedetails.CodeDetails),
    Call("PATCH", "/handshakes/{name}", "Change a handshake code; what is absent stays, of `validation` each list, and"
         " an empty one removes that binding; `name` may be # and its number", _WHOSE, {**_CODE, "was": _WAS},
         answer=answers.EditedCode),
    Call("DELETE", "/handshakes/{name}", "Remove a handshake code; its history stays", _WHOSE,
         answer=answers.RemovedCode),
    Call("GET", "/handshake-use/{name}", "How many devices hold a seat through a handshake code, or reported through it"
         " lately, and how many authorizations it gave",
         _WHOSE, answer=codeuse.CodeUse),
    Call("GET", "/license-key/{name}", "The license key of a handshake code, and the faults of its URLs", _WHOSE,
         answer=answers.LicenseKeyAnswer),
    Call("GET", "/server-urls", "The URLs in license keys", answer=serverurls.ServerUrls),
    Call("PUT", "/server-urls", "Set the URLs in license keys: the main's, then the standby's",
         body={"urls": _TEXTS, "was": _WAS}, needed=("urls",), answer=serverurls.ServerUrls),
    Call("GET", "/usage", "Usage of a handshake code, of all of an organization, or of a license item (its id, or #"
         " and its number), grouped; `items` are those that are summed",
         {**_SUBJECT, **_RANGE, **_LIST, **_CSV, "by": {"enum": list(GROUPINGS)}}, answer=answers.UsagePage),
    Call("GET", "/statistics", "Units by type in all history and in a period, and for each day",
         {**_SUBJECT, **_RANGE}, answer=usage.Overview),
    Call("GET", "/statistics/hours", "Usage in each hour of a day", {**_SUBJECT, "day": _DAY}, answer=usage.DayHours),
    Call("GET", "/statistics/subjects", "What there are statistics of", answer=usage.Subjects),
    Call("GET", "/devices", "Devices; `q` is the beginning of a UUID, `alike` a device that all look like; in the"
         " answer `alike` is how many others look like that device",
         {**_LIST, "item": _NUMBER, "live": _YES, "flagged": _YES, "alike": _UUID}, answer=devicelist.DevicePage),
    Call("GET", "/devices/{uuid}", "A device with its seats; `alike` is how many others look like it",
         answer=devicelist.DeviceStatus),
    Call("POST", "/devices/clear", "Clear a device that looks copied: it is a single machine",
         body={"deviceId": _TEXT}, needed=("deviceId",), answer=devicelist.DeviceStatus),
    Call("POST", "/seats/release", "Free a device's seat in a license item",
         body={"deviceId": _TEXT, "item": _NUMBER}, needed=("deviceId", "item"),
         answer=answers.ReleasedSeat),
    Call("GET", "/why", "The last refused requests with the verdict on each item", {**_LIST, "code": _NUMBER},
         answer=answers.RefusedPage),
    Call("POST", "/explain", "A dry run of an authorization: the verdict on each item", body={
        "handshakeCode": _OPTIONAL_TEXT, "organizationId": _OPTIONAL_TEXT, "deviceId": _OPTIONAL_TEXT, "product": _TEXT,
        "version": _OPTIONAL_TEXT, "edition": _OPTIONAL_TEXT, "deploymentType": _OPTIONAL_TEXT, "modules": _TEXTS,
        "instances": _NUMBER}, needed=("product",), answer=explain.Explanation),
    Call("GET", "/audit", "Who did what when, newest first",
         {**_LIST, **_CSV, "action": _TEXTS, "from": _DAY, "to": _DAY}, answer=auditlog.AuditPage),
    Call("GET", "/alerts", "Who is alerted by mail and webhooks, and at which levels", answer=answers.AlertSettings),
    Call("GET", "/alerts/history", "What was sent, and the outcome", _PAGE, answer=outbox.AlertHistory),
    Call("PUT", "/alerts/mail", "Set the mail sender and receivers; a password that is not sent is kept",
         body={**_MAIL, "was": {**_WAS, "type": ["object", "null"]}},
         needed=("host", "port", "security", "from", "to"), answer=answers.MailAnswer),
    Call("DELETE", "/alerts/mail", "Send no mail", answer=answers.MailAnswer),
    Call("POST", "/alerts/test", "Send a test mail, with these settings or, for {}, the stored ones", body=_MAIL,
         answer=outbox.MailTest),
    Call("PUT", "/alerts/levels", "Set levels in percent", body={"levels": {"type": "object"}, "was": _WAS},
         needed=("levels",), answer=answers.AlertLevels),
    Call("POST", "/alerts/webhooks", "Add a webhook; its secret is shown this once only",
         body={"name": _TEXT, "url": _TEXT}, needed=("name", "url"), answer=alertsettings.MadeWebhook),
    Call("DELETE", "/alerts/webhooks/{key}", "Remove a webhook", answer=answers.Removed),
    Call("POST", "/alerts/webhooks/{key}/test", "Send a webhook a test message", answer=answers.ToldWebhook),
    Call("POST", "/alerts/calendar", "The address of the calendar; `renew` makes a new one",
         body={"renew": {"type": "boolean"}}, answer=answers.CalendarAddress),
    Call("GET", "/pair", "The two servers of a pair", answer=pairmodels.PairStatus),
    Call("POST", "/pair/approve", "Approve the other server's key",
         body={"fingerprint": _TEXT}, needed=("fingerprint",), answer=pairmodels.PairStatus),
    Call("POST", "/pair/promote", "Let this standby take the main's place for good", answer=pairmodels.PairStatus),
    Call("POST", "/backup", "Write a backup into the data folder's `backups`", answer=answers.WrittenBackup),
    Call("POST", "/clock/accept", "Trust a clock that jumped far ahead", answer=answers.ClockChange),
    Call("POST", "/clock/reset", "Reset a wrong highest time", answer=answers.ClockChange),
)  # fmt: skip

ANSWERS = tuple(dict.fromkeys(call.answer for call in CALLS if call.answer))


def paths() -> Json:
    found: Json = {}
    for call in CALLS:
        found.setdefault(PREFIX + call.path, {})[call.method.lower()] = _operation(call)
    return found


def path_of(rule: str) -> str:
    """The path of a Flask rule as the document writes it: `<name:code>` is `{code}`."""
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule)


@cache
def query_of(method: str, rule: str) -> Json:
    """The schemas of what a call's query may hold, by the method and Flask's rule; empty for one not described."""
    wanted = ("GET" if method == "HEAD" else method, path_of(rule))
    return next((call.query for call in CALLS if (call.method, PREFIX + call.path) == wanted), {})


def _operation(call: Call) -> Json:
    in_path = [part[1:-1] for part in call.path.split("/") if part.startswith("{")]
    done: Json = {"description": "Done"}
    formats = call.query.get("format", {}).get("enum", ())
    if call.answer is not None:
        answer: Json = {"$ref": f"#/components/schemas/{call.answer.__name__}"}
        schema = {"anyOf": [answer, _REQUEST_FILE]} if "file" in formats else answer
        done["content"] = {"application/json": {"schema": schema}}
    if "csv" in formats:
        done["content"]["text/csv"] = {"schema": _TEXT}
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    operation: Json = {
        "summary": call.summary,
        "operationId": re.sub(r"[^a-z]+", "-", f"{call.method}{call.path}".lower()).strip("-"),
        "tags": ["administration"],
        "security": [{"token": []}, {"session": []}],
        "parameters": [
            *({"name": name, "in": "path", "required": True, "schema": _TEXT} for name in in_path),
            *({"name": name, "in": "query", "schema": schema} for name, schema in call.query.items()),
        ],
        "responses": {
            "200" if call.answer else "204": done,
            "default": {"description": "A problem, with its code", "content": problem},
        },
    }
    if call.body is not None:
        kind = call.body if isinstance(call.body, str) else "application/json"
        schema = _TEXT if isinstance(call.body, str) else {
            "type": "object", "properties": call.body, "required": list(call.needed)}  # fmt: skip
        operation["requestBody"] = {"required": True, "content": {kind: {"schema": schema}}}
    return operation


SECURITY = {
    "token": {"type": "http", "scheme": "bearer", "description": "An API token of the Security page"},
    "session": {"type": "apiKey", "in": "header", "name": "X-LTS-CSRF",
                "description": "With the session's cookie; `csrf` of GET /session"},
}  # fmt: skip
