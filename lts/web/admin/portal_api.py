"""The administrators' API, `/api/v1/admin/…`: what the portal, the command line and programs with a token call.

Who may call is in lts.web.admin.signin; calls about accounts are in lts.web.admin.account_api.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from operator import attrgetter
from typing import Any, TypeVar

from flask import Blueprint, Response, g, request
from msgspec.structs import replace

from lts import __version__
from lts.errors import AdminError, Refusal
from lts.protocol import DAY_SECONDS, Durable, iso
from lts.rules.licensing import activation
from lts.rules.licensing.catalog import ARCHIVED, Code
from lts.rules.licensing.itemstatus import STATES, ItemStatus
from lts.rules.licensing.vendorkey import fingerprint
from lts.rules.values.meanwhile import WAS
from lts.rules.values.paging import page_of
from lts.service.core.context import Context
from lts.service.core.pairmodels import PairStatus
from lts.service.licensing import archiving, codeuse, handshakes, itemlist, licenses, serverurls
from lts.service.licensing.archiving import LicenseUse
from lts.service.licensing.codedetails import CodeDetails, describe_code
from lts.service.licensing.codeuse import CodeUse
from lts.service.licensing.handshakes import Saved
from lts.service.licensing.licenses import Choice
from lts.service.licensing.serverurls import ServerUrls
from lts.service.maintenance import attention, backups, clock
from lts.service.statistics import forecasts, usage
from lts.web.admin import account_api, alerts_api, answers, openapi_admin, records_api, statistics_api
from lts.web.admin.calls import Calls
from lts.web.admin.dearcalls import DearCalls
from lts.web.admin.jsonbody import body_fields, body_text, json_body
from lts.web.admin.listing import asked_page, asked_text, check_query, download, yes
from lts.web.admin.signin import SAFE, SignIn

WithStatus = TypeVar("WithStatus", answers.StatusAnswer, answers.Home)
GLANCE_DAYS = 14
"""Days of usage on the home page."""


def blueprint(ctx: Context, gate: SignIn) -> Blueprint:
    api = Blueprint("admin", __name__, url_prefix="/api/v1/admin")

    @api.before_request
    def authenticate() -> None:
        if request.endpoint in account_api.PUBLIC_CALLS:
            return
        account = g.account = gate.account()
        g.actor = account.actor
        if request.method not in SAFE and not account.may_change and request.endpoint not in _OF_READERS:
            raise AdminError("read-only", "Your user may look at everything, and change nothing.", status=403)

    @api.before_request
    def read_query_strictly() -> None:
        check_query(openapi_admin.query_of(request.method, str(request.url_rule)))

    @api.before_request
    def only_in_charge() -> None:
        if request.method not in SAFE and request.endpoint not in _OF_THIS_SERVER:
            ctx.running.check_in_charge()

    @api.after_request
    def make_durable(response: Response) -> Response:
        if request.method not in SAFE and response.status_code < 400:
            response.headers["X-LTS-Durable"] = _how_durable(ctx)
        return response

    dear = DearCalls()
    calls = Calls(api, dear)
    account_api.add_calls(calls, ctx, gate)
    _license_calls(calls, ctx, dear)
    _handshake_calls(calls, ctx)
    _server_url_calls(calls, ctx)
    _status_calls(calls, ctx)
    records_api.add_calls(calls, ctx, dear)
    statistics_api.add_calls(calls, ctx)
    alerts_api.add_calls(calls, ctx)
    _upkeep_calls(calls, ctx)
    _pair_calls(calls, ctx)
    return api


def _how_durable(ctx: Context) -> Durable:
    """Of a change that is stored: a server that stops serving at this moment does not take it back."""
    try:
        return ctx.running.partner.confirm(ctx.store.serial) if ctx.running.serves else "local"
    except Refusal:
        return "local"


_OF_THIS_SERVER = {
    "admin.preview", "admin.explain_request", "admin.backup", "admin.reset_clock", "admin.accept_clock",
    "admin.approve_peer", "admin.promote", "admin.test_mail", "admin.test_webhook",
} | account_api.NOT_SHARED_CALLS  # fmt: skip
"""Calls that change nothing that the two servers of a pair share, or that are about the pair itself."""
_OF_READERS = {"admin.preview", "admin.explain_request"} | account_api.READER_CALLS
"""Calls with a body that a user who may only read can make."""


def _choice() -> Choice:
    """Where an import's new items go. Raises AdminError, also for more than one place."""
    new, existing, alone = request.args.get("newCode"), request.args.get("toCode"), yes("itemsOnly")
    if (new is not None) + (existing is not None) + alone > 1:
        raise AdminError("bad-field", "Name one place: newCode, toCode or itemsOnly.", field="newCode")
    return Choice(new, existing, alone, yes("default"))


