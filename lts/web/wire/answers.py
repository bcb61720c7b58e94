"""The answers to clients: their types, from which openapi.json is made too (docs/design/surface.md, Client
API)."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, cast

import msgspec
from msgspec import Meta, Struct

from lts import __version__
from lts.protocol import REPORT_INTERVAL_SECONDS, Durable, iso
from lts.rules.metering.usage import Result
from lts.rules.pair import ServingStatus
from lts.service.metering.authorize import AuthorizeOutcome
from lts.service.metering.report import ReportOutcome

Time = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
JwsAnswer = Annotated[str, Meta(description="Compact JWS")]
NextCloneToken = Annotated[str, Meta(description="Send it with the next request")]
OldName = Annotated[str, Meta(description="The clone token by its name of 0.1, until 0.3")]
encode = msgspec.json.Encoder().encode
_iso = lru_cache(maxsize=4096)(iso)
"""Most answers of a second name the same times."""


class ItemAnswer(Struct, rename="camel", gc=False):
    """One license item of a lease."""

    item_id: str
    charge_way: str
    modules: tuple[str, ...]
    grace: bool


class AuthorizeAnswer(Struct, rename="camel"):
    """200 of authorize."""

    lease: JwsAnswer
    certificates: tuple[JwsAnswer, ...]
    license_certificates: Annotated[
        tuple[JwsAnswer, ...], Meta(description="Of the lease's licenses that the first certificate does not name")
    ]
    items: list[ItemAnswer]
    expires_at: Time
    renew_after: Time
    report_interval: Annotated[int, Meta(description="Seconds")]
    server_time: Time
    clone_token: NextCloneToken
    chain: OldName


class ResultAnswer(Result, frozen=True):
    """The result of one entry of a report."""


class ReportAnswer(Struct, rename="camel"):
    """200 of report: one result for each entry, in order."""

    results: list[ResultAnswer]
    durable: Durable
    lease: JwsAnswer | None
    expires_at: Time | None
    renew_after: Time | None
    receipt: JwsAnswer | None
    certificates: tuple[JwsAnswer, ...] | None
    server_time: Time
    clone_token: NextCloneToken
    chain: OldName


class HealthAnswer(Struct):
    """200 or 503 of health."""

    status: ServingStatus
    version: str


class Problem(Struct, rename="camel", omit_defaults=True):
    """A refusal (RFC 9457). `code` is one of the table in docs/protocol.md, or a word where HTTP refuses."""

    type: str
    title: str
    status: int
    code: int | str
    detail: str
    request_id: str
    field: str | None = None


def authorized(done: AuthorizeOutcome, now: int) -> bytes:
    """The body of a granted authorization; `now` in UTC seconds."""
    items = [ItemAnswer(i.item_id, i.charge_way, i.modules, i.grace) for i in done.items]
    return encode(
        AuthorizeAnswer(
            done.lease,
            done.certificates,
            done.license_certificates,
            items,
            _iso(done.expires_at),
            _iso(done.renew_after),
            REPORT_INTERVAL_SECONDS,
            _iso(now),
            done.clone_token,
            done.clone_token,
        )
    )


def reported(done: ReportOutcome, now: int) -> bytes:
    """The body of a recorded report; `now` in UTC seconds."""
    results = cast("list[ResultAnswer]", done.results)  # which has nothing of its own
    return encode(
        ReportAnswer(
            results,
            done.durable,
            done.lease,
            None if done.expires_at is None else _iso(done.expires_at),
            None if done.renew_after is None else _iso(done.renew_after),
            done.receipt,
            done.certificates,
            _iso(now),
            done.clone_token,
            done.clone_token,
        )
    )


def health(status: ServingStatus) -> bytes:
    return encode(HealthAnswer(status, __version__))
