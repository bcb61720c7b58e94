"""What administrators see of the pair: `lts status`, `lts pair` and the portal's Standby page. It shows something of
every part."""

from __future__ import annotations

from lts.crypto import PublicKey
from lts.protocol import iso
from lts.rules.alerting.notices import ERROR, Notice
from lts.rules.licensing.vendorkey import fingerprint
from lts.rules.metering.terms import SEAT_WAYS, grace_units
from lts.rules.pair import CANNOT_STORE, HAND_OVER, MAIN, PROTOCOL
from lts.rules.values.plural import counted
from lts.service.core.context import Context
from lts.service.core.pairmodels import DelegationStatus, Overshoot, PairEvent, PairNotice, PairStatus, PeerStatus
from lts.service.pair import delegated
from lts.service.pair.handover import NO_LICENSE
from lts.service.pair.parts import Parts
from lts.service.pair.peer import RETIRED
from lts.service.pair.peermessages import serials
from lts.store.tables import audit, pair, seats

HISTORY = 200
STUCK_SECONDS = 60.0
_EVENTS = ("pair-lost", "pair-found", "pair-merged", "pair-key-approved", "pair-promoted")
REASONS = ("start", "take-over", HAND_OVER, CANNOT_STORE, "hand-back", "alone", "promoted", "merge")
_HISTORY = (*_EVENTS, *(f"serves-{reason}" for reason in REASONS))
_DETAILS = ("epoch", "main", "url", "changes")
"""Details of an event that the audit log may have, as in PairEvent."""


def describe(parts: Parts) -> PairStatus:
    ctx = parts.ctx
    history, merged, overruled = _history(parts)
    return PairStatus(
        role=parts.membership.role, promoted=parts.membership.promoted, status=ctx.running.status,
        epoch=pair.highest_epoch(ctx.store.epochs), fingerprint=fingerprint(ctx.identity.key.kid),
        in_step=_in_step(parts), lag_changes=_lag(parts), lag_seconds=_lag_seconds(parts),
        take_over_after_seconds=int(parts.limit), peer=_peer(parts), delegation=_delegation(parts),
        faults=[PairNotice(code, detail) for code, detail in _faults(parts).items()],
        notices=[PairNotice(notice.code, notice.detail) for notice in _notices(parts)],
        overshoot=_overshoot(ctx), history=history, merged=merged, overruled=overruled,
    )  # fmt: skip


def _peer(parts: Parts) -> PeerStatus:
    peer, pinned = parts.peer, parts.pinned.now
    return PeerStatus(
        url=parts.url, server_uuid=pinned.uuid, fingerprint=_fingerprint(pinned.key),
        offered_fingerprint=_fingerprint(pinned.offered), role=peer.who.role if peer.who else None,
        version=peer.who.version if peer.who else None, status=peer.state.status if peer.state else None,
        last_contact_seconds=round(parts.elapsed() - peer.heard_at, 1) if peer.met else None,
        clock_offset_seconds=peer.clock_offset if peer.met else None,
    )  # fmt: skip


def notices(parts: Parts) -> list[Notice]:
    """The pair in `lts status` and on the portal's home page."""
    return [*(Notice(code, detail, ERROR) for code, detail in _faults(parts).items()), *_notices(parts)]


def _notices(parts: Parts) -> list[Notice]:
    """What is not a fault."""
    found = []
    gap = abs(parts.contact.clock_gap)
    if gap:
        reports = parts.contact.ahead + (parts.peer.state.ahead if parts.peer.state is not None else 0)
        sentence = (
            f"The clocks of the two servers differ by {gap} seconds; set them right. Reports rejected in part or in"
            f" whole because of that (142): {reports}."
        )
        found.append(Notice("pair-clocks", sentence, params={"seconds": gap, "reports": reports}))
    found += _older(parts)
    if parts.ctx.running.serves:
        found += _not_following(parts)
        found += delegated.notices(parts.ctx, for_good=parts.membership.role == MAIN)
    return found


def _faults(parts: Parts) -> dict[str, str]:
    """Faults of the pair, by code; among them that this server may not serve again even if the other one is down
    too."""
    if parts.pinned.now.retired or not parts.delegating.stands_in_alone():
        parts.peer.mend(NO_LICENSE)
    faults = dict(parts.peer.faults)
    if parts.pinned.now.retired:
        faults["peer-promoted"] = f"{RETIRED} {_left_here(parts)}"
    if parts.starts.copy_calls:
        faults["peer-copied"] = (
            "A second server with the other server's identity calls this one: the data folder of one of the two is a"
            f" copy, or a backup, of the other's. It gets nothing; the one at {parts.url} stays in use. Stop the second"
            " one, and begin there with an empty data folder or its own."
        )
    if parts.delegating.is_needed_more(parts.pinned.now.uuid):
        does = "keeps serving" if parts.ctx.running.serves else "could serve"
        faults[NO_LICENSE] = (
            f"No license is bound to the main at {parts.url}, which authorizes nobody; this server {does} in the place"
            " of the previous main until that one's delegation ends. Make this one the main (lts promote), send the"
            " vendor its activation request, and set that one up as its standby, with an empty data folder."
        )
    if _takes_nothing(parts):
        faults["peer-takes-nothing"] = (
            "The other server is there, but has taken nothing from this one for over a minute and is not in step: it"
            " cannot read or store what this one sends, or does not reach it in time. Run lts pair over there, and see"
            " its log."
        )
    return faults