def _license_calls(api: Calls, ctx: Context, dear: DearCalls) -> None:
    @api.get("/licenses/items")
    def items() -> answers.ItemPage:
        states = _states()
        now = ctx.clock.now()
        every = itemlist.describe(ctx, now)
        wanted = [item for item in every if (item.state in states if states else item.state != ARCHIVED)]
        shown, found = page_of(wanted, asked_page(), _text_of_item, _ITEM_COLUMNS)
        last_days = forecasts.last_days(ctx, shown, now)
        shown = [
            replace(item, used_up_on=usage.day_text(last_days[item.id])) if item.id in last_days else item
            for item in shown
        ]
        return answers.ItemPage(shown, found, Counter(item.state for item in every))

    @api.post("/licenses/preview")
    def preview() -> answers.PreviewAnswer:
        with dear.of(g.account):
            return answers.PreviewAnswer.of(licenses.preview(ctx, request.get_data(), _choice(), ctx.clock.now()))

    @api.post("/licenses")
    def import_file() -> answers.PreviewAnswer:
        confirmed = request.args.get("fingerprint")
        done = licenses.import_license(ctx, request.get_data(), _choice(), g.actor, ctx.clock.now(), confirmed)
        return answers.PreviewAnswer.of(done)

    @api.get("/licenses/use")
    def license_use() -> LicenseUse:
        owner = asked_text("organizationId")
        return archiving.license_use(ctx, request.args.get("licenseId", ""), owner, ctx.clock.now())

    @api.post("/licenses/archive")
    def archive_license() -> LicenseUse:
        body = body_fields(json_body(), "licenseId", "organizationId")
        owner = None if body.get("organizationId") is None else body_text(body, "organizationId")
        return archiving.archive(ctx, body_text(body, "licenseId"), owner, g.actor, ctx.clock.now())

    @api.post("/trust")
    def trust() -> answers.TrustedKey:
        key = licenses.trust(ctx, request.get_data(), g.actor, ctx.clock.now())
        return answers.TrustedKey(key.name, key.key.kid, fingerprint(key.key.kid))

    @api.get("/activation-request")
    def activation_request() -> answers.ActivationText | Response:
        me = ctx.identity
        text = activation.build(me.uuid, me.key, me.labels, me.binding, ctx.clock.now())
        if request.args.get("format") == "file":
            return download(f"lts-{me.uuid}.json", text.encode("utf-8"), "application/json")
        return answers.ActivationText(text)


def _states() -> set[str]:
    """States of items that are asked for, none = all. Raises AdminError."""
    states = set(request.args.getlist("state"))
    if states - set(STATES):
        raise AdminError("bad-field", f"state is one of {', '.join(STATES)}.", field="state")
    return states


def _text_of_item(item: ItemStatus) -> str:
    names = item.item_id, item.license_id, item.description, item.product, item.charge_way, item.organization_id
    return "\n".join([*names, *item.modules, *item.handshake_codes])


_ITEM_COLUMNS: dict[str, Callable[[ItemStatus], Any]] = {
    "itemId": attrgetter("item_id"), "licenseId": attrgetter("license_id"), "product": attrgetter("product"),
    "chargeWay": attrgetter("charge_way"), "startsAt": attrgetter("starts_at"), "expiresAt": attrgetter("expires_at"),
    "state": attrgetter("state"), "quota": attrgetter("quota"),
    "used": lambda item: item.used / item.quota if item.quota else None,
}  # fmt: skip


def _handshake_calls(api: Calls, ctx: Context) -> None:
    @api.get("/handshakes")
    def list_codes() -> answers.CodePage:
        keys = yes("keys") and g.account.may_change
        shown, found = page_of(ctx.store.catalog.present, asked_page(), _text_of_code, _CODE_COLUMNS)
        return answers.CodePage(handshakes.describe(ctx, shown, keys=keys), found)

    @api.post("/handshakes")
    def add() -> Saved:
        body = json_body()
        given = body.get("organizationId")
        organization = None if given is None else body_text(body, "organizationId")
        changes = {name: value for name, value in body.items() if name != "organizationId"}
        return handshakes.add(ctx, organization, changes, g.actor, ctx.clock.now())

    @api.get("/handshakes/<name:name>")
    def one_code(name: str) -> CodeDetails:
        return describe_code(handshakes.find(ctx.store.catalog, name, _organization()))

    @api.patch("/handshakes/<name:name>")
    def edit(name: str) -> answers.EditedCode:
        saved = handshakes.edit(ctx, name, json_body(), g.actor, ctx.clock.now(), _organization())
        code = describe_code(ctx.store.catalog.codes_by_key[saved.key])
        return answers.EditedCode(
            saved.name, saved.key, saved.organization_id, saved.notices, code.validation, code.items
        )

    @api.delete("/handshakes/<name:name>")
    def remove(name: str) -> answers.RemovedCode:
        removed = handshakes.remove(ctx, name, g.actor, ctx.clock.now(), _organization())
        return answers.RemovedCode(removed.name, removed.key, removed.organization_id)

    @api.get("/handshake-use/<name:name>")
    def use(name: str) -> CodeUse:
        return codeuse.code_use(ctx, name, ctx.clock.now(), _organization())

    @api.get("/license-key/<name:name>")
    def key(name: str) -> answers.LicenseKeyAnswer:
        if not g.account.may_change:
            raise AdminError("read-only", "License keys may hold a password; an administrator sees them.", status=403)
        text = handshakes.license_key(ctx, name, _organization())
        return answers.LicenseKeyAnswer(text, serverurls.server_urls(ctx), serverurls.notices(ctx))