def _left_here(parts: Parts) -> str:
    """What to do with this old main: first the promoted server takes what only this one holds."""
    if not parts.pinned.has_retired:
        return "This server cannot store that it was replaced; make room on its disk, and do not restart it before."
    set_up = "et this one up as its standby, with an empty data folder."
    if parts.peer.state is None:
        words = "It takes what this one alone holds once it reaches it, as long as its servers name this one's URL."
        return f"{words} Then s{set_up}"
    theirs, mine = serials(parts.peer.state.have), serials(parts.ctx.store.positions())
    left = sum(max(0, serial - theirs.get(name, 0)) for name, serial in mine.items())
    if left:
        return f"It lacks {counted(left, 'change')} of this one, and takes them as it reaches it. Then s{set_up}"
    return f"It has all that this one held. S{set_up}"


def _takes_nothing(parts: Parts) -> bool:
    """Whether the other server is in contact with this one, which serves, and has not been in step for STUCK_SECONDS.
    Other messages report a server that must be upgraded, or that takes its first copy (it has no feed then)."""
    peer, now = parts.peer, parts.elapsed()
    if not parts.ctx.running.serves or parts.acknowledgments.in_step or parts.contact.stopped or parts.contact.waiting:
        return False
    speaks = peer.state is not None and peer.state.family != "" and now - peer.heard_at < parts.limit
    return speaks and now - peer.moved >= STUCK_SECONDS


def _older(parts: Parts) -> list[Notice]:
    if not parts.peer.met or parts.peer.protocol >= PROTOCOL:
        return []
    version = parts.peer.who.version if parts.peer.who else ""
    sentence = f"The other server is an older LTS ({version}) than this one; upgrade it soon."
    if parts.contact.waiting:
        sentence += " Changes that it cannot read wait for that, and it does not follow meanwhile."
    return [Notice("pair-older", sentence, params={"theirs": version})]


def _not_following(parts: Parts) -> list[Notice]:
    if parts.acknowledgments.in_step:
        return []
    if parts.membership.alone:
        sentence = (
            "This server was promoted and has no standby; what clients report is on this server only. Set up a new"
            ' standby and name it in servers of lts.json, or write "servers": ["self"] there.'
        )
        return [Notice("pair-no-standby", sentence)]
    sentence = "The other server does not follow; what clients report is on this server only, until it does."
    return [Notice("pair-not-following", sentence)]


def _fingerprint(key: str | None) -> str | None:
    return fingerprint(PublicKey.from_x(key).kid) if key else None


def _in_step(parts: Parts) -> bool:
    if parts.ctx.running.serves:
        return parts.acknowledgments.in_step
    at = parts.peer.in_step_at
    return at is not None and parts.elapsed() - at < parts.limit and not _lag(parts)


def _lag(parts: Parts) -> int | None:
    """How many changes only one of the two has, as far as this one knows; None before the first contact."""
    state = parts.peer.state
    if state is None:
        return None
    theirs, mine = serials(state.have), serials(parts.ctx.store.positions())
    return sum(abs(theirs.get(name, 0) - mine.get(name, 0)) for name in {*theirs, *mine})


def _lag_seconds(parts: Parts) -> float | None:
    if _in_step(parts) or not _lag(parts):
        return 0.0 if parts.peer.met else None
    return round(parts.elapsed() - (parts.peer.in_step_at or parts.peer.heard_at), 1)


def _delegation(parts: Parts) -> DelegationStatus | None:
    held = parts.pinned.now.delegation
    if held is None or not delegated.is_needed(parts.ctx, held):
        return None
    clock = parts.ctx.clock
    now = clock.item_time(clock.now())
    return DelegationStatus(held.main_uuid, iso(held.until), max(0, held.until - now))


def _overshoot(ctx: Context) -> list[Overshoot]:
    found = []
    now = ctx.clock.seat_time(ctx.clock.now())
    with ctx.store.snapshot() as view:
        for key, entry in view.catalog.items.items():
            if entry.terms.charge_way in SEAT_WAYS:
                excess = seats.live(view, key, 0, now) - entry.terms.quota - grace_units(entry.terms)
                if excess > 0:
                    found.append(Overshoot(key, entry.terms.item_id, excess))
    return found


def _history(parts: Parts) -> tuple[list[PairEvent], list[PairEvent], int]:
    """(events of the pair, newest first; merges; overruled changes)."""
    with parts.ctx.store.reader() as db:
        lines = audit.lines(db, audit.AuditFilter(actions=_HISTORY), 0, HISTORY)
        lost = pair.overruled(db)
    history: list[PairEvent] = []
    merged: list[PairEvent] = []
    for line in lines:
        details = (line.detail.get(name) for name in _DETAILS)
        event = PairEvent(iso(line.time), line.server, line.action.removeprefix("serves-"), *details)
        (merged if line.action == "pair-merged" else history).append(event)
    return history, merged, lost