def _organization() -> str | None:
    """Which organization's code a name means, if two have codes of the same full name. Raises AdminError."""
    return asked_text("organizationId")


def _text_of_code(code: Code) -> str:
    fields = (value for values in code.validation for value in values)
    return "\n".join([code.name, code.note, *(code_item.item.terms.item_id for code_item in code.items), *fields])


_CODE_COLUMNS: dict[str, Callable[[Code], Any]] = {
    "name": attrgetter("name"),
    "items": lambda code: len(code.items),
}


def _server_url_calls(api: Calls, ctx: Context) -> None:
    @api.get("/server-urls")
    def server_urls() -> ServerUrls:
        return serverurls.describe(ctx)

    @api.put("/server-urls")
    def set_server_urls() -> ServerUrls:
        body = body_fields(json_body(), "urls", WAS)
        serverurls.change(ctx, body.get("urls"), g.actor, ctx.clock.now(), body.get(WAS))
        return serverurls.describe(ctx)


def _status_calls(api: Calls, ctx: Context) -> None:
    @api.get("/status")
    def status() -> answers.StatusAnswer:
        shown = [*attention.troubles(ctx), *attention.authorizes_nobody(ctx, ctx.clock.now())]
        return _status(ctx, answers.StatusAnswer, [notice.detail for notice in shown])

    @api.get("/home")
    def home() -> answers.Home:
        now = ctx.clock.now()
        first = usage.day_text(now // DAY_SECONDS - GLANCE_DAYS + 1)
        return _status(ctx, answers.Home, attention.notices(ctx, now), usage.overview(ctx, now, first=first))


def _status(ctx: Context, answer: Callable[..., WithStatus], *more: Any) -> WithStatus:
    """An answer with the status of this server, and `more` of its own."""
    me, partner, catalog = ctx.identity, ctx.running.partner, ctx.store.catalog
    return answer(
        ctx.running.status, __version__, partner.role, partner.describe(), me.uuid, me.previous, me.binding,
        ctx.running.public_url,
        iso(ctx.clock.now()), answers.ClockStatus(iso(ctx.clock.state.highest), ctx.clock.state.pending is not None),
        ctx.store.serial, sum(item.state != ARCHIVED for item in catalog.items.values()), len(catalog.present),
        list(catalog.vendors), *more,
    )  # fmt: skip


def _upkeep_calls(api: Calls, ctx: Context) -> None:
    @api.post("/backup")
    def backup() -> answers.WrittenBackup:
        faults: list[str] = []
        path = backups.backup(ctx.store.path, ctx.store.path.parent, ctx.clock.now(), ctx.trust, faults.append)
        return answers.WrittenBackup(str(path), path.stat().st_size, faults)

    @api.post("/clock/reset")
    def reset_clock() -> answers.ClockChange:
        before, after = clock.reset_clock(ctx, g.actor)
        return answers.ClockChange(iso(before), iso(after))

    @api.post("/clock/accept")
    def accept_clock() -> answers.ClockChange:
        before, after = clock.accept_clock(ctx, g.actor)
        return answers.ClockChange(iso(before), iso(after))


def _pair_calls(api: Calls, ctx: Context) -> None:
    @api.get("/pair")
    def pair() -> PairStatus:
        return ctx.running.partner.paired().describe()

    @api.post("/pair/approve")
    def approve_peer() -> PairStatus:
        here = ctx.running.partner.paired()
        here.approve(body_text(body_fields(json_body(), "fingerprint"), "fingerprint"))
        ctx.note_event("pair-key-approved", {}, g.actor)
        return here.describe()

    @api.post("/pair/promote")
    def promote() -> PairStatus:
        here = ctx.running.partner.paired()
        here.promote()
        ctx.note_event("pair-promoted", {}, g.actor)
        return here.describe()
